"""Selects the steps shown in a diagram, and puts them in order."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from farscope.records.shape import TRACED_KINDS, Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.weight import own_bytes
from farscope.scope.labels import spellings
from farscope.views.outcomes import OUTCOMES

KINDS: Final[dict[str, frozenset[StepKind]]] = {
    "transition": TRACED_KINDS,
    "start": frozenset({StepKind.START}),
    **{word: frozenset({kind}) for kind, word in OUTCOMES.items()},
}
"""Words for the outcome of an event; ``transition`` is any step with a trace line, including a start."""


MAX_CHOSEN: Final = 50_000
"""Maximum number of steps in a diagram, which shows the newest and the number left out."""

CHOSEN_BYTES: Final = 64 << 20
"""Maximum size of these steps in bytes; at this limit, the oldest are left out, too."""


class Selection(NamedTuple):
    """Criteria for the steps of a run; the default selects everything."""

    last: int | None = None
    """Only the last this many of the steps that meet the other conditions."""
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
    """Shell patterns; a state active before the step or after it must fit one of them. None: all states."""
    kinds: frozenset[StepKind] = frozenset()
    """The outcome of the event must be one of these. None: all outcomes."""

    def wants(self, step: Step) -> bool:
        """Return whether the step meets all conditions except ``last``."""
        return self.in_window(step) and self.wants_chart(step.chart) and self.wants_shape(step.shape)

    def in_window(self, step: Step) -> bool:
        """Return whether the step ended between ``from_ns`` and ``to_ns``, by the time shown in its line."""
        if self.from_ns is not None and step.ended_ns < self.from_ns:
            return False
        return self.to_ns is None or step.ended_ns <= self.to_ns

    def wants_shape(self, shape: Shape) -> bool:
        """Return whether signal, states and kind match."""
        if self.kinds and shape.kind not in self.kinds:
            return False
        if self.not_signals and fits(shape.signal, self.not_signals):
            return False
        if self.signals and not fits(shape.signal, self.signals):
            return False
        return not self.states or fits_state(names_of(shape), self.states)

    def wants_chart(self, chart: ChartId) -> bool:
        """Return whether any step of the chart can be selected."""
        return not self.charts or fits_chart(chart, self.charts)


class Chosen(list[Step]):
    """Steps for a picture, without their free texts, which no picture shows."""

    left_out = 0
    """Earlier steps that were selected as well, beyond ``MAX_CHOSEN`` or ``CHOSEN_BYTES``."""


class _Held:
    """The memory taken by the steps held for a picture, never underestimated."""

    def __init__(self, last: int | None) -> None:
        self.most = MAX_CHOSEN if last is None else min(last, MAX_CHOSEN)
        self.asked = last
        self.bytes = 0
        self.wanted = 0
        """Steps that were selected."""
        self._shapes: Counter[int] = Counter()

    def hold(self, step: Step) -> Step:
        """Count a step; return it without texts."""
        self.wanted += 1
        step = step._replace(texts=()) if step.texts else step
        self.bytes += own_bytes(step)
        if not self._shapes[id(step.shape)]:
            self.bytes += step.shape.size
        self._shapes[id(step.shape)] += 1
        return step

    def give(self, step: Step) -> None:
        """Count a step no more."""
        self.bytes -= own_bytes(step)
        self._shapes[id(step.shape)] -= 1
        if not self._shapes[id(step.shape)]:
            del self._shapes[id(step.shape)]
            self.bytes -= step.shape.size

    def is_over(self, count: int) -> bool:
        """Tell whether so many steps are too many."""
        return count > self.most or (count > 1 and self.bytes > CHOSEN_BYTES)

    def chosen(self, steps: Iterable[Step]) -> Chosen:
        """Return the steps that are left, with what was left out of those asked for."""
        chosen = Chosen(steps)
        chosen.left_out = min(self.wanted, self.asked or self.wanted) - len(chosen)
        return chosen


def in_order(
    steps: Iterable[Step], selection: Selection, also: Callable[[Step], bool] = lambda _: True
) -> Chosen:
    """Return the selected steps in the order given.

    With ``selection.last``, only that many steps are held at any time, however long the run, and never more
    than fit into a diagram. ``also`` is an additional condition.
    """
    held, queue = _Held(selection.last), deque[Step]()
    for step in steps:
        if selection.wants(step) and also(step):
            queue.append(held.hold(step))
            while held.is_over(len(queue)):
                held.give(queue.popleft())
    return held.chosen(queue)


def in_time(
    steps: Iterable[Step], selection: Selection, also: Callable[[Step], bool] = lambda _: True
) -> Chosen:
    """Return the selected steps of all charts sorted by their end time, for unordered input.

    The steps of each chart keep their order even if its clock was set back. For the rest see ``in_order``.
    """
    reached: dict[ChartId, int] = {}
    held = _Held(selection.last)
    heap: list[tuple[int, int, Step]] = []
    for arrival, step in enumerate(steps):
        time_ns = max(step.ended_ns, reached.get(step.chart, step.ended_ns))
        reached[step.chart] = time_ns
        if not selection.wants(step) or not also(step):
            continue
        heapq.heappush(heap, (time_ns, arrival, held.hold(step)))
        while held.is_over(len(heap)):
            held.give(heapq.heappop(heap)[2])
    return held.chosen(step for _, _, step in sorted(heap))


def fits(text: str, patterns: tuple[str, ...]) -> bool:
    """Return whether any shell pattern matches; a pattern equal to the text always does."""
    return any(text == pattern or fnmatchcase(text, pattern) for pattern in patterns)


def fits_chart(chart: ChartId, patterns: tuple[str, ...]) -> bool:
    """Return whether any shell pattern matches the chart's name or any of its possible labels."""
    return any(fits(spelling, patterns) for spelling in (chart.name, *spellings(chart)))


def names_of(shape: Shape) -> tuple[str, ...]:
    """Return the texts that a pattern for states is compared with: both configurations and their leaves."""
    leaves = (
        (*shape.start_states, *shape.end_states)
        if max(len(shape.start_states), len(shape.end_states)) > 1
        else ()
    )
    return shape.start, shape.end, *leaves


def fits_state(states: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Return whether any shell pattern matches a state active before or after a step."""
    return any(fits(state, patterns) for state in states)
