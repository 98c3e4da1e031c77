"""The port for everything observable: serial numbers, attached sinks, and the handling of sinks that raise.

Whatever is observable *has* ``Observers``; whatever can be broadcast *is* an ``Observable``. Neither needs
the engine: charts of other libraries are observed the same way.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

from farscope.records.configuration import Configuration
from farscope.records.outside import raised_by_a_signal_handler
from farscope.records.sink import NO_LOGS, LastingSink, Sink, SubjectSink
from farscope.records.step import CHART, ChartId, ChartRef, RawStep
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure

STRICT = "FARSCOPE_STRICT"
"""Environment variable; if it is set to 1, an observer's error is raised after it has been reported."""

_log = logging.getLogger("farscope")
_serials = itertools.count(1)


def next_serial() -> int:
    """Return the serial number of a new chart, unique in this process whichever library the chart is of."""
    return next(_serials)


class Observable:
    """Base class of everything that can be observed and broadcast; ``broadcast`` accepts nothing else.

    Subclasses implement both methods, usually by passing them on to ``Observers``.
    """

    __slots__ = ()

    def attach(self, sink: Sink) -> None:
        """Pass every further step to ``sink``; attaching it again has no effect."""
        raise NotImplementedError

    def detach(self, sink: Sink) -> None:
        """Stop passing steps to ``sink``; no effect if it is not attached."""
        raise NotImplementedError


@runtime_checkable
class FollowingSink(Sink, Protocol):
    """A sink that also observes the charts contained in those it is attached to."""

    def follow(self, child: Observable) -> None:
        """Observe ``child``, which runs or is about to start, if the sink observes such charts at all."""


class Standing(NamedTuple):
    """The state of a started chart, as it is announced to sinks."""

    chart: ChartId
    state: Configuration
    number: int
    """Number of the last step."""
    structure: Callable[[], ChartStructure]
    """Returns states and reactions, as far as they are known."""
    parent: ChartRef | None = None
    """The chart that contains it, if any."""


ReadStanding = Callable[[], Standing | None]
"""Returns the current standing of a chart, or None before its start."""


class OwnOutput(Sink, Protocol):
    """An output of the chart itself, which receives steps after all sinks while the chart keeps its steps."""

    @property
    def on(self) -> bool:
        """Whether it receives steps."""

    def turn_off(self) -> None:
        """Turn the output off, because it raised."""


