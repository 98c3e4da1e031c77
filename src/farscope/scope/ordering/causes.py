"""Effects that arrived before the steps that caused them. Pure: no I/O, no clock.

A step is sent when it ends. If a handler posts an event and keeps working, the step for that event may end
first, so the effect is sent before its cause.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, cast

from farscope.records.step import CAUSE, CHART, DURATION_NS, NUMBER, SERIAL, TIME_NS, Cause, RawStep, Step
from farscope.records.weight import alone_bytes
from farscope.wire.batch import ChartEntry

MAX_CHARTS = 4_096
"""Charts per probe whose last step is remembered; at the limit the oldest is forgotten, and nothing waits for
it until it makes another step."""

MAX_HELD_CHARTS = 256
"""Most charts of a probe that wait for a cause; the steps of further ones do not wait for theirs."""


_CAUSE = itemgetter(CAUSE)


class _Held(NamedTuple):
    arrived_ns: int
    step: RawStep


class Causes:
    """Orders the steps of one probe so that each comes after its cause; not thread-safe.

    A step, and with it the later steps of its chart, waits until the step that caused it has been passed on.
    Nothing waits for a chart that was never heard of, nor for a step that later steps of its chart have
    overtaken.
    """

    def __init__(self) -> None:
        self._passed: dict[int, int] = {}
        """Number of the last step of each chart that was passed on, by the chart's serial."""
        self._announced: dict[int, int] = {}
        """Number of each chart's last step according to the chart entries of batches."""
        self._held: dict[int, deque[_Held]] = {}
        """Waiting steps by the serial of their chart; the first of each chart waits for its cause."""
        self._waiting: defaultdict[int, set[int]] = defaultdict(set)
        """For each chart, the charts that wait for one of its steps, by serial."""
        self.bytes = 0
        """Memory use of the waiting steps, as if they shared nothing."""

    @property
    def charts(self) -> int:
        """Number of charts about which anything is known."""
        return len(self._passed) + len(self._announced)

    def __len__(self) -> int:
        """Return how many steps wait."""
        return sum(map(len, self._held.values()))

    @property
    def heads(self) -> Iterator[tuple[int, int]]:
        """Yield arrival time and end time by its own clock for each step waiting for one not yet received."""
        for head in self._heads().values():
            yield head.arrived_ns, _ended_ns(head.step)

    def admit(
        self, steps: Sequence[RawStep], entries: Sequence[ChartEntry], arrived_ns: int
    ) -> Sequence[RawStep]:
        """Add the steps of a batch in order; return the steps to pass on, each after its cause.

        Args:
            steps: steps of the batch.
            entries: the batch's entries about its charts.
            arrived_ns: when it arrived, by a monotonic clock.
        """
        for entry in entries:
            self._announced[entry.serial] = max(entry.number, self._announced.get(entry.serial, 0))
        if not self._held and not any(map(_CAUSE, steps)):
            self._record_last(steps, entries)
            self._record_charts(entries)
            return steps
        self._record_first(steps, entries)
        self._record_charts(entries)
        early = 0 if self._held else self._in_order(steps)
        if early == len(steps):
            return steps
        passed = list(steps[:early])
        for step in steps[early:]:
            self._admit_step(_Held(arrived_ns, step), passed)
        return passed

    def _in_order(self, steps: Sequence[RawStep]) -> int:
        """Pass steps on as received, up to the first whose cause is still to come; return how many."""
        passed = self._passed
        for place, step in enumerate(steps):
            serial, number, cause = step[CHART][SERIAL], step[NUMBER], _cause_of(step)
            if (
                cause is not None
                and cause.number > passed.get(cause.serial, cause.number)
                and cause.serial != serial
            ):
                return place
            if number > passed.get(serial, 0):
                passed[serial] = number
        return len(steps)

    def _record_first(self, steps: Sequence[RawStep], entries: Sequence[ChartEntry]) -> None:
        """Record where charts that are new to us begin."""
        if entries and all(entry.serial in self._passed for entry in entries):
            return
        for serial, number in {step[CHART].serial: step[NUMBER] for step in reversed(steps)}.items():
            self._passed.setdefault(serial, number - 1)

    def _record_last(self, steps: Sequence[RawStep], entries: Sequence[ChartEntry]) -> None:
        """Record steps passed on in the order received; each of their charts has an entry."""
        charts = {entry.serial for entry in entries}
        for step in reversed(steps):
            serial = step[CHART].serial
            if entries and serial not in charts:
                continue
            self._passed[serial] = max(step[NUMBER], self._passed.get(serial, 0))
            charts.discard(serial)
            if entries and not charts:
                return

    def overdue(self, ended_ns: int) -> tuple[list[RawStep], list[tuple[int, int]]]:
        """Stop waiting for the causes of steps that ended by ``ended_ns``, by their own clock.

        Returns:
            The steps to pass on, and the chart and number of those whose cause is still running.
        """
        passed: list[RawStep] = []
        running: list[tuple[int, int]] = []
        while due := {
            serial: head for serial, head in self._heads().items() if _ended_ns(head.step) <= ended_ns
        }:
            # One at a time, since each may release others.
            first = min(due, key=lambda serial: _ended_ns(due[serial].step))
            number, cause = due[first].step[NUMBER], _cause_of(due[first].step)
            if cause is not None and cause.number > self._announced.get(cause.serial, 0):
                running.append((first, number))
            self._pass_held([first], passed)
        return passed, running

    def _heads(self) -> dict[int, _Held]:
        """Return the first waiting step of each chart, except those whose cause is waiting here as well."""
        heads = {serial: queue[0] for serial, queue in self._held.items()}
        free = {serial: head for serial, head in heads.items() if not self._is_held(_cause_of(head.step))}
        # Numbers that make no sense may wait for each other.
        return free or heads

    def _is_held(self, cause: Cause | None) -> bool:
        if cause is None or cause.serial not in self._held:
            return False
        return self._held[cause.serial][-1].step[NUMBER] >= cause.number

    def _record_charts(self, entries: Sequence[ChartEntry]) -> None:
        """Record charts that did nothing while they were watched."""
        for entry in entries:
            self._passed.setdefault(entry.serial, entry.number)
        for known in (self._passed, self._announced):
            while len(known) > MAX_CHARTS:
                del known[next(iter(known))]

    def _admit_step(self, held: _Held, passed: list[RawStep]) -> None:
        step = held.step
        serial, cause = step[CHART].serial, _cause_of(step)
        if serial in self._held:
            self.bytes += alone_bytes(step)
            self._held[serial].append(held)
        elif cause is not None and self._is_to_come(cause, serial) and len(self._held) < MAX_HELD_CHARTS:
            self.bytes += alone_bytes(step)
            self._held[serial] = deque([held])
            self._waiting[cause.serial].add(serial)
        else:
            self._pass_held(self._pass(step, passed), passed)

    def _is_to_come(self, cause: Cause, serial: int) -> bool:
        # An earlier step of the same chart was passed on or is lost.
        return cause.serial != serial and cause.number > self._passed.get(cause.serial, cause.number)

    def _pass(self, step: RawStep, passed: list[RawStep]) -> list[int]:
        """Pass a step on; return the charts that were waiting for it."""
        serial = step[CHART].serial
        passed.append(step)
        self._passed[serial] = number = max(step[NUMBER], self._passed.get(serial, 0))
        free = []
        for waiting in self._waiting.get(serial, ()):
            cause = _cause_of(self._held[waiting][0].step)
            if cause is not None and cause.number <= number:
                free.append(waiting)
        return free

    def _pass_held(self, charts: list[int], passed: list[RawStep]) -> None:
        """Pass on the held steps of charts, earliest end first, up to those that wait for another cause."""
        ready = [(_ended_ns(self._held[serial][0].step), serial) for serial in charts]
        heapq.heapify(ready)
        while ready:
            _, serial = heapq.heappop(ready)
            step = self._held[serial].popleft().step
            self.bytes -= alone_bytes(step)
            self._wait_no_longer(serial, _cause_of(step))
            for free in self._pass(step, passed):
                heapq.heappush(ready, (_ended_ns(self._held[free][0].step), free))
                self._wait_no_longer(free, _cause_of(self._held[free][0].step))
            queue = self._held[serial]
            cause = _cause_of(queue[0].step) if queue else None
            if not queue:
                del self._held[serial]
            elif cause is not None and self._is_to_come(cause, serial):
                self._waiting[cause.serial].add(serial)
            else:
                heapq.heappush(ready, (_ended_ns(queue[0].step), serial))

    def _wait_no_longer(self, serial: int, cause: Cause | None) -> None:
        waiting = self._waiting.get(cause.serial) if cause is not None else None
        if cause is not None and waiting is not None:
            waiting.discard(serial)
            if not waiting:
                del self._waiting[cause.serial]


