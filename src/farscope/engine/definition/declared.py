"""Declared charts: classes that name their states and the reactions to signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, Self, Unpack

from farscope.engine.core.handlers import name_of
from farscope.engine.core.reserved import is_reserved, of_users
from farscope.engine.core.states import StateNode, States
from farscope.engine.core.step_cache import StepCache
from farscope.engine.definition.builder import Blueprint, Factory, check_nesting
from farscope.engine.definition.reactions import checked_function
from farscope.engine.definition.state import State
from farscope.engine.drivers.options import ActiveOptions
from farscope.errors import ChartBuildError, NotAState

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


class Declaration(NamedTuple):
    """What a class of charts declares, and what its charts have learnt."""

    outermost: tuple[State, ...] = ()
    """The declared states that are not nested in another, in their order."""
    learnt: tuple[States, StepCache] | None = None
    """The states and the step cache shared by all charts of exactly this class."""
    may_await: bool = False
    """Whether reactions may be coroutine functions."""


class Chart(Factory):
    """A chart declared by its class; every instance is a separate chart.

    ::

        class Producer(Chart):
            with State(initial=True) as outer:
                c1 = State(initial=True)
                c2 = State()

            c1.on("A", to=c2)
            c2.on("A", to=c1)

            @outer.on("B")
            def again(self, e: Event) -> State:
                self.scribble(f"again with {e.payload}")
                return self.outer

    Reactions are methods, and a subclass may override them. The declarations of a class are checked when it
    is defined. Instances share only their cached steps.

    Args:
        name: name of the chart in traces; if None, its class's name and a number.
        instrumented: whether it records its steps; may be changed at any time.
        threaded: whether the chart runs on its own thread; otherwise its caller drives it like an ``Hsm``.
        options: see ``ActiveObject`` and ``ChartOptions``.
    """

    _declaration: ClassVar[Declaration] = Declaration()

    __slots__ = ()

    def __init__(
        self,
        name: str | None = None,
        instrumented: bool | None = True,
        *,
        threaded: bool = True,
        **options: Unpack[ActiveOptions],
    ) -> None:
        super().__init__(name, instrumented, threaded=threaded, **options)
        # The name of its class says more than that of a state.
        self._core.make_up_name = None
        self._core.make_ready = _adopt_declared

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        attributes = {name: value for name, value in vars(cls).items() if isinstance(value, State)}
        for name in attributes:
            if is_reserved(cls, name) or any(of_users(base, name) for base in cls.__bases__):
                raise ChartBuildError(
                    f"state {name} would hide what each chart of class {cls.__name__} has of that name",
                    f"rename the attribute: {name}_ = State({name!r})",
                    state=name,
                )
        # All base classes, so that a class may inherit from several declared ones.
        inherited = (value for base in reversed(cls.__mro__) for value in vars(base).values())
        outermost = tuple(
            dict.fromkeys(_outermost_of(value) for value in inherited if isinstance(value, State))
        )
        may_await = cls._declaration.may_await
        states = _declared(cls, outermost, may_await=may_await)
        _check_starts(cls, outermost)
        learnt = (DeclaredStates(cls, states), StepCache()) if states else None
        cls._declaration = Declaration(outermost, learnt, may_await)

    def start_at(self, initial_state: Any = None) -> None:
        """Start the chart in ``initial_state``, or where its class says.

        Raises:
            ChartBuildError: none is given, and the class does not declare one; or as ``Factory.start_at``.
            AlreadyStarted: it was started before.
        """
        super().start_at(initial_state)

    def create(self, state: str) -> Blueprint:
        """Create a state that only this chart has; raises the same errors as ``Factory.create``."""
        _have_own_states(self)
        return super().create(state)

    def nest(self, state: Any, parent: Any) -> Self:
        """Nest a state in this chart only; raises the same errors as ``Factory.nest``."""
        _have_own_states(self)
        return super().nest(state, parent)


def _adopt_declared(chart: Chart, initial_state: Any) -> Any:
    """Give a chart the states of its class, unless it has its own; return the state in which to start."""
    Factory.refuse_change(chart)
    algorithm = chart._core.algorithm
    learnt = chart._declaration.learnt
    if learnt is not None and not algorithm.states.named:
        algorithm.states, algorithm.cache = learnt
    return check_nesting(chart, _initial(type(chart)) if initial_state is None else initial_state)


def _have_own_states(chart: Chart) -> None:
    named = chart._core.algorithm.states.named
    if not named:
        for root in chart._declaration.outermost:
            named.update((state.__name__, state) for state in root.tree())


def _initial(cls: type[Chart]) -> State:
    outermost = cls._declaration.outermost
    starts = [state for state in outermost if state.starts]
    if not starts and len(outermost) == 1:
        return outermost[0]
    if len(starts) != 1:
        raise ChartBuildError(
            f"chart class {cls.__name__} does not say where its charts start",
            "write State(initial=True) for one outermost state, or give start_at a state",
        )
    return starts[0]


class DeclaredStates(States):
    """The states shared by all charts of a class, known from the beginning; thread-safe."""

    def __init__(self, cls: type[Chart], states: dict[str, State]) -> None:
        super().__init__()
        self._kind = cls.__name__
        self.named.update(states)
        for state in states.values():
            super()._learn(cls, state, cls.__name__)
        for name in states:
            super()._learn(cls, name, cls.__name__)
        self._whole = super().structure()
        self._starts: dict[StateNode | None, dict[int, Any]] = {}

    def structure(self) -> Any:
        """Return states and reactions."""
        return self._whole

    def starts_at(self, goal: StateNode | None) -> dict[int, Any]:
        """Return the cached starts in a state."""
        return self._starts.setdefault(goal, {})

    def release(self, chart: Any) -> None:
        """Keep everything: it belongs to the class."""

    def _learn(self, chart: Any, target: Any, asker: str) -> StateNode:  # noqa: ARG002 - it has no own states
        raise NotAState(
            f"{name_of(target)} is not a state of chart class {self._kind}, but {asker} leads to it",
            "declare it in the class, or have chart.nest put it into this one chart before its start",
            state=asker,
        )


def _outermost_of(state: State) -> State:
    while isinstance(state.parent, State):
        state = state.parent
    return state


def _declared(cls: type[Chart], roots: tuple[State, ...], *, may_await: bool) -> dict[str, State]:
    """Return all states by name.

    Raises:
        ChartBuildError: the declaration of one of them is invalid.
    """
    states: dict[str, State] = {}
    for state in (state for root in roots for state in root.tree()):
        name = state.__name__
        if not name:
            raise ChartBuildError(
                f"a state of chart class {cls.__name__} has no name", "assign it to an attribute, or name it"
            )
        if name in states:
            raise ChartBuildError(f"chart class {cls.__name__} has two states named {name}", state=name)
        states[name] = state
    for state in states.values():
        for problem in _problems(cls, state, states, may_await=may_await):
            raise ChartBuildError(*problem, state=state.__name__)
        state.definition = state.definition or cls.__name__
    return states


def _check_starts(cls: type[Chart], outermost: tuple[State, ...]) -> None:
    """Check that a class declares at most one state in which its charts start.

    Raises:
        ChartBuildError: it declares several.
    """
    starts = [state for state in outermost if state.starts]
    if len(starts) > 1:
        raise ChartBuildError(
            f"chart class {cls.__name__} has {len(starts)} initial states outermost: {_named(starts)}",
            "a chart starts in one of them: leave initial=True with that one only",
            state=starts[1].__name__,
        )


def _named(states: Iterable[Any]) -> str:
    return ", ".join(map(name_of, states))


def _problems(
    cls: type[Chart], state: State, states: dict[str, State], *, may_await: bool
) -> Iterator[tuple[str, str]]:
    name = state.__name__
    if len(state.initials) > 1:
        yield (
            f"state {name} has {len(state.initials)} initial states: {_named(state.initials)}",
            "a chart goes to one of them: leave initial=True, or the initial function, with that one only",
        )
    if state.unfinished:
        yield (
            f"a reaction of state {name} has neither a function nor a target",
            "decorate a function with it, or tell the way: to=STATE",
        )
    for clause in (clause.for_chart(cls) for clauses in state.clauses.values() for clause in clauses):
        if clause.function is not None:
            checked_function(clause.function, name)
        to = clause.to
        if isinstance(to, str) and to not in states:
            yield (
                f"state {name} leads to {to}, which chart class {cls.__name__} does not have",
                f"its states are {', '.join(states)}",
            )
        if clause.awaits and not may_await:
            yield (
                f"{name_of(clause.function)}, a reaction of state {name}, is a coroutine function",
                "derive the chart from AsyncChart, which runs on an event loop",
            )
