"""The steps of all probes in the order of one clock, through a small window. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from operator import le
from typing import NamedTuple

from farscope.records.step import RawStep

HELD_STEPS = 65_536
"""Steps held at most; at the limit the earliest are handed out too soon, and others may then be late."""


@dataclass(slots=True, eq=False)
class _Run:
    """The rest of one batch, in the order it will be handed out."""

    probe: str
    steps: Sequence[RawStep]
    times: list[int]
    """By the probe's clock, never falling."""
    offset_ns: int
    first: int = 0

    @property
    def next_ns(self) -> int:
        return self.times[self.first] - self.offset_ns

    @property
    def last_ns(self) -> int:
        return self.times[-1] - self.offset_ns


class _Reached(NamedTuple):
    probe: str
    time_ns: int


NOWHERE = _Reached("", -(1 << 70))
EVER_NS = 1 << 70
"""Later than any time there is."""


class Merge:
    """Holds steps until those that happened before them have had time to arrive; not thread-safe.

    Times are those of the steps less their probe's offset. A chart's own steps keep their order, also where
    its clock goes back. Steps go in and come out in runs, so that a probe alone costs one look at each step.
    """

    def __init__(self, limit: int = HELD_STEPS) -> None:
        self.late = 0
        """Steps that came when later ones of another probe had been handed out already."""
        self._limit = limit
        self._heap: list[tuple[int, int, _Run]] = []
        self._held: dict[str, list[_Run]] = {}
        self._arrivals: deque[tuple[int, int, _Run]] = deque()
        self._order = 0
        self._size = 0
        self._newest_ns = NOWHERE.time_ns
        self._reached = NOWHERE
        self._reached_by_another = NOWHERE

    def __len__(self) -> int:
        return self._size

    @property
    def newest_ns(self) -> int:
        """The latest time there was, corrected."""
        return self._newest_ns

    @property
    def next_ns(self) -> int | None:
        """The time, corrected, of the step that is next; None if none is held."""
        return self._heap[0][0] if self._heap else None

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the first of the batches arrived of which something is held; None if nothing is."""
        self._forget_finished()
        return self._arrivals[0][0] if self._arrivals else None

    def put(self, probe: str, steps: Sequence[RawStep], offset_ns: int, now_ns: int) -> None:
        """Take the steps of a batch, at least one.

        Args:
            probe: whose they are.
            steps: in the order of the batch.
            offset_ns: how far the probe's clock is ahead.
            now_ns: the present, by a clock that does not go back.
        """
        self.correct(probe, offset_ns)
        times = [step[3] for step in steps]
        held = self._held.setdefault(probe, [])
        behind = max((run.last_ns for run in held), default=NOWHERE.time_ns)
        if times[0] - offset_ns < behind or not all(map(le, times, islice(times, 1, None))):
            steps, times = _in_time(steps, held)
        run = _Run(probe, steps, times, offset_ns)
        held.append(run)
        reached = self._reached if self._reached.probe != probe else self._reached_by_another
        self.late += bisect_left(times, reached.time_ns + offset_ns)
        self._newest_ns = max(self._newest_ns, run.last_ns)
        self._size += len(steps)
        self._order += 1
        heapq.heappush(self._heap, (run.next_ns, self._order, run))
        self._arrivals.append((now_ns, self._order, run))

    def correct(self, probe: str, offset_ns: int) -> None:
        """Go by another offset from now on, also for what is held of the probe."""
        held = self._held.get(probe)
        if not held or held[0].offset_ns == offset_ns:
            return
        for run in held:
            run.offset_ns = offset_ns
        self._heap = [(run.next_ns, order, run) for _, order, run in self._heap]
        heapq.heapify(self._heap)

    def forget_reached(self) -> None:
        """Count nothing as late against what was handed out so far."""
        self._reached = self._reached_by_another = NOWHERE

    def take(self, until_ns: int, arrived_ns: int) -> list[RawStep]:
        """Return, in order, what happened until then or has waited for long enough, and what is too much.

        Args:
            until_ns: up to this corrected time, included.
            arrived_ns: whatever arrived until then is not held any more, nor what is before it.
        """
        taken: list[RawStep] = []
        for arrived, _, run in self._arrivals:
            if arrived > arrived_ns:
                break
            if run.first < len(run.times):
                until_ns = max(until_ns, run.last_ns)
        while self._heap and self._heap[0][0] <= until_ns:
            self._take_some(taken, until_ns)
        while self._size > self._limit:
            self._take_some(taken, EVER_NS)
        self._forget_finished()
        return taken

    def take_all(self) -> Sequence[RawStep]:
        """Return all that is held, in order."""
        if len(self._heap) == 1 and self._heap[0][2].first == 0:
            return self._take_only()
        taken: list[RawStep] = []
        while self._heap:
            self._take_some(taken, EVER_NS)
        self._arrivals.clear()
        return taken

    def _take_only(self) -> Sequence[RawStep]:
        _, _, run = self._heap.pop()
        self._arrivals.clear()
        self._hand_out(run, len(run.times))
        return run.steps

    def _take_some(self, taken: list[RawStep], until_ns: int) -> None:
        """Move the next steps that lie before those of every other run."""
        _, order, run = heapq.heappop(self._heap)
        end = bisect_right(run.times, until_ns + run.offset_ns, run.first)
        if self._heap:
            other_ns, other_order, _ = self._heap[0]
            bisect = bisect_right if order < other_order else bisect_left
            end = min(end, bisect(run.times, other_ns + run.offset_ns, run.first))
        end = max(end, run.first + 1)
        taken += run.steps[run.first : end]
        self._hand_out(run, end)
        if end < len(run.times):
            heapq.heappush(self._heap, (run.next_ns, order, run))

    def _hand_out(self, run: _Run, end: int) -> None:
        time_ns = run.times[end - 1] - run.offset_ns
        self._size -= end - run.first
        run.first = end
        if end == len(run.times):
            held = self._held[run.probe]
            held.remove(run)
            if not held:
                del self._held[run.probe]
        if time_ns < self._reached.time_ns:
            if run.probe != self._reached.probe and time_ns > self._reached_by_another.time_ns:
                self._reached_by_another = _Reached(run.probe, time_ns)
        else:
            if run.probe != self._reached.probe:
                self._reached_by_another = self._reached
            self._reached = _Reached(run.probe, time_ns)

    def _forget_finished(self) -> None:
        while self._arrivals and self._arrivals[0][2].first == len(self._arrivals[0][2].times):
            self._arrivals.popleft()


def _in_time(steps: Sequence[RawStep], held: Sequence[_Run]) -> tuple[list[RawStep], list[int]]:
    """Return steps by their times, each chart's own behind what is held of it and in their order."""
    floors: dict[int, int] = {}
    for run in held:
        for step, time_ns in zip(run.steps[run.first :], run.times[run.first :], strict=True):
            floors[step[0][3]] = time_ns
    times: list[int] = []
    for step in steps:
        serial = step[0][3]
        floors[serial] = max(step[3], floors.get(serial, step[3]))
        times.append(floors[serial])
    order = sorted(range(len(times)), key=times.__getitem__)
    return [steps[index] for index in order], [times[index] for index in order]