def in_order_of_causes(steps: Iterable[Step]) -> list[Step]:
    """Return steps of any charts in the order in which a scope that knows them all hands them out.

    The order is by end time, with each step after the one that caused it. The steps of each chart must be
    given in order.
    """
    given = list(steps)
    places = {_key(step): place for place, step in enumerate(given)}
    last: dict[tuple[str, int], int] = {}
    needs = [0] * len(given)
    followers: defaultdict[int, list[int]] = defaultdict(list)
    for place, step in enumerate(given):
        chart = step.chart.probe, step.chart.serial
        cause = None if step.cause is None else places.get(_caused_by(step, step.cause))
        for needed in {last.get(chart), cause} - {None, place}:
            followers[cast("int", needed)].append(place)
            needs[place] += 1
        last[chart] = place
    ready = [(given[place].ended_ns, place) for place, count in enumerate(needs) if not count]
    heapq.heapify(ready)
    ordered: list[int] = []
    while ready:
        _, place = heapq.heappop(ready)
        ordered.append(place)
        for follower in followers[place]:
            needs[follower] -= 1
            if not needs[follower]:
                heapq.heappush(ready, (given[follower].ended_ns, follower))
    # Numbers that make no sense may wait for each other.
    rest = set(range(len(given))).difference(ordered)
    return [given[place] for place in [*ordered, *sorted(rest)]]


def _key(step: Step) -> tuple[str, int, int]:
    return step.chart.probe, step.chart.serial, step.number


def _caused_by(step: Step, cause: Cause) -> tuple[str, int, int]:
    return cause.probe or step.chart.probe, cause.serial, cause.number


def _cause_of(step: RawStep) -> Cause | None:
    """Return the cause of a step if it is a step of the same probe: only those come in one order."""
    cause = step[CAUSE]
    return None if cause is None or cause.probe else cause


def _ended_ns(step: RawStep) -> int:
    return step[TIME_NS] + step[DURATION_NS]
