"""A bounded buffer for received steps that wait to be taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from farscope.records.step import RawStep
from farscope.records.weight import Charges, runs_of

DEFAULT_STEPS = 131_072
"""Most steps that wait, about 40 MB, give or take one batch. At the limit a scope with an active consumer
stops reading, and the log keeps the rest; otherwise the oldest steps are discarded and counted."""

DEFAULT_BYTES = 64 << 20
"""Most bytes the steps may take, including their texts; the same happens at this limit."""

MAX_GET_BYTES = 4 << 20
"""Most bytes handed out by one ``take``; more is split into several parts, and a larger step is returned
alone."""

CONSUMER_PATIENCE_S = 10.0
"""How long a thread counts as an active consumer after a ``get``."""

SLICE_S = 0.25
"""Longest single wait, so that Ctrl-C and the expiry of ``CONSUMER_PATIENCE_S`` are noticed soon."""


class Inbox:
    """Passes steps from the receiving thread to the consuming threads; every method is thread-safe."""

    def __init__(self, limit: int = DEFAULT_STEPS, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._changed = Condition()
        self._steps: deque[RawStep] = deque()
        self._charges = Charges()
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._iterating = 0
        self._consumed_at = float("-inf")
        self._ended = False
        self._unread = 0
        self._version = 0

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def unread(self) -> int:
        """Steps discarded because nobody took them."""
        return self._unread

    @property
    def ended(self) -> bool:
        """Whether nothing more will be put in."""
        return self._ended

    @property
    def version(self) -> int:
        """Increases with every change; for ``wait_beyond``."""
        return self._version

    def put(self, steps: Sequence[RawStep]) -> None:
        """Append steps; at the limit, the oldest are discarded if there is no consumer."""
        with self._changed:
            self._steps.extend(steps)
            for count, each in runs_of(steps):
                self._charges.add(count, each)
            if not self._has_consumer():
                gone = max(len(self._steps) - self._limit, self._charges.over(self._limit_bytes))
                self._unread += len(self._first(gone))
            self._notify()

    def touch(self) -> None:
        """Wake all threads that wait for something other than steps."""
        with self._changed:
            self._notify()

    def end(self) -> None:
        """Mark the end: nothing more will arrive; waiting steps can still be taken."""
        with self._changed:
            self._ended = True
            self._notify()

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until a consumer has made room or there is no consumer left; return whether that happened."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has_room() or not self._has_consumer(), timeout_s)

    @contextmanager
    def iterating(self) -> Iterator[None]:
        """Count as an active consumer for the whole block."""
        with self._changed:
            self._iterating += 1
        try:
            yield
        finally:
            with self._changed:
                self._iterating -= 1
                self._notify()

    def get(self, limit: int, timeout_s: float | None) -> deque[RawStep]:
        """Return up to ``limit`` steps, or ``MAX_GET_BYTES`` of them.

        Empty if none arrived in time, or none will arrive any more.
        """
        deadline = None if timeout_s is None else monotonic() + timeout_s
        with self._changed:
            self._consumed_at = monotonic()
            while not self._steps and not self._ended:
                left = SLICE_S if deadline is None else min(SLICE_S, deadline - monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            taken = self._first(min(limit, self._charges.within(MAX_GET_BYTES)))
            self._consumed_at = monotonic()
            self._notify()
            return taken

    def put_back(self, steps: deque[RawStep]) -> None:
        """Put steps that were taken but not used back at the front."""
        if steps:
            with self._changed:
                self._steps.extendleft(reversed(steps))
                for count, each in runs_of(steps):
                    self._charges.put_back(count, each)
                self._notify()

    def wait_beyond(self, version: int, timeout_s: float) -> bool:
        """Wait for a change after ``version``; return whether there was one or the end was reached."""
        with self._changed:
            return self._changed.wait_for(lambda: self._version != version or self._ended, timeout_s)

    def _first(self, count: int) -> deque[RawStep]:
        """Remove and return the first ``count`` steps."""
        count = max(0, count)
        self._charges.remove(count)
        return deque(self._steps.popleft() for _ in range(count))

    def _has_room(self) -> bool:
        return len(self._steps) < self._limit and self._charges.bytes < self._limit_bytes

    def _has_consumer(self) -> bool:
        return self._iterating > 0 or monotonic() - self._consumed_at < CONSUMER_PATIENCE_S

    def _notify(self) -> None:
        self._version += 1
        self._changed.notify_all()
