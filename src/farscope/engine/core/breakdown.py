"""Errors inside the engine, which watchers see as a failed step, like a handler's error.

The functions here use as little of a chart as possible, because the part they use may be the one that failed.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from time import time_ns
from typing import Any, NamedTuple

from farscope.engine.core.open_step import bounded
from farscope.engine.core.reserved import hiding, mended
from farscope.engine.core.states import outward
from farscope.engine.event import Event
from farscope.errors import Invariant
from farscope.records.configuration import TOP, leaves_of
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause

_log = logging.getLogger("farscope")


class Attempt(NamedTuple):
    """A step that failed: the event, when the step began and the event was posted (or 0), and the cause."""

    e: Event
    begin_ns: int
    posted_ns: int
    cause: Cause | None


def failed(core: Any, chart: Any, error: BaseException, attempt: Attempt) -> BaseException:
    """Record that the step failed; return the error to raise."""
    blamed = _blamed(core, chart, error)
    number = core.context.number
    try:
        _record_failure(core, chart, blamed, attempt)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, the step is recorded
        _log.error("chart %s could not record a failed step in full", core.name, exc_info=broken)
        if core.context.number == number:
            _record_plainly(core, attempt.e.signal_name, blamed, attempt[1:])
    core.failed_number = core.context.number
    _settle_stays(core)
    return blamed


def unrecorded(core: Any, chart: Any, error: BaseException, attempt: Attempt) -> BaseException:
    """Record that the step ran but could not be recorded; return the error to raise."""
    if core.recorder.raised == id(error):
        # The step was recorded: errors raised while it was reported, including an observer's, also end up
        # here.
        core.recorder.raised = 0
    else:
        error = _blamed(core, chart, error)
        _record_plainly(core, attempt.e.signal_name, error, attempt[1:])
        core.failed_number = core.context.number
    _settle_stays(core)
    return error


def forgotten(core: Any, chart: Any, error: BaseException) -> BaseException:
    """Make an unrecorded chart forget a step that failed; return the error to raise."""
    blamed = _blamed(core, chart, error)
    _forget(core)
    _settle_stays(core)
    return blamed


def end_plainly(core: Any) -> None:
    """Notify watchers that the chart has ended, unless they have been notified already."""
    observers = core.observers
    if observers.ended:
        return
    observers.ended = True
    for sink in observers.attached():
        try:
            sink.stopped(core.recorder.id, core.end_status)
        except Exception as deaf:  # noqa: BLE001 - the others are notified regardless
            _log.error("%r of chart %s raised", sink, core.name, exc_info=deaf)
    # Nothing is reported after the end.
    observers.keeps_steps = False
    observers.release()


def report_once(core: Any, signal: str, error: BaseException, *, always: bool = False) -> None:
    """Record a failed step about ``error``, unless that is already the last recorded step."""
    if core.observers.wanted and (always or core.failed_number != core.context.number):
        _record_plainly(core, signal, error, (time_ns(), 0, None))
        core.failed_number = core.context.number


def broke_down(core: Any, chart: Any, error: BaseException) -> BaseException:
    """Record an error between steps as a failed step; return the error that ends the chart."""
    blamed = _blamed(core, chart, error)
    _log.error("chart %s stops: its engine failed", core.name, exc_info=blamed)
    report_once(core, "", blamed, always=True)
    return blamed


def _record_failure(core: Any, chart: Any, error: BaseException, attempt: Attempt) -> None:
    """Record the step that ``error`` ended; the chart stays in the state in which it rested before.

    Exits and entries already made are not undone; the record and a note on the error say so.
    """
    shape, undone = core.algorithm.failed(chart, attempt.e)
    if undone:
        error.add_note(undone)
    text = "".join(traceback.format_exception(error))
    step = core.step
    texts = (*step.take_texts(len(step.texts)), bounded(text, tail=True))
    core.algorithm.forget_failed()
    core.recorder.record(shape, *attempt[1:], texts, chart, attempt.e)


def _blamed(core: Any, chart: Any, error: BaseException) -> BaseException:
    """Return the error to report: that a user's attribute took a name, if one did, otherwise ``error``."""
    clash: BaseException | None = None
    with contextlib.suppress(Exception):
        clash = mended(chart, core)
        if clash is None and isinstance(error, (TypeError, AttributeError)):
            _note_hidden(chart, error)
    if clash is None or str(clash) == str(error):
        return error
    if not isinstance(error, Invariant):
        clash.__cause__ = error
    return clash


def _note_hidden(chart: Any, error: BaseException) -> None:
    hidden = [name for name in hiding(chart) if not callable(getattr(chart, name))]
    if hidden:
        error.add_note(
            f"{chart!r} has attributes of its own that hide those of every chart: {', '.join(hidden)}; "
            "rename them to use both"
        )


def _record_plainly(
    core: Any, signal: str, error: BaseException, times: tuple[int, int, Cause | None]
) -> None:
    """Record a failed step with only its signal and the error."""
    begin_ns, posted_ns, cause = times
    leaves = leaves_of(core.algorithm.configuration)
    # Of several active leaves, none in particular failed.
    at = leaves[0] if len(leaves) == 1 else TOP
    shape = Shape(StepKind.FAILED, signal, leaves, leaves, (Fact(FactKind.FAILED, at),))
    texts = (bounded("".join(traceback.format_exception(error)), tail=True),)
    _forget(core)
    context = core.context
    number = context.number
    try:
        core.recorder.record(shape, begin_ns, posted_ns, cause, texts)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, watchers are notified
        _log.error("chart %s could not record a step", core.name, exc_info=broken)
        context.number = number + 1
        waited_ns = max(0, begin_ns - posted_ns) if posted_ns else 0
        duration_ns = max(0, time_ns() - begin_ns)
        step = (core.recorder.id, number + 1, shape, begin_ns, duration_ns, 0, 0, waited_ns, cause, texts, ())
        for sink in core.observers.attached():
            try:
                sink.step(step)
            except Exception as deaf:  # noqa: BLE001 - the others are notified regardless
                _log.error("%r of chart %s raised", sink, core.name, exc_info=deaf)


def _forget(core: Any) -> None:
    try:
        core.algorithm.forget_failed()
    except BaseException as broken:  # noqa: BLE001 - what it would clear is cleared here
        _log.error("chart %s could not forget a failed step", core.name, exc_info=broken)
        core.algorithm.abandon_failed()


def _settle_stays(core: Any) -> None:
    """Let timeouts go on that belong to the states in which the chart rests after a failed step."""
    if core.stays is None:
        return
    try:
        core.stays.settle({node.name for leaf in core.algorithm.active() for node in outward(leaf)})
    except BaseException as broken:  # noqa: BLE001 - the chart goes on without them
        _log.error("chart %s could not resume its timeouts", core.name, exc_info=broken)
