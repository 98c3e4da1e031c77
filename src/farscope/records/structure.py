"""A chart's structure, as far as known. It is part of the stream, so views need no engine."""

from __future__ import annotations

from typing import NamedTuple


class StateInfo(NamedTuple):
    """A state and its parent."""

    name: str
    parent: str = ""
    """Empty for an outermost state."""


class Reaction(NamedTuple):
    """A state's handler for a signal, announced even if it has never run."""

    state: str
    signal: str
    target: str = ""
    """Target state if known without running the handler, else empty."""


class ChartStructure(NamedTuple):
    """States and reactions of a chart.

    For charts built from parts, everything is known at the start. Flat state functions reveal their states
    and parents only as the chart runs, so a larger structure may be announced later.
    """

    states: tuple[StateInfo, ...] = ()
    reactions: tuple[Reaction, ...] = ()

    def parent_of(self, name: str) -> str:
        """Return the parent of a state, or an empty string for an outermost or unknown one."""
        return next((state.parent for state in self.states if state.name == name), "")
