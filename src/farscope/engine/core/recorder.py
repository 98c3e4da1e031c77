"""The recorder of a chart: the rings behind spy and trace, and the observers that watch it live."""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Callable, Sized
from time import time_ns
from typing import Any, NamedTuple

from farscope.errors import UsageError
from farscope.records.configuration import Configuration
from farscope.records.current_step import StepContext
from farscope.records.observable import Observers
from farscope.records.shape import Shape
from farscope.records.step import SHAPE, Cause, ChartId, ChartRef, RawStep, Step, Value
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure
from farscope.records.text import spy_text, trace_text

RING_STEPS = 500
"""Default ``ring_size``: the number of steps kept for ``spy()``, of steps with a transition kept for
``trace()``, and of lines that ``spy()`` returns. Beyond it the oldest are dropped."""

Values = tuple[tuple[str, Value], ...]
Kept = tuple[int, Shape, int, int, int, int, int, Cause | None, tuple[str, ...], Values]
"""A step as the rings keep it: number, shape, begin, end, events queued and deferred, time its event was
posted (0 if it was not), cause, texts, values. The other fields of a step are derived when it is read, or
reported to observers: most steps of most charts never are."""

LineCallback = Callable[[str], object]


class Rings(NamedTuple):
    """How much of a chart's history is kept, and how much has been dropped since it was last cleared."""

    steps: int
    steps_dropped: int
    traces: int
    traces_dropped: int


