"""What a chart remembers of its steps: a tree of handlers called and what came of each.

A step of a chart does the same as the last one of the same signal from the same state, as long as
each handler answers the same. So the walk of such a step is kept: a node says which handler to call
with which event, and its branches, by what comes of the call, lead to the next node or to the end,
which holds the finished shape. A step that was seen before costs one lookup a handler.

The key of a branch is the status; for a transition the target instead, in a table of its own, because
a target that is no state may equal a status; and if the handler made facts, all three together. Free
text is never in a key.
"""

from __future__ import annotations

from typing import Any

from farscope.engine.core.algorithm import About, Asked, End, Outcome
from farscope.engine.definition.handlers import Call
from farscope.engine.definition.states import State
from farscope.engine.event import INNER_EVENTS, TRAN, Event
from farscope.records.facts import TEXT_KINDS
from farscope.records.shape import Shape

MAX_NODES = 10_000
"""Nodes kept of one chart, some megabytes. A chart whose steps never repeat would grow without end;
beyond this number, steps not seen before are walked each time: slower, and as right."""

Branches = dict[Any, Any]
"""From what came of a call, or from the signal at a root, to the next ``Node``."""


class Place:
    """Where in the tree a node stands, and what is behind it."""

    __slots__ = ("about", "answers", "fn", "outcomes", "state", "targets", "told")

    def __init__(self, state: State, about: About, outcomes: tuple[Outcome, ...]) -> None:
        self.state = state
        """Whose handler is called."""
        self.fn = state.fn
        """That state as the user wrote it: what ``chart.temp.fun`` is when the handler begins."""
        self.about = about
        self.outcomes = outcomes
        """What came of the calls that led here from the root."""
        self.targets: Branches = {}
        """By target, of transitions whose handler made no facts."""
        self.answers: Branches = {}
        """By status, of other answers without facts."""
        self.told: Branches = {}
        """By the whole outcome, of all answers with facts."""

    def behind(self, outcome: Outcome) -> tuple[Branches, Any]:
        """Return the branch that an outcome takes: the table, and the key in it."""
        status, target, made = outcome
        if made:
            return self.told, outcome
        return (self.targets, target) if status == TRAN else (self.answers, status)


Rest = tuple[Shape, State, dict[int, Any], int]
"""What a step comes to: its shape, the state the chart then rests in, the roots of the steps that begin
there, and how many texts the shape's facts carry. Plain, like ``Node``, and for the same reason."""

Node = tuple[Call | None, Any, Any]
"""The handler to call, the inner event to call it with or None for the step's own, the ``Place``; or None,
the ``Rest``, and the state of that as the user wrote it. A plain tuple, because unpacking one is the cheapest
way in Python to get at several things."""


class Memo:
    """The tree of one chart; its roots are kept by the states, in ``State.roots``."""

    __slots__ = ("_limit", "_shapes", "nodes")

    def __init__(self, limit: int = MAX_NODES) -> None:
        self._limit = limit
        self._shapes: dict[Shape, Shape] = {}
        self.nodes = 0
        """How many nodes are kept."""

    def forget(self) -> None:
        """Forget all shapes, and count from nothing: those who keep the roots have let them go."""
        self._shapes = {}
        self.nodes = 0

    def ask(
        self, branches: Branches, key: Any, asked: Asked, about: About, outcomes: tuple[Outcome, ...]
    ) -> tuple[Call, Event | None, Place]:
        """Make the node that calls what a walk asks for, keep it behind ``key``, and return it."""
        inner = INNER_EVENTS[asked.signal] if asked.signal else None
        node = (asked.call, inner, Place(asked.state, about, outcomes))
        self._keep(branches, key, node)
        return node

    def rest(self, branches: Branches, key: Any, end: End) -> Rest:
        """Make the end that a walk came to, and keep it behind ``key``."""
        shape = self.interned(end.shape)
        texts = sum(fact.kind in TEXT_KINDS for fact in shape.facts)
        rest: Rest = (shape, end.leaf, end.leaf.roots, texts)
        self._keep(branches, key, (None, rest, end.leaf.fn))
        return rest

    def interned(self, shape: Shape) -> Shape:
        """Return the one shape that is kept of all that equal ``shape``."""
        known = self._shapes.get(shape)
        if known is not None:
            return known
        if len(self._shapes) < self._limit:
            self._shapes[shape] = shape
        return shape

    def _keep(self, branches: Branches, key: Any, node: Node) -> None:
        if self.nodes < self._limit:
            self.nodes += 1
            branches[key] = node
