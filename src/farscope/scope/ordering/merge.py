"""The steps of all probes in the order of one clock, through a small window. Pure: no I/O, no clock."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence

from farscope.records.step import ChartId, RawStep
from farscope.records.weight import Weighed, runs_of
from farscope.scope.intake import MAX_PROBES
from farscope.scope.ordering.applied_offsets import Corrections
from farscope.scope.ordering.causes import Causes
from farscope.scope.ordering.run_queue import EVER_NS, NEVER_NS, Lane, Run
from farscope.wire.batch import ChartEntry

HELD_STEPS = 65_536
"""Steps held at most; at the limit the earliest are handed out too soon, and others may then be late."""

HELD_BYTES = 64 << 20
"""Bytes that held steps take at most; the same happens at this limit."""

KNOWN_CHARTS = 131_072
"""Charts of all probes together of which it is known how far they were passed on; at the limit those of the
probe unheard for longest are forgotten, and nothing waits for them until they make another step."""

MARKS_KEPT = 65_536
"""Steps remembered that were handed out while their cause was running; at the limit the oldest are
forgotten."""


class Merge:
    """Holds steps until those that happened before them have had time to arrive; not thread-safe.

    Times are when the steps ended, less their probe's offset. Of those whose cause and whose chart's step
    before were handed out, the one that ended first is next. A chart's own steps keep their order, also where
    its clock goes back. Steps go in and come out in runs, so that a probe alone costs one look at each step.
    """

    def __init__(self, limit: int = HELD_STEPS, limit_bytes: int = HELD_BYTES) -> None:
        self.late = 0
        """Steps handed out behind one that was due later. All others are in order."""
        self.corrections = Corrections()
        """What was taken off the times of the steps that were handed out."""
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._known_charts = 0
        self._heap: list[tuple[int, int, Run]] = []
        self._lanes: dict[str, Lane] = {}
        self._arrivals: deque[tuple[int, Run]] = deque()
        self._order = 0
        self._size = 0
        self._reached_ns = NEVER_NS
        self._now_ns = NEVER_NS
        self._causes: OrderedDict[str, Causes] = OrderedDict()
        self._offsets: dict[str, int] = {}
        """Of the probes with effects that wait for their cause."""
        self._running: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def __len__(self) -> int:
        return self._size + self.effects

    @property
    def effects(self) -> int:
        """Steps that wait for the one that caused them, and those behind these."""
        return sum(len(self._causes[probe]) for probe in self._offsets)

    @property
    def next_ns(self) -> int | None:
        """The time, corrected, of the step that is next; None if none is held."""
        times = [ended_ns for _, ended_ns in self._heads()]
        if self._heap:
            times.append(self._heap[0][0])
        return min(times, default=None)

    @property
    def oldest_arrival_ns(self) -> int | None:
        """When the first of the batches arrived of which something is held; None if nothing is."""
        self._forget_finished()
        arrivals = [arrived_ns for arrived_ns, _ in self._heads()]
        if self._arrivals:
            arrivals.append(self._arrivals[0][0])
        return min(arrivals, default=None)

    @property
    def probes(self) -> list[str]:
        """The probes of which something is held."""
        return list({**self._lanes, **self._offsets})

    def ran_ahead(self, chart: ChartId, number: int) -> bool:
        """Tell whether a step was handed out while the one that caused it was still running."""
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
        """Take the steps of a batch.

        Args:
            probe: whose they are.
            steps: in the order of the batch.
            offset_ns: how far the probe's clock is ahead.
            now_ns: the present, by a clock that does not go back.
            entries: what the batch says of its charts.
            each: bytes that each of the steps takes; None has them weighed.
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
            self._release(EVER_NS)
            self._known_charts -= self._causes.popitem(last=False)[1].charts
        self._causes[probe] = causes
        return causes

    def _heads(self) -> list[tuple[int, int]]:
        """When what waits for a step that has not arrived did so itself, and when it ended, corrected."""
        return [
            (arrived_ns, ended_ns - offset_ns)
            for probe, offset_ns in self._offsets.items()
            for arrived_ns, ended_ns in self._causes[probe].heads
        ]

    def _release(self, until_ns: int) -> None:
        """Let effects that ended until then, corrected, wait no longer for what caused them."""
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
        lane = self._lanes.setdefault(probe, Lane())
        self._order += 1
        run = Run(probe, self._order, steps, offset_ns, each=runs_of(steps)[0][1] if each is None else each)
        lane.add(run)
        self._size += len(steps)
        self._bytes += run.bytes
        heapq.heappush(self._heap, (run.next_ns, self._order, run))
        self._arrivals.append((self._now_ns, run))

    def correct(self, probe: str, offset_ns: int) -> None:
        """Go by another offset, also for what is held of the probe."""
        if probe in self._offsets:
            self._offsets[probe] = offset_ns
        lane = self._lanes.get(probe)
        if lane is not None and lane.correct(offset_ns):
            self._heap = [(run.next_ns, order, run) for _, order, run in self._heap]
            heapq.heapify(self._heap)

    def fix(self, probe: str) -> None:
        """Let what is held of the probe keep its offset from now on: its clock was set since."""
        if probe in self._offsets:
            # Times by two clocks cannot be compared: what waits for its cause waits no longer.
            self._release(EVER_NS)
        lane = self._lanes.get(probe)
        if lane is not None:
            lane.fixed = self._order

    def forget_reached(self) -> None:
        """Count nothing as late against what was handed out so far."""
        self._reached_ns = NEVER_NS

    def take(self, until_ns: int, arrived_ns: int, *, effects: bool = True) -> Weighed:
        """Return, in order, what happened until then or has waited for long enough, and what is too much.

        Args:
            until_ns: up to this corrected time, included.
            arrived_ns: whatever arrived until then is not held any more, nor what is before it.
            effects: whether this is also so for what waits for the step that caused it.
        """
        if until_ns == EVER_NS:
            return self.take_all(effects=effects)
        taken = Weighed()
        until_ns = self.due_ns(until_ns, arrived_ns)
        if effects:
            self._release(until_ns)
        while self._heap and self._heap[0][0] <= until_ns:
            self._take_some(taken, until_ns)
        while len(self) > self._limit or self._bytes > self._limit_bytes:
            if self._offsets and not self._heap:
                self._release(EVER_NS)
            self._take_some(taken, EVER_NS)
        self._forget_finished()
        return taken

    def due_ns(self, until_ns: int, arrived_ns: int) -> int:
        """Return up to which corrected time ``take`` hands out what is held."""
        for arrived, run in self._arrivals:
            if arrived > arrived_ns:
                break
            if not run.finished:
                until_ns = max(until_ns, run.last_ns)
        for arrived, ended_ns in self._heads():
            if arrived <= arrived_ns:
                until_ns = max(until_ns, ended_ns)
        return until_ns

    def take_all(self, *, effects: bool = True) -> Weighed:
        """Return all that is held, in order; without ``effects``, but for what waits for its cause."""
        if effects:
            self._release(EVER_NS)
        taken = Weighed()
        while self._heap:
            self._take_some(taken, EVER_NS)
        self._arrivals.clear()
        return taken

    def _take_some(self, taken: Weighed, until_ns: int) -> None:
        """Move the next steps that lie before those of every other run."""
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
        self.corrections.note(run.probe, steps, run.offset_ns)
        self._size -= end - run.first
        run.first = end
        self._bytes -= run.let_go()
        if run.finished:
            lane = self._lanes[run.probe]
            del lane.runs[run.order]
            if not lane.runs:
                del self._lanes[run.probe]
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
