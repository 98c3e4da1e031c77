"""States: what a chart knows about its own, whether written as flat functions or built by parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

from farscope.engine.definition.handlers import Call, adapted, name_of, unbound
from farscope.engine.event import (
    IGNORED,
    INNER_EVENTS,
    LAST_INNER_SIGNAL,
    SEARCH_SIGNAL,
    SUPER,
    UNHANDLED,
    Event,
    signals,
)
from farscope.errors import ChartBuildError, NoStatus, NotAState
from farscope.records.structure import ChartStructure, Reaction, StateInfo

MAX_DEPTH = 1_000
"""States inside one another; more than this is taken for a chain of parents that never ends."""

MAX_STATES = 1_000
"""States that a chart knows beside those it was built of. At one more, as in a chart whose handlers make a
new function for each transition, it forgets all that it does not rest in and all that was learned of steps;
what comes by again is asked for its parent once more. From then on watchers are told of no more states."""

OTHERWISE = 0
"""Stands among a built state's handlers for every signal of the user's that has none of its own."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def spy_on(state: _Function) -> _Function:
    """Mark a function or method as a state function, and return that very function.

    Every state is seen whether or not it is marked; the mark says so to the reader.
    """
    state.__dict__["is_state"] = True
    return state


def top(_chart: Any, *_: Any) -> int:
    """The outside of all states: what an outermost state function names as its parent."""
    return IGNORED


class BuiltState:
    """A state made of parts: a name, handlers by signal, and the state around it.

    It can be called like a flat state function, and be a target or a parent like one.
    """

    shared = False
    """Whether many charts have the state, so that no chart may change it."""

    __slots__ = ("__name__", "__weakref__", "handlers", "nested", "parent")

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.handlers: dict[int, Callable[..., Any]] = {}
        self.parent: object = None
        """The state around it, or None for an outermost one; known once ``nested`` is true."""
        self.nested = False

    def __repr__(self) -> str:
        return f"<state {self.__name__}>"

    def __call__(self, chart: Any, e: Event) -> Any:
        """React to ``e`` as a flat state function would."""
        handler = self.handlers_for(chart).get(e.signal)
        status = UNHANDLED if handler is None else adapted(handler, chart, self.__name__)(chart, e)
        if status == UNHANDLED:
            chart._temp.fun = top.__get__(chart) if self.parent is None else self.parent  # noqa: SLF001 - as handlers do
            return SUPER
        return status

    def handlers_for(self, chart: Any) -> dict[int, Callable[..., Any]]:  # noqa: ARG002 - for shared states
        """Return the handlers by signal that ``chart``, or charts of that class, use."""
        return self.handlers

    def tree(self) -> Iterator[BuiltState]:
        """Yield this state and all states declared inside it, outer ones first."""
        yield self

    def targets_of(self, signal: int) -> tuple[str, ...]:  # noqa: ARG002 - a handler's code does not tell
        """Return the names of the states that ``signal`` leads to, as far as they are known beforehand."""
        return ()


class Template(BuiltState):
    """A state of many charts, to which each chart gives handlers and a parent of its own."""

    shared = True

    __slots__ = ()

    def handlers_for(self, chart: Any) -> dict[int, Callable[..., Any]]:
        """Return the handlers by signal that were registered with ``chart``."""
        handlers: dict[int, Callable[..., Any]] = chart._states.caught.setdefault(self.__name__, {})  # noqa: SLF001 - a chart's own
        return handlers


def state_method_template(name: str) -> Template:
    """Make a state for ``register_signal_callback`` and ``register_parent``; outermost without the latter."""
    return Template(name)


class State:
    """A state as one chart sees it."""

    __slots__ = ("call", "fn", "handlers", "name", "parent", "roots")

    def __init__(
        self, fn: Any, name: str, parent: State | None, call: Call, handlers: dict[int, Call] | None
    ) -> None:
        self.fn = fn
        """What the user calls the state: target of transitions."""
        self.name = name
        self.parent = parent
        """None for an outermost state."""
        self.call = call
        self.handlers = handlers
        """Handlers by signal; None for a flat function, which may act on any signal."""
        self.roots: dict[int, Any] = {}
        """What was learned about steps that begin in this state, by signal: see ``memo``."""

    def is_called(self, state: object) -> bool:
        """Tell whether a user means this state by ``state``: its function or its name."""
        return state in (self.fn, self.name) or getattr(state, "__func__", self) is self.fn

    def call_for(self, signal: int) -> Call | None:
        """Return what to call with an event of ``signal``; None if the state cannot act on it."""
        if self.handlers is None:
            return self.call
        call = self.handlers.get(signal)
        if call is None and signal > LAST_INNER_SIGNAL:
            return self.handlers.get(OTHERWISE)
        return call


