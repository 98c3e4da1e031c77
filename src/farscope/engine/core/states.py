"""A chart's knowledge of its states, whether written as flat functions or built by parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from inspect import iscoroutinefunction
from typing import Any, Protocol, TypeVar

from farscope.engine.core.handlers import Alternative, Call, adapted, name_of, unbound
from farscope.engine.core.stays import Holding, Timeout, Work, hold
from farscope.engine.event import (
    IGNORED,
    INNER_EVENTS,
    LAST_INNER_SIGNAL,
    SEARCH_SIGNAL,
    SUPER,
    UNHANDLED,
    Event,
    plain_name,
    signals,
)
from farscope.errors import ChartBuildError, NoStatus, NotAState
from farscope.records.structure import ChartStructure, Reaction, ReactionFlag, StateInfo, StateKind

MAX_DEPTH = 1_000
"""Maximum nesting depth; anything deeper is treated as an endless chain of parents."""

MAX_STATES = 1_000
"""Maximum number of states that a chart knows in addition to those it was built from. Beyond it, as in a
chart whose handlers create a new function for each transition, the chart forgets all states in which it does
not rest and all cached steps; a state that is used again is asked for its parent once more. From then on no
more states are reported to watchers."""

OTHERWISE = 0
"""Key, in a built state's handlers, of the handler for all user signals without a specific one."""

COMPLETION_PREFIX = "done.state."
"""Beginning of the names of completion signals; the name of the completed state follows."""

RESULT_PREFIX = "done.task."
ERROR_PREFIX = "error.task."
"""Beginnings of the names of the signals that bring a task's result or error; the state's name follows."""

AFTER_PREFIX = "after."
EVERY_PREFIX = "every."
"""Beginnings of the names of the signals of timeouts; the name of the state and the delay follow."""

_Function = TypeVar("_Function", bound=Callable[..., Any])

_own_signals: set[int] = set()


def own_signal(name: str) -> int:
    """Return the number of a signal that belongs to one state, such as that of a timeout.

    No state reacts to it as one of all other signals.
    """
    number = signals.append(name)
    _own_signals.add(number)
    return number


def spy_on(state: _Function) -> _Function:
    """Mark a function or method as a state function, and return it unchanged.

    Every state is recorded whether or not it is marked; the mark is for the reader.
    """
    state.__dict__["is_state"] = True
    return state


def top(_chart: Any, *_: Any) -> int:
    """The root of all states: an outermost state function names it as its parent."""
    return IGNORED


