"""The step cache: a tree of the handlers that were called and the outcome of each.

A step does the same as the previous step with the same signal from the same state, as long as each handler
returns the same. So the walk of such a step is kept: a node says which handler to call with which event, and
its branches, keyed by the outcome of the call, lead to the next node or to the end, which holds the finished
shape. A step that has been seen before costs one lookup per handler.

The key of a branch is the status. For a transition it is the target, in a separate table, because a target
that is not a state may equal a status. If the handler recorded facts, the key is all three together. Free
text is never part of a key.
"""

from __future__ import annotations

from typing import Any

from farscope.engine.core.algorithm import About, Asked, End, Outcome
from farscope.engine.core.handlers import Call
from farscope.engine.core.resting_places import RestingPlace
from farscope.engine.core.states import StateNode
from farscope.engine.event import INNER_EVENTS, TRAN, Event
from farscope.records.facts import TEXT_KINDS
from farscope.records.shape import Shape

MAX_NODES = 10_000
"""Maximum number of nodes kept per chart: some megabytes. The cache of a chart whose steps never repeat would
grow without limit; beyond this number, steps not seen before are walked each time, which is slower but
equally correct."""

Branches = dict[Any, Any]
"""Maps the outcome of a call, or at a root the signal, to the next ``Node``."""


class CacheNode:
    """The position of a node in the tree, and the branches that leave it."""

    __slots__ = ("about", "answers", "fn", "outcomes", "state", "targets", "with_facts")

    def __init__(self, state: StateNode, about: About, outcomes: tuple[Outcome, ...]) -> None:
        self.state = state
        """The state whose handler is called."""
        self.fn = state.fn
        """That state as the user wrote it: the value of ``chart.temp.fun`` when the handler begins."""
        self.about = about
        self.outcomes = outcomes
        """Outcomes of the calls that led here from the root."""
        self.targets: Branches = {}
        """Branches of transitions whose handler recorded no facts, by target."""
        self.answers: Branches = {}
        """Branches of other answers without facts, by status."""
        self.with_facts: Branches = {}
        """Branches of all answers with facts, by the whole outcome."""

    def after(self, outcome: Outcome) -> tuple[Branches, Any]:
        """Return the branch that an outcome takes, as a table and the key in it."""
        status, target, made = outcome
        if made:
            return self.with_facts, outcome
        return (self.targets, target) if status == TRAN else (self.answers, status)


Rest = tuple[Shape, StateNode | RestingPlace, dict[int, Any], int]
"""The result of a step: its shape, the state or place in which the chart then rests, the roots of the steps
that begin there, and the number of texts carried by the shape's facts. A plain tuple for the same reason as
``Node``."""

Node = tuple[Call | None, Any, Any]
"""The handler to call, the inner event to call it with (None for the step's own event), and the
``CacheNode``; or, at the end of a step, None, the ``Rest``, and its state as the user wrote it. A plain
tuple, because unpacking one is the cheapest way in Python to access several values."""


class StepCache:
    """The tree of one chart; the states hold its roots, in ``StateNode.roots``."""

    __slots__ = ("_limit", "_shapes", "nodes")

    def __init__(self, limit: int = MAX_NODES) -> None:
        self._limit = limit
        self._shapes: dict[Shape, Shape] = {}
        self.nodes = 0
        """Number of nodes kept."""

    def forget(self) -> None:
        """Forget all shapes and reset the node count; the holders of the roots have already dropped them."""
        self._shapes = {}
        self.nodes = 0

    def ask(
        self, branches: Branches, key: Any, asked: Asked, about: About, outcomes: tuple[Outcome, ...]
    ) -> tuple[Call, Event | None, CacheNode]:
        """Make the node that calls what a walk asks for, store it under ``key``, and return it."""
        inner = INNER_EVENTS[asked.signal] if asked.signal else None
        node = (asked.call, inner, CacheNode(asked.state, about, outcomes))
        self._keep(branches, key, node)
        return node

    def rest(self, branches: Branches, key: Any, end: End) -> Rest:
        """Make the node for the end of a walk, store it under ``key``, and return its ``Rest``."""
        shape = self.interned(end.shape)
        texts = sum(fact.kind in TEXT_KINDS for fact in shape.facts)
        rest: Rest = (shape, end.leaf, end.leaf.roots, texts)
        self._keep(branches, key, (None, rest, end.leaf.fn))
        return rest

    def interned(self, shape: Shape) -> Shape:
        """Return the single stored shape that equals ``shape``."""
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
