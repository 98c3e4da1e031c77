"""The probe's sources of time and randomness, in one place so that tests can replace them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol


class Wakeup:
    """Wakes the single thread that waits for it.

    Setting it consists of two atomic calls into C and takes no Python-level lock, so it is safe from any
    thread, from a signal handler, and from a finaliser that interrupts another call. Calls that no wait has
    noticed yet count as one.
    """

    __slots__ = ("_unset",)

    def __init__(self) -> None:
        self._unset = Lock()
        self._unset.acquire()

    def set(self) -> None:
        """Make the current or the next ``wait`` return at once."""
        try:
            self._unset.release()
        except RuntimeError:
            return  # set already and not noticed yet

    def wait(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until it is set; return whether it was."""
        return self._unset.acquire(timeout=max(0.0, timeout_s))


class Waiters:
    """Threads that wait for conditions.

    Unlike a ``Condition``, it has no lock that an error raised by a signal handler could leave locked.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Wakeup, None] = {}

    def notify_all(self) -> None:
        """Make all waiting threads check their condition again."""
        for wakeup in self._waiting.copy():
            wakeup.set()

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until ``is_so`` returns True; return whether it did."""
        until_s = time.monotonic() + timeout_s
        wakeup = Wakeup()
        try:
            self._waiting[wakeup] = None
            while not is_so():
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                wakeup.wait(left_s)
            return True
        finally:
            self._waiting.pop(wakeup, None)


class Clock(Protocol):
    """Time, waiting and randomness as used by the probe."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by the machine's clock, which may jump."""

    def monotonic_s(self) -> float:
        """Return seconds that never decrease."""

    def wait(self, wakeup: Wakeup, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for ``wakeup``; return whether it was set."""

    def random(self) -> float:
        """Return a random number from 0 up to 1."""


class SystemClock:
    """The clock of the machine."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by the machine's clock, which may jump."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds that never decrease."""
        return time.monotonic()

    def wait(self, wakeup: Wakeup, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for ``wakeup``; return whether it was set."""
        return wakeup.wait(timeout_s)

    def random(self) -> float:
        """Return a random number from 0 up to 1; used to spread retries, not for secrets."""
        return random.random()  # noqa: S311 - no secret
