"""What steps take in memory, in bytes: estimates that are never far too low, whoever made the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from sys import getsizeof
from typing import Final

from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure

STEP_BYTES: Final = 400
"""A step by itself: the tuple, its numbers and its cause, without texts, shape and chart."""

CHART_BYTES: Final = 300
"""A chart's identity, without its names."""


SHARED_BYTES: Final = 4_096
"""A shape or chart that takes no more counts once for all steps that share it; a larger one for each step."""

ROW_BYTES: Final = 90
"""A state or a reaction in a structure, without its names."""


def texts_bytes(texts: Sequence[str]) -> int:
    """Return what free texts take: a character takes up to four bytes, and a short text fifty by itself."""
    return getsizeof(texts) + sum(map(getsizeof, texts)) if texts else 0


def chart_bytes(chart: ChartId) -> int:
    """Return what a chart's identity takes."""
    return CHART_BYTES + getsizeof(chart.name) + getsizeof(chart.host)


def structure_bytes(structure: ChartStructure) -> int:
    """Return what a chart's structure takes; names that it has several times count once."""
    rows = (*structure.states, *structure.reactions)
    names = {id(name): name for row in rows for name in row}
    return ROW_BYTES * len(rows) + sum(map(getsizeof, names.values()))


def alone_bytes(step: RawStep) -> int:
    """Return what a step takes if it shares nothing with others."""
    return STEP_BYTES + texts_bytes(step[9]) + step[2].size + chart_bytes(step[0])


def own_bytes(step: RawStep) -> int:
    """Return what a step takes without a small shape and chart, which it shares with others."""
    shape, chart = step[2].size, chart_bytes(step[0])
    large = (shape if shape > SHARED_BYTES else 0) + (chart if chart > SHARED_BYTES else 0)
    return STEP_BYTES + texts_bytes(step[9]) + large


def together_bytes(steps: Iterable[RawStep]) -> int:
    """Return what steps take together: shapes and charts that several share count once."""
    total = 0
    shared: dict[int, int] = {}
    for step in steps:
        total += STEP_BYTES + texts_bytes(step[9])
        if id(step[2]) not in shared:
            shared[id(step[2])] = step[2].size
        if id(step[0]) not in shared:
            shared[id(step[0])] = chart_bytes(step[0])
    return total + sum(shared.values())


class Charges:
    """What steps that come and go in one order take: each counts as much as those of its batch on average.

    Not thread-safe.
    """

    __slots__ = ("_runs", "bytes", "count")

    def __init__(self) -> None:
        self.bytes = 0
        self.count = 0
        """Steps that came and did not go."""
        self._runs: deque[list[int]] = deque()

    def add(self, count: int, each: int) -> None:
        """Count steps behind the others, at so many bytes each."""
        if not count:
            return
        if self._runs and self._runs[-1][1] == each:
            self._runs[-1][0] += count
        else:
            self._runs.append([count, each])
        self.count += count
        self.bytes += count * each

    def put_back(self, count: int, each: int) -> None:
        """Count steps in front of the others."""
        if count:
            self._runs.appendleft([count, each])
            self.count += count
            self.bytes += count * each

    def remove(self, count: int) -> int:
        """Count the first so many steps no more; return what they took."""
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
        """Return how many of the first steps have to go so that the others take no more than ``limit``."""
        excess, gone = self.bytes - limit, 0
        for count, each in self._runs:
            if excess <= 0:
                break
            part = min(count, -(-excess // each))
            gone += part
            excess -= part * each
        return gone

    def within(self, limit: int) -> int:
        """Return how many of the first steps take no more than ``limit``; one at least, if there is any."""
        fitting, left = 0, limit
        for count, each in self._runs:
            part = min(count, left // each)
            fitting += part
            left -= part * each
            if part < count:
                break
        return fitting or min(1, self.count)


class Weighed(list[RawStep]):
    """Steps that carry what each takes, run by run; a plain list of steps is weighed when it has to be."""

    __slots__ = ("runs",)

    def __init__(self, steps: Iterable[RawStep] = (), each: int = 0) -> None:
        """``each``: bytes that each of ``steps`` takes."""
        super().__init__(steps)
        self.runs: list[tuple[int, int]] = [(len(self), each)] if self else []

    def join(self, steps: Sequence[RawStep], each: int) -> None:
        """Add steps behind the others, at so many bytes each."""
        self += steps
        self.runs.append((len(steps), each))

    def append_all(self, others: Weighed) -> None:
        """Add others behind these, with what each takes."""
        self += others
        self.runs += others.runs


def runs_of(steps: Sequence[RawStep]) -> list[tuple[int, int]]:
    """Return how many of the steps take how many bytes each, run by run."""
    if isinstance(steps, Weighed):
        return steps.runs
    return [(len(steps), -(-together_bytes(steps) // len(steps)))] if steps else []
