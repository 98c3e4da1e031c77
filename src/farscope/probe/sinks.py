"""The sinks that a probe attaches to charts."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from farscope.probe.announcements import ChartDirectory
from farscope.probe.log_facts import VALUES_PROBLEM, with_shape
from farscope.probe.outbox import Outbox
from farscope.probe.shown_values import ShownValues
from farscope.records.configuration import Configuration
from farscope.records.observable import Observable
from farscope.records.shape import Shape
from farscope.records.sink import NO_LOGS
from farscope.records.step import SHAPE, TEXTS, ChartId, ChartRef, RawStep
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure
from farscope.wire.batch import TokenEntry


class SinkEnds(NamedTuple):
    """Where the sinks of a probe leave what they receive."""

    outbox: Outbox
    directory: ChartDirectory
    tokens: deque[TokenEntry]
    """Tokens of steps that are to be sent."""
    probe_id: Callable[[], str]


class ProbeSink:
    """A sink attached to a chart, apart from the way it receives steps.

    A ``LastingSink``: it cannot fail by itself, and an error raised from outside leaves it intact.
    """

    __slots__ = ("_announced", "_ends", "_outbox", "_release", "follow", "log_level")

    def __init__(
        self,
        ends: SinkEnds,
        release: Callable[[], object],
        follow: Callable[[Observable], object],
        log_level: int,
    ) -> None:
        """``release`` is called after the chart was stopped, and ``follow`` for each chart inside it.

        ``log_level`` is as in ``LogSink``.
        """
        self._ends = ends
        self._outbox = ends.outbox
        self._release = release
        self._announced: ChartId | None = None
        self.follow = follow
        self.log_level = log_level

    def step_again(self, step: RawStep, error: BaseException) -> None:
        """Receive a step again, unless it had been accepted when ``error`` struck."""
        self._outbox.offer_again(step, error)

    @property
    def probe_id(self) -> str:
        """Hex of the probe."""
        return self._ends.probe_id()

    def note_token(self, serial: int, number: int, span_id: str) -> None:
        """Make known to scopes that a step handed out a token with a span id."""
        self._ends.tokens.append(TokenEntry(serial, number, span_id))

    def announce(
        self,
        chart: ChartId,
        structure: ChartStructure,
        state: Configuration,
        number: int,
        parent: ChartRef | None = None,
    ) -> None:
        """Record a chart's structure, configuration, last step number and parent."""
        self._announced = chart
        self._ends.directory.announce(chart, structure, state, number, parent, log_level=self.log_level)
        self._outbox.wake_if_asleep()

    def stopped(self, chart: ChartId, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Record that the chart makes no more steps, and why."""
        self._announced = chart
        self.end(status)
        self._release()

    def end(self, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Report a chart known to watchers as making no more steps here, and why."""
        if self._announced is not None:
            self._ends.directory.stopped(self._announced, self._outbox.next_number, status)
            self._outbox.wake_if_asleep()


class PlainSink(ProbeSink):
    """A sink that passes steps on as they are; ``step`` is the outbox's own method, to save a call."""

    __slots__ = ("step",)

    def __init__(
        self,
        ends: SinkEnds,
        release: Callable[[], object],
        follow: Callable[[Observable], object],
        log_level: int = NO_LOGS,
    ) -> None:
        super().__init__(ends, release, follow, log_level)
        self.step = ends.outbox.offer


class ValuedSink(ProbeSink):
    """A sink that adds to each step the values that the program shows."""

    __slots__ = ("_values", "subject")

    def __init__(
        self,
        ends: SinkEnds,
        release: Callable[[], object],
        follow: Callable[[Observable], object],
        log_level: int,
        values: ShownValues,
    ) -> None:
        super().__init__(ends, release, follow, log_level)
        self._values = values
        self.subject: tuple[Any, Any] | None = None

    def step(self, step: RawStep) -> None:
        """Pass on a step with its values."""
        subject = self.subject
        if subject is not None:
            # Not kept any longer: an event may hold much, and a chart is to be freed with its last user.
            self.subject = None
            values = self._values
            shown = values.after(subject)
            if shown:
                chart, number, shape, time_ns, duration_ns, queued, deferred, waited_ns, cause, texts, _ = (
                    step
                )
                # Written out, because taking a slice and adding to it takes longer.
                step = (
                    chart,
                    number,
                    shape,
                    time_ns,
                    duration_ns,
                    queued,
                    deferred,
                    waited_ns,
                    cause,
                    texts,
                    shown,
                )
            if values.problem is not None:
                step = self._with_problem(step, values.problem)
                values.problem = None
        self._outbox.offer(step)

    def _with_problem(self, step: RawStep, problem: str) -> RawStep:
        shape = step[SHAPE]
        facts = (*shape.facts, VALUES_PROBLEM)
        noted = Shape(shape.kind, shape.signal, shape.start_states, shape.end_states, facts)
        return with_shape(step, noted, (*step[TEXTS], problem))


AnySink: TypeAlias = PlainSink | ValuedSink


class Watched(NamedTuple):
    """A broadcast chart, held weakly, and its sink."""

    chart: Callable[[], Observable | None]
    sink: AnySink


def held_weakly(chart: Observable, gone: Callable[[object], None]) -> Callable[[], Observable | None]:
    """Return what gets the chart as long as it exists; ``gone`` is called when it no longer does."""
    try:
        return weakref.ref(chart, gone)
    except TypeError:
        # Its class has slots without __weakref__: the probe keeps it alive until it is stopped.
        return lambda: chart