class BuiltState:
    """A state made of parts: a name, handlers by signal, and a parent state.

    Like a flat state function, it can be called, and used as a target or a parent.
    """

    shared = False
    """Whether the state is shared by many charts, so that no chart may change it."""

    __slots__ = (
        "__name__",
        "__weakref__",
        "charts",
        "default",
        "handlers",
        "kind",
        "nested",
        "parent",
        "task_function",
        "timeouts",
    )

    def __init__(self, name: str, kind: StateKind = StateKind.PLAIN) -> None:
        self.__name__ = name
        self.kind = kind
        self.default: Any = None
        """Of a history state: the state to enter as long as there is nothing to restore, or None."""
        self.handlers: dict[int, Callable[..., Any]] = {}
        self.parent: object = None
        """The parent state, or None for an outermost one; valid once ``nested`` is true."""
        self.nested = False
        self.timeouts: dict[int, Timeout] = {}
        """Its timeouts, by signal."""
        self.task_function: Callable[..., Any] | None = None
        """Its task, which runs while the state is active."""
        self.charts: tuple[Callable[..., Any], ...] = ()
        """The functions or classes that make the charts which run while the state is active."""

    def __repr__(self) -> str:
        return f"<state {self.__name__}>"

    def __call__(self, chart: Any, e: Event) -> Any:
        """React to ``e`` as a flat state function would."""
        handler = self.handlers_for(chart).get(e.signal)
        status = UNHANDLED if handler is None else adapted(handler, chart, self.__name__)(chart, e)
        if status == UNHANDLED:
            chart._core.temp.fun = top.__get__(chart) if self.parent is None else self.parent  # noqa: SLF001 - as handlers do
            return SUPER
        return status

    def handlers_for(self, chart: Any) -> dict[int, Callable[..., Any]]:  # noqa: ARG002 - for shared states
        """Return the handlers by signal that ``chart``, or charts of that class, use."""
        return self.handlers

    def holding_for(self, chart: Any) -> Holding | None:
        """Return what ``chart``, or charts of that class, have for each stay in the state, if anything."""
        function = self.task_for(chart)
        if not self.timeouts and function is None and not self.charts:
            return None
        name = self.__name__
        work = None
        if function is not None:
            results = own_signal(RESULT_PREFIX + name), own_signal(ERROR_PREFIX + name)
            work = Work(function, iscoroutinefunction(function), *results)
        return Holding(name, tuple(self.timeouts.values()), work, self.charts_for(chart))

    def task_for(self, chart: Any) -> Callable[..., Any] | None:
        """Return the function of its task in ``chart``, or in charts of that class; None if it has none."""
        return unbound(self.task_function, chart)  # type: ignore[no-any-return]

    def charts_for(self, chart: Any) -> tuple[Callable[..., Any], ...]:
        """Return what makes the charts of the state in ``chart``, or in charts of that class."""
        return tuple(unbound(function, chart) for function in self.charts)

    def answer(self, chart: Any, e: Event) -> tuple[bool | None, str]:  # noqa: ARG002 - for declared states
        """Return whether the state, which has a handler for ``e``, would react to it, and a sentence why.

        None if only the handler itself decides.
        """
        return None, f"the handler of state {self.__name__} for {e.signal_name} decides"

    def alternatives_for(self, chart: Any) -> dict[int, tuple[Alternative, ...]]:  # noqa: ARG002 - handlers have no parts
        """Return the parts of the reactions that ``chart``, or charts of that class, have, if known."""
        return {}

    def tree(self) -> Iterator[BuiltState]:
        """Yield this state and all states declared inside it, outer ones first."""
        yield self

    def stands_for(self, state: object) -> bool:
        """Return whether a reference to ``state`` means this state in a chart that has it."""
        return state is self

    @property
    def is_extension(self) -> bool:
        """Whether it takes the place of an inherited state."""
        return False

    @property
    def home(self) -> object:
        """The state in which it was declared, if any: it cannot be nested elsewhere."""
        return self.parent if self.shared else None

    def targets_of(self, signal: int) -> tuple[str, ...]:  # noqa: ARG002 - a handler's code does not show it
        """Return the names of the states that ``signal`` leads to, as far as they are known in advance."""
        return ()

    def arrows_of(self, signal: int) -> tuple[tuple[str, str], ...]:
        """Return target and guard text of each reaction to ``signal``, both empty if they are unknown."""
        return tuple((target, "") for target in self.targets_of(signal)) or (("", ""),)


class Template(BuiltState):
    """A state shared by many charts, each of which supplies its handlers and parent."""

    shared = True

    __slots__ = ()

    def handlers_for(self, chart: Any) -> dict[int, Callable[..., Any]]:
        """Return the handlers by signal that were registered with ``chart``."""
        states: States = chart._core.algorithm.states  # noqa: SLF001 - a chart's own
        return states.caught.setdefault(self.__name__, {})


def state_method_template(name: str) -> Template:
    """Make a state for ``register_signal_callback`` and ``register_parent``; outermost by default."""
    return Template(name)


class StateNode:
    """A state as one chart sees it."""

    __slots__ = ("call", "fn", "handlers", "name", "parent", "roots")

    def __init__(
        self, fn: Any, name: str, parent: StateNode | None, call: Call, handlers: dict[int, Call] | None
    ) -> None:
        self.fn = fn
        """The state as the user refers to it, for example as a target of transitions."""
        self.name = name
        self.parent = parent
        """None for an outermost state."""
        self.call = call
        self.handlers = handlers
        """Handlers by signal; None for a flat function, which may act on any signal."""
        self.roots: dict[int, Any] = {}
        """The cached steps that begin in this state, by signal: see ``step_cache``."""

    def is_called(self, state: object) -> bool:
        """Return whether ``state``, a function or a name given by a user, refers to this state."""
        if plain_name(state) in (self.fn, self.name) or getattr(state, "__func__", self) is self.fn:
            return True
        return isinstance(self.fn, BuiltState) and self.fn.stands_for(state)

    def call_for(self, signal: int) -> Call | None:
        """Return the handler for an event of ``signal``; None if the state does not react to it."""
        if self.handlers is None:
            return self.call
        call = self.handlers.get(signal)
        if call is None and signal > LAST_INNER_SIGNAL and signal not in _own_signals:
            return self.handlers.get(OTHERWISE)
        return call


class Places(Protocol):
    """The places where a chart with regions, history or final states may rest: see ``RestingPlaces``."""

    def states(self) -> list[StateNode]:
        """Return all states of the chart, in document order."""

    def forget(self) -> None:
        """Forget all places and their cached steps."""


