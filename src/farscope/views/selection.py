"""Which steps a picture shows, and in what order."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from farscope.records.shape import TRACED_KINDS, Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.scope.labels import spellings

KINDS: Final[dict[str, frozenset[StepKind]]] = {
    "transition": TRACED_KINDS,
    "start": frozenset({StepKind.START}),
    "hook": frozenset({StepKind.HOOK}),
    "ignored": frozenset({StepKind.IGNORED}),
    "refused": frozenset({StepKind.REFUSED}),
    "failed": frozenset({StepKind.FAILED}),
}
"""Words for what became of an event; ``transition`` is whatever leaves a trace line, a start as well."""


class Selection(NamedTuple):
    """What to keep of a run; the default keeps everything."""

    last: int | None = None
    """Only the last so many of the steps that pass the other conditions."""
    from_ns: int | None = None
    """Only steps that ended then or later, in nanoseconds since the epoch."""
    to_ns: int | None = None
    """Only steps that ended then or earlier."""
    charts: tuple[str, ...] = ()
    """Shell patterns; a chart's name, or a longer label of it, must fit one of them. None: all charts."""
    signals: tuple[str, ...] = ()
    """Shell patterns; the signal must fit one of them. None: all signals."""
    not_signals: tuple[str, ...] = ()
    """Shell patterns; the signal must fit none of them."""
    states: tuple[str, ...] = ()
    """Shell patterns; the state before the step or after it must fit one of them. None: all states."""
    kinds: frozenset[StepKind] = frozenset()
    """What became of the event must be one of these. None: whatever it was."""

    def wants(self, step: Step) -> bool:
        """Tell whether the step passes everything but ``last``."""
        return self.in_window(step) and self.wants_chart(step.chart) and self.wants_shape(step.shape)

    def in_window(self, step: Step) -> bool:
        """Tell whether the step ended between ``from_ns`` and ``to_ns``: by the time that its line shows."""
        if self.from_ns is not None and step.ended_ns < self.from_ns:
            return False
        return self.to_ns is None or step.ended_ns <= self.to_ns

    def wants_shape(self, shape: Shape) -> bool:
        """Tell whether signal, states and kind are those asked for."""
        if self.kinds and shape.kind not in self.kinds:
            return False
        if self.not_signals and fits(shape.signal, self.not_signals):
            return False
        if self.signals and not fits(shape.signal, self.signals):
            return False
        return not self.states or fits_state((shape.start, shape.end), self.states)

    def wants_chart(self, chart: ChartId) -> bool:
        """Tell whether any step of the chart may pass."""
        return not self.charts or fits_chart(chart, self.charts)


def in_order(
    steps: Iterable[Step], selection: Selection, also: Callable[[Step], bool] = lambda _: True
) -> list[Step]:
    """Return the selected steps in the order they come in, which is that of whoever gave them.

    With ``selection.last`` only so many steps are held at any time. ``also`` is a further condition.
    """
    return list(deque((step for step in steps if selection.wants(step) and also(step)), selection.last))


def in_time(
    steps: Iterable[Step], selection: Selection, also: Callable[[Step], bool] = lambda _: True
) -> list[Step]:
    """Return the selected steps over all charts by when they ended, for steps nobody has put in order.

    A chart's own steps keep their order even where its clock was set back. With ``selection.last``
    only so many steps are held at any time, however long the run. ``also`` is a further condition.
    """
    reached: dict[ChartId, int] = {}
    held: list[tuple[int, int, Step]] = []
    for arrival, step in enumerate(steps):
        time_ns = max(step.ended_ns, reached.get(step.chart, step.ended_ns))
        reached[step.chart] = time_ns
        if not selection.wants(step) or not also(step):
            continue
        entry = (time_ns, arrival, step)
        if selection.last is None or len(held) < selection.last:
            heapq.heappush(held, entry)
        elif held and entry > held[0]:
            heapq.heapreplace(held, entry)
    return [step for _, _, step in sorted(held)]


def fits(text: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the shell patterns fits; text full of brackets and stars fits as it is, too."""
    return any(text == pattern or fnmatchcase(text, pattern) for pattern in patterns)


def fits_chart(chart: ChartId, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the shell patterns fits the chart's name, or any label it may be shown by."""
    return any(fits(spelling, patterns) for spelling in (chart.name, *spellings(chart)))


def fits_state(states: tuple[str, str], patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the shell patterns fits the state before a step or the one after it."""
    return any(fits(state, patterns) for state in states)
