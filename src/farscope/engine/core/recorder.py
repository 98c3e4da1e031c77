"""The recorder of a chart: the rings behind spy and trace, and the sinks that watch it live."""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

from farscope.engine.core.algorithm import TOP
from farscope.engine.core.current_step import Here
from farscope.engine.core.reserved import gives_way, switched
from farscope.engine.definition.states import State, States
from farscope.errors import UsageError
from farscope.records.observable import Observable, Observers, Standing, next_serial
from farscope.records.shape import Shape
from farscope.records.sink import Sink
from farscope.records.step import SHAPE, Cause, ChartId, RawStep, Step
from farscope.records.structure import ChartStructure
from farscope.records.text import print_line, spy_text, trace_text

RING_STEPS = 500
"""Default ``ring_size``: the number of steps kept for ``spy()``, of steps with a transition kept for
``trace()``, and of lines that ``spy()`` returns. Beyond it the oldest are dropped."""

Brief = tuple[int, Shape, int, int, int, int, int, Cause | None, tuple[str, ...]]
"""A step without watchers, as the rings keep it: number, shape, time its event was posted (0 if it was not),
begin, end, events queued and deferred, cause, texts. The other fields of a step are derived when it is
read."""

LineCallback = Callable[[str], object]


class Rings(NamedTuple):
    """How much of a chart's history is kept, and how much has been dropped since it was last cleared."""

    steps: int
    steps_dropped: int
    traces: int
    traces_dropped: int


