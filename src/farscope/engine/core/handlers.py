"""Adapters for user functions: the engine calls every handler with the chart and the event."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

from farscope.engine.event import Event
from farscope.errors import ChartBuildError

Call = Callable[[Any, Event], Any]
"""A handler as the engine calls it: with the chart and the event; returns a status."""


class Alternative(NamedTuple):
    """One of the reactions of a state to a signal, in parts: the first one whose guard allows it is run."""

    guard: Call | None
    """Returns HANDLED if the reaction applies, otherwise UNHANDLED; None if it always does."""
    to: Any
    """The target, if the reaction itself does not decide on it."""
    call: Call
    """The reaction without its guard."""


class Settling:
    """An answer that must be awaited, and the function that processes it.

    It starts nothing by itself, so where it cannot be awaited, it can be closed like a coroutine.
    """

    __slots__ = ("_answer", "_then")

    def __init__(self, answer: Awaitable[Any], then: Callable[[Any], Any]) -> None:
        self._answer = answer
        self._then = then

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for the answer; return the processed result."""
        return self._then((yield from self._answer.__await__()))

    def close(self) -> None:
        """Discard an answer that will not be awaited."""
        if inspect.iscoroutine(self._answer):
            self._answer.close()


def unbound(fn: Any, chart: Any) -> Any:
    """Return ``fn``, or its underlying function if it is a bound method of ``chart``."""
    return fn.__func__ if inspect.ismethod(fn) and fn.__self__ is chart else fn


def name_of(fn: Any) -> str:
    """Return the display name of a state."""
    name = getattr(fn, "__name__", None)
    return name if isinstance(name, str) else repr(fn)


def adapted(fn: Callable[..., Any], chart: Any, state: str) -> Call:
    """Return ``fn`` adapted to be called with the chart and the event.

    Functions take both; bound methods take the event alone, or both.

    Raises:
        ChartBuildError: ``fn`` takes neither.
    """
    if not callable(fn):
        raise ChartBuildError(
            f"{fn!r} is not a handler, but state {state} uses it as one",
            "a handler is a function: def handler(chart, e)",
            state=state,
        )
    if inspect.ismethod(fn) and takes(fn, 1):
        if fn.__self__ is chart:
            # Kept unbound, so that the step cache does not keep the chart alive.
            return fn.__func__
        return lambda _chart, e: fn(e)
    if takes(fn, 2):
        return fn
    raise ChartBuildError(
        f"{name_of(fn)}, a handler of state {state}, cannot be called with a chart and an event",
        "write it as a function (chart, e), or as a method (self, e)",
        state=state,
    )


def wants_event(fn: Callable[..., Any]) -> bool:
    """Return whether to call ``fn`` with the chart and the event, rather than with the chart alone."""
    code = getattr(fn, "__code__", None)
    wrapped = getattr(fn, "__wrapped__", None)
    if code is not None and code.co_flags & inspect.CO_VARARGS and callable(wrapped):
        # A decorator's wrapper accepts anything; the wrapped function has to accept what it passes on.
        return wants_event(wrapped) or not takes(wrapped, 1)
    return takes(fn, 2)


def takes(fn: Callable[..., Any], count: int) -> bool:
    """Return whether ``fn`` can be called with that many arguments."""
    code = getattr(fn, "__code__", None)
    if code is not None and not inspect.ismethod(fn):
        few = code.co_argcount - len(fn.__defaults__ or ())
        many = code.co_argcount if not code.co_flags & inspect.CO_VARARGS else count
        if few <= count <= many:
            return True
    try:
        inspect.signature(fn).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        # A callable written in C without a signature: only calling it can show.
        return count == 2
    return True
