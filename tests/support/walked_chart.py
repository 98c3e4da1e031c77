"""A chart made of the SCXML model's nodes, whose steps are walked without a chart or a driver around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from farscope.engine.core.algorithm import Outcome
from farscope.engine.core.handlers import Call
from farscope.engine.core.regions import RegionWalk
from farscope.engine.core.resting_places import RestingPlace, RestingPlaces
from farscope.engine.core.state_tree import Tree, Vertex
from farscope.engine.core.states import StateNode
from farscope.engine.event import HANDLED, INIT_SIGNAL, TRAN, UNHANDLED, Event, signals
from farscope.records.configuration import TOP
from farscope.records.facts import Fact, FactKind
from farscope.records.structure import StateKind
from support.scxml_model import DEEP, FINAL, HISTORY, MICROSTEPS, PARALLEL, PLAIN, ROOT, Microstep, Node

KINDS = {
    PLAIN: StateKind.PLAIN,
    PARALLEL: StateKind.PARALLEL,
    HISTORY: StateKind.HISTORY,
    DEEP: StateKind.DEEP_HISTORY,
    FINAL: StateKind.FINAL,
}
SHORT: dict[int, str] = {
    FactKind.ENTRY: "+",
    FactKind.EXIT: "-",
    FactKind.INIT: "*",
    FactKind.OFFER: "@",
    FactKind.HOOK: "!",
}


class Walked:
    """The chart; its handlers answer as the arrows of the nodes say."""

    def __init__(self, nodes: Sequence[Node], names: Sequence[str] = ()) -> None:
        self.nodes = nodes
        self.names = names or [f"s{index}" for index in range(len(nodes))]
        self.now = 0
        self.facts: list[Fact] = []
        """The facts of the last step."""
        self.here: RestingPlace | None = None
        self.states: list[StateNode] = []
        self.tree = Tree()
        for index, node in enumerate(nodes):
            parent = None if node.parent == ROOT else self.states[node.parent]
            state = StateNode(index, self.names[index], parent, _never, self._handlers(index))
            self.states.append(state)
        for state, node in zip(self.states, nodes, strict=True):
            is_history = node.kind in (HISTORY, DEEP)
            default = self.states[node.initial] if is_history and node.initial is not None else None
            self.tree.add(state, KINDS[node.kind], state.parent, default)
        self.places = RestingPlaces(self.tree)

    @property
    def finished(self) -> bool:
        """Whether the chart has ended."""
        return self.here is not None and self.here.situation.finished

    @property
    def pending(self) -> tuple[Vertex, ...]:
        """The completed states whose completion event was not processed yet."""
        return () if self.here is None else self.here.situation.pending

    def start(self, target: int) -> list[Microstep]:
        """Start the chart; return what each step did, including those about completions."""
        walk = self._walk("start", 0)
        walk.begin_start(self.states[target])
        return self._completed(self._run(walk, "start"))

    def external(self, event: str) -> list[Microstep]:
        """Let the chart react to an event; return what each step did, including those about completions."""
        self.now += 1
        return self._completed(self._react(event))

    def short(self) -> str:
        """Return the facts of the last step in short."""
        return " ".join(f"{SHORT[fact.kind]}{fact.name}" for fact in self.facts if fact.kind in SHORT)

    def _completed(self, first: Microstep) -> list[Microstep]:
        steps = [first]
        while self.pending and not self.finished and len(steps) < MICROSTEPS:
            steps.append(self._react(self.pending[0].completion))
        return steps

    def _react(self, event: str) -> Microstep:
        walk = self._walk(event, signals.append(event))
        walk.begin_event()
        return self._run(walk, event)

    def _walk(self, event: str, number: int) -> RegionWalk:
        return RegionWalk(self._resolve, (number, event), self.places, self.here)

    def _resolve(self, target: object, _asker: str) -> StateNode:
        assert isinstance(target, int)
        return self.states[target]

    def _run(self, walk: RegionWalk, event: str) -> Microstep:
        while walk.asked is not None:
            status, target = walk.asked.call(None, Event(event))
            walk.tell(Outcome(status, target, ()))
        assert walk.end is not None
        here = walk.end.leaf
        assert isinstance(here, RestingPlace)
        self.here = here
        self.facts = walk.facts
        moves = [fact for fact in walk.facts if fact.kind in (FactKind.EXIT, FactKind.ENTRY)]
        entries = [index for index, fact in enumerate(moves) if fact.kind is FactKind.ENTRY]
        first, after = (entries[0], entries[-1] + 1) if entries else (len(moves), len(moves))
        return Microstep(
            self._model_event(event),
            self._numbers(moves[:first], FactKind.EXIT),
            self._numbers(moves[first:after], FactKind.ENTRY),
            self._numbers(moves[after:], FactKind.EXIT),
            [self._number(fact.name) for fact in walk.facts if fact.kind is FactKind.DONE],
            tuple(self.names.index(name) for name in here.names),
        )

    def _numbers(self, facts: Sequence[Fact], kind: FactKind) -> list[int]:
        assert all(fact.kind is kind for fact in facts), facts
        return [self.names.index(fact.name) for fact in facts]

    def _number(self, name: str) -> int:
        return ROOT if name == TOP else self.names.index(name)

    def _signal_name(self, event: str) -> str:
        if not event.startswith("done "):
            return event
        return f"done.state.{self.names[int(event.removeprefix('done '))]}"

    def _model_event(self, event: str) -> str:
        if not event.startswith("done.state."):
            return event
        return f"done {self.names.index(event.removeprefix('done.state.'))}"

    def _handlers(self, index: int) -> dict[int, Call]:
        node = self.nodes[index]
        found: dict[int, Call] = {}
        if node.initial is not None and node.kind == PLAIN:
            found[INIT_SIGNAL] = lambda _chart, _e: (TRAN, node.initial)
        for event in {arrow.event for arrow in node.arrows}:
            found[signals.append(self._signal_name(event))] = lambda _chart, e: self._answer(
                node, e.signal_name
            )
        return found

    def _answer(self, node: Node, name: str) -> tuple[int, int | None]:
        for arrow in node.arrows:
            if self._signal_name(arrow.event) == name and self.now not in arrow.refuses:
                return (HANDLED, None) if arrow.target is None else (TRAN, arrow.target)
        return UNHANDLED, None


def _never(_chart: Any, _e: Any) -> int:
    raise AssertionError("a state with handlers is not asked itself")
