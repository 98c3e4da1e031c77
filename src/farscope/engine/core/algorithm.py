"""Samek's algorithm: the handling of one event, or of a chart's start.

It is written once, as a generator that asks for one handler to be called, receives the outcome, and
continues. Nothing here calls a handler or depends on a chart, so the same walk serves both a step that runs
for the first time and a step whose beginning is already known and only has to be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from farscope.engine.core.handlers import Call
from farscope.engine.core.states import StateNode
from farscope.engine.event import (
    ENTRY_SIGNAL,
    EXIT_SIGNAL,
    HANDLED,
    IGNORED,
    INIT_SIGNAL,
    SUPER,
    TRAN,
    UNHANDLED,
    is_status,
    signals,
)
from farscope.errors import ChartBuildError, InitLeavesState, Invariant, NoStatus
from farscope.records.configuration import TOP, Configuration, leaves_of, text_of
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind

MAX_FACTS = 250
"""Maximum number of facts kept per step; the rest are only counted, in one additional fact."""

START_SIGNAL = "start_at"

Made = tuple[int, str, str]
"""A fact recorded by a handler, as plain values: kind, name, detail. Handlers record facts on the hot path,
and a plain tuple is created several times faster than a ``Fact``."""


About = tuple[int, str]
"""Number and name of the signal that a step is about; for a start, 0 and ``START_SIGNAL``."""


class Outcome(NamedTuple):
    """The outcome of a handler call."""

    status: object
    target: object
    """Target of the transition if the status is TRAN; otherwise None."""
    made: tuple[Made, ...]


class Asked(NamedTuple):
    """A handler to be called."""

    state: StateNode
    signal: int
    """An inner signal; 0 for the step's own event."""
    call: Call


class End(NamedTuple):
    """How a walk ended."""

    shape: Shape
    leaf: Any
    """Where the chart then rests: a ``StateNode``, or a ``RestingPlace`` if several leaves may be active."""


Resolve = Callable[[object, str], StateNode]
_Walking = Generator[Asked, Outcome, End]
_Asking = Generator[Asked, Outcome, tuple[object, object]]
_Leaving = Generator[Asked, Outcome, None]


