"""The probe's sources of time and randomness, in one place so that tests can replace them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol


class Bell:
    """Wakes the single thread that waits for it.

    Ringing consists of two atomic calls into C and takes no Python-level lock, so it is safe from any
    thread, from a signal handler, and from a finaliser that interrupts another ring. Rings that have not
    been received yet count as one.
    """

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed = Lock()
        self._closed.acquire()

    def ring(self) -> None:
        """Make the current or the next ``wait`` return at once."""
        try:
            self._closed.release()
        except RuntimeError:
            return  # rung already and not heard yet

    def wait(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for a ring; return whether there was one."""
        return self._closed.acquire(timeout=max(0.0, timeout_s))


class Bells:
    """Wakes any number of threads that wait for a condition.

    Unlike a ``Condition``, it has no lock that an error raised by a signal handler could leave locked.
    """

    __slots__ = ("_bells",)

    def __init__(self) -> None:
        self._bells: dict[Bell, None] = {}

    def ring(self) -> None:
        """Make all waiting threads check their condition again."""
        for bell in self._bells.copy():
            bell.ring()

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until ``is_so`` returns True; return whether it did."""
        until_s = time.monotonic() + timeout_s
        bell = Bell()
        try:
            self._bells[bell] = None
            while not is_so():
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                bell.wait(left_s)
            return True
        finally:
            self._bells.pop(bell, None)


class Clock(Protocol):
    """Time, waiting and randomness as used by the probe."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by the machine's clock, which may jump."""

    def monotonic_s(self) -> float:
        """Return seconds that never decrease."""

    def wait(self, bell: Bell, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for ``bell``; return whether it rang."""

    def chance(self) -> float:
        """Return a random number from 0 up to 1."""


class SystemClock:
    """The clock of the machine."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by the machine's clock, which may jump."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds that never decrease."""
        return time.monotonic()

    def wait(self, bell: Bell, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for ``bell``; return whether it rang."""
        return bell.wait(timeout_s)

    def chance(self) -> float:
        """Return a random number from 0 up to 1; used to spread retries, not for secrets."""
        return random.random()  # noqa: S311 - no secret
