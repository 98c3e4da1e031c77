"""Where received steps wait to be taken: bounded, whether or not anybody takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from farscope.records.step import RawStep
from farscope.records.weight import Charges, runs_of

DEFAULT_STEPS = 131_072
"""Steps that wait at most, about 40 MB, give or take one batch. At the limit a scope somebody takes from
stops reading, and the log keeps the rest; otherwise the oldest steps leave, and are counted."""

DEFAULT_BYTES = 64 << 20
"""Bytes that they take at most, with their texts; the same happens at this limit."""

TAKEN_BYTES = 4 << 20
"""Steps that take more together are handed out in several parts; a larger step is a part by itself."""

TAKER_PATIENCE_S = 10.0
"""How long after a ``take`` the next one is expected. After that nobody counts as taking."""

SLICE_S = 0.25
"""Longest single wait, so that Ctrl-C and the end of a taker's patience are noticed soon."""


class Inbox:
    """Steps between the thread that receives and the threads that take; every method is thread-safe."""

    def __init__(self, limit: int = DEFAULT_STEPS, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._changed = Condition()
        self._steps: deque[RawStep] = deque()
        self._charges = Charges()
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._iterating = 0
        self._taken_at = float("-inf")
        self._ended = False
        self._unread = 0
        self._version = 0

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def unread(self) -> int:
        """Steps that left because nobody took them."""
        return self._unread

    @property
    def ended(self) -> bool:
        """Whether nothing more will be put in."""
        return self._ended

    @property
    def version(self) -> int:
        """Rises with every change; for ``wait_beyond``."""
        return self._version

    def put(self, steps: Sequence[RawStep]) -> None:
        """Add steps behind the others; without a taker the oldest leave at the limit."""
        with self._changed:
            self._steps.extend(steps)
            for count, each in runs_of(steps):
                self._charges.add(count, each)
            if not self._is_taken():
                gone = max(len(self._steps) - self._limit, self._charges.over(self._limit_bytes))
                self._unread += len(self._first(gone))
            self._notify()

    def touch(self) -> None:
        """Wake everybody who waits for something else than steps."""
        with self._changed:
            self._notify()

    def end(self) -> None:
        """Take note that nothing more comes; what waits can still be taken."""
        with self._changed:
            self._ended = True
            self._notify()

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until a taker has made room, or nobody takes any more; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has_room() or not self._is_taken(), timeout_s)

    @contextmanager
    def iterating(self) -> Iterator[None]:
        """Count as a taker for as long as the block lasts."""
        with self._changed:
            self._iterating += 1
        try:
            yield
        finally:
            with self._changed:
                self._iterating -= 1
                self._notify()

    def take(self, limit: int, timeout_s: float | None) -> deque[RawStep]:
        """Return up to ``limit`` steps, or ``TAKEN_BYTES`` of them.

        Empty if none came in time, or none will come any more.
        """
        deadline = None if timeout_s is None else monotonic() + timeout_s
        with self._changed:
            self._taken_at = monotonic()
            while not self._steps and not self._ended:
                left = SLICE_S if deadline is None else min(SLICE_S, deadline - monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            taken = self._first(min(limit, self._charges.within(TAKEN_BYTES)))
            self._taken_at = monotonic()
            self._notify()
            return taken

    def put_back(self, steps: deque[RawStep]) -> None:
        """Return what was taken and not used to the front."""
        if steps:
            with self._changed:
                self._steps.extendleft(reversed(steps))
                for count, each in runs_of(steps):
                    self._charges.put_back(count, each)
                self._notify()

    def wait_beyond(self, version: int, timeout_s: float) -> bool:
        """Wait for a change after ``version``; return whether there was one, or the end has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._version != version or self._ended, timeout_s)

    def _first(self, count: int) -> deque[RawStep]:
        """Take the first so many steps away."""
        count = max(0, count)
        self._charges.remove(count)
        return deque(self._steps.popleft() for _ in range(count))

    def _has_room(self) -> bool:
        return len(self._steps) < self._limit and self._charges.bytes < self._limit_bytes

    def _is_taken(self) -> bool:
        return self._iterating > 0 or monotonic() - self._taken_at < TAKER_PATIENCE_S

    def _notify(self) -> None:
        self._version += 1
        self._changed.notify_all()