class States:
    """The states of one chart discovered so far; steps look up targets and parents here."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, StateNode] = {}
        self.known = 0
        """Number of states found so far: it grows as a chart of flat functions reaches new states."""
        self.named: dict[str, BuiltState] = {}
        """Built states that can be referred to by name."""
        self.moved: dict[BuiltState, Any] = {}
        """Shared states that do not lie where they were declared, with their parents: the chart nests them
        itself, or its class extends the states around them."""
        self.stand_ins: dict[Any, BuiltState] = {}
        """The states that take the place of inherited ones that the chart's class extends."""
        self.forgot = False
        """Whether the number of states grew so large that some were forgotten."""
        self.is_complete = False
        """Whether all states are known, and ``places`` is final."""
        self.places: Places | None = None
        """Where the chart may rest, if it has regions, history or final states; otherwise None."""
        self.caught: dict[str, dict[int, Callable[..., Any]]] = {}
        """Handlers that this chart supplies for states shared by many charts, by state and signal."""

    def resolve(self, chart: Any, target: Any, asker: str) -> StateNode:
        """Return the state to which ``target`` refers, with all its ancestors.

        Raises:
            NotAState: it is not a state; ``asker`` names the state that asked.
            ChartBuildError: its chain of parents never ends.
            NoStatus: a state function does not name its parent.
        """
        try:
            known = self._by_key.get(target)
        except TypeError:
            raise _not_a_state(target, asker) from None
        if known is not None:
            return known
        return self._learn(chart, target, asker)

    def _learn(self, chart: Any, target: Any, asker: str) -> StateNode:
        chain: list[Any] = []
        around: StateNode | None = None
        target = plain_name(target)
        fn = self.named.get(target, target) if isinstance(target, str) else target
        fn = self.stand_ins.get(fn, fn)
        if fn in self._by_key:
            # Already known as a state, and now also by name, or as an inherited state.
            return self._by_key.setdefault(target, self._by_key[fn])
        while True:
            if fn in chain:
                raise ChartBuildError(
                    f"the states around {name_of(fn)} form a loop",
                    "follow their parents and let one of them be the outermost: its parent is chart.top",
                    state=name_of(fn),
                )
            if len(chain) >= MAX_DEPTH:
                raise ChartBuildError(
                    f"more than {MAX_DEPTH} states lie around {name_of(target)}",
                    "a state function must name the same parent each time it is asked",
                    state=name_of(target),
                )
            if not callable(fn) or is_top(fn):
                raise _not_a_state(fn, asker)
            chain.append(fn)
            asker = name_of(fn)
            fn = self.around(fn) if isinstance(fn, BuiltState) else self._parent_of(chart, fn)
            fn = self.stand_ins.get(fn, fn)
            if fn is None or is_top(fn):
                break
            around = self._by_key.get(fn)
            if around is not None:
                break
        for found in reversed(chain):
            around = self._add(chart, found, around)
        if around is None:
            raise _not_a_state(target, asker)
        # By name, or as an inherited state, it is known as well.
        return self._by_key.setdefault(target, around)

    def are_too_many(self) -> bool:
        """Return whether some states must be forgotten."""
        return len(self._by_key) > MAX_STATES + 2 * len(self.named)

    def forget_all_but(self, leaf: StateNode | None) -> None:
        """Forget all states except ``leaf`` and its ancestors, and all cached steps."""
        self.forgot = True
        kept: dict[Hashable, StateNode] = {}
        while leaf is not None:
            leaf.roots.clear()
            kept[leaf.fn] = leaf
            leaf = leaf.parent
        self._by_key = kept

    def _add(self, chart: Any, fn: Any, parent: StateNode | None) -> StateNode:
        name = name_of(fn)
        if isinstance(fn, BuiltState):
            handlers = {
                signal: adapted(handler, chart, name) for signal, handler in fn.handlers_for(chart).items()
            }
            holding = fn.holding_for(chart)
            if holding is not None:
                hold(handlers, holding)
            state = StateNode(fn, name, parent, fn, handlers)
        else:
            state = StateNode(fn, name, parent, adapted(fn, chart, name), None)
        self._by_key[fn] = state
        self.known += 1
        return state

    def starts_at(self, goal: StateNode | None) -> dict[int, Any]:  # noqa: ARG002 - for shared states
        """Return the cached starts in a state: none, because a chart starts only once."""
        return {}

    def around(self, built: BuiltState) -> Any:
        """Return the parent of ``built`` in this chart, as the user wrote it; None if it is outermost."""
        parent = self.moved.get(built, built.parent)
        return self.stand_ins.get(parent, parent) if isinstance(parent, BuiltState) else parent

    def _parent_of(self, chart: Any, fn: Any) -> Any:
        name = name_of(fn)
        remedy = "end the function with: else: status, chart.temp.fun = return_status.SUPER, PARENT"
        call = adapted(fn, chart, name)
        algorithm = chart._core.algorithm  # noqa: SLF001 - a chart's own
        if chart.temp is not algorithm.temp:
            raise ChartBuildError(
                f"chart {chart.name} has a temp of its own, but state {name} is a flat function, which needs "
                "chart.temp.fun",
                "rename it, e.g. temp_of_mine, or declare the states",
                state=name,
            )
        chart.temp.fun = fn
        algorithm.asked = fn
        try:
            status = call(chart, INNER_EVENTS[SEARCH_SIGNAL])
        finally:
            algorithm.asked = None
        parent = chart.temp.fun
        if status != SUPER:
            raise NoStatus(
                f"state {name} returned {status!r} when it was asked for the state around it",
                remedy,
                state=name,
            )
        if parent is None or parent is fn:
            raise NotAState(f"state {name} does not say which state is around it", remedy, state=name)
        return parent

    def release(self, chart: Any) -> None:
        """Forget the cached steps, and hold methods of ``chart`` without keeping it alive."""
        if self.places is not None:
            self.places.forget()
        for state in self._by_key.values():
            state.roots.clear()
            state.fn = unbound(state.fn, chart)
        self._by_key = {unbound(key, chart): state for key, state in self._by_key.items()}
        for handlers in self.caught.values():
            handlers.update({signal: unbound(fn, chart) for signal, fn in handlers.items()})
        for built in self.named.values():
            if not built.shared:
                built.handlers = {signal: unbound(fn, chart) for signal, fn in built.handlers.items()}

    def structure(self) -> ChartStructure:
        """Return states and reactions, as far as they are known."""
        # Lists are created in a single operation; the chart's thread may find states in the meantime.
        places = self.places
        known = list(self._by_key.values()) if places is None else places.states()
        states = {state.fn: state for state in known}
        infos: dict[str, StateInfo] = {}
        reactions: dict[Reaction, None] = {}
        for fn, state in states.items():
            kind = fn.kind if isinstance(fn, BuiltState) else StateKind.PLAIN
            infos[state.name] = StateInfo(state.name, state.parent.name if state.parent else "", kind)
            if isinstance(fn, BuiltState):
                self._declare(fn, infos, reactions)
        for built in list(self.named.values()):
            self._declare(built, infos, reactions)
        return ChartStructure(tuple(infos.values()), tuple(reactions))

    def _declare(
        self, built: BuiltState, infos: dict[str, StateInfo], reactions: dict[Reaction, None]
    ) -> None:
        name = built.__name__
        parent = self.around(built)
        infos.setdefault(name, StateInfo(name, name_of(parent) if parent is not None else "", built.kind))
        if built.default is not None:
            default = built.default if isinstance(built.default, str) else name_of(built.default)
            reactions[Reaction(name, "", default, flags=(ReactionFlag.EVENTLESS,))] = None
        for signal in self.caught.get(name, built.handlers):
            # The reaction to all other signals has no signal with which it could be drawn.
            if signal != OTHERWISE:
                timeout = built.timeouts.get(signal)
                flags, delay = ((), "") if timeout is None else ((ReactionFlag.TIMED,), timeout.delay)
                text = signals.name_for_signal(signal)
                for target, guard in built.arrows_of(signal):
                    reactions[Reaction(name, text, target, guard, flags, delay)] = None


def outward(state: StateNode) -> Iterator[StateNode]:
    """Yield a state and all states around it, innermost first."""
    here: StateNode | None = state
    while here is not None:
        yield here
        here = here.parent


def is_top(fn: object) -> bool:
    """Return whether ``fn`` is the parent of an outermost state: any chart's ``top``."""
    return getattr(fn, "__func__", fn) is top


def _not_a_state(target: object, asker: str) -> NotAState:
    remedy = "a target is a state function, what to_method() returned, or the name of a state of the chart"
    if isinstance(target, int):
        remedy = "chart.trans takes a state; to stay, return a status itself: return return_status.HANDLED"
    elif target is None:
        remedy = "name the target: return chart.trans(STATE)"
    return NotAState(
        f"{name_of(target)} is not a state, but {asker} leads to it",
        remedy,
        state=asker,
    )
