"""A run of one chart's steps as columns of numbers: a tenth of what the steps themselves would take."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Final

from farscope.records.shape import Shape
from farscope.records.step import Cause, ChartId, RawStep, Step

BLOCK_WEIGHT: Final = 512
"""Weight at which a block is full and the next one begins: what is forgotten is forgotten block by block."""

TEXT_PER_STEP: Final = 64
"""Characters of free text that weigh as much as one step."""

SHAPE_WEIGHT: Final = 4
"""What a shape of its own adds to a block's weight, besides one for each of its facts."""

NO_CAUSE: Final = Cause(0, 0)
"""Stands in the columns where a step has no cause; serials begin with 1."""


class Block:
    """Up to ``BLOCK_WEIGHT`` steps in the order they were taken in. Not thread-safe.

    ``times`` never falls, so that it can be searched: where a clock was set back, a step stands at the time
    of the one before it, and its own time is kept aside.
    """

    __slots__ = (
        "_cause_numbers",
        "_cause_serials",
        "_deferred",
        "_own_times",
        "_queued",
        "_shape_numbers",
        "_texts",
        "durations",
        "numbers",
        "shapes",
        "table",
        "times",
        "waits",
        "weight",
    )

    def __init__(self) -> None:
        self.numbers = array("q")
        self.times = array("q")
        self.durations = array("q")
        self.waits = array("q")
        self.shapes = array("H")
        """For each step, the place of its shape in ``table``."""
        self.table: list[Shape] = []
        self.weight = 0
        self._queued = array("q")
        self._deferred = array("q")
        self._shape_numbers: dict[Shape, int] = {}
        self._cause_serials = array("q")
        self._cause_numbers = array("q")
        self._texts: dict[int, tuple[str, ...]] = {}
        self._own_times: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def full(self) -> bool:
        """Whether further steps belong into the next block."""
        return self.weight >= BLOCK_WEIGHT

    def extend(self, steps: Sequence[RawStep], floor_ns: int) -> None:
        """Add steps of the chart behind the others; none stands before ``floor_ns``."""
        place = len(self)
        self.numbers.extend([step[1] for step in steps])
        self.shapes.extend([self._number_of(step[2]) for step in steps])
        self.durations.extend([step[4] for step in steps])
        self._queued.extend([step[5] for step in steps])
        self._deferred.extend([step[6] for step in steps])
        self.waits.extend([step[7] for step in steps])
        causes = [step[8] or NO_CAUSE for step in steps]
        self._cause_serials.extend([cause[0] for cause in causes])
        self._cause_numbers.extend([cause[1] for cause in causes])
        self.weight += len(steps)
        for offset, step in enumerate(steps, place):
            time_ns = step[3]
            if time_ns < floor_ns:
                self._own_times[offset] = time_ns
                time_ns = floor_ns
            floor_ns = time_ns
            self.times.append(time_ns)
            if step[9]:
                self._texts[offset] = step[9]
                self.weight += sum(map(len, step[9])) // TEXT_PER_STEP

    def step(self, chart: ChartId, place: int) -> Step:
        """Return the step at ``place`` as it was taken in."""
        return Step(
            chart,
            self.numbers[place],
            self.table[self.shapes[place]],
            self._own_times.get(place, self.times[place]),
            self.durations[place],
            self._queued[place],
            self._deferred[place],
            self.waits[place],
            self._cause(place),
            self._texts.get(place, ()),
        )

    def shape(self, place: int) -> Shape:
        """Return the shape of the step at ``place``."""
        return self.table[self.shapes[place]]

    def before(self, time_ns: int) -> int:
        """Return how many of its steps began before ``time_ns``."""
        return bisect_left(self.times, time_ns)

    def until(self, time_ns: int) -> int:
        """Return how many of its steps began at ``time_ns`` or before."""
        return bisect_right(self.times, time_ns)

    def counts(self, start: int, end: int) -> dict[Shape, int]:
        """Return how many of the steps from place ``start`` up to before ``end`` are of each shape."""
        return {self.table[number]: count for number, count in Counter(self.shapes[start:end]).items()}

    def _cause(self, place: int) -> Cause | None:
        serial = self._cause_serials[place]
        return Cause(serial, self._cause_numbers[place]) if serial else None

    def _number_of(self, shape: Shape) -> int:
        number = self._shape_numbers.get(shape)
        if number is None:
            number = self._shape_numbers[shape] = len(self.table)
            self.table.append(shape)
            self.weight += SHAPE_WEIGHT + len(shape.facts)
        return number
