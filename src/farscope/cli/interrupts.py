"""Ends commands that could run indefinitely, and provides the summary they print at the end."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from farscope.errors import KeyringError
from farscope.scope.intake import Refusal
from farscope.scope.scope import Scope
from farscope.views.text import stats_line

LOOK_S = 0.1
"""How long Ctrl-C and the end of ``--for`` may go unnoticed while nothing arrives, in seconds."""

FINISH_S: Final = 2.0
"""How long received steps are still shown after Ctrl-C, in seconds; the rest are counted as not shown."""

Over = Callable[[], bool]
"""Returns whether to end."""


@contextmanager
def ending() -> Iterator[Over]:
    """Provide a function that returns whether Ctrl-C or a request to terminate was received.

    The first one lets the current round finish, so that the output is complete and accounted for.
    A second one ends at once: the reader of a full pipe may never continue. Enter the block after everything
    is open: until then, for example while a large file is searched, the first one must also end at once.
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


def until(for_s: float | None, over: Over, begun: Callable[[], bool] = lambda: True) -> Over:
    """Return a predicate that is true once ``over()`` is, or ``for_s`` seconds after start (None: no limit).

    ``begun`` is called at once and on every call of the predicate, until it returns true.
    """
    if for_s is None:
        return over
    deadline = time.monotonic() + for_s if begun() else None

    def over_or_late() -> bool:
        nonlocal deadline
        if deadline is None and begun():
            deadline = time.monotonic() + for_s
        return over() or (deadline is not None and time.monotonic() >= deadline)

    return over_or_late


def soon_after(over: Over, clock: Callable[[], float] = time.monotonic) -> Over:
    """Return a predicate that is true once ``over`` has been true for more than ``FINISH_S`` seconds."""
    since_s: list[float] = []

    def long_over() -> bool:
        if not since_s and over():
            since_s.append(clock())
        return bool(since_s) and clock() - since_s[0] >= FINISH_S

    return long_over


def account(scope: Scope, unshown: int = 0) -> str:
    """Return the final summary of a scope as one line; it says so if not everything was shown.

    ``unshown`` is the number of steps that were taken from the scope but not shown.
    """
    stats = scope.stats
    line = stats_line(stats)
    if unshown or (stats.waiting and scope.caught_up):
        return f"{line}; ended with {stats.waiting + unshown:,} of them not shown"
    return line


def check_opened(scope: Scope) -> None:
    """Check that at least one batch could be opened, if there were any.

    Raises:
        KeyringError: all batches are sealed with keys that are not available.
    """
    stats = scope.stats
    refused = stats.refused.get(Refusal.WRONG_KEY, 0)
    if stats.batches or stats.received or not refused:
        return
    whose = ", ".join(scope.foreign_keys)
    several = len(scope.foreign_keys) > 1
    keys, fingerprints = ("other keys", "fingerprints") if several else ("another key", "fingerprint")
    file = "a matching key file" if several else "its key file"
    raise KeyringError(
        "nothing here could be opened with your key",
        f"sealed with {keys}{f' ({fingerprints} {whose})' if whose else ''}; pass {file} with --key",
    )


def unless_reader_gone(over: Over) -> Over:
    """Return a version of ``over`` that raises ``BrokenPipeError`` if the reader of the output is gone."""
    if sys.platform == "win32":
        # Windows reports a closed pipe only when it is written to.
        return over
    else:  # noqa: RET505 - code for one system is type-checked for that system only
        reader = select.poll()
        reader.register(sys.stdout, 0)

        def over_or_gone() -> bool:
            if reader.poll(0):
                raise BrokenPipeError
            return over()

        return over_or_gone
