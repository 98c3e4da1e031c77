"""The static tree of a chart's states in document order, with parallel, history and final states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from farscope.engine.core.handlers import Alternative
from farscope.engine.core.states import COMPLETION_PREFIX, StateNode
from farscope.errors import Invariant, NotAState
from farscope.records.structure import StateKind

HISTORIES = (StateKind.HISTORY, StateKind.DEEP_HISTORY)


class Vertex:
    """A state's place in the tree. The root around all outermost states is a vertex without a state."""

    __slots__ = (
        "alternatives",
        "children",
        "completion",
        "default",
        "histories",
        "kind",
        "last",
        "order",
        "outer",
        "state",
    )

    def __init__(self, state: StateNode | None, kind: StateKind, outer: Vertex | None, order: int) -> None:
        self.state = state
        self.kind = kind
        self.outer = outer
        """The vertex of the parent; None for the root."""
        self.order = self.last = order
        """Its number in document order, and that of the last vertex inside it."""
        self.children: list[Vertex] = []
        """The states directly inside it, except history states, in document order."""
        self.histories: list[Vertex] = []
        """The history states directly inside it."""
        self.default: StateNode | None = None
        """The state that a history state stands for as long as nothing was recorded; None for the default
        entry of its parent."""
        self.alternatives: dict[int, tuple[Alternative, ...]] = {}
        """The parts of the state's reactions, by signal, as far as they are known."""
        self.completion = COMPLETION_PREFIX + self.name
        """Name of the signal of the event that reports its completion."""

    def __repr__(self) -> str:
        return f"<vertex {self.name or 'root'}>"

    @property
    def name(self) -> str:
        """The state's name; empty for the root."""
        return self.state.name if self.state is not None else ""

    @property
    def its_state(self) -> StateNode:
        """The state.

        Raises:
            Invariant: it is the root.
        """
        if self.state is None:
            raise Invariant("the root of a tree of states was used as a state")
        return self.state

    def contains(self, other: Vertex) -> bool:
        """Return whether ``other`` is this vertex or lies inside it."""
        return self.order <= other.order <= self.last

    def child_toward(self, inner: Vertex) -> Vertex:
        """Return the child that contains ``inner``, which lies inside this vertex.

        Raises:
            Invariant: it does not.
        """
        child: Vertex | None = inner
        while child is not None and child.outer is not self:
            child = child.outer
        if child is None:
            raise Invariant(f"state {inner.name} does not lie inside {self.name or 'the chart'}")
        return child


class Tree:
    """All vertices of a chart, in document order."""

    def __init__(self) -> None:
        self.root = Vertex(None, StateKind.PLAIN, None, 0)
        self.vertices = [self.root]
        """All vertices; a vertex's order is its index."""
        self._by_state: dict[StateNode, Vertex] = {}

    def add(
        self, state: StateNode, kind: StateKind, parent: StateNode | None, default: StateNode | None = None
    ) -> Vertex:
        """Add a state after all states that precede it in document order.

        ``default`` is the state that a history state stands for as long as nothing was recorded.
        """
        outer = self.root if parent is None else self._by_state[parent]
        if outer.last != len(self.vertices) - 1:
            raise Invariant(f"state {state.name} was added out of document order")
        vertex = Vertex(state, kind, outer, len(self.vertices))
        vertex.default = default
        (outer.histories if kind in HISTORIES else outer.children).append(vertex)
        self.vertices.append(vertex)
        self._by_state[state] = vertex
        around: Vertex | None = outer
        while around is not None:
            around.last = vertex.order
            around = around.outer
        return vertex

    def of(self, state: StateNode) -> Vertex:
        """Return the vertex of a state.

        Raises:
            NotAState: the chart does not have it.
        """
        vertex = self._by_state.get(state)
        if vertex is None:
            raise NotAState(
                f"state {state.name} is not one of the chart's",
                "a chart with regions, history or final states goes only to states it had when it started",
                state=state.name,
            )
        return vertex

    def domain(self, source: Vertex, target: Vertex) -> Vertex:
        """Return the vertex whose active descendants a transition leaves; the vertex itself stays active.

        It is the least common ancestor of source and target, which may be one of them: a transition between a
        state and a state inside it, in either direction, is local. A transition from a state to itself leaves
        the state.
        """
        if source is target:
            return self.around(source)
        domain = source
        while not domain.contains(target):
            domain = self.around(domain)
        return domain

    def around(self, vertex: Vertex) -> Vertex:
        """Return the vertex around another one, which is not the root."""
        if vertex.outer is None:
            raise Invariant("nothing lies around the root of a tree of states")
        return vertex.outer


def in_document_order(vertices: Iterable[Vertex]) -> list[Vertex]:
    """Return the vertices sorted in document order, in which states are entered."""
    return sorted(vertices, key=lambda vertex: vertex.order)


def outward(vertex: Vertex) -> Iterator[Vertex]:
    """Yield a vertex and all vertices around it except the root, innermost first."""
    here: Vertex | None = vertex
    while here is not None and here.state is not None:
        yield here
        here = here.outer