class Recorder(Observable):
    """The part of a chart that records its steps and shows them. Reading is safe from any thread."""

    _states: States

    live_spy_callback_default: LineCallback = staticmethod(print_line)
    """Receives each spy line while no callback is registered; intended to be overridden by subclasses."""
    live_trace_callback_default: LineCallback = staticmethod(print_line)
    """Receives each trace line while no callback is registered; intended to be overridden by subclasses."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_here",
        "_id",
        "_is_named",
        "_leaf",
        "_live",
        "_name",
        "_observers",
        "_steps",
        "_steps_from",
        "_traced",
        "_traces",
    )

    def __init__(self, name: str | None, *, instrumented: bool | None, ring_size: int = RING_STEPS) -> None:
        serial = next_serial()
        self._here = Here(serial)
        if name is not None and not isinstance(name, str):
            raise UsageError(
                f"a chart cannot be named {name!r}",
                "name it by a string; queue_size= says how many events its queue holds",
            )
        self._is_named = name is not None
        self._name = name if name is not None else f"{type(self).__name__.lower()}{serial}"
        self._id = self._make_id()
        self._leaf: State | None = None
        self._steps: deque[Brief | RawStep] = deque(maxlen=ring_size)
        self._steps_from = 0
        self._traced: deque[Brief | RawStep] = deque(maxlen=ring_size)
        self._traces = 0
        self._live = _Live(self.live_spy_callback_default, self.live_trace_callback_default)
        self._observers = observers = Observers(self._live)
        observers.keeps_steps = instrumented is None or bool(instrumented)
        observers.arrange()

    def _name_after(self, _goal: State) -> str:
        """Return the name that a chart without one receives when it starts in that state."""
        return self._name

    def _make_id(self) -> ChartId:
        return ChartId(self._name, platform.node(), os.getpid(), self._here.serial)

    @property
    def instrumented(self) -> bool:
        """Whether the chart records its steps for ``spy`` and ``trace``; may be changed at any time."""
        return self._observers.keeps_steps

    @instrumented.setter
    def instrumented(self, on: bool) -> None:
        self._observers.keeps_steps = switched(self, "instrumented", on)
        self._observers.arrange()

    @property
    def live_spy(self) -> bool:
        """Whether each spy line is passed to the live spy callback at the end of its step."""
        return self._live.spy_on

    @live_spy.setter
    def live_spy(self, on: bool) -> None:
        self._live.spy_on = switched(self, "live_spy", on)
        self._observers.arrange()

    @property
    def live_trace(self) -> bool:
        """Whether each trace line is passed to the live trace callback at the end of its step."""
        return self._live.trace_on

    @live_trace.setter
    def live_trace(self, on: bool) -> None:
        self._live.trace_on = switched(self, "live_trace", on)
        self._observers.arrange()

    def register_live_spy_callback(self, live_spy_callback: LineCallback) -> None:
        """Pass each spy line to ``live_spy_callback`` on the chart's thread, instead of printing it."""
        self._live.spy_callback = live_spy_callback

    def register_live_trace_callback(self, live_trace_callback: LineCallback) -> None:
        """Pass each trace line to ``live_trace_callback`` on the chart's thread, instead of printing it.

        The line has no trailing newline.
        """
        self._live.trace_callback = live_trace_callback

    def attach(self, sink: Sink) -> None:
        """Pass every further step to ``sink``; attaching it again has no effect.

        A running chart is announced immediately, on the caller's thread. If the chart has its own thread, a
        step may reach the sink at the same time: of two announcements, or of an announcement and a step, the
        one with the higher number is newer.
        """
        self._observers.attach(sink, self._standing_if_started)

    def detach(self, sink: Sink) -> None:
        """Stop passing steps to ``sink``; no effect if it is not attached."""
        self._observers.detach(sink)

    def spy(self) -> list[str]:
        """Return the last spy lines, oldest first; at most as many lines as steps are kept."""
        size = self._steps.maxlen or 0
        return spy_text(map(self._as_step, self._steps.copy()))[-size:] if size else []

    def spy_full(self) -> list[str]:
        """Return the same as ``spy``."""
        return Recorder.spy(self)

    def spy_rtc(self) -> list[str]:
        """Return the spy lines of the last step."""
        last = self._steps.copy()
        return self._as_step(last[-1]).spy() if last else []

    def print(self, content: object) -> None:
        """Print ``content`` immediately, on the caller's thread."""
        print_line(str(content))

    def trace(self) -> str:
        """Return the last trace lines as one text that begins with a newline."""
        return trace_text(filter(None, (self._as_step(brief).trace() for brief in self._traced.copy())))

    def steps(self) -> list[Step]:
        """Return the recorded steps that are kept, oldest first."""
        return [self._as_step(brief) for brief in self._steps.copy()]

    @gives_way
    def rings(self) -> Rings:
        """How much of the history is kept, and how much has been dropped."""
        kept, traced = len(self._steps), len(self._traced)
        return Rings(kept, self._here.number - self._steps_from - kept, traced, self._traces - traced)

    @property
    def steps_made(self) -> int:
        """Number of steps the chart has recorded since its start."""
        return self._here.number

    def clear_spy(self) -> None:
        """Clear the steps kept for ``spy``."""
        self._steps.clear()
        self._steps_from = self._here.number

    def clear_trace(self) -> None:
        """Clear the steps kept for ``trace``."""
        self._traced.clear()
        self._traces = 0

    def _as_step(self, kept: Brief | RawStep) -> Step:
        if len(kept) == len(Step._fields):
            return Step._make(kept)
        number, shape, posted_ns, begin_ns, end_ns, queued, deferred, cause, texts = cast("Brief", kept)
        # The wall clock may be set back at any moment.
        duration_ns = max(0, end_ns - begin_ns)
        waited_ns = max(0, begin_ns - posted_ns) if posted_ns else 0
        return Step(self._id, number, shape, begin_ns, duration_ns, queued, deferred, waited_ns, cause, texts)

    def _standing(self) -> Standing:
        """Return the current state and the number of the last step.

        If the chart's own thread runs a step at the same time, the state may be newer than the number.
        """
        number = self._here.number
        leaf = self._leaf
        return Standing(self._id, leaf.name if leaf else TOP, number, self._states.structure)

    def _standing_if_started(self) -> Standing | None:
        """Return what there is to announce; None before the start."""
        return self._standing() if self._leaf is not None else None

    def _announce(self) -> None:
        self._observers.announce(self._standing)

    def _report_end(self) -> None:
        self._observers.stop(self._id)


class _Live:
    """Renders steps for the live callbacks: an observer like any sink."""

    def __init__(self, spy_callback: LineCallback, trace_callback: LineCallback) -> None:
        self.spy_on = False
        self.trace_on = False
        self.raised = 0
        """Identity of an error that was raised after a step was recorded, and is re-raised."""
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
        step = Step._make(raw)
        if self.trace_on and raw[SHAPE].traced:
            self.trace_callback(step.trace() or "")
        if self.spy_on:
            for line in step.spy():
                self.spy_callback(line)

    def announce(self, chart: ChartId, structure: ChartStructure, state: str, number: int) -> None:
        """Do nothing: a structure has no lines."""

    def stopped(self, chart: ChartId) -> None:
        """Do nothing: an end has no lines."""