class Walk:
    """One walk: ``asked`` is the handler to call next; ``end`` is set when there are no more.

    ``resolve`` turns a target into a state; its second argument names the state that asks for it.
    """

    def __init__(self, resolve: Resolve, about: About, start: Configuration) -> None:
        self.facts: list[Fact] = []
        self.asked: Asked | None = None
        self.end: End | None = None
        self._resolve = resolve
        self.about = about
        self._signal, self._signal_name = about
        self._start = start
        self._going: _Walking | None = None

    def begin(self, leaf: StateNode) -> None:
        """Begin with an event in the resting state ``leaf``."""
        self._going = self._event(leaf)
        self._go(None)

    def begin_start(self, target: StateNode) -> None:
        """Begin with a start in ``target``."""
        self._going = self._first(target)
        self._go(None)

    def tell(self, outcome: Outcome) -> None:
        """Receive the outcome of the requested handler, and continue to the next one.

        Raises:
            ChartError: the handler's answer or the states are invalid.
        """
        self._go(outcome)

    def shape(self, kind: StepKind, end: Configuration) -> Shape:
        """Return the shape of everything that has happened so far."""
        return Shape(kind, self._signal_name, self._start, end, _kept(self.facts))

    def failed(self) -> Shape:
        """Return the shape of everything that happened until the last requested handler failed."""
        at = self.asked.state.name if self.asked else TOP
        facts = (*_kept(self.facts), Fact(FactKind.FAILED, at))
        return Shape(StepKind.FAILED, self._signal_name, self._start, self._start, facts)

    def left_undone(self) -> str:
        """Return a sentence about the states already left and entered when a step failed; empty if none.

        The facts say the same, but only the first ``MAX_FACTS`` of them are kept.
        """
        moves: dict[int, list[str]] = {FactKind.EXIT: [], FactKind.ENTRY: []}
        for fact in self.facts:
            if fact.kind in moves:
                moves[fact.kind].append(fact.name)
        asked = self.asked
        doing = {ENTRY_SIGNAL: "entering", EXIT_SIGNAL: "leaving"}.get(asked.signal if asked else 0)
        if asked and doing:
            # The last fact of its kind is the one that failed.
            moves[FactKind.ENTRY if doing == "entering" else FactKind.EXIT].pop()
        if not (doing or any(moves.values())):
            return ""
        left, entered = (", ".join(names) or "nothing" for names in moves.values())
        at = f"; it failed while {doing} {asked.state.name}" if asked and doing else ""
        start = text_of(leaves_of(self._start))
        rests = f"the chart rests in {start}" if start != TOP else "the chart is not started"
        return f"{rests}; this step had left {left} and entered {entered}{at}"

    def give_up(self) -> None:
        """End an unfinished walk, so that it no longer forms a reference cycle through the chart."""
        self._going = None

    def add(self, made: tuple[Made, ...]) -> None:
        """Add the facts that a handler recorded."""
        self.facts += [Fact(FactKind(kind), name, detail) for kind, name, detail in made]

    def _go(self, outcome: Outcome | None) -> None:
        going = self._going
        if going is None:
            return
        try:
            # Sending None to a generator that has not started yet starts it.
            self.asked = going.send(outcome)  # type: ignore[arg-type]
        except StopIteration as stop:
            self.asked = None
            self.end = stop.value

    def _fact(self, kind: FactKind, state: StateNode) -> None:
        self.facts.append(Fact(kind, state.name))

    def _ask(self, state: StateNode, signal: int) -> _Asking:
        call = state.call_for(signal or self._signal)
        return (SUPER, None) if call is None else (yield from self._call(state, signal, call))

    def _call(self, state: StateNode, signal: int, call: Call) -> _Asking:
        outcome = yield Asked(state, signal, call)
        self.add(outcome.made)
        status = outcome.status
        what = signals.name_for_signal(signal) if signal else self._signal_name
        if not is_status(status):
            raise NoStatus(
                f"state {state.name} returned {status!r} for {what}, which is not a status",
                "return what chart.trans gives, or one of return_status: HANDLED, UNHANDLED, SUPER",
                state=state.name,
            )
        if status == UNHANDLED and signal:
            status = SUPER
        if status == TRAN and signal in (ENTRY_SIGNAL, EXIT_SIGNAL):
            raise ChartBuildError(
                f"state {state.name} asked for a transition in answer to {what}",
                "only an event or INIT_SIGNAL can lead to another state; post an event instead",
                state=state.name,
            )
        return status, outcome.target

    def _event(self, leaf: StateNode) -> _Walking:
        refused = False
        source: StateNode | None = leaf
        while source is not None:
            self._fact(FactKind.OFFER, source)
            status, target = yield from self._ask(source, 0)
            if status == TRAN:
                end = yield from self._transition(leaf, source, self._resolve(target, source.name))
                return End(self.shape(StepKind.TRANSITION, end.name), end)
            if status == HANDLED:
                self._fact(FactKind.HOOK, source)
                return End(self.shape(StepKind.HOOK, leaf.name), leaf)
            if status == IGNORED:
                break
            if status == UNHANDLED:
                refused = True
                if source.handlers is None:
                    # A flat function has to be asked for its parent; the parent of a built state is known.
                    self._fact(FactKind.EMPTY, source)
            source = source.parent
        return End(self.shape(StepKind.REFUSED if refused else StepKind.IGNORED, leaf.name), leaf)

    def _first(self, target: StateNode) -> _Walking:
        self.facts.append(Fact(FactKind.START))
        yield from self._enter_from(None, target)
        end = yield from self._drill(target)
        return End(self.shape(StepKind.START, end.name), end)

    def _transition(
        self, leaf: StateNode, source: StateNode, target: StateNode
    ) -> Generator[Asked, Outcome, StateNode]:
        state = leaf
        while state is not source:
            yield from self._leave_and_search(state)
            if state.parent is None:
                raise Invariant(
                    f"the event bubbled from {leaf.name} to {source.name}, which is not around it"
                )
            state = state.parent
        for inner in reversed((yield from self._cross(source, target))):
            yield from self._enter(inner)
        return (yield from self._drill(target))

    def _cross(self, source: StateNode, target: StateNode) -> Generator[Asked, Outcome, list[StateNode]]:
        """Leave the necessary states, starting at the source; return the states to enter, innermost first.

        The cases and their order are Samek's; they determine which states are asked for their parents.
        """
        if source is target:
            yield from self._leave(source)
            return [target]
        self._fact(FactKind.SEARCH, target)
        if target.parent is source:
            return [target]
        self._fact(FactKind.SEARCH, source)
        if source.parent is target.parent:
            yield from self._leave(source)
            return [target]
        if source.parent is target:
            yield from self._leave(source)
            return []
        path = [target]
        state = target.parent
        while state is not None:
            self._fact(FactKind.SEARCH, state)
            path.append(state)
            state = state.parent
            if state is source:
                return path
        yield from self._leave(source)
        common = source.parent
        while common is not None and common not in path:
            yield from self._leave_and_search(common)
            common = common.parent
        return path if common is None else path[: path.index(common)]

    def _drill(self, state: StateNode) -> Generator[Asked, Outcome, StateNode]:
        """Follow the initial transitions from a state just entered; return where they end."""
        while True:
            self._fact(FactKind.INIT, state)
            status, target = yield from self._ask(state, INIT_SIGNAL)
            if status != TRAN:
                return state
            inner = self._resolve(target, state.name)
            outside: StateNode | None = inner.parent
            while outside is not None and outside is not state:
                outside = outside.parent
            if outside is None:
                raise InitLeavesState(
                    f"the initial transition of state {state.name} leads outside, to {inner.name}",
                    f"lead it to a state nested in {state.name}, or nest {inner.name} there",
                    state=state.name,
                )
            yield from self._enter_from(state, inner)
            state = inner

    def _enter_from(self, outer: StateNode | None, target: StateNode) -> _Leaving:
        path: list[StateNode] = []
        state: StateNode | None = target
        while state is not None and state is not outer:
            self._fact(FactKind.SEARCH, state)
            path.append(state)
            state = state.parent
        for entered in reversed(path):
            yield from self._enter(entered)

    def _enter(self, state: StateNode) -> _Leaving:
        self._fact(FactKind.ENTRY, state)
        yield from self._ask(state, ENTRY_SIGNAL)

    def _leave(self, state: StateNode) -> Generator[Asked, Outcome, object]:
        self._fact(FactKind.EXIT, state)
        status, _ = yield from self._ask(state, EXIT_SIGNAL)
        return status

    def _leave_and_search(self, state: StateNode) -> _Leaving:
        status = yield from self._leave(state)
        if status == HANDLED:
            # Such an answer does not reveal the parent, so the state is asked for it.
            self._fact(FactKind.SEARCH, state)


def _kept(facts: list[Fact]) -> tuple[Fact, ...]:
    """Return the first ``MAX_FACTS`` facts, plus one that counts the rest, if any."""
    cut = sum(int(fact.detail) for fact in facts if fact.kind is FactKind.CUT)
    real = [fact for fact in facts if fact.kind is not FactKind.CUT]
    cut += max(0, len(real) - MAX_FACTS)
    if not cut:
        return tuple(real)
    return (*real[:MAX_FACTS], Fact(FactKind.CUT, "", str(cut)))
