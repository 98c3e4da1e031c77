"""Waiting for what another thread or process does, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

PATIENCE_S = 20.0
"""How long ``eventually`` waits by default: far beyond what anything should take on a busy machine."""

INTERVAL_S = 0.01
"""Pause between two looks; short against what a person notices, long against what a look costs."""


def eventually(predicate: Callable[[], Answer], timeout_s: float = PATIENCE_S, *, what: str = "") -> Answer:
    """Call ``predicate`` until it answers with something true, and return that answer.

    For what happens in another process or thread and gives no event to wait for. Blocks the calling
    thread; the predicate is called on it, at least once, also with a timeout of 0.

    Args:
        predicate: looked at every hundredth of a second; what it raises ends the waiting.
        timeout_s: deadline in seconds.
        what: the thing waited for, named in the failure.

    Raises:
        AssertionError: the deadline passed; tells the last answer.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() >= deadline:
            name = what or getattr(predicate, "__name__", "the condition")
            raise AssertionError(f"{name} did not come true within {timeout_s:g} s; last answer: {answer!r}")
        time.sleep(INTERVAL_S)
    return answer
