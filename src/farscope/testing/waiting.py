"""Waiting for other threads or processes, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

PATIENCE_S = 20.0
"""How long ``eventually`` waits by default, in seconds: far longer than needed even on a busy machine."""

INTERVAL_S = 0.01
"""Pause between two calls, in seconds: too short for a person to notice, and long compared to a call."""


def eventually(predicate: Callable[[], Answer], timeout_s: float = PATIENCE_S, *, what: str = "") -> Answer:
    """Call ``predicate`` until it returns a true value, and return that value.

    Use this for conditions in another process or thread that provide no event to wait for. Blocks the
    calling thread and calls the predicate on it, at least once, even with a timeout of 0.

    Args:
        predicate: called every hundredth of a second; an exception from it ends the wait.
        timeout_s: deadline in seconds.
        what: description of the condition, used in the error message.

    Raises:
        AssertionError: the deadline passed; reports the last value.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() >= deadline:
            name = what or getattr(predicate, "__name__", "the condition")
            raise AssertionError(f"{name} did not come true within {timeout_s:g} s; last answer: {answer!r}")
        time.sleep(INTERVAL_S)
    return answer
