"""Histories of charts that post to each other while they work, and the order they are to be shown in."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep

MILLISECOND = 1_000_000
KINDS = (StepKind.TRANSITION, StepKind.TRANSITION, StepKind.HOOK, StepKind.IGNORED)

StepKey = tuple[str, int, int]
"""Probe, chart and number of a step."""


class Process(NamedTuple):
    """A probe and what its charts did, in the order in which it is sent: by when the steps ended."""

    probe: bytes
    host: str
    steps: list[RawStep]


def make_history(seed: int, processes: int = 2, charts: int = 3, events: int = 12) -> list[Process]:
    """Return what some processes did from the beginning of the epoch's second day on.

    A step's signal names its number. Every now and then one takes long, and its handler posts at any time
    before its end; no two steps end in the same nanosecond, so that there is one right order.
    """
    random = Random(seed)  # noqa: S311 - the same again for a seed
    ended: set[int] = set()
    return [_process(random, number, charts, events, ended) for number in range(processes)]


def order_of(steps: Iterable[RawStep]) -> list[StepKey]:
    """Return the order in which steps are to come whose clocks agree, if all are known.

    Of those whose cause and whose chart's step before are out, the one that ended first is next.
    """
    known = {key_of(step): step for step in steps}
    last: dict[tuple[str, int], StepKey] = {}
    before: dict[StepKey, int] = dict.fromkeys(known, 0)
    after: dict[StepKey, list[StepKey]] = {key: [] for key in known}
    for key in sorted(known):
        probe, serial, _ = key
        cause = known[key][8]
        wanted = [last.get((probe, serial)), None if cause is None else (probe, *cause[:2])]
        needed = {one for one in wanted if one is not None and one in known}
        before[key] = len(needed)
        for one in needed:
            after[one].append(key)
        last[probe, serial] = key
    ready = [(_ended_ns(known[key]), key) for key, count in before.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(key)
        for one in after[key]:
            before[one] -= 1
            if not before[one]:
                heapq.heappush(ready, (_ended_ns(known[one]), one))
    return order


def effects_before_causes(steps: Sequence[RawStep]) -> list[StepKey]:
    """Return the steps that come before the one that caused them."""
    places = {key_of(step): place for place, step in enumerate(steps)}
    return [
        key_of(step)
        for place, step in enumerate(steps)
        if step[8] is not None and places.get((step[0].probe, *step[8][:2]), -1) > place
    ]


def key_of(step: RawStep) -> StepKey:
    """Return what tells a step from all others."""
    return step[0].probe, step[0].serial, step[1]


def _ended_ns(step: RawStep) -> int:
    return step[3] + step[4]


def _process(random: Random, number: int, charts: int, events: int, ended: set[int]) -> Process:
    probe = bytes([number + 1] * 16)
    ids = [
        ChartId(f"chart{serial}", f"host{number}", 7, serial, probe.hex()) for serial in range(1, charts + 1)
    ]
    begin_ns = 86_400_000 * MILLISECOND
    free_ns = [begin_ns] * charts
    numbers = [0] * charts
    posted: list[tuple[int, int, int, Cause | None]] = []
    for order in range(events):
        heapq.heappush(
            posted, (begin_ns + random.randrange(2_000) * MILLISECOND, order, random.randrange(charts), None)
        )
    steps: list[RawStep] = []
    while posted:
        at_ns, order, chart, cause = heapq.heappop(posted)
        began_ns = max(at_ns, free_ns[chart])
        ended_ns = began_ns + random.choice((0, 1, 5, 400)) * MILLISECOND + random.randrange(MILLISECOND)
        while ended_ns in ended:
            ended_ns += 1
        ended.add(ended_ns)
        free_ns[chart] = ended_ns + 1
        numbers[chart] += 1
        steps.append(
            (
                *(ids[chart], numbers[chart], _shape(random, numbers[chart]), began_ns, ended_ns - began_ns),
                *(0, 0, began_ns - at_ns, cause, (), ()),
            )
        )
        for other in range(charts):
            if random.random() < 0.6 / charts:
                when_ns = random.randrange(began_ns, ended_ns)
                heapq.heappush(
                    posted, (when_ns, len(steps) + order + events, other, Cause(chart + 1, numbers[chart]))
                )
    steps.sort(key=_ended_ns)
    return Process(probe, f"host{number}", steps)


def _shape(random: Random, number: int) -> Shape:
    return Shape(random.choice(KINDS), f"S{number}", "a", "b", (Fact(FactKind.OFFER, "a"),))
