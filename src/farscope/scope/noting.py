"""Notices on their way to their place among the steps. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from farscope.records.step import RawStep
from farscope.scope.clocks import FAR_NS
from farscope.scope.lane import NEVER_NS
from farscope.scope.notice import INTRODUCING, Notice

MAX_WAITING = 4_096
"""Notices that wait for their place at most; at the limit the earliest do not wait any longer."""

Correction = Callable[[str], int]
"""Tells what to take off the times of a probe."""


class _Waiting(NamedTuple):
    key_ns: int
    """When it is due: just before the steps of that time or, if it introduces nothing, just after them."""
    later: bool
    order: int
    arrived_ns: int
    notice: Notice


class Noting:
    """Holds notices until the steps before them were handed out; not thread-safe."""

    def __init__(self, correction_ns: Correction) -> None:
        self.placed: list[Notice] = []
        """What has found its place and was not asked for yet."""
        self._correction_ns = correction_ns
        self._waiting: list[_Waiting] = []
        self._order = 0

    def __len__(self) -> int:
        """Return how many notices wait."""
        return len(self._waiting)

    @property
    def next_ns(self) -> int | None:
        """When the next notice is due; None if none waits."""
        return self._waiting[0].key_ns if self._waiting else None

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the notice came that has waited for longest; None if none waits."""
        return min((waiting.arrived_ns for waiting in self._waiting), default=None)

    def add(self, notice: Notice, arrived_ns: int) -> None:
        """Take a notice that came at ``arrived_ns``, by a clock that does not go back."""
        self._order += 1
        later = notice.kind not in INTRODUCING
        heapq.heappush(self._waiting, _Waiting(self._key_ns(notice), later, self._order, arrived_ns, notice))

    def introduce(self, probe: str, steps: Sequence[RawStep]) -> None:
        """Let no chart be introduced later than by the first of its steps: those are sent after it was."""
        if not any(waiting.notice.probe == probe and not waiting.later for waiting in self._waiting):
            return
        first_ns = {step[0][3]: step[3] + step[4] for step in reversed(steps)}
        self._waiting = [self._introduced(waiting, probe, first_ns) for waiting in self._waiting]
        heapq.heapify(self._waiting)

    def _introduced(self, waiting: _Waiting, probe: str, first_ns: dict[int, int]) -> _Waiting:
        chart, time_ns = waiting.notice.chart, waiting.notice.time_ns
        if waiting.later or chart is None or time_ns is None or waiting.notice.probe != probe:
            return waiting
        notice = replace(waiting.notice, time_ns=min(time_ns, first_ns.get(chart.serial, time_ns)))
        return waiting._replace(notice=notice, key_ns=self._key_ns(notice))

    def correct(self) -> None:
        """Go by what is known of clocks by now."""
        self._waiting = [waiting._replace(key_ns=self._key_ns(waiting.notice)) for waiting in self._waiting]
        heapq.heapify(self._waiting)

    def due_ns(self, until_ns: int, arrived_ns: int) -> int:
        """Return until when notices are due if those that came until ``arrived_ns`` are."""
        due = [waiting.key_ns for waiting in self._waiting if waiting.arrived_ns <= arrived_ns]
        if len(self._waiting) > MAX_WAITING:
            due.append(heapq.nsmallest(len(self._waiting) - MAX_WAITING, self._waiting)[-1].key_ns)
        return max([until_ns, *due])

    def before(self, until_ns: int) -> int | None:
        """Return up to which time steps come before the next notice; None if none is due until then."""
        if not self._waiting or self._waiting[0].key_ns > until_ns:
            return None
        key_ns, later, *_ = self._waiting[0]
        return key_ns if later else key_ns - 1

    def place(self, steps: int) -> None:
        """Let the next notice have its place after so many steps that were handed out."""
        notice = heapq.heappop(self._waiting).notice
        self.placed.append(replace(notice, time_ns=self._shown_ns(notice), place=steps))

    def take(self) -> list[Notice]:
        """Return what has found its place since this was last asked."""
        placed, self.placed = self.placed, []
        return placed

    def _key_ns(self, notice: Notice) -> int:
        if notice.time_ns is None:
            return NEVER_NS
        return notice.time_ns - (self._correction_ns(notice.probe) if notice.probe else 0)

    def _shown_ns(self, notice: Notice) -> int | None:
        """Return the time to show, by the rule by which steps are shown: corrected where that is far off."""
        if notice.time_ns is None or not notice.probe:
            return notice.time_ns
        correction_ns = self._correction_ns(notice.probe)
        return notice.time_ns - (correction_ns if abs(correction_ns) > FAR_NS else 0)
