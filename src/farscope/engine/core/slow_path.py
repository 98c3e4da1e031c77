"""The slow path: runs a step that is not fully cached, then caches it."""

from __future__ import annotations

from inspect import isawaitable, iscoroutine
from typing import Any, NoReturn

from farscope.engine.core.algorithm import START_SIGNAL, TOP, About, Outcome, Walk
from farscope.engine.core.notebook import Notebook
from farscope.engine.core.recorder import RING_STEPS
from farscope.engine.core.reserved import is_intact, mended
from farscope.engine.core.step_cache import Branches, Memo, Place, Rest
from farscope.engine.definition.handlers import Settling
from farscope.engine.definition.states import State, States
from farscope.engine.event import HANDLED, TRAN, Event
from farscope.errors import Invariant, NoStatus


class Walker(Notebook):
    """The part of a chart that works out what a step does. Only one thread at a time may run steps."""

    __slots__ = ("_asked", "_goal", "_held", "_memo", "_place", "_states", "_walk")

    def __init__(self, name: str | None, *, instrumented: bool | None, ring_size: int = RING_STEPS) -> None:
        super().__init__(name, instrumented=instrumented, ring_size=ring_size)
        self._states = States()
        self._memo = Memo()
        self._asked: Any = None
        """The state function that is currently being asked for its parent."""
        self._goal: State | None = None
        """The target of the start, while the start runs."""
        self._place: Place | None = None
        """The position in the step cache of the handler that is running."""
        self._held: tuple[object, ...] | None = None
        """The attribute values that the chart holds from its start to its end: see ``reserved``."""
        self._walk: Walk | None = None
        """The walk of a step that is not in the cache."""

    def _explore(self, e: Event, roots: Branches) -> Rest:
        """Run a step of which nothing is cached."""
        return self._walk_on(self._begun((e.signal, e.signal_name)), e, roots, e.signal, ())

    def _learn(self, e: Event, status: object) -> Rest:
        """Continue a step after an answer that has not been seen before at the current place."""
        outcome = self._outcome(status)
        place = self._place
        if place is None:
            raise Invariant("a handler answered, and none was called")
        self._walk = walk = self._up_to(place)
        walk.tell(outcome)
        return self._walk_on(walk, e, *place.behind(outcome), (*place.outcomes, outcome))

    def _outcome(self, status: object) -> Outcome:
        """Return the outcome of the handler that just returned this status."""
        if type(status) is not int:
            if isawaitable(status):
                self._pause(status)
        elif status == TRAN and self._is_decided_later():
            self._pause(Settling(self._temp.fun, self._decided))
        return Outcome(status, self._temp.fun if status == TRAN else None, self._take_made())

    def _is_decided_later(self) -> bool:
        """Return whether a declared reaction returned an awaitable rather than the target state.

        A decorated coroutine function cannot be recognized as one before it is called.
        """
        place = self._place
        return place is not None and getattr(place.state.fn, "shared", False) and isawaitable(self._temp.fun)

    def _decided(self, target: Any) -> int:
        self._temp.fun = target
        return HANDLED if target is None else TRAN

    def _walk_on(
        self, walk: Walk, e: Event, branches: Branches, key: Any, outcomes: tuple[Outcome, ...]
    ) -> Rest:
        """Follow ``walk`` to its end with real calls, and cache their outcomes."""
        self._walk = walk
        known = self._states.known
        while walk.asked is not None:
            call, inner, place = self._memo.ask(branches, key, walk.asked, walk.about, outcomes)
            self._place = place
            self._temp.fun = place.fn
            outcome = self._outcome(call(self, e if inner is None else inner))
            outcomes = (*outcomes, outcome)
            branches, key = place.behind(outcome)
            walk.tell(outcome)
        if walk.end is None:
            raise Invariant("a walk asks for nothing and has no end")
        if not is_intact(self):
            raise mended(self) or Invariant("a chart is not what it was and cannot tell what has changed")
        self._walk = self._place = None
        if self._states.known != known and not self._states.forgot:
            self._announce()
        rest = self._memo.rest(branches, key, walk.end)
        self._bound_states(walk.end.leaf)
        return rest

    def _bound_states(self, leaf: State | None) -> None:
        """Between steps, if the chart knows too many states, keep only ``leaf`` and the states around it."""
        if self._states.are_too_many():
            self._states.forget_all_but(leaf)
            self._memo.forget()

    def _begun(self, about: About) -> Walk:
        """Return the walk of the step about a signal, already begun."""
        leaf, goal = self._leaf, self._goal
        if leaf is not None:
            walk = Walk(self._resolve, about, leaf.name)
            walk.begin(leaf)
        elif goal is not None:
            walk = Walk(self._resolve, (0, START_SIGNAL), TOP)
            walk.begin_start(goal)
        else:
            raise Invariant("a step began in no state")
        return walk

    def _pause(self, answer: Any) -> NoReturn:
        """Leave the step for an answer that must be awaited; an error here, where nothing can await it."""
        if iscoroutine(answer) or isinstance(answer, Settling):
            answer.close()
        name = self._place.state.name if self._place else TOP
        raise NoStatus(
            f"a handler of state {name} has to be awaited, but chart {self._name} runs on no event loop",
            "make an AsyncChart for coroutine handlers",
            state=name,
        )

    def _resolve(self, target: object, asker: str) -> State:
        made, texts = len(self._made), len(self._texts)
        state = self._states.resolve(self, target, asker)
        # Whatever a function does when asked for its parent happens only once, so it is not part of a step.
        del self._made[made:]
        del self._texts[texts:]
        return state

    def _replayed(self, e: Event) -> Walk:
        """Return the walk of the step that failed, up to the failure."""
        if self._walk is not None:
            return self._walk
        if self._place is None:
            return self._begun((e.signal, e.signal_name))
        return self._up_to(self._place)

    def _up_to(self, place: Place) -> Walk:
        """Return a walk that asks for the handler at ``place``."""
        walk = self._begun(place.about)
        for known in place.outcomes:
            walk.tell(known)
        return walk

    def _forget_failed(self) -> None:
        if self._walk is not None:
            self._walk.give_up()
        self._walk = self._place = None
        self._made.clear()
        self._texts.clear()
        if self._leaf is not None:
            self._temp.fun = self._leaf.fn
        self._bound_states(self._leaf)
