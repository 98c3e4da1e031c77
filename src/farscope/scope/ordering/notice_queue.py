"""Ordering of notices among the steps. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from farscope.records.step import CHART, DURATION_NS, TIME_NS, RawStep
from farscope.scope.notice import INTRODUCING, Notice
from farscope.scope.ordering.clock_offsets import FAR_NS
from farscope.scope.ordering.run_queue import NEVER_NS

MAX_WAITING = 4_096
"""Most notices that wait for their place; at the limit the earliest are placed at once."""

Correction = Callable[[str], int]
"""Returns what to subtract from the times of a probe, by its id."""


class _Waiting(NamedTuple):
    arrived_ns: int
    key_ns: int
    """When it is due: just before the steps of that time, or just after them if it introduces nothing."""
    later: bool
    notice: Notice


class NoticeQueue:
    """Holds notices until the steps before them have been handed out; not thread-safe."""

    def __init__(self, correction_ns: Correction) -> None:
        self.placed: list[Notice] = []
        """Notices that have been placed but not fetched yet."""
        self._correction_ns = correction_ns
        # By number, and so in order of arrival.
        self._waiting: dict[int, _Waiting] = {}
        # Due time, whether after the steps of that time, and number; may hold stale entries of moved notices.
        self._due: list[tuple[int, bool, int]] = []
        # Charts introduced by a waiting notice that have made no step yet, by probe and serial.
        self._introduced: dict[tuple[str, int], int] = {}
        self._number = 0

    def __len__(self) -> int:
        """Return how many notices wait."""
        return len(self._waiting)

    @property
    def next_ns(self) -> int | None:
        """When the next notice is due; None if none waits."""
        number = self._next()
        return None if number is None else self._waiting[number].key_ns

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the longest-waiting notice arrived; None if none waits."""
        return next((waiting.arrived_ns for waiting in self._waiting.values()), None)

    def add(self, notice: Notice, arrived_ns: int) -> None:
        """Add a notice that arrived at ``arrived_ns``, by a monotonic clock."""
        self._number += 1
        later = notice.kind not in INTRODUCING
        if notice.chart is not None and not later:
            self._introduced[notice.probe, notice.chart.serial] = self._number
        self._put(self._number, _Waiting(arrived_ns, self._key_ns(notice), later, notice))

    def introduce(self, probe: str, steps: Sequence[RawStep]) -> None:
        """Make sure that each chart is introduced no later than its first step."""
        if not self._introduced:
            return
        for serial, ended_ns in {
            step[CHART].serial: step[TIME_NS] + step[DURATION_NS] for step in reversed(steps)
        }.items():
            waiting = self._waiting.get(number := self._introduced.pop((probe, serial), 0))
            if waiting is not None and waiting.notice.time_ns is not None:
                notice = replace(waiting.notice, time_ns=min(waiting.notice.time_ns, ended_ns))
                self._put(number, waiting._replace(notice=notice, key_ns=self._key_ns(notice)))

    def correct(self, probe: str | None = None) -> None:
        """Apply the current clock correction of a probe, or of all probes."""
        corrections: dict[str, int] = {}
        for number, waiting in list(self._waiting.items()):
            notice = waiting.notice
            if notice.time_ns is None or not notice.probe or notice.probe != (probe or notice.probe):
                continue
            if notice.probe not in corrections:
                corrections[notice.probe] = self._correction_ns(notice.probe)
            key_ns = notice.time_ns - corrections[notice.probe]
            # Usually nothing has changed, and moving all notices each time would take too long.
            if key_ns != waiting.key_ns:
                self._put(number, waiting._replace(key_ns=key_ns))

    def due_ns(self, until_ns: int, arrived_ns: int) -> int:
        """Return up to when notices are due: those that arrived by ``arrived_ns``, or are too many."""
        for place, waiting in enumerate(self._waiting.values()):
            if waiting.arrived_ns > arrived_ns and place >= len(self._waiting) - MAX_WAITING:
                break
            until_ns = max(until_ns, waiting.key_ns)
        return until_ns

    def before(self, until_ns: int) -> int | None:
        """Return up to what time steps precede the next notice; None if none is due by ``until_ns``."""
        number = self._next()
        if number is None:
            return None
        waiting = self._waiting[number]
        if waiting.key_ns > until_ns:
            return None
        return waiting.key_ns if waiting.later else waiting.key_ns - 1

    def place(self, steps: int) -> None:
        """Place the next notice after the first ``steps`` steps handed out."""
        number = self._next()
        if number is None:
            return
        heapq.heappop(self._due)
        notice = self._waiting.pop(number).notice
        if notice.chart is not None:
            self._introduced.pop((notice.probe, notice.chart.serial), None)
        self.placed.append(replace(notice, time_ns=self._shown_ns(notice), place=steps))

    def pop_placed(self) -> list[Notice]:
        """Return the notices placed since the last call."""
        placed, self.placed = self.placed, []
        return placed

    def _put(self, number: int, waiting: _Waiting) -> None:
        self._waiting[number] = waiting
        heapq.heappush(self._due, (waiting.key_ns, waiting.later, number))

    def _next(self) -> int | None:
        """Return the number of the next notice due; None if none waits."""
        while self._due:
            key_ns, _, number = self._due[0]
            waiting = self._waiting.get(number)
            if waiting is not None and waiting.key_ns == key_ns:
                return number
            heapq.heappop(self._due)
        return None

    def _key_ns(self, notice: Notice) -> int:
        if notice.time_ns is None:
            return NEVER_NS
        return notice.time_ns - (self._correction_ns(notice.probe) if notice.probe else 0)

    def _shown_ns(self, notice: Notice) -> int | None:
        """Return the time to show, by the same rule as for steps: corrected if the clock is far off."""
        if notice.time_ns is None or not notice.probe:
            return notice.time_ns
        correction_ns = self._correction_ns(notice.probe)
        return notice.time_ns - (correction_ns if abs(correction_ns) > FAR_NS else 0)
