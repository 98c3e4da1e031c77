"""Where a chart with regions, history or final states rests between steps."""

from __future__ import annotations

from typing import Any, NamedTuple

from farscope.engine.core.state_tree import HISTORIES, Tree, Vertex, in_document_order, outward
from farscope.engine.core.states import StateNode
from farscope.engine.event import signals
from farscope.records.configuration import text_of
from farscope.records.structure import StateKind

MAX_PLACES = 1_000
"""Maximum number of resting places that are kept with their cached steps; steps that begin in any further one
are worked out each time."""

Remembered = tuple[tuple[Vertex, ...], ...]
"""For each history vertex of the tree, in document order, the vertices it stands for; empty if its parent has
not been left."""


class Situation(NamedTuple):
    """Everything that determines what the next event does."""

    leaves: tuple[Vertex, ...]
    """The active leaves, in document order."""
    remembered: Remembered
    pending: tuple[Vertex, ...] = ()
    """Completed states whose completion event was not processed yet, first one first."""
    finished: bool = False
    """Whether an outermost final state was entered, which ends the chart; no state is active then."""


class RestingPlace:
    """A situation with the cached steps that begin there.

    It has the same attributes as a ``StateNode`` in which a chart without regions rests.
    """

    __slots__ = ("fn", "is_settled", "name", "names", "roots", "situation")

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.is_settled = not (situation.pending or situation.finished)
        """Whether no completion is left to process, and the chart has not finished."""
        self.names = tuple(leaf.name for leaf in situation.leaves)
        """Names of the active leaves, in document order."""
        self.name = text_of(self.names)
        written = tuple(leaf.its_state.fn for leaf in situation.leaves)
        self.fn: Any = written[0] if len(written) == 1 else written
        """The active leaf as the user wrote it; a tuple unless there is exactly one."""
        self.roots: dict[int, Any] = {}
        """The cached steps that begin here, by signal: see ``step_cache``."""

    @property
    def finished(self) -> bool:
        """Whether the chart has ended."""
        return self.situation.finished

    @property
    def pending(self) -> tuple[Vertex, ...]:
        """Completed states whose completion event was not processed yet, first one first."""
        return self.situation.pending

    @property
    def leaves(self) -> tuple[Vertex, ...]:
        """The active leaves, in document order."""
        return self.situation.leaves

    def active(self) -> set[Vertex]:
        """Return all active vertices: the leaves and everything around them, without the root."""
        return {vertex for leaf in self.leaves for vertex in outward(leaf)}

    def __repr__(self) -> str:
        return f"<resting place {self.name}>"


class RestingPlaces:
    """The resting places of one chart, or of all charts of a class: equal situations share one.

    Threads may look up the same situation at once: all receive the same place.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.histories = tuple(vertex for vertex in tree.vertices if vertex.kind in HISTORIES)
        self.nothing_remembered: Remembered = tuple(() for _ in self.histories)
        """The memory of each history state before any state was left: nothing."""
        handled = {signal for vertex in tree.vertices[1:] for signal in vertex.its_state.handlers or ()}
        self.reported = frozenset(
            vertex for vertex in tree.vertices[1:] if signals.get(vertex.completion) in handled
        )
        """The states whose completion any state reacts to: only that of these makes a step."""
        self._known: dict[Situation, RestingPlace] = {}

    def at(self, situation: Situation) -> RestingPlace:
        """Return the resting place of a situation."""
        known = self._known.get(situation)
        if known is not None:
            return known
        place = RestingPlace(situation)
        if len(self._known) >= MAX_PLACES:
            return place
        return self._known.setdefault(situation, place)

    def states(self) -> list[StateNode]:
        """Return all states of the chart, in document order."""
        return [vertex.its_state for vertex in self.tree.vertices[1:]]

    def without_first_completion(self, place: RestingPlace) -> RestingPlace:
        """Return the resting place after the first pending completion event was consumed without effect."""
        situation = place.situation
        return self.at(situation._replace(pending=situation.pending[1:]))

    def forget(self) -> None:
        """Forget all resting places and their cached steps."""
        for place in list(self._known.values()):
            place.roots.clear()
        self._known = {}


def recorded(history: Vertex, active: set[Vertex]) -> tuple[Vertex, ...]:
    """Return what a history vertex stands for if its parent is left with these vertices active."""
    outer = history.outer
    if outer is None:
        return ()
    if history.kind is StateKind.HISTORY:
        return tuple(child for child in outer.children if child in active)
    inside = (vertex for vertex in active if outer.contains(vertex) and vertex is not outer)
    return tuple(in_document_order(vertex for vertex in inside if is_leaf(vertex, active)))


def is_leaf(vertex: Vertex, active: set[Vertex]) -> bool:
    """Return whether nothing inside an active vertex is active."""
    return not any(child in active for child in vertex.children)


def is_complete(vertex: Vertex, active: set[Vertex]) -> bool:
    """Return whether a state is complete: in a final state or, if it is parallel, with complete regions."""
    if vertex.kind is StateKind.PARALLEL:
        return all(is_complete(region, active) for region in vertex.children)
    return any(child.kind is StateKind.FINAL and child in active for child in vertex.children)
