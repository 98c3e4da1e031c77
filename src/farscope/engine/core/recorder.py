"""The recorder of a chart: the rings behind spy and trace, and the sinks that watch it live."""

from __future__ import annotations

import itertools
import logging
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
from farscope.records.outside import raised_by_a_signal_handler
from farscope.records.shape import Shape
from farscope.records.sink import LastingSink, Sink
from farscope.records.step import Cause, ChartId, RawStep, Step
from farscope.records.structure import ChartStructure
from farscope.records.text import print_line, spy_text, trace_text

RING_STEPS = 500
"""Default ``ring_size``: the number of steps kept for ``spy()``, of steps with a transition kept for
``trace()``, and of lines that ``spy()`` returns. Beyond it the oldest are dropped."""

STRICT = "FARSCOPE_STRICT"
"""Environment variable; if it is set to 1, an observer's error is raised after it has been reported."""

_log = logging.getLogger("farscope")
_serials = itertools.count(1)

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


class Recorder:
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
        "_instrumented",
        "_is_named",
        "_leaf",
        "_live",
        "_live_spy",
        "_live_trace",
        "_name",
        "_observers",
        "_recording",
        "_shown_end",
        "_sinks",
        "_steps",
        "_steps_from",
        "_traced",
        "_traces",
    )

    def __init__(self, name: str | None, *, instrumented: bool | None, ring_size: int = RING_STEPS) -> None:
        serial = next(_serials)
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
        self._sinks: dict[int, Sink] = {}
        """The sinks by identity, in the order of attaching. Changed only by single operations, because a
        finalizer may attach or detach in the middle of another call."""
        self._live = _Live(self.live_spy_callback_default, self.live_trace_callback_default)
        self._live_spy = False
        self._live_trace = False
        self._instrumented = instrumented is None or bool(instrumented)
        self._recording = False
        self._shown_end = False
        """Whether the sinks were notified that the chart was stopped; it holds none from then on."""
        self._observers: tuple[Sink, ...] = ()
        self._arrange()

    def _name_after(self, _goal: State) -> str:
        """Return the name that a chart without one receives when it starts in that state."""
        return self._name

    def _make_id(self) -> ChartId:
        return ChartId(self._name, platform.node(), os.getpid(), self._here.serial)

    @property
    def instrumented(self) -> bool:
        """Whether the chart records its steps for ``spy`` and ``trace``; may be changed at any time."""
        return self._instrumented

    @instrumented.setter
    def instrumented(self, on: bool) -> None:
        self._instrumented = switched(self, "instrumented", on)
        self._arrange()

    @property
    def live_spy(self) -> bool:
        """Whether each spy line is passed to the live spy callback at the end of its step."""
        return self._live_spy

    @live_spy.setter
    def live_spy(self, on: bool) -> None:
        self._live_spy = switched(self, "live_spy", on)
        self._arrange()

    @property
    def live_trace(self) -> bool:
        """Whether each trace line is passed to the live trace callback at the end of its step."""
        return self._live_trace

    @live_trace.setter
    def live_trace(self, on: bool) -> None:
        self._live_trace = switched(self, "live_trace", on)
        self._arrange()

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
        if self._shown_end:
            self._show_end_to(sink)
            return
        number = None
        if self._leaf is not None and id(sink) not in self._sinks:
            number = self._announce_to(sink)
            if number is None:
                return
        self._sinks[id(sink)] = sink
        self._arrange()
        if number is not None and self._standing()[1] != number:
            # A step ran between announcing and attaching: the sink would not know the state it ended in.
            self._announce_to(sink)
        if self._shown_end:
            # Another thread, or a signal handler, has stopped the chart in the meantime.
            self._show_end_to(sink)  # type: ignore[unreachable]

    def detach(self, sink: Sink) -> None:
        """Stop passing steps to ``sink``; no effect if it is not attached."""
        self._sinks.pop(id(sink), None)
        self._arrange()

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

    def _arrange(self) -> None:
        """Recompute which observers receive steps, after a setting that determines it has changed."""
        self._live.spy_on, self._live.trace_on = self._live_spy, self._live_trace
        while True:
            self._observers = observers = self._those_who_see()
            self._recording = self._instrumented or bool(self._sinks)
            # If another call ran in the meantime, this one may have undone its result.
            if observers == self._those_who_see():
                return

    def _those_who_see(self) -> tuple[Sink, ...]:
        live = self._instrumented and (self._live_spy or self._live_trace)
        return (*list(self._sinks.values()), *([self._live] if live else []))

    def _as_step(self, kept: Brief | RawStep) -> Step:
        if len(kept) == len(Step._fields):
            return Step._make(kept)
        number, shape, posted_ns, begin_ns, end_ns, queued, deferred, cause, texts = cast("Brief", kept)
        # The wall clock may be set back at any moment.
        duration_ns = max(0, end_ns - begin_ns)
        waited_ns = max(0, begin_ns - posted_ns) if posted_ns else 0
        return Step(self._id, number, shape, begin_ns, duration_ns, queued, deferred, waited_ns, cause, texts)

    def _tell(self, step: RawStep, observers: tuple[Sink, ...]) -> None:
        for observer in observers:
            try:
                observer.step(step)
            except BaseException as error:
                if not self._is_the_programs(error, observer):
                    self._remove(observer, error)
                    continue
                # The program's own error is raised after every observer has received the step.
                if isinstance(observer, LastingSink):
                    observer.step_again(step, error)
                self._tell(step, observers[observers.index(observer) + 1 :])
                raise

    @staticmethod
    def _was_not_told(error: BaseException) -> bool:
        """Return whether ``error`` came before ``_tell`` began; to be called right after catching it."""
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        return (
            trace is None
            or trace.tb_frame.f_code is not Recorder._tell.__code__
            or "observer" not in trace.tb_frame.f_locals
        )

    @staticmethod
    def _is_the_programs(error: BaseException, observer: Sink) -> bool:
        """Return whether an error raised inside an observer is the program's own, not the observer's."""
        lasting = not isinstance(error, Exception) or isinstance(observer, LastingSink)
        return lasting or raised_by_a_signal_handler(error)

    def _announce(self) -> None:
        self._show_all(self._announce_to)

    def _show_all(self, show: Callable[[Sink], object]) -> None:
        """Call ``show`` for every sink; an error is raised after the last one."""
        struck: BaseException | None = None
        for sink in list(self._sinks.values()):
            try:
                show(sink)
            except BaseException as error:  # noqa: BLE001 - raised below
                struck = struck or error
        if struck is not None:
            raise struck

    def _announce_to(self, sink: Sink) -> int | None:
        """Announce the chart; return the number it was announced with, or None if the sink failed."""
        state, number = self._standing()
        try:
            sink.announce(self._id, self._structure(), state, number)
        except BaseException as error:
            if self._is_the_programs(error, sink):
                sink.announce(self._id, self._structure(), state, number)
                raise
            self._remove(sink, error)
            return None
        return number

    def _standing(self) -> tuple[str, int]:
        """Return the current state and the number of the last step.

        If the chart's own thread runs a step at the same time, the state may be newer than the number.
        """
        number = self._here.number
        leaf = self._leaf
        return (leaf.name if leaf else TOP), number

    def _structure(self) -> ChartStructure:
        return self._states.structure()

    def _say_stopped(self) -> None:
        self._shown_end = True
        try:
            self._show_all(self._say_stopped_to)
        finally:
            # A stopped chart that is still referenced must not keep its sinks alive.
            self._sinks.clear()
            self._arrange()

    def _say_stopped_to(self, sink: Sink) -> None:
        try:
            sink.stopped(self._id)
        except BaseException as error:
            if self._is_the_programs(error, sink):
                sink.stopped(self._id)
                raise
            self._remove(sink, error)

    def _show_end_to(self, sink: Sink) -> None:
        """Show a sink that was attached after the chart's end the last state and the end."""
        self.detach(sink)
        if self._leaf is not None and self._announce_to(sink) is not None:
            self._say_stopped_to(sink)

    def _remove(self, observer: Sink, error: BaseException) -> None:
        if observer is self._live:
            self._live_spy = self._live_trace = False
            self._arrange()
        else:
            self.detach(observer)
        _log.error("%r of chart %s raised and was removed", observer, self._name, exc_info=error)
        if os.environ.get(STRICT) == "1":
            raise error


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

    def step(self, raw: RawStep) -> None:
        step = Step._make(raw)
        if self.trace_on and raw[2].traced:
            self.trace_callback(step.trace() or "")
        if self.spy_on:
            for line in step.spy():
                self.spy_callback(line)

    def announce(self, chart: ChartId, structure: ChartStructure, state: str, number: int) -> None:
        """Do nothing: a structure has no lines."""

    def stopped(self, chart: ChartId) -> None:
        """Do nothing: an end has no lines."""
