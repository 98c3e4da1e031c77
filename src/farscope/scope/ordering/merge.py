"""Merges the steps of all probes in the order of one clock, using a small window. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence

from farscope.records.step import ChartId, RawStep
from farscope.records.weight import Weighed, runs_of
from farscope.scope.intake import MAX_PROBES
from farscope.scope.ordering.applied_offsets import AppliedOffsets
from farscope.scope.ordering.causes import Causes
from farscope.scope.ordering.run_queue import EVER_NS, NEVER_NS, Run, RunQueue
from farscope.wire.batch import ChartEntry

HELD_STEPS = 65_536
"""Most steps held; at the limit the earliest are handed out too soon, and others may then be late."""

HELD_BYTES = 64 << 20
"""Most bytes the held steps may take; the same happens at this limit."""

KNOWN_CHARTS = 131_072
"""Charts of all probes together whose last passed-on step is known; at the limit those of the probe unheard
for longest are forgotten, and nothing waits for them until they make another step."""

MARKS_KEPT = 65_536
"""Steps remembered as handed out while their cause was running; at the limit the oldest are forgotten."""


class Merge:
    """Holds steps until those that happened before them have had time to arrive; not thread-safe.

    Steps are ordered by end time minus their probe's offset. The next step is the one that ended first, among
    those whose cause and whose chart's previous step were handed out. The steps of one chart keep their
    order, even if its clock goes back. Steps go in and come out in runs, so that a single probe costs only
    one comparison per step.
    """

    def __init__(self, limit: int = HELD_STEPS, limit_bytes: int = HELD_BYTES) -> None:
        self.late = 0
        """Steps handed out after one that was due later. All others are in order."""
        self.corrections = AppliedOffsets()
        """Amounts subtracted from the times of the steps handed out."""
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._known_charts = 0
        self._heap: list[tuple[int, int, Run]] = []
        self._queues: dict[str, RunQueue] = {}
        self._arrivals: deque[tuple[int, Run]] = deque()
        self._order = 0
        self._size = 0
        self._reached_ns = NEVER_NS
        self._now_ns = NEVER_NS
        self._causes: OrderedDict[str, Causes] = OrderedDict()
        self._offsets: dict[str, int] = {}
        """Offsets of the probes with effects that wait for their cause."""
        self._running: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def __len__(self) -> int:
        return self._size + self.effects

    @property
    def effects(self) -> int:
        """Number of steps that wait for their cause, including the later steps of their charts."""
        return sum(len(self._causes[probe]) for probe in self._offsets)

    @property
    def next_ns(self) -> int | None:
        """Corrected time of the next step; None if none is held."""
        times = [ended_ns for _, ended_ns in self._heads()]
        if self._heap:
            times.append(self._heap[0][0])
        return min(times, default=None)

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the oldest batch of which something is held arrived; None if nothing is held."""
        self._forget_finished()
        arrivals = [arrived_ns for arrived_ns, _ in self._heads()]
        if self._arrivals:
            arrivals.append(self._arrivals[0][0])
        return min(arrivals, default=None)

    @property
    def probes(self) -> list[str]:
        """The probes with held steps."""
        return list({**self._queues, **self._offsets})

    def ran_ahead(self, chart: ChartId, number: int) -> bool:
        """Return whether a step was handed out while the one that caused it was still running."""
        return (chart.probe, chart.serial, number) in self._running

    def put(
        self,
        probe: str,
        steps: Sequence[RawStep],
        offset_ns: int,
        now_ns: int,
        entries: Sequence[ChartEntry] = (),
        *,
        each: int | None = None,
    ) -> None:
        """Add the steps of a batch.

        Args:
            probe: id of the probe.
            steps: in the order of the batch.
            offset_ns: how far the probe's clock is ahead.
            now_ns: the present, by a monotonic clock.
            entries: the batch's entries about its charts.
            each: size of each step in bytes; None to have them measured.
        """
        causes = self._causes_of(probe)
        self._now_ns = now_ns
        charts, held = causes.charts, causes.bytes
        passed = causes.admit(steps, entries, now_ns)
        self._known_charts += causes.charts - charts
        self._bytes += causes.bytes - held
        if len(causes):
            self._offsets[probe] = offset_ns
        else:
            self._offsets.pop(probe, None)
        if passed:
            self._add(probe, passed, offset_ns, each if passed is steps else None)

    def _causes_of(self, probe: str) -> Causes:
        causes = self._causes.pop(probe, None)
        if causes is None:
            causes = Causes()
        full = self._known_charts >= KNOWN_CHARTS or len(self._causes) >= MAX_PROBES
        if full and self._causes:
            self._release_effects(EVER_NS)
            self._known_charts -= self._causes.popitem(last=False)[1].charts
        self._causes[probe] = causes
        return causes

    def _heads(self) -> list[tuple[int, int]]:
        """Return arrival time and corrected end time of each step waiting for one not yet received."""
        return [
            (arrived_ns, ended_ns - offset_ns)
            for probe, offset_ns in self._offsets.items()
            for arrived_ns, ended_ns in self._causes[probe].heads
        ]

    def _release_effects(self, until_ns: int) -> None:
        """Release effects whose corrected end time is at most ``until_ns`` from waiting for their cause."""
        for probe, offset_ns in list(self._offsets.items()):
            causes = self._causes[probe]
            held = causes.bytes
            steps, running = causes.overdue(until_ns + offset_ns)
            self._bytes += causes.bytes - held
            for serial, number in running:
                self._running[probe, serial, number] = None
            if steps:
                self._add(probe, steps, offset_ns, None)
            if not len(causes):
                del self._offsets[probe]
        while len(self._running) > MARKS_KEPT:
            self._running.popitem(last=False)

    def _add(self, probe: str, steps: Sequence[RawStep], offset_ns: int, each: int | None) -> None:
        queue = self._queues.setdefault(probe, RunQueue())
        self._order += 1
        run = Run(probe, self._order, steps, offset_ns, each=runs_of(steps)[0][1] if each is None else each)
        queue.add(run)
        self._size += len(steps)
        self._bytes += run.bytes
        heapq.heappush(self._heap, (run.next_ns, self._order, run))
        self._arrivals.append((self._now_ns, run))

    def correct(self, probe: str, offset_ns: int) -> None:
        """Use another offset, also for the held steps of the probe."""
        if probe in self._offsets:
            self._offsets[probe] = offset_ns
        queue = self._queues.get(probe)
        if queue is not None and queue.correct(offset_ns):
            self._heap = [(run.next_ns, order, run) for _, order, run in self._heap]
            heapq.heapify(self._heap)

    def freeze(self, probe: str) -> None:
        """Freeze the offset of the probe's held steps, because its clock was set since."""
        if probe in self._offsets:
            # Times of two clocks cannot be compared, so steps that wait for their cause are released.
            self._release_effects(EVER_NS)
        queue = self._queues.get(probe)
        if queue is not None:
            queue.frozen = self._order

    def forget_reached(self) -> None:
        """Count no step as late relative to those handed out so far."""
        self._reached_ns = NEVER_NS

    def pop_due(self, until_ns: int, arrived_ns: int, *, effects: bool = True) -> Weighed:
        """Return, in order, the steps that are due, have waited long enough, or exceed the limits.

        Args:
            until_ns: up to this corrected time, included.
            arrived_ns: steps that arrived by then are released, as are those before them.
            effects: whether this also applies to steps waiting for their cause.
        """
        if until_ns == EVER_NS:
            return self.pop_all(effects=effects)
        taken = Weighed()
        until_ns = self.due_ns(until_ns, arrived_ns)
        if effects:
            self._release_effects(until_ns)
        while self._heap and self._heap[0][0] <= until_ns:
            self._pop_run(taken, until_ns)
        while len(self) > self._limit or self._bytes > self._limit_bytes:
            if self._offsets and not self._heap:
                self._release_effects(EVER_NS)
            self._pop_run(taken, EVER_NS)
        self._forget_finished()
        return taken

    def due_ns(self, until_ns: int, arrived_ns: int) -> int:
        """Return up to what corrected time ``take`` hands out steps."""
        for arrived, run in self._arrivals:
            if arrived > arrived_ns:
                break
            if not run.finished:
                until_ns = max(until_ns, run.last_ns)
        for arrived, ended_ns in self._heads():
            if arrived <= arrived_ns:
                until_ns = max(until_ns, ended_ns)
        return until_ns

    def pop_all(self, *, effects: bool = True) -> Weighed:
        """Return all held steps in order; without ``effects``, except those that wait for their cause."""
        if effects:
            self._release_effects(EVER_NS)
        taken = Weighed()
        while self._heap:
            self._pop_run(taken, EVER_NS)
        self._arrivals.clear()
        return taken

    def _pop_run(self, taken: Weighed, until_ns: int) -> None:
        """Move the next steps that come before those of every other run."""
        _, order, run = heapq.heappop(self._heap)
        end = bisect_right(run.times, until_ns, run.first)
        if self._heap:
            other_ns, other_order, _ = self._heap[0]
            bisect = bisect_right if order < other_order else bisect_left
            end = min(end, bisect(run.times, other_ns, run.first))
        end = max(end, run.first + 1)
        taken.join(self._hand_out(run, end), run.each)
        if not run.finished:
            heapq.heappush(self._heap, (run.next_ns, order, run))

    def _hand_out(self, run: Run, end: int) -> Sequence[RawStep]:
        self._count_late(run, end)
        whole = run.first == 0 and end == len(run.times)
        steps = run.steps if whole else run.steps[run.first : end]
        self.corrections.record(run.probe, steps, run.offset_ns)
        self._size -= end - run.first
        run.first = end
        self._bytes -= run.trim()
        if run.finished:
            queue = self._queues[run.probe]
            del queue.runs[run.order]
            if not queue.runs:
                del self._queues[run.probe]
        return steps

    def _count_late(self, run: Run, end: int) -> None:
        if run.due is None:
            self.late += max(0, min(end, bisect_left(run.times, self._reached_ns)) - run.first)
            self._reached_ns = max(self._reached_ns, run.times[end - 1])
            return
        for time_ns in run.due[run.first : end]:
            self.late += time_ns < self._reached_ns
            self._reached_ns = max(self._reached_ns, time_ns)

    def _forget_finished(self) -> None:
        while self._arrivals and self._arrivals[0][1].finished:
            self._arrivals.popleft()
