"""Time and chance as the probe sees them, in one place so that tests may bring their own."""

from __future__ import annotations

import random
import time
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
