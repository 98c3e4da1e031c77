"""The plain way to run a step: follow the step cache, and walk and cache what is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from typing import Any, Final, NoReturn

from farscope.engine.core.algorithm import START_SIGNAL, About, Outcome, Walk
from farscope.engine.core.arrangement import resting_places
from farscope.engine.core.handlers import Settling, name_of
from farscope.engine.core.open_step import OpenStep
from farscope.engine.core.recorder import Recorder
from farscope.engine.core.regions import RegionWalk
from farscope.engine.core.reserved import is_intact
from farscope.engine.core.resting_places import RestingPlace, RestingPlaces
from farscope.engine.core.states import StateNode, States
from farscope.engine.core.step_cache import Branches, CacheNode, Rest, StepCache
from farscope.engine.event import HANDLED, TRAN, Event, signals
from farscope.errors import Invariant, NoStatus
from farscope.records.configuration import TOP, Configuration
from farscope.records.observable import Standing
from farscope.records.shape import Shape
from farscope.records.structure import ChartStructure

LIBRARY: Final = "farscope"
"""The library that runs these charts, as watchers see it. Its version is in every batch."""

_START = signals.append(START_SIGNAL)


class Temp:
    """The destination that a handler writes: ``fun`` is a target, or the parent of the handler's state."""

    __slots__ = ("fun",)

    def __init__(self) -> None:
        self.fun: Any = None


Pause = Callable[["CachedWalk", Any, Any], NoReturn]
"""Leaves a chart's step for an answer that must be awaited."""


