"""The orthogonal regions of a chart, and the state that is active in each of them."""

from __future__ import annotations

from typing import Final

from farscope.records.configuration import JOINT
from farscope.records.structure import ChartStructure, StateKind

MAX_REGIONS: Final = 24
"""Regions of a chart shown separately; what is active in further ones is shown in the region around them."""

MAX_DEPTH: Final = 64
"""Nesting followed upwards from a state: structures come from the network, and may be endless."""


class Regions:
    """The regions of a chart by its structure. Immutable."""

    def __init__(self, structure: ChartStructure | None = None) -> None:
        self._parents: dict[str, str] = {}
        self._finals: set[str] = set()
        parallel: set[str] = set()
        for state in structure.states if structure else ():
            self._parents.setdefault(state.name, state.parent)
            if state.kind is StateKind.PARALLEL:
                parallel.add(state.name)
            elif state.kind is StateKind.FINAL:
                self._finals.add(state.name)
        self.history = {
            state.name: "deep history" if state.kind is StateKind.DEEP_HISTORY else "history"
            for state in (structure.states if structure else ())
            if state.kind in (StateKind.HISTORY, StateKind.DEEP_HISTORY)
        }
        """The kind of each history state, by name."""
        roots = [name for name, parent in self._parents.items() if parent in parallel]
        self.names: tuple[str, ...] = tuple(name for name in roots[:MAX_REGIONS] if name not in self.history)
        """The regions, in document order; empty for a chart without any."""
        self._places = {name: place for place, name in enumerate(self.names, start=1)}

    def is_final(self, state: str) -> bool:
        """Return whether a state is final."""
        return state in self._finals

    def split(self, states: tuple[str, ...]) -> tuple[str | None, ...]:
        """Return what is active in the chart itself and in each region; None where nothing is.

        That is a leaf, or the composite state whose regions are active. It is the text of several leaves only
        if the structure does not say what separates them.
        """
        found: list[list[str]] = [[] for _ in range(len(self.names) + 1)]
        for leaf in states:
            state = leaf
            for _ in range(MAX_DEPTH):
                root = self._region_of(state)
                active = found[self._places.get(root, 0)]
                if state not in active:
                    active.append(state)
                if not root:
                    break
                # What is active around a region is the composite state that it belongs to.
                state = self._parents[root]
        return tuple(JOINT.join(active) if active else None for active in found)

    def _region_of(self, state: str) -> str:
        """Return the innermost region that a state is in, or is; empty if there is none."""
        for _ in range(MAX_DEPTH):
            if state in self._places:
                return state
            state = self._parents.get(state, "")
            if not state:
                break
        return ""