class Observers:
    """The sinks attached to one chart. They are reported to on the thread that calls; any thread may attach.

    It holds no reference to the chart, so that a chart is freed as soon as nothing else refers to it.

    Args:
        own: an output of the chart itself.
        unobserved: called whenever the last sink has been detached or removed, also at the chart's end.
    """

    __slots__ = (
        "_own",
        "_sinks",
        "_status",
        "_unobserved",
        "ended",
        "keeps_steps",
        "log_level",
        "receivers",
        "subject_sinks",
        "wanted",
    )

    def __init__(self, own: OwnOutput | None = None, unobserved: Callable[[], object] | None = None) -> None:
        self._own = own
        self._unobserved = unobserved
        self._sinks: dict[int, Sink] = {}
        """The sinks by identity, in the order of attaching. Changed only by single operations, because a
        finalizer may attach or detach in the middle of another call."""
        self.keeps_steps = False
        """Whether the chart keeps its steps even if no sink is attached; call ``arrange`` after a change."""
        self.receivers: tuple[Sink, ...] = ()
        """Those that receive steps: the sinks, then the chart's own output."""
        self.subject_sinks: tuple[SubjectSink, ...] = ()
        """The sinks that need the chart and the event of each step: if there are any, call ``about`` before
        ``report``."""
        self.log_level = NO_LOGS
        """The lowest level of log records that any sink wants as facts of steps; ``NO_LOGS`` for none."""
        self.wanted = False
        """Whether steps need to be recorded at all."""
        self.ended = False
        """Whether the sinks were notified that the chart has stopped; none is held from then on."""
        self._status: AnyChartStatus = ChartStatus.STOPPED
        """Why the chart ended, once it has."""

    @property
    def sinks(self) -> Mapping[int, Sink]:
        """The attached sinks by identity: always the same mapping."""
        return self._sinks

    def __len__(self) -> int:
        """Return the number of attached sinks."""
        return len(self._sinks)

    def attached(self) -> list[Sink]:
        """Return the attached sinks, in the order of attaching."""
        return list(self._sinks.values())

    def attach(self, sink: Sink, standing: ReadStanding) -> None:
        """Announce the chart to ``sink`` if it has started, and report every further step to it.

        Attaching it again has no effect. After the chart's end the sink receives the last state and the end,
        and is not kept.
        """
        if self.ended:
            self._report_end(sink, standing)
            return
        announced = None if id(sink) in self._sinks else standing()
        if announced is not None and not self._announce_to(sink, announced):
            return
        self._sinks[id(sink)] = sink
        self.arrange()
        if announced is not None:
            current = standing()
            if current is not None and current.number != announced.number:
                # A step ran between announcing and attaching: the sink would not know the state it ended in.
                self._announce_to(sink, current)
        if self.ended:
            # Another thread, or a signal handler, has stopped the chart in the meantime.
            self._report_end(sink, standing)  # type: ignore[unreachable]

    def detach(self, sink: Sink) -> None:
        """Stop reporting to ``sink``; no effect if it is not attached."""
        known = self._sinks.pop(id(sink), None)
        self.arrange()
        if known is not None:
            self._check_observed()

    def arrange(self) -> None:
        """Recompute which observers receive steps, after a setting that determines it has changed."""
        while True:
            self.receivers = receivers = self._receiving()
            self.wanted = self.keeps_steps or bool(self._sinks)
            self.subject_sinks = tuple(filter(_needs_subject, receivers))
            self.log_level = min((getattr(sink, "log_level", NO_LOGS) for sink in receivers), default=NO_LOGS)
            # If another call ran in the meantime, this one may have undone its result.
            if receivers == self._receiving():
                return

    def announce(self, standing: ReadStanding) -> None:
        """Announce the chart to every sink; an error is raised after the last one."""

        def announce_to(sink: Sink) -> None:
            current = standing()
            if current is not None:
                self._announce_to(sink, current)

        self._for_each(announce_to)

    def follow(self, child: Observable, chart: ChartId) -> None:
        """Let the sinks that follow into contained charts observe ``child``, which ``chart`` contains.

        A second call has no effect.
        """

        def follow_into(sink: Sink) -> None:
            if not isinstance(sink, FollowingSink):
                return
            try:
                sink.follow(child)
            except BaseException as error:
                if _is_the_programs(error, sink):
                    raise
                self._remove(sink, chart, error)

        self._for_each(follow_into)

    def about(self, chart: Any, event: Any) -> None:
        """Pass the chart and the event of the step that is reported next to the sinks that need them."""
        subject = chart, event
        for sink in self.subject_sinks:
            sink.subject = subject

    def report(self, step: RawStep, receivers: tuple[Sink, ...]) -> None:
        """Pass a step to ``receivers``, as read before the step was made.

        An error of the program's own is raised after every one of them has received the step.
        """
        for receiver in receivers:
            try:
                receiver.step(step)
            except BaseException as error:
                if not _is_the_programs(error, receiver):
                    self._remove(receiver, step[CHART], error)
                    continue
                if isinstance(receiver, LastingSink):
                    receiver.step_again(step, error)
                self.report(step, receivers[receivers.index(receiver) + 1 :])
                raise

    @staticmethod
    def was_not_reported(error: BaseException) -> bool:
        """Return whether ``error`` came before ``report`` began; to be called right after catching it."""
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        return (
            trace is None
            or trace.tb_frame.f_code is not Observers.report.__code__
            or "receiver" not in trace.tb_frame.f_locals
        )

    def stop(self, chart: ChartId, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Notify every sink of the chart's end, and release them; an error is raised at the end."""
        self.ended = True
        self._status = status
        try:
            self._for_each(lambda sink: self._stop_to(sink, chart))
        finally:
            # A stopped chart that is still referenced must not keep its sinks alive.
            self.release()

    def release(self) -> None:
        """Detach all sinks without notifying them."""
        observed = bool(self._sinks)
        self._sinks.clear()
        self.arrange()
        if observed:
            self._check_observed()

    def _receiving(self) -> tuple[Sink, ...]:
        own = self._own
        shown = self.keeps_steps and own is not None and own.on
        return (*list(self._sinks.values()), *([own] if own is not None and shown else []))

    def _check_observed(self) -> None:
        if self._unobserved is not None and not self._sinks:
            self._unobserved()

    def _for_each(self, act: Callable[[Sink], object]) -> None:
        """Call ``act`` for every sink; an error is raised after the last one."""
        raised: BaseException | None = None
        for sink in self.attached():
            try:
                act(sink)
            except BaseException as error:  # noqa: BLE001 - raised below
                raised = raised or error
        if raised is not None:
            raise raised

    def _announce_to(self, sink: Sink, standing: Standing) -> bool:
        """Announce the chart; return False if the sink failed and was removed."""
        chart, state, number, read_structure, parent = standing
        structure = read_structure()
        try:
            sink.announce(chart, structure, state, number, parent)
        except BaseException as error:
            if _is_the_programs(error, sink):
                sink.announce(chart, structure, state, number, parent)
                raise
            self._remove(sink, chart, error)
            return False
        return True

    def _stop_to(self, sink: Sink, chart: ChartId) -> None:
        try:
            sink.stopped(chart, self._status)
        except BaseException as error:
            if _is_the_programs(error, sink):
                sink.stopped(chart, self._status)
                raise
            self._remove(sink, chart, error)

    def _report_end(self, sink: Sink, standing: ReadStanding) -> None:
        """Report the last state and the end to a sink that was attached after the end."""
        self.detach(sink)
        last = standing()
        if last is not None and self._announce_to(sink, last):
            self._stop_to(sink, last.chart)

    def _remove(self, observer: Sink, chart: ChartId, error: BaseException) -> None:
        """Detach an observer that raised, and report it once."""
        if self._own is not None and observer is self._own:
            self._own.turn_off()
            self.arrange()
        else:
            self.detach(observer)
        _log.error("%r of chart %s raised and was removed", observer, chart.name, exc_info=error)
        if os.environ.get(STRICT) == "1":
            raise error


def _needs_subject(sink: Sink) -> TypeGuard[SubjectSink]:
    # Checking against the protocol takes microseconds, for each of many charts.
    return hasattr(sink, "subject")


def _is_the_programs(error: BaseException, observer: Sink) -> bool:
    """Return whether an error raised inside an observer is the program's own, not the observer's."""
    lasting = not isinstance(error, Exception) or isinstance(observer, LastingSink)
    return lasting or raised_by_a_signal_handler(error)
