"""The steps of all probes in the order of one clock, through a small window. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from farscope.records.step import RawStep
from farscope.scope.corrections import Corrections
from farscope.scope.lane import EVER_NS, NEVER_NS, Lane, Run

HELD_STEPS = 65_536
"""Steps held at most; at the limit the earliest are handed out too soon, and others may then be late."""


class Merge:
    """Holds steps until those that happened before them have had time to arrive; not thread-safe.

    Times are those of the steps less their probe's offset. A chart's own steps keep their order, also where
    its clock goes back. Steps go in and come out in runs, so that a probe alone costs one look at each step.
    """

    def __init__(self, limit: int = HELD_STEPS) -> None:
        self.late = 0
        """Steps handed out behind one of a later time. All others are in order."""
        self.corrections = Corrections()
        """What was taken off the times of the steps that were handed out."""
        self._limit = limit
        self._heap: list[tuple[int, int, Run]] = []
        self._lanes: dict[str, Lane] = {}
        self._arrivals: deque[tuple[int, Run]] = deque()
        self._order = 0
        self._size = 0
        self._reached_ns = NEVER_NS

    def __len__(self) -> int:
        return self._size

    @property
    def next_ns(self) -> int | None:
        """The time, corrected, of the step that is next; None if none is held."""
        return self._heap[0][0] if self._heap else None

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the first of the batches arrived of which something is held; None if nothing is."""
        self._forget_finished()
        return self._arrivals[0][0] if self._arrivals else None

    @property
    def probes(self) -> list[str]:
        """The probes of which something is held."""
        return list(self._lanes)

    def put(self, probe: str, steps: Sequence[RawStep], offset_ns: int, now_ns: int) -> None:
        """Take the steps of a batch, at least one.

        Args:
            probe: whose they are.
            steps: in the order of the batch.
            offset_ns: how far the probe's clock is ahead.
            now_ns: the present, by a clock that does not go back.
        """
        lane = self._lanes.setdefault(probe, Lane())
        self._order += 1
        run = Run(probe, self._order, steps, offset_ns)
        lane.add(run)
        self._size += len(steps)
        heapq.heappush(self._heap, (run.next_ns, self._order, run))
        self._arrivals.append((now_ns, run))

    def correct(self, probe: str, offset_ns: int) -> None:
        """Go by another offset, also for what is held of the probe."""
        lane = self._lanes.get(probe)
        if lane is not None and lane.correct(offset_ns):
            self._heap = [(run.next_ns, order, run) for _, order, run in self._heap]
            heapq.heapify(self._heap)

    def fix(self, probe: str) -> None:
        """Let what is held of the probe keep its offset from now on: its clock was set since."""
        lane = self._lanes.get(probe)
        if lane is not None:
            lane.fixed = self._order

    def forget_reached(self) -> None:
        """Count nothing as late against what was handed out so far."""
        self._reached_ns = NEVER_NS

    def take(self, until_ns: int, arrived_ns: int) -> list[RawStep]:
        """Return, in order, what happened until then or has waited for long enough, and what is too much.

        Args:
            until_ns: up to this corrected time, included.
            arrived_ns: whatever arrived until then is not held any more, nor what is before it.
        """
        taken: list[RawStep] = []
        for arrived, run in self._arrivals:
            if arrived > arrived_ns:
                break
            if not run.finished:
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
            run = self._heap.pop()[2]
            self._arrivals.clear()
            return self._hand_out(run, len(run.times))
        taken: list[RawStep] = []
        while self._heap:
            self._take_some(taken, EVER_NS)
        self._arrivals.clear()
        return taken

    def _take_some(self, taken: list[RawStep], until_ns: int) -> None:
        """Move the next steps that lie before those of every other run."""
        _, order, run = heapq.heappop(self._heap)
        end = bisect_right(run.times, until_ns, run.first)
        if self._heap:
            other_ns, other_order, _ = self._heap[0]
            bisect = bisect_right if order < other_order else bisect_left
            end = min(end, bisect(run.times, other_ns, run.first))
        end = max(end, run.first + 1)
        taken += self._hand_out(run, end)
        if not run.finished:
            heapq.heappush(self._heap, (run.next_ns, order, run))

    def _hand_out(self, run: Run, end: int) -> Sequence[RawStep]:
        self._count_late(run, end)
        whole = run.first == 0 and end == len(run.times)
        steps = run.steps if whole else run.steps[run.first : end]
        self.corrections.note(run.probe, steps, run.offset_ns)
        self._size -= end - run.first
        run.first = end
        if run.finished:
            lane = self._lanes[run.probe]
            del lane.runs[run.order]
            if not lane.runs:
                del self._lanes[run.probe]
        return steps

    def _count_late(self, run: Run, end: int) -> None:
        if run.exact:
            self.late += max(0, min(end, bisect_left(run.times, self._reached_ns)) - run.first)
            self._reached_ns = max(self._reached_ns, run.times[end - 1])
            return
        for time_ns in run.own_times(end):
            self.late += time_ns < self._reached_ns
            self._reached_ns = max(self._reached_ns, time_ns)

    def _forget_finished(self) -> None:
        while self._arrivals and self._arrivals[0][1].finished:
            self._arrivals.popleft()
