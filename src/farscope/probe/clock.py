"""Time and chance as the probe sees them, in one place so that tests may bring their own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol


class Bell:
    """Wakes the one thread that waits for it.

    Ringing is two atomic calls into C and takes no lock of ours, so that it may be done from any
    thread, from a signal handler and from a finaliser that interrupts another ringing. Rings
    that nobody has heard yet count as one.
    """

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed = Lock()
        self._closed.acquire()

    def ring(self) -> None:
        """Let the present or the next ``wait`` return at once."""
        try:
            self._closed.release()
        except RuntimeError:
            return  # rung already and not heard yet

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring, at most ``timeout_s``; return whether there was one."""
        return self._closed.acquire(timeout=max(0.0, timeout_s))


class Bells:
    """Wakes any number of threads that wait for something to become true.

    Unlike a ``Condition`` it has no lock that an error raised by a signal handler could leave taken.
    """

    __slots__ = ("_bells",)

    def __init__(self) -> None:
        self._bells: dict[Bell, None] = {}

    def ring(self) -> None:
        """Let all who wait look again."""
        for bell in self._bells.copy():
            bell.ring()

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until ``is_so`` returns True, at most ``timeout_s``; return whether it did."""
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
    """What the probe asks of its surroundings."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by this machine's clock; may jump."""

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow."""

    def wait(self, bell: Bell, timeout_s: float) -> bool:
        """Wait for ``bell``, at most ``timeout_s``; return whether it rang."""

    def chance(self) -> float:
        """Return a random number from 0 up to 1."""


class SystemClock:
    """The clock of the machine."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch by this machine's clock; may jump."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def wait(self, bell: Bell, timeout_s: float) -> bool:
        """Wait for ``bell``, at most ``timeout_s``; return whether it rang."""
        return bell.wait(timeout_s)

    def chance(self) -> float:
        """Return a random number from 0 up to 1; spreads retries, keeps no secret."""
        return random.random()  # noqa: S311 - no secret
