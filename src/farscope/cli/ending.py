"""When a verb that could go on for ever ends: asked to, out of time, or with nobody left to read it."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_S = 0.1
"""How long Ctrl-C and the end of ``--for`` may go unnoticed while nothing comes."""

Over = Callable[[], bool]
"""Tells whether to end."""


@contextmanager
def ending() -> Iterator[Over]:
    """Give a function that tells whether Ctrl-C or a request to terminate has come.

    The first one lets the round in hand finish, so that what is printed is whole and accounted for.
    A second one ends at once: the reader of a full pipe may never read on.
    """
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        for each in before:
            signal.signal(each, signal.default_int_handler)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def until(for_s: float | None, over: Over) -> Over:
    """Return what is over when ``over`` is, or ``for_s`` seconds from now; None is never."""
    if for_s is None:
        return over
    deadline = time.monotonic() + for_s
    return lambda: over() or time.monotonic() >= deadline


def unless_reader_gone(over: Over) -> Over:
    """Return ``over``, which then also raises ``BrokenPipeError`` when nobody reads our output any more."""
    reader = select.poll()
    reader.register(sys.stdout, 0)

    def over_or_gone() -> bool:
        if reader.poll(0):
            raise BrokenPipeError
        return over()

    return over_or_gone
