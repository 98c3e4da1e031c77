"""Functions and guards of declared reactions: their checks, and the text of a guard."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any

from farscope.engine.core.handlers import Call, name_of, takes, wants_event
from farscope.engine.event import Event
from farscope.errors import ChartBuildError

LAMBDA = "<lambda>"


def checked_function(function: Any, state: str) -> Callable[..., Any]:
    """Return ``function``.

    Raises:
        ChartBuildError: it takes neither the chart alone nor the chart and the event.
    """
    if callable(function) and (takes(function, 1) or takes(function, 2)):
        return function  # type: ignore[no-any-return]
    raise ChartBuildError(
        f"{name_of(function)} cannot be a reaction of state {state}",
        "write a function of the chart, or of the chart and the event",
        state=state,
    )


def checked_guard(function: Any, state: str) -> Call:
    """Return ``function`` as a guard: a function of the chart and the event.

    Raises:
        ChartBuildError: it takes neither the chart alone nor the chart and the event, or must be awaited.
    """
    if inspect.iscoroutinefunction(function):
        raise _guard_awaits(function, state)
    return of_two(checked_function(function, state))


def of_two(function: Callable[..., Any]) -> Call:
    """Return ``function``, of the chart or of the chart and the event, as a function of both."""
    if wants_event(function):
        return function

    def alone(chart: Any, _e: Event) -> Any:
        return function(chart)

    alone.__wrapped__ = function  # type: ignore[attr-defined]  # as functools.wraps does
    return alone


def is_yes(answer: object, guard: Callable[..., Any], state: str) -> bool:
    """Return whether a truthy answer is valid: a coroutine is truthy whatever it would return."""
    if not inspect.isawaitable(answer):
        return True
    if inspect.iscoroutine(answer):
        answer.close()
    raise _guard_awaits(guard, state)


def _guard_awaits(guard: Callable[..., Any], state: str) -> ChartBuildError:
    return ChartBuildError(
        f"{name_of(guard)}, a guard of state {state}, has to be awaited",
        "a guard answers at once: await in the reaction, and let it return where to go",
        state=state,
    )


def guard_text(guard: Callable[..., object]) -> str:
    """Return the text of a guard: the name of its function; for a lambda in one line, its expression."""
    function = getattr(guard, "__wrapped__", guard)
    name = name_of(function)
    return _expression(function) or name if name == LAMBDA else name


def _expression(function: Any) -> str:
    """Return the expression of a lambda; empty if its source is unavailable or has several lines."""
    code = function.__code__
    places = [place for place in code.co_positions() if None not in place and place[3]]
    lines = {line for start, end, _, _ in places for line in (start, end)}
    if len(lines) != 1:
        return ""
    source = linecache.getline(code.co_filename, lines.pop()).encode()
    begin, end = min(place[2] for place in places), max(place[3] for place in places)
    # Parentheses at the ends belong to no instruction.
    while begin and source[begin:end].count(b")") > source[begin:end].count(b"("):
        begin = source.rfind(b"(", 0, begin)
    while source[begin:end].count(b"(") > source[begin:end].count(b")") and b")" in source[end:]:
        end = source.index(b")", end) + 1
    return source[max(0, begin) : end].decode(errors="replace").strip()
