"""Applies a selection to steps as they arrive, and tracks which of its patterns matched nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from farscope.records.shape import Shape
from farscope.records.step import ChartId, Step
from farscope.views.remember import remembered
from farscope.views.selection import Selection, fits, fits_chart, fits_state, names_of

Value = TypeVar("Value")


def _length(text: str) -> int:
    return len(text)


class _Patterns(Generic[Value]):
    """The patterns of one option, and which of them have matched nothing so far."""

    def __init__(
        self,
        what: str,
        globs: tuple[str, ...],
        fits_one: Callable[[Value, tuple[str, ...]], bool],
        length: Callable[[Value], int],
    ) -> None:
        self.what = what
        self.unmatched = list(dict.fromkeys(globs))
        """Patterns that matched nothing at all, in the order given."""
        self.stepless = list(self.unmatched)
        """Patterns that matched no step in the window."""
        self._fitting = remembered(
            lambda value: tuple(glob for glob in dict.fromkeys(globs) if fits_one(value, (glob,))), length
        )
        self._is_given = bool(globs)

    def want(self, value: Value) -> bool:
        """Return whether any pattern matches, or there are no patterns."""
        return not self._is_given or bool(self._fitting(value))

    def note(self, value: Value, *, step: bool) -> None:
        """Record a value that occurred; ``step`` is true if it was in a step in the window."""
        if not self.stepless:
            return
        for glob in self._fitting(value):
            if glob in self.unmatched:
                self.unmatched.remove(glob)
            if step and glob in self.stepless:
                self.stepless.remove(glob)

    def lines(self) -> list[str]:
        """Return a line for each pattern that matched nothing, or only where no step is wanted."""
        return [
            f"no {self.what} matched '{glob}'"
            if glob in self.unmatched
            else f"{self.what} '{glob}' matched, but has no step there"
            for glob in self.stepless
        ]


class Matching:
    """Determines which steps a selection includes, ignoring ``last``; not thread-safe."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.met = 0
        """Steps in the window."""
        self.passed = 0
        """Those of them that are wanted."""
        self.traced = 0
        """Those of these that have a trace line."""
        self._any = self._any_step = False
        self._charts = _Patterns(
            "chart", selection.charts, fits_chart, lambda chart: len(chart.name) + len(chart.host)
        )
        self._signals = _Patterns("signal", selection.signals, fits, _length)
        self._states = _Patterns("state", selection.states, fits_state, lambda states: sum(map(len, states)))
        self._unwanted = remembered(self._is_unwanted, _length)

    def wants(self, step: Step) -> bool:
        """Record a step, and return whether it is selected."""
        if not self.selection.in_window(step):
            self.pass_over(step)
            return False
        self.met += 1
        self._note(step.chart, step.shape, step=True)
        wanted = self._charts.want(step.chart) and self._wants_shape(step.shape)
        self.passed += wanted
        self.traced += wanted and step.shape.traced
        return wanted

    def pass_over(self, step: Step) -> None:
        """Record a step outside the window."""
        self._note(step.chart, step.shape, step=False)

    def wants_chart(self, chart: ChartId) -> bool:
        """Record a chart, which need not have made a step, and return whether it is selected."""
        self.know((chart,))
        return self._charts.want(chart)

    def noted(self, steps: Iterable[Step]) -> Iterator[Step]:
        """Yield all steps, selected or not, and record each."""
        for step in steps:
            self.wants(step)
            yield step

    def know(self, charts: Iterable[ChartId]) -> None:
        """Record charts, which need not have made a step."""
        for chart in charts:
            self._any = True
            self._charts.note(chart, step=False)

    @property
    def unknown_charts(self) -> tuple[str, ...]:
        """The patterns that matched no chart."""
        return tuple(self._charts.unmatched)

    def unmatched(self) -> list[str]:
        """Return a line for each pattern that matched nothing, or nothing in the window.

        No pattern is listed if there was nothing to match.
        """
        if not self._any:
            return []
        return self._charts.lines() + (self._signals.lines() + self._states.lines() if self._any_step else [])

    def _is_unwanted(self, signal: str) -> bool:
        return fits(signal, self.selection.not_signals)

    def _wants_shape(self, shape: Shape) -> bool:
        kinds = self.selection.kinds
        if kinds and shape.kind not in kinds:
            return False
        if self.selection.not_signals and self._unwanted(shape.signal):
            return False
        return self._signals.want(shape.signal) and self._states.want(names_of(shape))

    def _note(self, chart: ChartId, shape: Shape, *, step: bool) -> None:
        self._any = self._any_step = True
        self._charts.note(chart, step=step)
        self._signals.note(shape.signal, step=step)
        self._states.note(names_of(shape), step=step)
