"""The algorithm for charts with regions, history or final states: the handling of one event, or of a start.

It follows the W3C recommendation SCXML (2015) for regions, history and completion, and Samek for transitions:

* A transition leaves the active states inside the least common ancestor of its source and target. Between a
  state and a state inside it, in either direction, it does not leave the outer one.
* A handler is guard, action and target in one, so the action of a transition runs when the event is offered,
  before any state is left.
* So that the action of a transition that must not take place does not run, a state around regions is not
  offered an event for which one of them makes a transition, nor is a region that such a transition leaves. In
  the other regions, a reaction whose target is fixed does not run if the transition would be preempted.

Like the walk of other charts, it asks for handlers to be called and calls none itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import NamedTuple

from farscope.engine.core.algorithm import About, Asked, End, Outcome, Resolve, Walk
from farscope.engine.core.handlers import Alternative
from farscope.engine.core.resting_places import (
    RestingPlace,
    RestingPlaces,
    Situation,
    is_complete,
    is_leaf,
    recorded,
)
from farscope.engine.core.state_tree import Vertex, in_document_order, outward
from farscope.engine.core.states import OTHERWISE, StateNode
from farscope.engine.event import HANDLED, IGNORED, INIT_SIGNAL, SUPER, TRAN, UNHANDLED
from farscope.errors import ChartBuildError, InitLeavesState
from farscope.records.configuration import TOP
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import StepKind
from farscope.records.structure import StateKind


class Transition(NamedTuple):
    """A selected transition."""

    source: Vertex
    target: Vertex
    domain: Vertex
    """The active states inside it are left."""

    def conflicts_with(self, other: Transition) -> bool:
        """Return whether the two would leave the same states."""
        return self.domain.contains(other.domain) or other.domain.contains(self.domain)


class Offers:
    """The progress of offering an event to the leaves in document order, and its effects so far."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.hooked = False
        self.refused = False
        self._open: dict[Vertex, bool] = {}
        """For each parallel state, whether a leaf in the regions seen so far has found no reaction."""

    def leaves(self, leaf: Vertex) -> bool:
        """Return whether a selected transition leaves ``leaf``."""
        return any(transition.domain.contains(leaf) for transition in self.transitions)

    def preempt(self, transition: Transition) -> bool:
        """Return whether a selected transition excludes this one."""
        return any(transition.conflicts_with(other) for other in self.transitions)

    def rises(self, region: Vertex, parallel: Vertex, *, is_open: bool) -> bool | None:
        """Note whether a leaf of ``region`` is still open; after the last region, return whether any is.

        Until then, return None: the other regions come first. If a region makes a transition, no leaf counts
        as open, because any transition of a state around it would be preempted.
        """
        still = self._open[parallel] = self._open.get(parallel, False) or is_open
        if region is not parallel.children[-1]:
            return None
        moved = any(parallel.contains(transition.source) for transition in self.transitions)
        return still and not moved

    @property
    def kind(self) -> StepKind:
        """The outcome of the event."""
        if self.transitions:
            return StepKind.TRANSITION
        if self.hooked:
            return StepKind.HOOK
        return StepKind.REFUSED if self.refused else StepKind.IGNORED


_Walking = Generator[Asked, Outcome, End]
_Acting = Generator[Asked, Outcome, None]
_Entering = list[tuple[Vertex, tuple[Vertex, ...]]]
"""States to enter, each with the vertices inside it that must become active."""


