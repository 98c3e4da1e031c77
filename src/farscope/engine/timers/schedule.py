"""What is due when: the heap of timers behind every clock. It knows no thread and no time of its own."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from farscope.engine.tally import Tally
from farscope.errors import ChartError

NANOSECONDS = 1_000_000_000

MIN_PERIOD_S = 0.0001
"""The shortest period a timer may have; a shorter one this process could not keep up with."""

MAX_PERIOD_S = 100 * 365 * 86_400.0
"""The longest one; beyond it some clocks of an operating system cannot wait."""

_numbers = itertools.count(1)
_log = logging.getLogger("farscope")


class Timer:
    """Something to be done at a time, once or again and again in step with the first time.

    Args:
        fire: what to do; called by the clock on the thread of all its timers, so it must be short.
        period_s: seconds from one time to the next.
        times: how often at all; 0 for ever.

    Raises:
        ChartError: the period or the number of times makes no sense.
    """

    __slots__ = ("fire", "left", "live", "number", "period_ns")

    def __init__(self, fire: Callable[[Timer], object], period_s: float, times: int = 0) -> None:
        if not MIN_PERIOD_S <= period_s <= MAX_PERIOD_S:
            raise ChartError(
                f"a timer cannot have a period of {period_s!r} seconds",
                f"give a period between {MIN_PERIOD_S:g} and {MAX_PERIOD_S:g} seconds",
            )
        if times < 0 or times != int(times):
            raise ChartError(f"a timer cannot run {times!r} times", "give a whole number; 0 means for ever")
        self.number = next(_numbers)
        """Tells the timer from every other of the process."""
        self.fire = fire
        self.period_ns = round(period_s * NANOSECONDS)
        self.left: int | None = int(times) or None
        """How often it will still fire; None for ever."""
        self.live = True
        """False once it has fired for the last time or was removed."""

    def count(self) -> None:
        """Take note that it fires once."""
        if self.left is not None:
            self.left -= 1
            self.live = self.left > 0

    def forget(self) -> None:
        """Let go of what it was to do."""
        self.fire = _nothing


def _nothing(_timer: Timer) -> None:
    """Fire a timer that was removed."""


def fire(timer: Timer) -> None:
    """Make ``timer`` do what it is for; what that raises is reported, because other timers wait behind it."""
    try:
        timer.fire(timer)
    except Exception:  # noqa: BLE001 - whatever it is, it is reported
        _log.exception("timer %d raised", timer.number)


class Served(Protocol):
    """A chart, as its clock sees it."""

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and nothing waits."""

    @property
    def steps_made(self) -> int:
        """How many steps it has recorded."""


class Clock(Protocol):
    """What makes timers fire.

    All its methods may be called from any thread, and by a finalizer or a signal handler in the middle of
    any of them, so none may wait for a lock.
    """

    def serve(self, chart: Served) -> None:
        """Take note, without keeping it alive, that ``chart`` runs by this clock."""

    def now_ns(self) -> int:
        """Return the present time in nanoseconds, from a beginning of the clock's own."""

    def add(self, timer: Timer, first_ns: int) -> None:
        """Have ``timer`` fire at ``first_ns`` for the first time."""

    def remove(self, timer: Timer) -> None:
        """Have ``timer`` fire no more; one that fires at this moment goes on. Twice changes nothing."""


class Schedule:
    """Timers by the time they are due.

    ``add``, ``remove`` and the number of timers may be used at any moment: by any thread, and by a
    finalizer or a signal handler in the middle of any of these methods. Each leaves a note in one step. The
    rest belongs to the one thread that makes the timers fire, and reads the notes.

    Due times are the first one plus whole periods, so lateness never adds up: a timer that is late by
    several periods fires for each of them.
    """

    def __init__(self) -> None:
        self._new: deque[tuple[int, int, Timer]] = deque()
        """What was added since the heap was looked at last."""
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._removals = Tally()
        self._swept = 0
        """How many removals have left nothing in the heap any more."""

    def __len__(self) -> int:
        """Return how many timers are still to fire."""
        # One that goes from the notes to the heap meanwhile is seen in either or both.
        return len({timer.number for _, _, timer in (*list(self._new), *list(self._heap)) if timer.live})

    @property
    def has_new(self) -> bool:
        """Whether timers were added since ``next_ns`` or ``take`` was called last."""
        return bool(self._new)

    def add(self, timer: Timer, due_ns: int) -> None:
        """Put ``timer`` in; of those due at the same time the one added first fires first."""
        self._new.append((due_ns, next(self._order), timer))

    def remove(self, timer: Timer) -> bool:
        """Take ``timer`` out; return whether so many were by now that ``next_ns`` should make room."""
        if not timer.live:
            return False
        timer.live = False
        # The heap keeps the timer for a while; what its post is about need not wait for that.
        timer.forget()
        self._removals.add()
        return self._removed() * 2 > len(self._heap) + len(self._new)

    def next_ns(self) -> int | None:
        """Return when the next timer is due; None if there is none."""
        self._sort_in()
        heap = self._heap
        while heap and not heap[0][2].live:
            heapq.heappop(heap)
            self._swept += 1
        return heap[0][0] if heap else None

    def take(self, now_ns: int) -> tuple[Timer, int] | None:
        """Return the timer that is due first and when it was, and put it in again if it is to repeat.

        None if nothing is due by ``now_ns``.
        """
        due_ns = self.next_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        timer = self._heap[0][2]
        timer.count()
        if timer.live:
            heapq.heapreplace(self._heap, (due_ns + timer.period_ns, next(self._order), timer))
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
