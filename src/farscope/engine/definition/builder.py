"""Charts built by parts: states made of handlers and nested in one another."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Self, Unpack

from farscope.engine.active_object import drive_itself, name_from
from farscope.engine.core.handlers import adapted, name_of, unbound
from farscope.engine.core.states import (
    AFTER_PREFIX,
    ERROR_PREFIX,
    EVERY_PREFIX,
    RESULT_PREFIX,
    BuiltState,
    is_top,
    own_signal,
)
from farscope.engine.core.stays import Timeout, checked_timeout
from farscope.engine.definition.codegen import flat_code
from farscope.engine.definition.reactions import checked_maker, checked_task
from farscope.engine.drivers.options import ActiveOptions, split_options
from farscope.engine.event import Name, Signal, plain_name, signal_of
from farscope.engine.hsm import Hsm
from farscope.errors import AlreadyStarted, ChartBuildError, UsageError
from farscope.records.structure import StateKind

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


class Blueprint:
    """A state under construction."""

    def __init__(self, factory: Factory, state: BuiltState) -> None:
        self._factory = factory
        self._state = state

    def catch(self, signal: Signal, handler: Callable[..., Any]) -> Self:
        """Register ``handler`` for ``signal``, called with the chart and the event; return the blueprint.

        If the state already catches the signal, this handler replaces the previous one.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: the handler cannot be called with these arguments, or the signal does not exist.
        """
        Factory.refuse_change(self._factory)
        number = signal_of(signal)
        adapted(handler, self._factory, self._state.__name__)
        self._state.handlers[number] = handler
        return self

    def after(self, seconds: float, handler: Callable[..., Any]) -> Self:
        """Register ``handler`` for a timeout of the state, see ``State.after``; return the blueprint.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: the handler cannot be called with chart and event, or the state cannot wait that
                long.
        """
        return self._catch_timeout(AFTER_PREFIX, checked_timeout(seconds, self._name, repeats=False), handler)

    def every(self, seconds: float, handler: Callable[..., Any]) -> Self:
        """Register ``handler`` for every ``seconds`` of a stay, see ``State.every``; return the blueprint.

        Raises the same errors as ``after``.
        """
        return self._catch_timeout(EVERY_PREFIX, checked_timeout(seconds, self._name, repeats=True), handler)

    def task(
        self,
        function: Callable[..., Any],
        *,
        result: Callable[..., Any] | None = None,
        error: Callable[..., Any] | None = None,
    ) -> Self:
        """Run ``function`` while the state is active, see ``State.task``; return the blueprint.

        The handler ``result`` is called with the result, and ``error`` with an error, as the event's payload.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: a handler cannot be called with chart and event, or the function not as a task.
        """
        Factory.refuse_change(self._factory)
        checked_task(unbound(function, self._factory), self._name)
        if iscoroutinefunction(function) and not self._factory._driver.awaits:
            raise ChartBuildError(
                f"{name_of(function)}, the task of state {self._name}, is a coroutine function",
                "make an AsyncChart, or write a function of the chart and a Cancellation",
                state=self._name,
            )
        self._state.task_function = function
        for prefix, handler in ((RESULT_PREFIX, result), (ERROR_PREFIX, error)):
            if handler is not None:
                self.catch(own_signal(prefix + self._name), handler)
        return self

    def child(self, function: Callable[..., Any]) -> Self:
        """Run the chart that ``function`` returns while the state is active, see ``State.child``.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: the function cannot be called with the chart alone.
        """
        Factory.refuse_change(self._factory)
        checked_maker(unbound(function, self._factory), self._name)
        self._state.charts += (function,)
        return self

    def parallel(self) -> Self:
        """Make the states nested directly in the state its regions, which are all active while it is."""
        return self._be(StateKind.PARALLEL)

    def final(self) -> Self:
        """Make the state final: entering it completes the state around it or ends the chart."""
        return self._be(StateKind.FINAL)

    def history(self, *, deep: bool = False, default: BuiltState | Name | None = None) -> Self:
        """Make the state stand for what was active in the state around it when that was left.

        With ``deep`` all leaves that were active are entered again, otherwise the child that was active, with
        its initial states. ``default`` is entered as long as there is nothing to restore; if it is None, the
        initial state of the state around it.
        """
        self._state.default = plain_name(default)
        return self._be(StateKind.DEEP_HISTORY if deep else StateKind.HISTORY)

    @property
    def _name(self) -> str:
        return self._state.__name__

    def _catch_timeout(self, prefix: str, timeout: Timeout, handler: Callable[..., Any]) -> Self:
        number = own_signal(f"{prefix}{self._name}.{timeout.delay.replace(' ', '')}")
        self.catch(number, handler)
        self._state.timeouts[number] = timeout._replace(signal=number)
        return self

    def _be(self, kind: StateKind) -> Self:
        Factory.refuse_change(self._factory)
        self._state.kind = kind
        return self

    def to_method(self) -> BuiltState:
        """Return the state, which can be a target of transitions and a parent of other states."""
        return self._state


class Factory(Hsm):
    """A chart built by parts: ``create`` states that ``catch`` signals, and ``nest`` them.

    Args:
        name: name of the chart in traces; if None, it is generated as for an ``ActiveObject``.
        instrumented: whether it records its steps; may be changed at any time.
        threaded: whether the chart runs on its own thread; otherwise its caller drives it like an ``Hsm``.
        options: see ``ActiveOptions``.

    Raises:
        UsageError: an option or a combination of options is invalid.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str | None = None,
        instrumented: bool | None = True,
        *,
        threaded: bool = True,
        **options: Unpack[ActiveOptions],
    ) -> None:
        runner, on_error, others = split_options(options)
        if not threaded and runner is not None:
            raise UsageError(
                "a runner cannot run a chart that has no thread",
                "leave runner= out: its caller or an event loop drives such a chart",
            )
        super().__init__(name, instrumented, **others)
        self._core.make_up_name = name_from
        self._core.make_ready = check_nesting
        if threaded:
            drive_itself(self, on_error, runner)

    def create(self, state: Name) -> Blueprint:
        """Create a state named ``state``, or reopen the one already created under that name.

        This lets a subclass redefine some of the states that its base class created and keep the rest.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: the chart's class declares a state of that name.
        """
        Factory.refuse_change(self)
        name = plain_name(state)
        if not (name and isinstance(name, str)):
            raise ChartBuildError(f"{state!r} is not a name for a state", "name a state by a string")
        built = self._core.algorithm.states.named.setdefault(name, BuiltState(name))
        if built.shared:
            raise _twice(self._core.name, name)
        return Blueprint(self, built)

    def nest(self, state: Any, parent: Any) -> Self:
        """Nest ``state`` in ``parent``, or make it outermost if that is None; return the chart.

        Both are states returned by ``to_method``, or names; the parent may also be a flat state function. If
        a state is nested more than once, the last call applies.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: one is unknown, the state is declared inside another, or a cycle would result.
        """
        Factory.refuse_change(self)
        built = _built(self, state)
        name = built.__name__
        states = self._core.algorithm.states
        if built.home is not None:
            raise ChartBuildError(
                f"state {name} is declared inside {name_of(built.home)}",
                "nest the outermost of the states it is declared in",
                state=name,
            )
        if built.shared and built.is_extension and built not in states.named.values():
            raise ChartBuildError(
                f"state {name} extends an inherited state, which chart {self._core.name} does not have",
                "nest the original state, or make a chart of the class that extends it",
                state=name,
            )
        around = _around(self, name, parent)
        outer: Any = around
        while isinstance(outer, BuiltState):
            if outer is built:
                raise ChartBuildError(
                    f"state {name} would lie inside itself", f"nest {name_of(around)} elsewhere", state=name
                )
            outer = states.around(outer)
        if built.shared:
            _take(self, built)
            states.moved[built] = around
        else:
            built.parent = around
            built.nested = True
        return self

    def to_code(self, state: Any) -> str:
        """Return the source of a flat state function equivalent to ``state``, with the same spy lines.

        It calls the handlers by their names; a lambda, or one of several handlers with the same name in the
        state, is called ``STATE_SIGNAL``. It also uses ``spy_on``, ``return_status``, ``signals`` and the
        parent state.

        Raises:
            ChartBuildError: the chart has no such state, it has not been nested yet, or it is parallel, final
                or a history state.
        """
        built = _built(self, state)
        name = built.__name__
        if not built.nested:
            raise ChartBuildError(f"state {name} was not nested yet", "nest it first", state=name)
        if built.kind is not StateKind.PLAIN:
            raise ChartBuildError(
                f"no flat state function is equivalent to {built.kind.name.lower().replace('_', ' ')} "
                f"state {name}",
                "print the code of plain states only",
                state=name,
            )
        if built.timeouts or built.task_function is not None or built.charts:
            raise ChartBuildError(
                f"no flat state function is equivalent to state {name}, which has a timeout, a task or a "
                "chart",
                "print the code of states without them",
                state=name,
            )
        around = self._core.algorithm.states.around(built)
        return flat_code(name, None if around is None else name_of(around), built.handlers_for(self), self)

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, given as a state or by name.

        Raises:
            ChartBuildError: a state was created but never nested.
            AlreadyStarted: it was started before.
        """
        super().start_at(initial_state)

    def refuse_change(self) -> None:
        """Raise ``AlreadyStarted`` if the chart was started: its states are then fixed."""
        if self._core.has_started:
            raise AlreadyStarted(f"chart {self._core.name} was started", "build a chart before its start")


def check_nesting(chart: Factory, initial_state: Any) -> Any:
    """Return ``initial_state``; raise ``ChartBuildError`` if a state was created and never nested."""
    for name, built in chart._core.algorithm.states.named.items():
        if not built.nested:
            raise ChartBuildError(
                f"state {name} was created and never nested",
                f"call chart.nest({name}, parent=...); an outermost state has the parent None",
                state=name,
            )
    return initial_state


def _take(chart: Factory, outermost: BuiltState) -> None:
    """Add the states of a definition to this chart."""
    named = chart._core.algorithm.states.named
    for state in outermost.tree():
        name = state.__name__
        if not name:
            raise ChartBuildError("a state without a name cannot be nested", "write State('NAME')")
        if named.setdefault(name, state) is not state:
            raise _twice(chart._core.name, name)


def _built(chart: Factory, state: Any) -> BuiltState:
    state = plain_name(state)
    states = chart._core.algorithm.states
    built = states.named.get(state) if isinstance(state, str) else state
    if isinstance(built, BuiltState):
        built = states.stand_ins.get(built, built)
    if not isinstance(built, BuiltState):
        raise ChartBuildError(
            f"chart {chart._core.name} has no state {name_of(state)}",
            "give what create(...).to_method() returned, or the name it was created with",
            state=name_of(state),
        )
    return built


def _around(chart: Factory, name: str, parent: Any) -> Any:
    parent = plain_name(parent)
    if parent is None or is_top(parent):
        return None
    if callable(parent) and not isinstance(parent, BuiltState):
        return parent
    if isinstance(parent, str) and parent not in chart._core.algorithm.states.named:
        raise ChartBuildError(
            f"state {name} is to be nested in {parent}, which chart {chart._core.name} does not have",
            f"create {parent} first",
            state=name,
        )
    return _built(chart, parent)


def _twice(chart: str, state: str) -> ChartBuildError:
    return ChartBuildError(f"chart {chart} has two states named {state}", "rename one of them", state=state)
