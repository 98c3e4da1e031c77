"""What a chart is made of, as far as it is known: it travels in the stream, so no view needs an engine."""

from __future__ import annotations

from typing import NamedTuple


class StateInfo(NamedTuple):
    """A state and the state that holds it."""

    name: str
    parent: str = ""
    """Empty for an outermost state."""


class Reaction(NamedTuple):
    """A state's handler for a signal, announced before it was ever seen to run."""

    state: str
    signal: str
    target: str = ""
    """Where it leads, when that is known without running it; empty otherwise."""


class ChartStructure(NamedTuple):
    """States and reactions of a chart.

    Of charts built by parts everything is known at the start; flat state functions show their
    states and parents as the chart comes by, so a structure may be announced again, larger.
    """

    states: tuple[StateInfo, ...] = ()
    reactions: tuple[Reaction, ...] = ()

    def parent_of(self, name: str) -> str:
        """Return the parent of a state, or an empty string for an outermost or unknown one."""
        return next((state.parent for state in self.states if state.name == name), "")