class RegionWalk(Walk):
    """One walk of a chart that may have several active leaves: see ``Walk``.

    It ends in a ``RestingPlace``.
    """

    def __init__(
        self, resolve: Resolve, about: About, places: RestingPlaces, begins: RestingPlace | None
    ) -> None:
        """``begins`` is where the chart rests before the step; None for a start."""
        super().__init__(resolve, about, () if begins is None else begins.names)
        self._places = places
        self._tree = places.tree
        self._begins = begins
        self._active: set[Vertex] = set() if begins is None else begins.active()
        self._remembered = (
            list(places.nothing_remembered) if begins is None else list(begins.situation.remembered)
        )
        self._pending = [] if begins is None else list(begins.situation.pending)
        self._is_completion = bool(self._pending) and self._pending[0].completion == self._signal_name
        if self._is_completion:
            del self._pending[0]
        self._finished = False

    def begin_event(self) -> None:
        """Begin with the step's event."""
        self._going = self._react()
        self._go(None)

    def _first(self, target: StateNode) -> _Walking:
        self.facts.append(Fact(FactKind.START))
        yield from self._enter_inside(self._tree.root, self._meant(self._tree.of(target)))
        return (yield from self._settled(StepKind.START))

    def _react(self) -> _Walking:
        offers = yield from self._offer()
        if offers.transitions:
            for source, target, _ in offers.transitions:
                self.facts.append(Fact(FactKind.TRAN, source.name, target.name))
            yield from self._leave_all(offers.transitions)
            # What a history state stands for may just have been recorded.
            for transition in offers.transitions:
                yield from self._enter_inside(transition.domain, self._meant(transition.target))
        return (yield from self._settled(offers.kind))

    def _settled(self, kind: StepKind) -> Generator[Asked, Outcome, End]:
        if self._finished:
            yield from self._leave_each(self._active)
            self._pending.clear()
        leaves = in_document_order(vertex for vertex in self._active if is_leaf(vertex, self._active))
        place = self._places.at(
            Situation(tuple(leaves), tuple(self._remembered), tuple(self._pending), self._finished)
        )
        return End(self.shape(kind, place.names), place)

    def _offer(self) -> Generator[Asked, Outcome, Offers]:
        """Offer the event to the leaves and, where they do not react, to the states around them."""
        offers = Offers()
        leaves = () if self._begins is None else self._begins.leaves
        for leaf in leaves:
            is_open = not offers.leaves(leaf)
            for vertex in outward(leaf):
                if is_open:
                    is_open = yield from self._offer_to(vertex, offers)
                if vertex.outer is not None and vertex.outer.kind is StateKind.PARALLEL:
                    decided = offers.rises(vertex, vertex.outer, is_open=is_open)
                    if decided is None:
                        break
                    is_open = decided
        return offers

    def _offer_to(self, vertex: Vertex, offers: Offers) -> Generator[Asked, Outcome, bool]:
        """Offer the event to one state; return whether it did not react, so that the event rises."""
        state = vertex.its_state
        self._fact(FactKind.OFFER, state)
        if self._is_completion and state.handlers is not None and self._signal not in state.handlers:
            # The reaction to all other signals is for those that the program posts.
            return True
        alternatives = self._alternatives(vertex) if offers.transitions else ()
        if alternatives:
            status, target = yield from self._choose(vertex, alternatives, offers)
        else:
            status, target = yield from self._ask(state, 0)
        if status == TRAN:
            transition = self._transition_to(vertex, target)
            if not offers.preempt(transition):
                offers.transitions.append(transition)
                return False
            # The handler has decided on the target, and so has already run: nothing else is left of it.
            status = HANDLED
        if status == HANDLED:
            self._fact(FactKind.HOOK, state)
            offers.hooked = True
        if status == UNHANDLED:
            offers.refused = True
        return status in (SUPER, UNHANDLED)

    def _alternatives(self, vertex: Vertex) -> tuple[Alternative, ...]:
        """Return the parts of a state's reaction to the step's event, if they are known."""
        if self._signal in vertex.alternatives:
            return vertex.alternatives[self._signal]
        # Signals of the engine's are not among all others.
        known = vertex.its_state.call_for(self._signal) is not None
        return vertex.alternatives.get(OTHERWISE, ()) if known else ()

    def _choose(
        self, vertex: Vertex, alternatives: Iterable[Alternative], offers: Offers
    ) -> Generator[Asked, Outcome, tuple[object, object]]:
        """Run the first reaction whose guard allows it, unless it is known that it would be preempted."""
        state = vertex.its_state
        for guard, to, call in alternatives:
            if guard is not None:
                answer, _ = yield from self._call(state, 0, guard)
                if answer != HANDLED:
                    continue
            if to is not None and offers.preempt(self._transition_to(vertex, to)):
                return IGNORED, None
            return (yield from self._call(state, 0, call))
        return UNHANDLED, None

    def _transition_to(self, source: Vertex, target: object) -> Transition:
        aim = self._tree.of(self._resolve(target, source.name))
        return Transition(source, aim, self._tree.domain(source, aim))

    def _leave_all(self, transitions: Iterable[Transition]) -> _Acting:
        left = {
            vertex
            for _, _, domain in transitions
            for vertex in self._active
            if domain.contains(vertex) and vertex is not domain
        }
        for index, history in enumerate(self._places.histories):
            if history.outer in left:
                stands_for = recorded(history, self._active)
                self._remembered[index] = stands_for
        yield from self._leave_each(left)

    def _leave_each(self, left: Iterable[Vertex]) -> _Acting:
        for vertex in reversed(in_document_order(left)):
            yield from self._leave(vertex.its_state)
            self._active.discard(vertex)

    def _meant(self, target: Vertex) -> tuple[Vertex, ...]:
        """Return the states that become active because ``target`` is the target of a transition."""
        meant = target
        # Defaults of history states may be history states; none of them leads in a circle.
        while meant in self._places.histories:
            stands_for = self._remembered[self._places.histories.index(meant)]
            if stands_for:
                return stands_for
            if meant.default is None:
                return (self._tree.around(meant),)
            meant = self._tree.of(meant.default)
        return (meant,)

    def _enter_inside(self, domain: Vertex, wanted: tuple[Vertex, ...]) -> _Acting:
        """Enter states inside ``domain``, which is active and empty, until the ``wanted`` ones are active."""
        # The next state to enter comes last. Not recursive: nesting may be deeper than Python's stack.
        entering = yield from self._next_inside(domain, wanted)
        while entering:
            vertex, inner = entering.pop()
            yield from self._enter(vertex.its_state)
            self._active.add(vertex)
            if vertex.kind is StateKind.FINAL:
                self._complete(vertex)
            entering += yield from self._next_inside(vertex, inner)

    def _next_inside(
        self, vertex: Vertex, wanted: tuple[Vertex, ...]
    ) -> Generator[Asked, Outcome, _Entering]:
        """Return the states to enter directly inside an active vertex, last one first."""
        inner = tuple(other for other in wanted if vertex.contains(other) and other is not vertex)
        if vertex.kind is StateKind.PARALLEL:
            return [(region, inner) for region in reversed(vertex.children)]
        if not inner:
            inner = yield from self._initial(vertex)
        if not inner:
            return []
        return [(vertex.child_toward(inner[0]), inner)]

    def _initial(self, vertex: Vertex) -> Generator[Asked, Outcome, tuple[Vertex, ...]]:
        """Return where the initial transition of a state leads; nowhere if it has none."""
        if vertex.kind is StateKind.FINAL:
            return ()
        state = vertex.its_state
        self._fact(FactKind.INIT, state)
        status, target = yield from self._ask(state, INIT_SIGNAL)
        if status != TRAN:
            return ()
        aim = self._tree.of(self._resolve(target, state.name))
        if aim is vertex or not vertex.contains(aim):
            raise InitLeavesState(
                f"the initial transition of state {state.name} leads outside, to {aim.name}",
                f"lead it to a state nested in {state.name}, or nest {aim.name} there",
                state=state.name,
            )
        meant = self._meant(aim)
        if meant == (vertex,):
            raise ChartBuildError(
                f"the initial transition of state {state.name} leads to {aim.name}, which has nothing to "
                "restore",
                f"give {aim.name} a default: the state to enter when {state.name} was never left",
                state=state.name,
            )
        return meant

    def _complete(self, final: Vertex) -> None:
        """Note the completions caused by entering a final state."""
        outer = self._tree.around(final)
        if outer is self._tree.root:
            self._finished = True
            self.facts.append(Fact(FactKind.DONE, TOP))
            return
        while True:
            self._fact(FactKind.DONE, outer.its_state)
            if outer in self._places.reported:
                self._pending.append(outer)
            outer = self._tree.around(outer)
            if outer.kind is not StateKind.PARALLEL or not is_complete(outer, self._active):
                return
