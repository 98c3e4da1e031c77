"""Signatures of the functions that a declaration takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from farscope.engine.core.states import BuiltState
from farscope.engine.core.work import Cancellation
from farscope.engine.event import Event
from farscope.records.observable import Observable

Target = BuiltState | None
"""The result of a reaction: the target state, or None to stay (a hook)."""

Reacting = (
    Callable[[Any], Target]
    | Callable[[Any, Event], Target]
    | Callable[[Any], Awaitable[Target]]
    | Callable[[Any, Event], Awaitable[Target]]
)
Acting = (
    Callable[[Any], None]
    | Callable[[Any, Event], None]
    | Callable[[Any], Awaitable[None]]
    | Callable[[Any, Event], Awaitable[None]]
)
Choosing = (
    Callable[[Any], BuiltState]
    | Callable[[Any, Event], BuiltState]
    | Callable[[Any], Awaitable[BuiltState]]
    | Callable[[Any, Event], Awaitable[BuiltState]]
)
Working = Callable[[Any], Any] | Callable[[Any, Cancellation], Any]
"""The task of a state: a coroutine function of the chart or, on a thread, a function of the chart, or of the
chart and what asks it to end."""
Making = Callable[[Any], Observable]
"""Makes a chart that belongs to a state: a function of the chart that contains it, or a class."""
Guard = Callable[[Any], bool] | Callable[[Any, Event], bool]
"""A function that decides whether a reaction handles the event."""
