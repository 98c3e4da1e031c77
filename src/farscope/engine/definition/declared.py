"""Declared charts: classes that name their states and the reactions to signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import iscoroutinefunction
from typing import Any, ClassVar, NamedTuple, Self, Unpack

from farscope.engine.core.arrangement import resting_places
from farscope.engine.core.handlers import name_of
from farscope.engine.core.reserved import is_reserved, of_users
from farscope.engine.core.states import StateNode, States
from farscope.engine.core.step_cache import StepCache
from farscope.engine.definition.builder import Blueprint, Factory, check_nesting
from farscope.engine.definition.guards import checked_function
from farscope.engine.definition.inheritance import ClassStates, states_of
from farscope.engine.definition.reactions import checked_maker, checked_task
from farscope.engine.definition.state import State
from farscope.engine.drivers.options import ActiveOptions
from farscope.engine.event import Name, plain_name
from farscope.errors import ChartBuildError, NotAState

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


class Declaration(NamedTuple):
    """The declarations of a class of charts, and the steps that its charts have cached."""

    states: ClassStates = ClassStates()
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
        for name, value in vars(cls).items():
            if isinstance(value, State):
                _check_attribute(cls, name, value)
        may_await = cls._declaration.may_await
        bases = (base._declaration.states for base in cls.__bases__ if issubclass(base, Chart))
        states = states_of(cls, bases)
        _check(cls, states, may_await=may_await)
        learnt = (DeclaredStates(cls, states), StepCache()) if states.all else None
        cls._declaration = Declaration(states, learnt, may_await)

    def start_at(self, initial_state: Any = None) -> None:
        """Start the chart in ``initial_state``, or where its class says.

        Raises:
            ChartBuildError: none is given, and the class does not declare one; or as ``Factory.start_at``.
            AlreadyStarted: it was started before.
        """
        super().start_at(initial_state)

    def create(self, state: Name) -> Blueprint:
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
    states = chart._core.algorithm.states
    if not states.named:
        _take(states, chart._declaration.states)


def _take(states: States, declared: ClassStates) -> None:
    """Add the states of a class."""
    states.named.update((state.__name__, state) for state in declared.all)
    for state, parent in declared.parents.items():
        states.moved[state] = parent
    for state, stand_in in declared.stand_ins.items():
        states.stand_ins[state] = stand_in


def _initial(cls: type[Chart]) -> State:
    states = cls._declaration.states
    if states.start is not None:
        return states.start
    if len(states.outermost) == 1:
        return states.outermost[0]
    raise ChartBuildError(
        f"chart class {cls.__name__} does not say where its charts start",
        "write State(initial=True) for one outermost state, or give start_at a state",
    )


class DeclaredStates(States):
    """The states shared by all charts of a class, known from the beginning; thread-safe."""

    def __init__(self, cls: type[Chart], declared: ClassStates) -> None:
        super().__init__()
        self._kind = cls.__name__
        _take(self, declared)
        for known in (*declared.all, *self.named, *self.stand_ins):
            super()._learn(cls, known, cls.__name__)
        self.is_complete = True
        self.places = resting_places(self, cls)
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
        name = plain_name(target)
        if name is not target and name in self._by_key:
            return self._by_key[name]
        raise NotAState(
            f"{name_of(target)} is not a state of chart class {self._kind}, but {asker} leads to it",
            "declare it in the class, or have chart.nest put it into this one chart before its start",
            state=asker,
        )


def _check_attribute(cls: type[Chart], name: str, state: State) -> None:
    """Check that an attribute of a class that is a state hides nothing, except the state that it extends.

    Raises:
        ChartBuildError: it hides something that charts of the class have.
    """
    if is_reserved(cls, name):
        raise _hides(cls, name, f"rename the attribute: {name}_ = State({name!r})")
    for base in cls.__bases__:
        if not of_users(base, name):
            continue
        hidden = getattr(base, name)
        if not isinstance(hidden, State):
            raise _hides(cls, name, f"rename the attribute: {name}_ = State({name!r})")
        if hidden.origin() is not state.origin():
            raise _hides(
                cls,
                name,
                f"to add to the inherited state, write {name} = {base.__name__}.{name}.extended(); "
                f"for another state, rename the attribute: {name}_ = State({name!r})",
            )


def _hides(cls: type[Chart], name: str, hint: str) -> ChartBuildError:
    return ChartBuildError(
        f"state {name} would hide what each chart of class {cls.__name__} has of that name", hint, state=name
    )


def _check(cls: type[Chart], declared: ClassStates, *, may_await: bool) -> None:
    """Check the states of a class, and note that they belong to it.

    Raises:
        ChartBuildError: the declaration of one of them is invalid.
    """
    states: dict[str, State] = {}
    for state in declared.all:
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
    for make in state.charts_for(cls):
        checked_maker(make, name)
    task = state.task_for(cls)
    if task is not None:
        checked_task(task, name)
        if iscoroutinefunction(task) and not may_await:
            yield (
                f"{name_of(task)}, the task of state {name}, is a coroutine function",
                "derive the chart from AsyncChart, or write a function of the chart and a Cancellation",
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