class States:
    """The states of one chart, as far as they came by; a step asks here for targets and parents."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, State] = {}
        self.known = 0
        """How many states were found so far: it grows as a chart of flat functions comes by."""
        self.named: dict[str, BuiltState] = {}
        """Built states that may be named by a string."""
        self.moved: dict[BuiltState, Any] = {}
        """Shared states that this chart nests somewhere, and where."""
        self.forgot = False
        """Whether there came to be so many that some were forgotten."""
        self.caught: dict[str, dict[int, Callable[..., Any]]] = {}
        """Handlers that this chart gives to states that are made for many, by state and signal."""

    def resolve(self, chart: Any, target: Any, asker: str) -> State:
        """Return the state that ``target`` means, with all states around it.

        Raises:
            NotAState: it means none; ``asker`` names who asked.
            ChartBuildError: its parents never end.
            NoStatus: a state function does not tell its parent.
        """
        try:
            known = self._by_key.get(target)
        except TypeError:
            raise _not_a_state(target, asker) from None
        if known is not None:
            return known
        return self._learn(chart, target, asker)

    def _learn(self, chart: Any, target: Any, asker: str) -> State:
        chain: list[Any] = []
        around: State | None = None
        fn = self.named.get(target, target) if isinstance(target, str) else target
        if fn in self._by_key:
            # Known by itself, and now by its name.
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
            if fn is None or is_top(fn):
                break
            around = self._by_key.get(fn)
            if around is not None:
                break
        for found in reversed(chain):
            around = self._add(chart, found, around)
        if around is None:
            raise _not_a_state(target, asker)
        if isinstance(target, str):
            self._by_key[target] = around
        return around

    def are_too_many(self) -> bool:
        """Tell whether some must be forgotten."""
        return len(self._by_key) > MAX_STATES + 2 * len(self.named)

    def forget_all_but(self, leaf: State | None) -> None:
        """Forget all states but those that a chart which rests in ``leaf`` is in, and all about steps."""
        self.forgot = True
        kept: dict[Hashable, State] = {}
        while leaf is not None:
            leaf.roots.clear()
            kept[leaf.fn] = leaf
            leaf = leaf.parent
        self._by_key = kept

    def _add(self, chart: Any, fn: Any, parent: State | None) -> State:
        name = name_of(fn)
        if isinstance(fn, BuiltState):
            handlers = {
                signal: adapted(handler, chart, name) for signal, handler in fn.handlers_for(chart).items()
            }
            state = State(fn, name, parent, fn, handlers)
        else:
            state = State(fn, name, parent, adapted(fn, chart, name), None)
        self._by_key[fn] = state
        self.known += 1
        return state

    def starts_at(self, goal: State | None) -> dict[int, Any]:  # noqa: ARG002 - for shared states
        """Return what was learned about starts in a state: nothing, because a chart starts once."""
        return {}

    def around(self, built: BuiltState) -> Any:
        """Return the state around ``built`` in this chart, as the user wrote it; None if it is outermost."""
        return self.moved.get(built, built.parent)

    def _parent_of(self, chart: Any, fn: Any) -> Any:
        name = name_of(fn)
        remedy = "end the function with: else: status, chart.temp.fun = return_status.SUPER, PARENT"
        call = adapted(fn, chart, name)
        if chart.temp is not chart._temp:  # noqa: SLF001 - a chart's own
            raise ChartBuildError(
                f"chart {chart.name} has a temp of its own, but state {name} is a flat function, which needs "
                "chart.temp.fun",
                "rename it, e.g. temp_of_mine, or declare the states",
                state=name,
            )
        chart.temp.fun = fn
        chart._asked = fn  # noqa: SLF001 - a chart's own
        try:
            status = call(chart, INNER_EVENTS[SEARCH_SIGNAL])
        finally:
            chart._asked = None  # noqa: SLF001 - same
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
        """Forget what was learned about steps, and hold methods of ``chart`` without it."""
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
        # Lists are made in one go; the chart's thread may find states meanwhile.
        states = {state.fn: state for state in list(self._by_key.values())}
        infos: dict[str, StateInfo] = {}
        reactions: dict[Reaction, None] = {}
        for fn, state in states.items():
            infos[state.name] = StateInfo(state.name, state.parent.name if state.parent else "")
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
        infos.setdefault(name, StateInfo(name, name_of(parent) if parent is not None else ""))
        for signal in self.caught.get(name, built.handlers):
            # What a state does about all other signals has no signal to be drawn with.
            if signal != OTHERWISE:
                for target in built.targets_of(signal) or ("",):
                    reactions[Reaction(name, signals.name_for_signal(signal), target)] = None


def is_top(fn: object) -> bool:
    """Tell whether ``fn`` is what lies around an outermost state: any chart's ``top``."""
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
