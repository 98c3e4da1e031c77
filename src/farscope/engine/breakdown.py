"""Errors inside the engine, which watchers see as a failed step, like a handler's error.

The functions here use as little of a chart as possible, because the part they use may be the one that failed.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from time import time_ns
from typing import Any

from farscope.engine.core.algorithm import TOP
from farscope.engine.core.notebook import Notebook, bounded
from farscope.engine.core.reserved import hiding, mended
from farscope.engine.event import Event
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause

_log = logging.getLogger("farscope")

Posted = tuple[int, Cause | None]
"""Time at which the step's event was posted, and the step that posted it."""

UNPOSTED: Posted = (0, None)

# ruff: noqa: SLF001 - a part of the chart kept outside its class, so that a user's names cannot affect it


class Breakdown(Event):
    """A placeholder for an event that could not be queued: the chart fails when it takes it."""

    __slots__ = ("error",)

    def __init__(self, e: Event, error: BaseException) -> None:
        self.signal_name = e.signal_name
        self.payload = e.payload
        self.error = error

    @property
    def signal(self) -> int:  # type: ignore[override]
        """Raise the error, on the chart's own thread and in the order of the queue."""
        raise self.error


def failed(chart: Any, e: Event, error: BaseException, begin_ns: int, posted: Posted) -> BaseException:
    """Record that the step about ``e`` failed; return the error to raise."""
    blamed = _blamed(chart, error)
    number = chart._here.number
    try:
        chart._fail(chart._replayed(e), blamed, begin_ns, posted)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, the step is recorded
        _log.error("chart %s could not record a failed step in full", chart._name, exc_info=broken)
        if chart._here.number == number:
            _record_plainly(chart, e.signal_name, blamed, begin_ns, posted)
    chart._told_number = chart._here.number
    return blamed


def unrecorded(chart: Any, e: Event, error: BaseException, begin_ns: int, posted: Posted) -> BaseException:
    """Record that the step about ``e`` ran but could not be recorded; return the error to raise."""
    if chart._live.raised == id(error):
        # The step was recorded: errors raised while it was shown, including an observer's, also end up here.
        chart._live.raised = 0
    else:
        error = _blamed(chart, error)
        _record_plainly(chart, e.signal_name, error, begin_ns, posted)
        chart._told_number = chart._here.number
    return error


def forgotten(chart: Any, error: BaseException) -> BaseException:
    """Make an unrecorded chart forget a step that failed; return the error to raise."""
    blamed = _blamed(chart, error)
    _forget(chart)
    return blamed


def goes_on(chart: Any, e: Event, error: BaseException) -> bool:
    """Return whether a self-running chart continues after a failed step; ensure that this is reported."""
    try:
        tell_once(chart, e.signal_name, error)
        goes: bool = chart._goes_on(e, error)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, the chart ends rather than its thread
        _log.error("chart %s stops: what a failed step leads to failed as well", chart._name, exc_info=broken)
        return False
    return goes


def broke_down(chart: Any, error: BaseException) -> None:
    """Record an error between steps as a failed step and as the cause of the chart's end."""
    blamed = _blamed(chart, error)
    _log.error("chart %s stops: its engine failed", chart._name, exc_info=blamed)
    chart._failure = chart._failure or blamed
    chart._stopping = True
    tell_once(chart, "", blamed, always=True)


def end_plainly(chart: Any) -> None:
    """Notify watchers that the chart has ended, unless they have been notified already."""
    observers = chart._observers
    if observers.ended:
        return
    observers.ended = True
    for sink in observers.attached():
        try:
            sink.stopped(chart._id)
        except Exception as deaf:  # noqa: BLE001 - the others are notified regardless
            _log.error("%r of chart %s raised", sink, chart._name, exc_info=deaf)
    # Nothing is reported after the end.
    observers.keeps_steps = False
    observers.release()


def tell_once(chart: Any, signal: str, error: BaseException, *, always: bool = False) -> None:
    """Record a failed step about ``error``, unless that is already the last recorded step."""
    if chart._observers.wanted and (always or chart._told_number != chart._here.number):
        _record_plainly(chart, signal, error, time_ns(), UNPOSTED)
        chart._told_number = chart._here.number


def undelivered(chart: Any, e: Event, error: BaseException) -> None:
    """Make a chart fail, in the order of its queue, about an event that could not be queued."""
    if not hasattr(chart, "_told_number"):
        # Another receiver of events that is not a chart.
        raise error
    chart._queue.append((Breakdown(e, error), None, 0))
    chart._wake()


def _blamed(chart: Any, error: BaseException) -> BaseException:
    """Return the error to report: that a user's attribute took a name, if one did, otherwise ``error``."""
    clash: BaseException | None = None
    with contextlib.suppress(Exception):
        clash = mended(chart)
        if clash is None and isinstance(error, (TypeError, AttributeError)):
            _note_hidden(chart, error)
    if clash is None or str(clash) == str(error):
        return error
    clash.__cause__ = error
    return clash


def _note_hidden(chart: Any, error: BaseException) -> None:
    hidden = [name for name in hiding(chart) if not callable(getattr(chart, name))]
    if hidden:
        error.add_note(
            f"{chart!r} has attributes of its own that hide those of every chart: {', '.join(hidden)}; "
            "rename them to use both"
        )


def _record_plainly(chart: Any, signal: str, error: BaseException, begin_ns: int, posted: Posted) -> None:
    """Record a failed step with only its signal and the error."""
    at = chart._leaf.name if chart._leaf else TOP
    shape = Shape(StepKind.FAILED, signal, at, at, (Fact(FactKind.FAILED, at),))
    texts = (bounded("".join(traceback.format_exception(error)), tail=True),)
    _forget(chart)
    here = chart._here
    number = here.number
    try:
        Notebook._record(chart, shape, begin_ns, *posted, texts)
    except BaseException as broken:  # noqa: BLE001 - whatever it is, watchers are notified
        _log.error("chart %s could not record a step", chart._name, exc_info=broken)
        here.number = number + 1
        waited_ns = max(0, begin_ns - posted[0]) if posted[0] else 0
        duration_ns = max(0, time_ns() - begin_ns)
        step = (chart._id, number + 1, shape, begin_ns, duration_ns, 0, 0, waited_ns, posted[1], texts)
        for sink in chart._observers.attached():
            try:
                sink.step(step)
            except Exception as deaf:  # noqa: BLE001 - the others are notified regardless
                _log.error("%r of chart %s raised", sink, chart._name, exc_info=deaf)


def _forget(chart: Any) -> None:
    try:
        chart._forget_failed()
    except BaseException as broken:  # noqa: BLE001 - what it would clear is cleared here
        _log.error("chart %s could not forget a failed step", chart._name, exc_info=broken)
        chart._walk = chart._place = None
        chart._made.clear()
        chart._texts.clear()