class CachedWalk:
    """The states of a chart, where it rests, and how it handles one event.

    A ``Core`` knows its chart's states through this class only.

    Args:
        step: receives the facts that handlers record.
        recorder: announces the chart when more of its states have become known.
        pause: called for a handler's answer that must be awaited; by default, an error.
    """

    __slots__ = (
        "_made",
        "_recorder",
        "asked",
        "cache",
        "goal",
        "initial",
        "leaf",
        "pause",
        "place",
        "roots",
        "states",
        "step",
        "temp",
        "walk",
    )

    def __init__(self, step: OpenStep, recorder: Recorder, pause: Pause | None = None) -> None:
        self.step = step
        self._made = step.made
        self._recorder = recorder
        self.temp = Temp()
        self.states = States()
        self.cache = StepCache()
        self.leaf: StateNode | RestingPlace | None = None
        """The state in which the chart rests, or the place if it may have several active leaves; None before
        the start."""
        self.goal: StateNode | None = None
        """The target of the start, while the start runs."""
        self.initial = ""
        """Name of the target of the last start; empty before it."""
        self.roots: Branches = {}
        """The cached steps that begin where the chart rests."""
        self.asked: Any = None
        """The state function that is currently being asked for its parent."""
        self.place: CacheNode | None = None
        """The position in the step cache of the handler that is running."""
        self.walk: Walk | None = None
        """The walk of a step that is not in the cache."""
        self.pause = pause or _refuse_to_wait

    # What a core relies on.

    def prepare(self, chart: Any, target: Any, asker: str) -> str:
        """Resolve the target of the start, which ``asker`` gives; return its name."""
        self.complete_states(chart)
        self.goal = goal = self._resolve_for(chart)(target, asker)
        self.roots = self.states.starts_at(goal)
        self.initial = goal.name
        return goal.name

    def complete_states(self, chart: Any) -> None:
        """Find out where the chart may rest, now that all its states are known."""
        states = self.states
        if not states.is_complete:
            states.places = resting_places(states, chart)

    def prepare_in(self, shape: Shape, leaf: StateNode | RestingPlace) -> str:
        """Prepare a start that calls no handlers and rests in ``leaf``; return its name."""
        rest: Rest = (self.cache.interned(shape), leaf, leaf.roots, 0)
        self.roots = {_START: (None, rest, leaf.fn)}
        return leaf.name

    def follow(self, chart: Any, e: Event, roots: Branches) -> Rest:
        """Call the handlers for ``e``; the caller sets ``leaf`` and ``roots`` to where they lead.

        ``roots`` are the cached steps to choose from: ``self.roots``, unless a step is resumed.
        """
        temp = self.temp
        made = self._made
        rest: Any
        status: Any
        try:
            call, rest, place = roots[e.signal]
        except KeyError:
            call = rest = None
        while call is not None:
            self.place = place
            # Otherwise a handler that names no target would reuse the target of the handler before it.
            temp.fun = place.fn
            # Until the end is reached, ``rest`` is the inner event, or None for the step's own event.
            status = call(chart, e if rest is None else rest)
            try:
                if made:
                    # Not by ``tuple(made)``: see ``OpenStep.take_made``.
                    facts = (*made,)
                    key = status, temp.fun if status == TRAN else None, facts
                    call, rest, place = place.with_facts[key]
                    # Not all of them: a finalizer that posts may have added another one in the meantime.
                    del made[: len(facts)]
                elif status is TRAN:
                    call, rest, place = place.targets[temp.fun]
                else:
                    call, rest, place = place.answers[status]
            except (KeyError, TypeError):
                rest = None
                break
        if rest is None:
            # Not inside the except: a handler's error would be reported as raised while handling the
            # lookup's.
            rest = self._explore(chart, e, roots) if self.place is None else self._learn(chart, e, status)
            place = rest[1].fn
        self.place = None
        # After the last node this is the state in which the chart rests.
        temp.fun = place
        return rest  # type: ignore[no-any-return]

    def started(self) -> None:
        """Release what only the start needs."""
        self.goal = None

    def rewind(self) -> None:
        """Be as before the start, which failed."""
        self.leaf = self.goal = None
        self.roots = {}

    def failed(self, chart: Any, e: Event) -> tuple[Shape, str]:
        """Return the shape of the step about ``e`` that failed, and a sentence about what it left undone.

        Exits and entries already made are not undone.
        """
        walk = self._replayed(chart, e)
        undone = walk.left_undone()
        walk.add(self.step.take_made())
        shape = self.cache.interned(walk.failed())
        walk.give_up()
        return shape, undone

    def forget_failed(self) -> None:
        """Forget everything about a step that failed; the chart rests where it rested before."""
        if self.walk is not None:
            self.walk.give_up()
        self.walk = self.place = None
        self.step.discard()
        if self.leaf is not None:
            self.temp.fun = self.leaf.fn
        self._bound_states(self.leaf)

    def abandon_failed(self) -> None:
        """Do what can be done of ``forget_failed`` when that fails itself."""
        self.walk = self.place = None
        self.step.discard()

    def announce(self) -> None:
        """Announce the chart and its structure, as far as it is known, to all observers."""
        self._recorder.observers.announce(self.standing)

    def standing(self) -> Standing:
        """Return the current state and the number of the last step.

        If the chart's own thread runs a step at the same time, the state may be newer than the number.
        """
        number = self._recorder.context.number
        recorder = self._recorder
        return Standing(recorder.id, self.configuration, number, self.structure, recorder.parent)

    def structure(self) -> ChartStructure:
        """Return what is known of the chart's states and reactions, and where it started."""
        return self.states.structure()._replace(initial=self.initial, library=LIBRARY)

    @property
    def configuration(self) -> Configuration:
        """Names of the active leaves; empty before the start and after a final state has ended the chart."""
        leaf = self.leaf
        if isinstance(leaf, RestingPlace):
            return leaf.names
        return TOP if leaf is None else leaf.name

    @property
    def state_name(self) -> str:
        """Name of the state in which the chart rests, or of several; ``top`` before the start."""
        leaf = self.leaf
        return TOP if leaf is None else leaf.name

    @property
    def is_settled(self) -> bool:
        """Whether no completion is left to process, and the chart has not finished."""
        return not isinstance(self.leaf, RestingPlace) or self.leaf.is_settled

    @property
    def pending(self) -> str | None:
        """The signal of the first completion that was not processed yet, if any."""
        leaf = self.leaf
        return leaf.pending[0].completion if isinstance(leaf, RestingPlace) and leaf.pending else None

    @property
    def pending_count(self) -> int:
        """Number of completions that were not processed yet."""
        return len(self.leaf.pending) if isinstance(self.leaf, RestingPlace) else 0

    @property
    def is_finished(self) -> bool:
        """Whether a final state ended the chart."""
        return isinstance(self.leaf, RestingPlace) and self.leaf.finished

    def skip_completion(self, place: StateNode | RestingPlace | None) -> None:
        """Drop the first completion that was not processed yet, if the chart still rests in ``place``."""
        leaf, places = self.leaf, self._places()
        if isinstance(leaf, RestingPlace) and places is not None and leaf is place:
            self.leaf = leaf = places.without_first_completion(leaf)
            self.roots = leaf.roots

    def active(self) -> tuple[StateNode, ...]:
        """Return the states in which the chart rests, in document order; several if it has regions."""
        leaf = self.leaf
        if isinstance(leaf, RestingPlace):
            return tuple(vertex.its_state for vertex in leaf.leaves)
        return () if leaf is None else (leaf,)

    @property
    def written(self) -> Any:
        """The state in which the chart rests, as the user wrote it; a tuple of several, in regions."""
        return None if self.leaf is None else self.leaf.fn

    def acting(self) -> tuple[str, Any] | None:
        """Return name and function of the state whose code is running, or of the resting state, if any."""
        asked = self.asked
        if asked is not None:
            return name_of(asked), asked
        state = self.leaf if self.place is None else self.place.state
        return None if state is None else (state.name, state.fn)

    def release(self, chart: Any) -> None:
        """Release what only steps need.

        The cached states of a chart of methods refer back to the chart: if they stayed, only the garbage
        collector could free the chart.
        """
        self.roots = {}
        self.cache = StepCache()
        self.states.release(chart)
        if self.leaf is not None:
            self.temp.fun = self.leaf.fn

    # What a driver with an event loop needs to pause and resume a step.

    def stay(self, place: CacheNode, target: object) -> None:
        """Stand where a step paused, as if the handler at ``place``, which wrote ``target``, still ran."""
        self.place, self.temp.fun = place, target

    def resume(self) -> None:
        """Get ready to follow the paused step again, using what has been cached of it so far."""
        if self.walk is not None:
            self.walk.give_up()
            self.walk = None

    def _explore(self, chart: Any, e: Event, roots: Branches) -> Rest:
        """Run a step of which nothing is cached."""
        self.walk = self._begun(chart, (e.signal, e.signal_name))
        return self._walk_on(chart, e, roots, e.signal, ())

    def _learn(self, chart: Any, e: Event, status: object) -> Rest:
        """Continue a step after an answer that has not been seen before at the current place."""
        outcome = self._outcome(chart, status)
        place = self.place
        if place is None:
            raise Invariant("a handler answered, and none was called")
        self.walk = walk = self._up_to(chart, place)
        walk.tell(outcome)
        return self._walk_on(chart, e, *place.after(outcome), (*place.outcomes, outcome))

    def _outcome(self, chart: Any, status: object) -> Outcome:
        """Return the outcome of the handler that just returned this status."""
        if type(status) is not int:
            if isawaitable(status):
                self.pause(self, chart, status)
        elif status == TRAN and self._is_decided_later():
            self.pause(self, chart, Settling(self.temp.fun, self._decided))
        return Outcome(status, self.temp.fun if status == TRAN else None, self.step.take_made())

    def _is_decided_later(self) -> bool:
        """Return whether a declared reaction returned an awaitable rather than the target state.

        A decorated coroutine function cannot be recognized as one before it is called.
        """
        place = self.place
        return place is not None and getattr(place.state.fn, "shared", False) and isawaitable(self.temp.fun)

    def _decided(self, target: Any) -> int:
        self.temp.fun = target
        return HANDLED if target is None else TRAN

    def _walk_on(
        self, chart: Any, e: Event, branches: Branches, key: Any, outcomes: tuple[Outcome, ...]
    ) -> Rest:
        """Follow the current walk to its end with real calls, and cache their outcomes."""
        walk = self.walk
        if walk is None:
            raise Invariant("a step is walked, and no walk has begun")
        known = self.states.known
        while walk.asked is not None:
            call, inner, place = self.cache.ask(branches, key, walk.asked, walk.about, outcomes)
            self.place = place
            self.temp.fun = place.fn
            outcome = self._outcome(chart, call(chart, e if inner is None else inner))
            outcomes = (*outcomes, outcome)
            branches, key = place.after(outcome)
            walk.tell(outcome)
        if walk.end is None:
            raise Invariant("a walk asks for nothing and has no end")
        if not is_intact(chart, self):
            raise Invariant("a chart's core, driver or methods were replaced")
        self.walk = self.place = None
        if self.states.known != known and not self.states.forgot:
            self.announce()
        rest = self.cache.rest(branches, key, walk.end)
        self._bound_states(walk.end.leaf)
        return rest

    def _bound_states(self, leaf: StateNode | RestingPlace | None) -> None:
        """Between steps, if the chart knows too many states, keep only ``leaf`` and the states around it."""
        if self.states.are_too_many() and not isinstance(leaf, RestingPlace):
            self.states.forget_all_but(leaf)
            self.cache.forget()

    def _begun(self, chart: Any, about: About) -> Walk:
        """Return the walk of the step about a signal, already begun."""
        leaf, goal, places = self.leaf, self.goal, self._places()
        resolve = self._resolve_for(chart)
        walk: Walk
        if isinstance(leaf, RestingPlace):
            if places is None:
                raise Invariant("a chart rests in a place that it does not have")
            walk = region_walk = RegionWalk(resolve, about, places, leaf)
            region_walk.begin_event()
        elif leaf is not None:
            walk = Walk(resolve, about, leaf.name)
            walk.begin(leaf)
        elif goal is not None:
            start = (0, START_SIGNAL)
            walk = Walk(resolve, start, TOP) if places is None else RegionWalk(resolve, start, places, None)
            walk.begin_start(goal)
        else:
            raise Invariant("a step began in no state")
        return walk

    def _places(self) -> RestingPlaces | None:
        places = self.states.places
        return places if isinstance(places, RestingPlaces) else None

    def _resolve_for(self, chart: Any) -> Callable[[object, str], StateNode]:
        """Return the function that turns a target into a state of ``chart``."""

        def resolve(target: object, asker: str) -> StateNode:
            made, texts = len(self.step.made), len(self.step.texts)
            state = self.states.resolve(chart, target, asker)
            # Whatever a function does when asked for its parent happens only once, so it is not part of a
            # step.
            del self.step.made[made:]
            del self.step.texts[texts:]
            return state

        return resolve

    def _replayed(self, chart: Any, e: Event) -> Walk:
        """Return the walk of the step that failed, up to the failure."""
        if self.walk is not None:
            return self.walk
        if self.place is None:
            return self._begun(chart, (e.signal, e.signal_name))
        return self._up_to(chart, self.place)

    def _up_to(self, chart: Any, place: CacheNode) -> Walk:
        """Return a walk that asks for the handler at ``place``."""
        walk = self._begun(chart, place.about)
        for known in place.outcomes:
            walk.tell(known)
        return walk


def _refuse_to_wait(algorithm: CachedWalk, chart: Any, answer: Any) -> NoReturn:
    if iscoroutine(answer) or isinstance(answer, Settling):
        answer.close()
    name = algorithm.place.state.name if algorithm.place else TOP
    raise NoStatus(
        f"a handler of state {name} has to be awaited, but chart {chart.name} runs on no event loop",
        "make an AsyncChart for coroutine handlers",
        state=name,
    )
