"""A one-time event that threads can wait for."""

from __future__ import annotations

import contextlib
import threading
import time

SHORTEST_LOOK_S = 0.0001
"""First pause between two checks of a thread that is to end; each further pause is twice as long."""

LONGEST_LOOK_S = 0.01
"""Longest pause between two checks."""

LAST_BREATH_S = 0.5
"""How long to wait for a thread that has nothing left to do. The wait times out only in a signal handler that
interrupts another such wait at a certain instruction, and then nothing depends on it."""


class Latch:
    """A latch that is closed until ``open`` is called and then stays open; threads can wait for it.

    Every method may be called at any moment, even by a finalizer or a signal handler in the middle of the
    same method: each waiter has its own lock, which only this waiter acquires. A ``threading.Event`` has a
    single lock, and a thread that sets the event while it is about to wait for it would deadlock with itself.
    """

    __slots__ = ("_waiting", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: list[threading.Lock] = []

    def open(self) -> None:
        """Release all current and future waiters; opening it again has no effect."""
        self.is_open = True
        # A waiter adds its lock to the list before it checks the flag once more: either its lock is seen
        # here, or it sees the flag.
        while self._waiting:
            try:
                self._waiting.pop().release()
            except IndexError:
                return

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until it is open; return whether it is."""
        if self.is_open:
            return True
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        if not self.is_open:
            mine.acquire(timeout=-1 if timeout_s is None else min(max(0.0, timeout_s), threading.TIMEOUT_MAX))
        # If it is no longer in the list, it was released.
        with contextlib.suppress(ValueError):
            self._waiting.remove(mine)
        return self.is_open


def wait_for_end(thread: threading.Thread, deadline: float) -> bool:
    """Wait until a thread has ended, or until a monotonic deadline; return whether it has ended.

    It does not use ``Thread.join``, which can wait forever for a lock held by the call it interrupts.
    """
    pause_s = SHORTEST_LOOK_S
    while thread.is_alive():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
    return True
