"""The states of a chart as nested slices: one stack for the chart itself, and one for each of its regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from farscope.records.facts import FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.structure import ChartStructure
from farscope.views.regions import Regions
from farscope.views.statechart.model import Statechart


class StateChange(NamedTuple):
    """A state that begins or ends."""

    part: int
    """0 for the chart itself; otherwise the place of the region, from 1."""
    state: str
    begins: bool
    at: int


class OpenStates:
    """The states of a chart that are open. All times are nanoseconds since the trace's base."""

    def __init__(self, structure: ChartStructure | None) -> None:
        self.regions = Regions(structure)
        self._stacks: list[list[str]] = [[] for _ in range(len(self.regions.names) + 1)]
        self._tree = Statechart()
        if structure is not None:
            self._tree.add_structure(structure)

    def change(self, shape: Shape, begin: int, end: int) -> Iterator[StateChange]:
        """Yield the ends of states a step left, at its begin; the begins of those it entered, at its end."""
        starts, ends = self._paths(shape.start_states), self._paths(shape.end_states)
        for part, (start, path) in enumerate(zip(starts, ends, strict=True)):
            yield from self._change(part, shape, (start, path), (begin, end))

    def close(self, at: int) -> Iterator[StateChange]:
        """Yield the ends of all states still open."""
        for part in range(len(self._stacks)):
            yield from self._leave(part, 0, at)

    def _change(
        self,
        part: int,
        shape: Shape,
        paths: tuple[tuple[str, ...], tuple[str, ...]],
        times: tuple[int, int],
    ) -> Iterator[StateChange]:
        start, path = paths
        begin, end = times
        stack = self._stacks[part]
        if shape.kind is StepKind.START:
            yield from self._leave(part, 0, begin)
        elif stack[-1:] != list(start[-1:]):
            # Steps between were not seen.
            yield from self._go(part, start, self._common(part, start), (begin, begin))
        if not shape.traced and stack[-1:] == list(path[-1:]):
            return
        stay = self._common(part, path)
        if self.regions.names:
            left = {fact.name for fact in shape.facts if fact.kind is FactKind.EXIT}
            stay = next((depth for depth, state in enumerate(path[:stay]) if state in left), stay)
        else:
            exits = sum(fact.kind is FactKind.EXIT for fact in shape.facts)
            if exits == 0 and start == path and not shape.facts:
                exits = 1
            stay = max(0, min(len(stack) - exits, stay))
        yield from self._go(part, path, stay, (begin, end))

    def _paths(self, states: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return what is open in each part of the chart, outermost first."""
        if not self.regions.names:
            # Leaves that nothing is known about are one configuration.
            active = self.regions.split(states)[0]
            return [() if active is None else self._tree.path(active)]
        return [self._inside(part, active) for part, active in enumerate(self.regions.split(states))]

    def _inside(self, part: int, active: str | None) -> tuple[str, ...]:
        """Return the path to a state, from the state around which its part of the chart begins."""
        if active is None:
            return ()
        path = self._tree.path(active)
        root = self.regions.names[part - 1] if part else ""
        return path[path.index(root) + 1 :] or (root,) if root in path else path

    def _common(self, part: int, path: Sequence[str]) -> int:
        common = 0
        for open_state, state in zip(self._stacks[part], path, strict=False):
            if open_state != state:
                break
            common += 1
        return common

    def _go(
        self, part: int, path: tuple[str, ...], stay: int, times: tuple[int, int]
    ) -> Iterator[StateChange]:
        yield from self._leave(part, stay, times[0])
        for state in path[stay:]:
            self._stacks[part].append(state)
            yield StateChange(part, state, begins=True, at=times[1])

    def _leave(self, part: int, stay: int, at: int) -> Iterator[StateChange]:
        stack = self._stacks[part]
        while len(stack) > stay:
            yield StateChange(part, stack.pop(), begins=False, at=at)
