"""Estimates of the memory of steps, in bytes; never far too low, whatever the origin of the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from sys import getsizeof
from typing import Final

from farscope.records.step import CAUSE, CHART, SHAPE, TEXTS, VALUES, ChartId, RawStep, Value
from farscope.records.structure import ChartStructure

STEP_BYTES: Final = 440
"""Size of a step itself: the tuple, its numbers and its cause, without texts, shape and chart."""

CHART_BYTES: Final = 300
"""Size of a chart's identity, without its names."""


SHARED_BYTES: Final = 4_096
"""A shape or chart up to this size counts once for all steps that share it; a larger one, for each step."""

ROW_BYTES: Final = 130
"""Size of a state or reaction in a structure, without its names."""

VALUE_BYTES: Final = 64
"""Size of a value's pair, without its name and the value itself."""


ID_BYTES: Final = 240
"""Size of the ids in a cause that is more than a step of the same process."""


def texts_bytes(texts: Sequence[str]) -> int:
    """Return the size of free texts: up to four bytes per character, and about fifty per text."""
    return getsizeof(texts) + sum(map(getsizeof, texts)) if texts else 0


def values_bytes(values: Sequence[tuple[str, Value]]) -> int:
    """Return the size of the values of a step."""
    if not values:
        return 0
    return getsizeof(values) + sum(VALUE_BYTES + getsizeof(name) + getsizeof(value) for name, value in values)


def chart_bytes(chart: ChartId) -> int:
    """Return the size of a chart's identity."""
    return CHART_BYTES + getsizeof(chart.name) + getsizeof(chart.host) + getsizeof(chart.service)


def structure_bytes(structure: ChartStructure) -> int:
    """Return the size of a chart's structure; repeated names count once."""
    rows = (*structure.states, *structure.reactions)
    parts = {id(part): part for row in rows for part in row}
    parts |= {id(name): name for reaction in structure.reactions for name in reaction.more_targets}
    outer = getsizeof(structure.initial) + getsizeof(structure.library)
    return ROW_BYTES * len(rows) + sum(map(getsizeof, parts.values())) + outer


def free_bytes(step: RawStep) -> int:
    """Return the size of a step's texts and values, and of ids in its cause."""
    cause = step[CAUSE]
    ids = ID_BYTES if cause is not None and (cause.probe or cause.trace_id) else 0
    return texts_bytes(step[TEXTS]) + values_bytes(step[VALUES]) + ids


def alone_bytes(step: RawStep) -> int:
    """Return the size of a step that shares nothing with others."""
    return STEP_BYTES + free_bytes(step) + step[SHAPE].size + chart_bytes(step[CHART])


def own_bytes(step: RawStep) -> int:
    """Return the size of a step, without its shape and chart if these are small and therefore shared."""
    shape, chart = step[SHAPE].size, chart_bytes(step[CHART])
    large = (shape if shape > SHARED_BYTES else 0) + (chart if chart > SHARED_BYTES else 0)
    return STEP_BYTES + free_bytes(step) + large


def together_bytes(steps: Iterable[RawStep]) -> int:
    """Return the total size of steps: shared shapes and charts count once."""
    total = 0
    shared: dict[int, int] = {}
    for step in steps:
        total += STEP_BYTES + free_bytes(step)
        if id(step[SHAPE]) not in shared:
            shared[id(step[SHAPE])] = step[SHAPE].size
        if id(step[CHART]) not in shared:
            shared[id(step[CHART])] = chart_bytes(step[CHART])
    return total + sum(shared.values())


class Charges:
    """Running size of a queue of steps: each step counts as the average of its batch.

    Not thread-safe.
    """

    __slots__ = ("_runs", "bytes", "count")

    def __init__(self) -> None:
        self.bytes = 0
        self.count = 0
        """Number of steps in the queue."""
        self._runs: deque[list[int]] = deque()

    def add(self, count: int, each: int) -> None:
        """Add ``count`` steps at the end, of ``each`` bytes each."""
        if not count:
            return
        if self._runs and self._runs[-1][1] == each:
            self._runs[-1][0] += count
        else:
            self._runs.append([count, each])
        self.count += count
        self.bytes += count * each

    def put_back(self, count: int, each: int) -> None:
        """Add ``count`` steps at the front, of ``each`` bytes each."""
        if count:
            self._runs.appendleft([count, each])
            self.count += count
            self.bytes += count * each

    def remove(self, count: int) -> int:
        """Remove the first ``count`` steps; return their size."""
        before = self.bytes
        self.count -= count
        while count:
            run = self._runs[0]
            part = min(count, run[0])
            run[0] -= part
            count -= part
            self.bytes -= part * run[1]
            if not run[0]:
                self._runs.popleft()
        return before - self.bytes

    def over(self, limit: int) -> int:
        """Return how many of the first steps to remove so that the rest take no more than ``limit`` bytes."""
        excess, gone = self.bytes - limit, 0
        for count, each in self._runs:
            if excess <= 0:
                break
            part = min(count, -(-excess // each))
            gone += part
            excess -= part * each
        return gone

    def within(self, limit: int) -> int:
        """Return how many of the first steps fit into ``limit`` bytes; at least one, if there are any."""
        fitting, left = 0, limit
        for count, each in self._runs:
            part = min(count, left // each)
            fitting += part
            left -= part * each
            if part < count:
                break
        return fitting or min(1, self.count)


class Weighed(list[RawStep]):
    """A list of steps with their sizes, run by run; sizes of a plain list are computed on demand."""

    __slots__ = ("runs",)

    def __init__(self, steps: Iterable[RawStep] = (), each: int = 0) -> None:
        """``each``: size of each of ``steps``, in bytes."""
        super().__init__(steps)
        self.runs: list[tuple[int, int]] = [(len(self), each)] if self else []

    def join(self, steps: Sequence[RawStep], each: int) -> None:
        """Append steps of ``each`` bytes each."""
        self += steps
        self.runs.append((len(steps), each))

    def append_all(self, others: Weighed) -> None:
        """Append ``others`` with their sizes."""
        self += others
        self.runs += others.runs


def runs_of(steps: Sequence[RawStep]) -> list[tuple[int, int]]:
    """Return the sizes of steps as runs: pairs of count and bytes per step."""
    if isinstance(steps, Weighed):
        return steps.runs
    return [(len(steps), -(-together_bytes(steps) // len(steps)))] if steps else []
