"""A chart that runs elsewhere, seen through its spy and trace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Protocol

from farscope.records.step import SHAPE, TEXTS, RawStep, Step, Value
from farscope.records.text import trace_text
from farscope.records.weight import own_bytes

SPY_LINES = 500
"""Spy lines a foreign chart keeps; at the limit the oldest are forgotten."""

TRACE_LINES = 500
"""Trace lines a foreign chart keeps; at the limit the oldest are forgotten."""


class ChartPresent(Protocol):
    """The present of a chart, as a scope knows it: see ``ChartView``."""

    @property
    def state(self) -> str:
        """Text of its configuration."""

    @property
    def states(self) -> tuple[str, ...]:
        """Its active leaf states."""

    @property
    def status(self) -> str:
        """Whether it is heard, and if not, why."""

    @property
    def values(self) -> tuple[tuple[str, Value], ...]:
        """The values that its program shows, by name."""

    @property
    def service(self) -> str:
        """Name of its process."""


class ForeignHsm:
    """Has the ``spy()`` and ``trace()`` of a chart, but no event processor.

    It is filled line by line with ``append_to_spy`` and ``append_to_trace``, or by a scope with whole steps,
    which are rendered as text when read. Every method may be called from any thread.

    That of a scope also has the chart's current state, status, values and service, as in ``Scope.charts``.
    They are empty if it is filled line by line, and ``UnknownChart`` is raised if the scope has forgotten the
    chart.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._look: Callable[[], ChartPresent] | None = None
        # Each step has at least one line, so this many steps hold at least this many lines.
        self._spy: deque[RawStep | str] = deque(maxlen=SPY_LINES)
        self._trace: deque[RawStep | str] = deque(maxlen=TRACE_LINES)

    @property
    def state(self) -> str:
        """Text of its configuration, such as ``door | fan``."""
        return self._look().state if self._look else ""

    @property
    def states(self) -> tuple[str, ...]:
        """Its active leaf states, in document order."""
        return self._look().states if self._look else ()

    @property
    def status(self) -> str:
        """Whether it is heard, and if not, why: see ``ChartView.status``."""
        return self._look().status if self._look else ""

    @property
    def values(self) -> dict[str, Value]:
        """The values that its program shows, by name."""
        return dict(self._look().values) if self._look else {}

    @property
    def service(self) -> str:
        """Name of its process."""
        return self._look().service if self._look else ""

    def look_with(self, look: Callable[[], ChartPresent]) -> None:
        """Take the chart's state, status, values and service from ``look`` from now on."""
        self._look = look

    def append_to_spy(self, line: str) -> None:
        """Add one spy line."""
        with self._lock:
            self._spy.append(line)

    def append_to_trace(self, line: str) -> None:
        """Add one trace line, without its newline."""
        with self._lock:
            self._trace.append(line)

    def append_steps(self, steps: Sequence[RawStep]) -> int:
        """Add the spy and trace of whole steps, in order; return how many more it holds now."""
        traced = [_without_texts(step) for step in steps if step[SHAPE].traced]
        with self._lock:
            before = len(self._spy) + len(self._trace)
            self._spy.extend(steps)
            self._trace.extend(traced)
            return len(self._spy) + len(self._trace) - before

    def held(self) -> list[RawStep]:
        """Return the steps held; a step that is in both spy and trace appears twice."""
        with self._lock:
            return [item for item in (*self._spy, *self._trace) if not isinstance(item, str)]

    def own_bytes(self) -> int:
        """Return its own memory use in bytes, without small shapes, which charts of the same kind share."""
        return sum(map(own_bytes, self.held()))

    def shrink(self, limit_bytes: int) -> None:
        """Forget the oldest steps until spy and trace each take at most half of ``limit_bytes``."""
        with self._lock:
            for ring in (self._spy, self._trace):
                left = limit_bytes // 2
                kept = 0
                for item in reversed(ring):
                    left -= 0 if isinstance(item, str) else own_bytes(item)
                    if left < 0:
                        break
                    kept += 1
                for _ in range(len(ring) - kept):
                    ring.popleft()

    def spy(self) -> list[str]:
        """Return the newest spy lines, oldest first."""
        with self._lock:
            items = list(self._spy)
        newest_first: list[str] = []
        for item in reversed(items):
            newest_first += [item] if isinstance(item, str) else reversed(Step._make(item).spy())
            if len(newest_first) >= SPY_LINES:
                break
        return newest_first[SPY_LINES - 1 :: -1]

    def trace(self) -> str:
        """Return the newest trace lines as ``chart.trace()`` does: a newline first and after each line."""
        with self._lock:
            items = list(self._trace)
        return trace_text(_trace_lines(items))

    def clear_spy(self) -> None:
        """Forget the spy lines."""
        with self._lock:
            self._spy.clear()

    def clear_trace(self) -> None:
        """Forget the trace lines."""
        with self._lock:
            self._trace.clear()


def _without_texts(step: RawStep) -> RawStep:
    """Return only the parts of a step that a trace line needs."""
    if not step[TEXTS]:
        return step
    chart, number, shape, time_ns, duration_ns, queued, deferred, waited_ns, cause, _, values = step
    return chart, number, shape, time_ns, duration_ns, queued, deferred, waited_ns, cause, (), values


def _trace_lines(items: Iterable[RawStep | str]) -> Iterable[str]:
    for item in items:
        line = item if isinstance(item, str) else Step._make(item).trace()
        if line is not None:
            yield line
