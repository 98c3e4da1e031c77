"""Something that is awaited by threads and happens once."""

from __future__ import annotations

import contextlib
import threading
import time

SHORTEST_LOOK_S = 0.0001
"""The first pause between two looks at a thread that is to end; each is twice as long as the one before."""

LONGEST_LOOK_S = 0.01
"""The longest one."""

LAST_BREATH_S = 0.5
"""How long is waited for a thread that has nothing more to do. It is in vain only for a signal handler that
interrupts another such wait at a certain instruction, and then nothing depends on it."""


class Latch:
    """Closed until ``open`` is called, for good; threads wait for that.

    Every method may be called at any moment, also by a finalizer or a signal handler in the middle of the
    same method: each who waits has a lock of its own, which nobody else ever waits for. A ``threading.Event``
    has one lock for all, and a thread that sets the event while it is about to wait for it would wait for
    itself.
    """

    __slots__ = ("_waiting", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: list[threading.Lock] = []

    def open(self) -> None:
        """Let everybody go who waits or ever will; twice changes nothing."""
        self.is_open = True
        # Who waits puts its lock in the list before it looks at the flag once more: it is seen here, or
        # sees it.
        while self._waiting:
            try:
                self._waiting.pop().release()
            except IndexError:
                return

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is open, at most ``timeout_s`` seconds; return whether it is."""
        if self.is_open:
            return True
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        if not self.is_open:
            mine.acquire(timeout=-1 if timeout_s is None else min(max(0.0, timeout_s), threading.TIMEOUT_MAX))
        # If it is not in the list any more, it was let go.
        with contextlib.suppress(ValueError):
            self._waiting.remove(mine)
        return self.is_open


def wait_for_end(thread: threading.Thread, deadline: float) -> bool:
    """Wait until a thread has ended, at most to a time of the monotonic clock; return whether it has.

    It does not use ``Thread.join``, which can wait for ever for a lock that a call which it interrupts holds.
    """
    pause_s = SHORTEST_LOOK_S
    while thread.is_alive():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
    return True
