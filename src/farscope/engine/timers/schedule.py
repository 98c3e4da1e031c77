"""The heap of timers used by every clock, independent of threads and of any time source."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from farscope.engine.ports import ChartPort
from farscope.errors import ChartError
from farscope.records.step import NANOSECONDS
from farscope.records.tally import Tally

MIN_PERIOD_S = 0.0001
"""Shortest period of a timer; the process could not keep up with a shorter one."""

MAX_PERIOD_S = 100 * 365 * 86_400.0
"""Longest period of a timer; the clocks of some operating systems cannot wait longer."""

_numbers = itertools.count(1)

_log = logging.getLogger("farscope")


def next_number() -> int:
    """Return a number that no timer of the process has."""
    return next(_numbers)


class Timer:
    """An action to be performed at a given time, once or periodically from that time on.

    Args:
        fire: the action; called by the clock on the thread of all its timers, so it must be short.
        period_s: seconds between two calls.
        times: total number of calls; 0 for no limit.

    Raises:
        ChartError: the period or the number of calls is invalid.
    """

    __slots__ = ("due_ns", "fire", "left", "live", "number", "period_ns")

    def __init__(self, fire: Callable[[Timer], object], period_s: float, times: int = 0) -> None:
        if not MIN_PERIOD_S <= period_s <= MAX_PERIOD_S:
            raise ChartError(
                f"a timer cannot have a period of {period_s!r} seconds",
                f"give a period between {MIN_PERIOD_S:g} and {MAX_PERIOD_S:g} seconds",
            )
        if times < 0 or times != int(times):
            raise ChartError(f"a timer cannot run {times!r} times", "give a whole number; 0 means for ever")
        self.number = next_number()
        """Unique number of the timer in the process."""
        self.fire = fire
        self.period_ns = round(period_s * NANOSECONDS)
        self.due_ns = 0
        """When it is due next, by its clock."""
        self.left: int | None = int(times) or None
        """Remaining number of calls; None for no limit."""
        self.live = True
        """False after it has fired for the last time or was removed."""

    def count(self) -> None:
        """Count one call."""
        if self.left is not None:
            self.left -= 1
            self.live = self.left > 0

    def forget(self) -> None:
        """Release the action."""
        self.fire = _nothing


def _nothing(_timer: Timer) -> None:
    """Do nothing: the action of a removed timer."""


def fire(timer: Timer) -> None:
    """Perform the action of ``timer``; errors are logged, because other timers are waiting."""
    try:
        timer.fire(timer)
    except Exception:  # noqa: BLE001 - whatever it is, it is logged
        _log.exception("timer %d raised", timer.number)


class Clock(Protocol):
    """A clock, which makes timers fire.

    All its methods may be called from any thread, and by a finalizer or a signal handler in the middle of
    any of them, so none may wait for a lock.
    """

    def serve(self, chart: ChartPort) -> None:
        """Register ``chart`` as using this clock, without keeping it alive."""

    def now_ns(self) -> int:
        """Return the current time in nanoseconds since an arbitrary start."""

    def add(self, timer: Timer, first_ns: int) -> None:
        """Make ``timer`` fire at ``first_ns`` for the first time."""

    def remove(self, timer: Timer) -> None:
        """Stop ``timer`` from firing again; a call in progress continues. No effect if already removed."""


class Schedule:
    """Timers ordered by the time at which they are due.

    ``add``, ``remove`` and ``len`` may be used at any moment: by any thread, and by a finalizer or a signal
    handler in the middle of any of these methods. ``add`` and ``remove`` leave a note in a single operation.
    All other methods belong to the one thread that makes the timers fire and reads the notes.

    Due times are the first one plus whole periods, so lateness never accumulates: a timer that is late by
    several periods fires once for each of them.
    """

    def __init__(self) -> None:
        self._new: deque[tuple[int, int, Timer]] = deque()
        """Timers added since the heap was last processed."""
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._removals = Tally()
        self._swept = 0
        """Number of removed timers that are no longer in the heap."""

    def __len__(self) -> int:
        """Return the number of timers that have yet to fire."""
        # A timer that moves from the notes to the heap in the meantime is seen in one or both.
        return len({timer.number for _, _, timer in (*list(self._new), *list(self._heap)) if timer.live})

    @property
    def has_new(self) -> bool:
        """Whether timers were added since ``next_ns`` or ``take`` was last called."""
        return bool(self._new)

    def add(self, timer: Timer, due_ns: int) -> None:
        """Add ``timer``; of timers due at the same time, the one added first fires first."""
        timer.due_ns = due_ns
        self._new.append((due_ns, next(self._order), timer))

    def remove(self, timer: Timer) -> bool:
        """Remove ``timer``; return whether so many were removed that ``next_ns`` should free their room."""
        if not timer.live:
            return False
        timer.live = False
        # The heap keeps the timer for a while, but the objects its post refers to are released now.
        timer.forget()
        self._removals.add()
        return self._removed() * 2 > len(self._heap) + len(self._new)

    def next_ns(self) -> int | None:
        """Return the time at which the next timer is due; None if there is none."""
        self._sort_in()
        heap = self._heap
        while heap and not heap[0][2].live:
            heapq.heappop(heap)
            self._swept += 1
        return heap[0][0] if heap else None

    def take(self, now_ns: int) -> tuple[Timer, int] | None:
        """Return the timer that is due first with its due time, and add it again if it repeats.

        None if nothing is due by ``now_ns``.
        """
        due_ns = self.next_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        timer = self._heap[0][2]
        timer.count()
        if timer.live:
            timer.due_ns = due_ns + timer.period_ns
            heapq.heapreplace(self._heap, (timer.due_ns, next(self._order), timer))
        else:
            heapq.heappop(self._heap)
        return timer, due_ns

    def _removed(self) -> int:
        return self._removals.value - self._swept

    def _sort_in(self) -> None:
        new, heap = self._new, self._heap
        while new:
            heapq.heappush(heap, new[0])
            new.popleft()
        if self._removed() * 2 > len(heap):
            self._swept = self._removals.value
            self._heap = [entry for entry in heap if entry[2].live]
            heapq.heapify(self._heap)
