"""A chart's structure, as far as known. It is part of the stream, so views need no engine."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple

from farscope.records.kinds import FIRST_STILL_RUNNING, UnknownKind


@unique
class StateKind(IntEnum):
    """The kind of a state. The numbers are part of the wire format."""

    PLAIN = 0
    """A leaf, or a composite state of which one child is active at a time."""
    PARALLEL = 1
    """A composite state whose children, its regions, are active together."""
    HISTORY = 2
    """A pseudostate: a transition to it enters the child that was active last."""
    DEEP_HISTORY = 3
    """A pseudostate: a transition to it enters the leaves that were active last."""
    FINAL = 4
    """Entering it completes its parent."""


@unique
class ReactionFlag(IntEnum):
    """Properties of a reaction. The numbers are part of the wire format."""

    INTERNAL = 1
    """Its transition does not leave the state to which the reaction belongs."""
    EVENTLESS = 2
    """It needs no event; ``signal`` is then empty."""
    TIMED = 3
    """It is due some time after its state was entered, see ``Reaction.delay``."""


@unique
class ChartStatus(IntEnum):
    """Whether a chart makes further steps, and if not, why. The numbers are part of the wire format."""

    RUNNING = 0
    """It may make more steps, or has not started yet."""
    STOPPED = 1
    """It was stopped, or its program no longer holds it."""
    FINISHED = 2
    """It reached its final state."""
    FAILED = 3
    """One of its own errors ended it."""
    UNOBSERVED = 4
    """It may go on, but is no longer observed."""


AnyStateKind = StateKind | UnknownKind
AnyReactionFlag = ReactionFlag | UnknownKind
AnyChartStatus = ChartStatus | UnknownKind


def has_ended(status: AnyChartStatus) -> bool:
    """Return whether a chart of this status is seen to make no more steps."""
    if isinstance(status, UnknownKind):
        return status < FIRST_STILL_RUNNING
    return status is not ChartStatus.RUNNING


class StateInfo(NamedTuple):
    """A state, its parent and its kind."""

    name: str
    parent: str = ""
    """Empty for an outermost state."""
    kind: AnyStateKind = StateKind.PLAIN


class Reaction(NamedTuple):
    """A state's handler for a signal, announced even if it has never run."""

    state: str
    signal: str
    target: str = ""
    """Target state if known without running the handler, else empty."""
    guard: str = ""
    """Text of its condition; empty if there is none, or it is unknown."""
    flags: tuple[AnyReactionFlag, ...] = ()
    """In the order of their numbers."""
    delay: str = ""
    """Text of a timed reaction's delay, such as ``200 ms``."""
    more_targets: tuple[str, ...] = ()
    """Further targets, in other regions than ``target``."""


class ChartStructure(NamedTuple):
    """States and reactions of a chart.

    For charts built from parts, everything is known at the start. Flat state functions reveal their states
    and parents only as the chart runs, so a larger structure may be announced later.
    """

    states: tuple[StateInfo, ...] = ()
    """In document order: that of the program's text, as far as known."""
    reactions: tuple[Reaction, ...] = ()
    initial: str = ""
    """The state that the chart itself starts in; empty if unknown."""
    library: str = ""
    """The library that runs the chart, with its version if known: ``farscope``, ``transitions 0.9.3``."""

    def parent_of(self, name: str) -> str:
        """Return the parent of a state, or an empty string for an outermost or unknown one."""
        return next((state.parent for state in self.states if state.name == name), "")