class Recorder:
    """Records the steps of one chart and reports them. Reading is safe from any thread.

    Args:
        name: name of the chart.
        context: the chart's step context, which counts its steps.
        live: prints or passes on lines as the steps end.
        ring_size: number of steps kept.
        events: the events that wait, and the deferred ones; their numbers are part of each step.
    """

    __slots__ = (
        "_deferred",
        "_queued",
        "_steps_from",
        "context",
        "id",
        "live",
        "observers",
        "parent",
        "raised",
        "steps",
        "traced",
        "traces",
    )

    def __init__(
        self,
        name: str,
        context: StepContext,
        live: LiveLines,
        ring_size: int,
        events: tuple[Sized, Sized],
    ) -> None:
        self.context = context
        self.live = live
        self.observers = Observers(live)
        context.sinks = self.observers.sinks
        self.parent: ChartRef | None = None
        """The chart that contains this one, if any."""
        self.steps: deque[Kept] = deque(maxlen=ring_size)
        self.traced: deque[Kept] = deque(maxlen=ring_size)
        self.traces = 0
        """Number of steps with a transition since the trace was cleared."""
        self.raised = 0
        """Identity of an error that was raised after a step was recorded, and is re-raised."""
        self._steps_from = 0
        self._queued, self._deferred = events
        self.rename(name)

    def rename(self, name: str) -> None:
        """Give the chart a name.

        Raises:
            UsageError: it is not a string.
        """
        if not isinstance(name, str):
            raise UsageError(
                f"a chart cannot be named {name!r}",
                "name it by a string; queue_size= says how many events its queue holds",
            )
        self.id = ChartId(name, platform.node(), os.getpid(), self.context.serial)

    def keep_steps(self, on: bool) -> None:
        """Keep steps from now on even if no sink is attached, or no longer."""
        self.observers.keeps_steps = on
        self.observers.arrange()

    def record(  # noqa: PLR0917 - called for every step: keywords would make the call slower
        self,
        shape: Shape,
        begin_ns: int,
        posted_ns: int,
        cause: Cause | None,
        texts: tuple[str, ...],
        chart: Any = None,
        event: Any = None,
    ) -> None:
        """Append the finished step to the rings, and report it to the observers.

        Those that need them also receive ``chart`` and ``event``, unless the chart is broken and has none.
        """
        context = self.context
        observers = self.observers
        receivers = observers.receivers
        number = context.number + 1
        queued, deferred = len(self._queued), len(self._deferred)
        kept = (number, shape, begin_ns, time_ns(), queued, deferred, posted_ns, cause, texts, ())
        step = None
        if receivers:
            step = self._raw(kept)
            if observers.subject_sinks and event is not None:
                observers.about(chart, event)
        try:
            # Nothing may come between these two: an error raised by a signal handler leaves both done or
            # neither.
            context.number = number
            self.steps.append(kept)
            if shape.traced:
                self.traces += 1
                self.traced.append(kept)
            if step is not None:
                observers.report(step, receivers)
        except BaseException as error:
            # The step is in the ring: the error is the program's, or an observer's in a strict program.
            self.raised = id(error)
            if step is not None and observers.was_not_reported(error):
                observers.report(step, receivers)
            raise

    def _raw(self, kept: Kept) -> RawStep:
        """Return the fields of a step that is kept."""
        number, shape, begin_ns, end_ns, queued, deferred, posted_ns, cause, texts, values = kept
        duration_ns = end_ns - begin_ns
        waited_ns = begin_ns - posted_ns if posted_ns else 0
        if duration_ns < 0 or waited_ns < 0:
            # The wall clock may be set back at any time.
            duration_ns, waited_ns = max(0, duration_ns), max(0, waited_ns)
        return (
            self.id,
            number,
            shape,
            begin_ns,
            duration_ns,
            queued,
            deferred,
            waited_ns,
            cause,
            texts,
            values,
        )

    def _step(self, kept: Kept) -> Step:
        return Step._make(self._raw(kept))

    def all_steps(self) -> list[Step]:
        """Return the steps that are kept, oldest first."""
        return [self._step(kept) for kept in self.steps.copy()]

    def spy(self) -> list[str]:
        """Return the last spy lines, oldest first; at most as many lines as steps are kept."""
        size = self.steps.maxlen or 0
        return spy_text(self.all_steps())[-size:] if size else []

    def spy_rtc(self) -> list[str]:
        """Return the spy lines of the last step."""
        last = self.steps.copy()
        return self._step(last[-1]).spy() if last else []

    def trace(self) -> str:
        """Return the last trace lines as one text that begins with a newline."""
        return trace_text(filter(None, (self._step(kept).trace() for kept in self.traced.copy())))

    def rings(self) -> Rings:
        """Return how much of the history is kept, and how much has been dropped."""
        kept, traced = len(self.steps), len(self.traced)
        return Rings(kept, self.context.number - self._steps_from - kept, traced, self.traces - traced)

    def clear_spy(self) -> None:
        """Clear the steps kept for ``spy``."""
        self.steps.clear()
        self._steps_from = self.context.number

    def clear_trace(self) -> None:
        """Clear the steps kept for ``trace``."""
        self.traced.clear()
        self.traces = 0


class LiveLines:
    """Renders steps for the live callbacks: an observer like any sink."""

    def __init__(self, spy_callback: LineCallback, trace_callback: LineCallback) -> None:
        self.spy_on = False
        self.trace_on = False
        self.spy_callback = spy_callback
        self.trace_callback = trace_callback

    def __repr__(self) -> str:
        return "live callback"

    @property
    def on(self) -> bool:
        """Whether either kind of lines is shown."""
        return self.spy_on or self.trace_on

    def turn_off(self) -> None:
        """Show no more lines."""
        self.spy_on = self.trace_on = False

    def step(self, raw: RawStep) -> None:
        """Pass the lines of a step to the callbacks that are on."""
        step = Step._make(raw)
        if self.trace_on and raw[SHAPE].traced:
            self.trace_callback(step.trace() or "")
        if self.spy_on:
            for line in step.spy():
                self.spy_callback(line)

    def announce(
        self,
        chart: ChartId,
        structure: ChartStructure,
        state: Configuration,
        number: int,
        parent: ChartRef | None = None,
    ) -> None:
        """Do nothing: a structure has no lines."""

    def stopped(self, chart: ChartId, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Do nothing: an end has no lines."""
