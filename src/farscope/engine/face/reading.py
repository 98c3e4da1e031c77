"""Reading the record of a chart: kept steps as spy, trace and steps; live lines."""

from __future__ import annotations

from farscope.engine.core.recorder import LineCallback
from farscope.engine.face.chart_face import ChartFace
from farscope.records.sink import Sink
from farscope.records.step import Step


def register_live_spy_callback(self: ChartFace, live_spy_callback: LineCallback) -> None:
    """Pass each spy line to ``live_spy_callback`` on the chart's thread, instead of printing it."""
    self._core.recorder.live.spy_callback = live_spy_callback


def register_live_trace_callback(self: ChartFace, live_trace_callback: LineCallback) -> None:
    """Pass each trace line to ``live_trace_callback`` on the chart's thread, instead of printing it.

    The line has no trailing newline.
    """
    self._core.recorder.live.trace_callback = live_trace_callback


def attach(self: ChartFace, sink: Sink) -> None:
    """Pass every further step to ``sink``; attaching it again has no effect.

    A running chart is announced immediately, on the caller's thread. If the chart has its own thread, a
    step may reach the sink at the same time: of two announcements, or of an announcement and a step, the
    one with the higher number is newer.

    Raises:
        ForeignProcess: in a forked child, while the chart runs in the parent.
    """
    self._driver.refuse_elsewhere()
    core = self._core
    core.observers.attach(sink, core.standing)
    for child in () if core.children is None else core.children.all():
        core.observers.follow(child, core.recorder.id)


def detach(self: ChartFace, sink: Sink) -> None:
    """Stop passing steps to ``sink``; no effect if it is not attached."""
    self._core.observers.detach(sink)


def spy(self: ChartFace) -> list[str]:
    """Return the last spy lines, oldest first; at most as many lines as steps are kept."""
    return self._core.recorder.spy()


def spy_full(self: ChartFace) -> list[str]:
    """Return the same as ``spy``."""
    return self._core.recorder.spy()


def spy_rtc(self: ChartFace) -> list[str]:
    """Return the spy lines of the last step."""
    return self._core.recorder.spy_rtc()


def trace(self: ChartFace) -> str:
    """Return the last trace lines as one text that begins with a newline."""
    return self._core.recorder.trace()


def steps(self: ChartFace) -> list[Step]:
    """Return the recorded steps that are kept, oldest first."""
    return self._core.recorder.all_steps()


def clear_spy(self: ChartFace) -> None:
    """Clear the steps kept for ``spy``."""
    self._core.recorder.clear_spy()


def clear_trace(self: ChartFace) -> None:
    """Clear the steps kept for ``trace``."""
    self._core.recorder.clear_trace()
