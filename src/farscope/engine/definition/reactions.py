"""Compiles declared reactions into the handlers that the engine calls: one plain function each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from farscope.engine.core.handlers import Alternative, Call, Settling, name_of, takes, wants_event
from farscope.engine.definition.guards import is_yes, of_two
from farscope.engine.event import HANDLED, TRAN, UNHANDLED, Event
from farscope.errors import ChartBuildError, NotAState
from farscope.records.observable import Observable

ANONYMOUS = "_"
"""Name of functions that cannot be called or overridden by name; a class may have many."""


class Clause(NamedTuple):
    """One declared reaction of a state to a signal."""

    function: Callable[..., Any] | None = None
    """The user's function of the chart, or of the chart and the event; None for a bare transition."""
    to: Any = None
    """The target, whatever the function does; None if the function's result determines it."""
    guard: Callable[[Any, Event], object] | None = None

    @property
    def awaits(self) -> bool:
        """Whether the function is a coroutine function."""
        return self.function is not None and inspect.iscoroutinefunction(self.function)

    def for_chart(self, kind: type) -> Clause:
        """Return the clause for charts of a class, which may override the function as a method."""
        function = self.function
        name = getattr(function, "__name__", ANONYMOUS)
        if name == ANONYMOUS or not any(vars(base).get(name) is function for base in kind.__mro__):
            return self
        return self._replace(function=getattr(kind, name))


def checked_maker(function: Any, state: str) -> Callable[..., Any]:
    """Return ``function``, which makes a chart for a state.

    Raises:
        ChartBuildError: it is neither a class of charts nor takes the chart alone.
    """
    makes = issubclass(function, Observable) if isinstance(function, type) else callable(function)
    if makes and takes(function, 1) and not inspect.iscoroutinefunction(function):
        return function  # type: ignore[no-any-return]
    raise ChartBuildError(
        f"{name_of(function)} cannot make a chart for state {state}",
        "give a class of charts, or a plain function of the chart that contains it",
        state=state,
    )


def checked_task(function: Any, state: str) -> Callable[..., Any]:
    """Return ``function`` as a task: see ``State.task``.

    Raises:
        ChartBuildError: it cannot be called as one.
    """
    awaits = inspect.iscoroutinefunction(function)
    if callable(function) and (takes(function, 1) or (takes(function, 2) and not awaits)):
        return function  # type: ignore[no-any-return]
    raise ChartBuildError(
        f"{name_of(function)} cannot be the task of state {state}",
        "write a coroutine function of the chart, or a function of the chart and a Cancellation",
        state=state,
    )


def handler_of(clauses: Sequence[Clause], state: str) -> Call:
    """Return the handler that tries ``clauses`` in order; the event is refused if all of them refuse."""
    asked = [(clause.guard, _unguarded(clause, state)) for clause in clauses]
    guard, handler = asked[0]
    if len(asked) > 1:
        return _first_of(asked, state)
    return handler if guard is None else _guarded(guard, handler, state)


def alternatives_of(clauses: Sequence[Clause], state: str) -> tuple[Alternative, ...]:
    """Return the parts of the handler that ``handler_of`` makes of ``clauses``."""
    return tuple(
        Alternative(
            None if clause.guard is None else _asking(clause.guard, state),
            clause.to,
            _unguarded(clause, state),
        )
        for clause in clauses
    )


def _asking(guard: Callable[[Any, Event], object], state: str) -> Call:
    def ask(chart: Any, e: Event) -> int:
        answer = guard(chart, e)
        return HANDLED if answer is True or (answer and is_yes(answer, guard, state)) else UNHANDLED

    return ask


def _first_of(asked: Sequence[tuple[Callable[[Any, Event], object] | None, Call]], state: str) -> Call:
    def first(chart: Any, e: Event) -> Any:
        for guard, handler in asked:
            if guard is None:
                return handler(chart, e)
            answer = guard(chart, e)
            if answer is True or (answer and is_yes(answer, guard, state)):
                return handler(chart, e)
        return UNHANDLED

    return first


def _guarded(guard: Callable[[Any, Event], object], handler: Call, state: str) -> Call:
    def ask(chart: Any, e: Event) -> Any:
        answer = guard(chart, e)
        if answer is True or (answer and is_yes(answer, guard, state)):
            return handler(chart, e)
        return UNHANDLED

    return ask


def _unguarded(clause: Clause, state: str) -> Call:
    function, to = clause.function, clause.to
    if function is None:
        return _arrow(to)
    if clause.awaits:
        return _awaiting(of_two(function), to, state)
    if to is not None:
        return _acting(of_two(function), to, state)
    return _deciding(function, state) if wants_event(function) else _deciding_alone(function, state)


def _arrow(to: Any) -> Call:
    def go(chart: Any, _e: Event) -> int:
        chart._core.temp.fun = to  # noqa: SLF001 - as every handler does
        return TRAN

    return go


def _acting(function: Call, to: Any, state: str) -> Call:
    def act(chart: Any, e: Event) -> Any:
        result = function(chart, e)
        if result is not None:
            if inspect.isawaitable(result):
                return Settling(result, partial(arrive, chart))
            raise _two_targets(function, result, to, state)
        chart._core.temp.fun = to  # noqa: SLF001 - as every handler does
        return TRAN

    def arrive(chart: Any, result: Any) -> int:
        if result is not None:
            raise _two_targets(function, result, to, state)
        chart._core.temp.fun = to  # noqa: SLF001 - as every handler does
        return TRAN

    return act


def _deciding(function: Call, state: str) -> Call:
    def decide(chart: Any, e: Event) -> int:
        target = function(chart, e)
        if target is None:
            return HANDLED
        if isinstance(target, int) and not isinstance(target, Enum):
            raise _a_number(function, target, state)
        chart._core.temp.fun = target  # noqa: SLF001 - as every handler does
        return TRAN

    return decide


def _deciding_alone(function: Callable[[Any], Any], state: str) -> Call:
    # Duplicated rather than wrapped: an additional call would cost a tenth of the whole step.
    def decide(chart: Any, _e: Event) -> int:
        target = function(chart)
        if target is None:
            return HANDLED
        if isinstance(target, int) and not isinstance(target, Enum):
            raise _a_number(function, target, state)
        chart._core.temp.fun = target  # noqa: SLF001 - as every handler does
        return TRAN

    return decide


def _awaiting(function: Call, to: Any, state: str) -> Call:
    async def settle(chart: Any, e: Event) -> int:
        target = await function(chart, e)
        if to is not None:
            if target is not None:
                raise _two_targets(function, target, to, state)
            target = to
        if target is None:
            return HANDLED
        if isinstance(target, int) and not isinstance(target, Enum):
            raise _a_number(function, target, state)
        chart._core.temp.fun = target  # noqa: SLF001 - as every handler does
        return TRAN

    return settle


def _a_number(function: Callable[..., Any], target: int, state: str) -> NotAState:
    return NotAState(
        f"{name_of(function)}, a reaction of state {state}, returned {target!r}, which is not a state",
        "return the state to go to, or None to stay; to refuse an event is for a guard",
        state=state,
    )


def _two_targets(function: Callable[..., Any], result: object, to: object, state: str) -> ChartBuildError:
    return ChartBuildError(
        f"{name_of(function)}, a reaction of state {state} that leads to {name_of(to)}, "
        f"returned {name_of(result)}",
        "return nothing where to= tells the way, or leave to= out",
        state=state,
    )
