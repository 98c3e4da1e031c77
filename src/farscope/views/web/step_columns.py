"""Consecutive steps of one chart as columns of numbers, in a tenth of the memory of step objects."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import add, le
from types import MappingProxyType
from typing import Final

from farscope.errors import Invariant
from farscope.records.shape import Shape
from farscope.records.step import Cause, ChartId, RawStep, Step, Value
from farscope.records.weight import SHARED_BYTES, texts_bytes, values_bytes

BLOCK_WEIGHT: Final = 512
"""Weight at which a block is full and the next one begins; steps are forgotten block by block."""

STEP_BYTES: Final = 40
"""Size of a step in the columns without its texts, whose weight is their size in steps."""

SHAPE_WEIGHT: Final = 4
"""Weight of a new shape in a block, plus one for each of its facts. The memory of shapes is counted by
``History``, once for all blocks, and here only for shapes so large that they are hardly ever shared."""

LATEST_NS: Final = 1 << 62
"""The time of steps whose end, forged or wrong, is beyond all possible times."""

NO_CAUSE: Final = Cause(0, 0)
"""Represents a missing cause in the columns; serials begin with 1."""


class StepColumns:
    """Up to ``BLOCK_WEIGHT`` steps in the order in which they were added. Not thread-safe.

    ``times`` are when the steps ended by the chart's own clock less ``ahead_ns``. They never fall, so that
    they can be searched: if a clock was set back, a step has the time of the one before it, and its own time
    is stored separately.
    """

    __slots__ = (
        "_cause_numbers",
        "_cause_serials",
        "_deferred",
        "_elsewhere",
        "_own_times",
        "_queued",
        "_shape_numbers",
        "_texts",
        "_values",
        "ahead_ns",
        "counted",
        "durations",
        "first",
        "numbers",
        "shapes",
        "table",
        "times",
        "values_before",
        "waits",
        "weight",
    )

    def __init__(
        self, first: int = 0, ahead_ns: int = 0, values: Mapping[str, Value] = MappingProxyType({})
    ) -> None:
        """``values`` are those before its first step."""
        self.first = first
        """How many steps of the chart were stored before this block."""
        self.ahead_ns = ahead_ns
        self.numbers: array[int] | range = array("q")
        self.times = array("q")
        self.durations = array("q")
        self.waits = array("q")
        self.shapes = array("H")
        """For each step, the place of its shape in ``table``."""
        self.table: list[Shape] = []
        self.values_before = dict(values)
        """The chart's values before the first step of the block, by name."""
        self.weight = values_bytes(tuple(values.items())) // STEP_BYTES
        self.counted = 0
        """Number of shapes in ``table`` that ``History`` has counted."""
        self._queued = array("q")
        self._deferred = array("q")
        self._shape_numbers: dict[Shape, int] = {}
        self._cause_serials = array("q")
        self._cause_numbers = array("q")
        self._texts: dict[int, tuple[str, ...]] = {}
        self._values: dict[int, tuple[tuple[str, Value], ...]] = {}
        self._elsewhere: dict[int, Cause] = {}
        self._own_times: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def full(self) -> bool:
        """Whether further steps go to the next block."""
        return self.weight >= BLOCK_WEIGHT

    def extend(self, steps: Sequence[RawStep], floor_ns: int) -> None:
        """Append steps of the chart; ``times`` earlier than ``floor_ns`` are raised to it."""
        place = len(self)
        if isinstance(self.numbers, range):
            raise Invariant("a packed block was extended")
        _, numbers, shapes, times, durations, queued, deferred, waits, causes, texts, values = zip(
            *steps, strict=True
        )
        self.numbers.extend(numbers)
        self.shapes.extend(self._numbers_of(shapes))
        self.durations.extend(durations)
        self._queued.extend(queued)
        self._deferred.extend(deferred)
        self.waits.extend(waits)
        self.weight += len(steps)
        self._add_times(list(map(add, times, durations)), floor_ns)
        if any(causes):
            self._keep_elsewhere(causes, place)
            causes = tuple(cause or NO_CAUSE for cause in causes)
            self._cause_serials.extend([cause[0] for cause in causes])
            self._cause_numbers.extend([cause[1] for cause in causes])
        else:
            nothing = bytes(8 * len(steps))
            self._cause_serials.frombytes(nothing)
            self._cause_numbers.frombytes(nothing)
        if any(texts):
            for offset, its in enumerate(texts, place):
                if its:
                    self._texts[offset] = its
                    self.weight += texts_bytes(its) // STEP_BYTES
        if any(values):
            for offset, some in enumerate(values, place):
                if some:
                    self._values[offset] = some
                    self.weight += values_bytes(some) // STEP_BYTES

    def _keep_elsewhere(self, causes: Sequence[Cause | None], place: int) -> None:
        """Keep the causes of steps from ``place`` on that are more than a serial and a number."""
        for offset, cause in enumerate(causes, place):
            if cause is not None and cause[2:] != NO_CAUSE[2:]:
                self._elsewhere[offset] = cause
                self.weight += 1

    def pack(self) -> None:
        """Compress the block; nothing can be added any more."""
        first, last = self.numbers[0], self.numbers[-1]
        if last - first + 1 == len(self) and self.numbers == array("q", range(first, last + 1)):
            self.numbers = range(first, last + 1)
        self.durations = _narrow(self.durations)
        self.waits = _narrow(self.waits)
        self.shapes = _narrow(self.shapes)
        self._queued = _narrow(self._queued)
        self._deferred = _narrow(self._deferred)
        self._cause_serials = _narrow(self._cause_serials)
        self._cause_numbers = _narrow(self._cause_numbers)

    def close(self) -> None:
        """Accept no more steps."""
        self.pack()
        self.weight = max(self.weight, BLOCK_WEIGHT)

    def step(self, chart: ChartId, place: int, moved_ns: int = 0) -> Step:
        """Return the step at ``place``, with its end at its time in the block plus ``moved_ns``."""
        return Step(
            chart,
            self.numbers[place],
            self.table[self.shapes[place]],
            self.times[place] - self.durations[place] + moved_ns,
            self.durations[place],
            self._queued[place],
            self._deferred[place],
            self.waits[place],
            self._cause(place),
            self._texts.get(place, ()),
            self._values.get(place, ()),
        )

    def own_ns(self, place: int) -> int:
        """Return when the step at ``place`` began by the chart's own clock."""
        ended_ns = self._own_times.get(place, self.times[place] + self.ahead_ns)
        return ended_ns - self.durations[place]

    def shape(self, place: int) -> Shape:
        """Return the shape of the step at ``place``."""
        return self.table[self.shapes[place]]

    def values_at(self, place: int) -> dict[str, Value]:
        """Return the chart's values after the step before ``place``, by name."""
        values = dict(self.values_before)
        for changed, some in self._values.items():
            if changed >= place:
                break
            values.update(some)
        return values

    def value_changes(self, start: int, end: int) -> Iterable[tuple[int, tuple[tuple[str, Value], ...]]]:
        """Yield the places from ``start`` up to before ``end`` with changed values, and what changed."""
        for place, some in self._values.items():
            if start <= place < end:
                yield place, some

    def before(self, time_ns: int) -> int:
        """Return how many of its steps ended before ``time_ns``."""
        return bisect_left(self.times, time_ns)

    def until(self, time_ns: int) -> int:
        """Return how many of its steps ended at ``time_ns`` or before."""
        return bisect_right(self.times, time_ns)

    def counts(self, start: int, end: int) -> dict[Shape, int]:
        """Return how many of the steps from place ``start`` up to before ``end`` are of each shape."""
        return {self.table[number]: count for number, count in Counter(self.shapes[start:end]).items()}

    def _cause(self, place: int) -> Cause | None:
        elsewhere = self._elsewhere.get(place)
        if elsewhere is not None:
            return elsewhere
        serial = self._cause_serials[place]
        return Cause(serial, self._cause_numbers[place]) if serial else None

    def _add_times(self, times: Sequence[int], floor_ns: int) -> None:
        ahead_ns = self.ahead_ns
        if ahead_ns:
            times = [time_ns - ahead_ns for time_ns in times]
        if times[0] >= floor_ns and times[-1] <= LATEST_NS and all(map(le, times, times[1:])):
            self.times.extend(times)
            return
        for offset, time_ns in enumerate(times, len(self.times)):
            floor_ns = min(max(floor_ns, time_ns), LATEST_NS)
            if time_ns != floor_ns:
                self._own_times[offset] = time_ns + ahead_ns
            self.times.append(floor_ns)

    def _numbers_of(self, shapes: Sequence[Shape]) -> Iterable[int]:
        # Most steps share a few shape objects; looking up each object once avoids hashing every step.
        ids = list(map(id, shapes))
        numbers = {key: self._number_of(shape) for key, shape in dict(zip(ids, shapes, strict=True)).items()}
        return map(numbers.__getitem__, ids)

    def _number_of(self, shape: Shape) -> int:
        number = self._shape_numbers.get(shape)
        if number is None:
            number = self._shape_numbers[shape] = len(self.table)
            self.table.append(shape)
            size = shape.size
            self.weight += (
                SHAPE_WEIGHT + len(shape.facts) + (size // STEP_BYTES if size > SHARED_BYTES else 0)
            )
        return number


def _narrow(column: array[int]) -> array[int]:
    """Return the column with the smallest item size that fits, without spare capacity."""
    most = max(column)
    for code, limit in (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32)):
        if most < limit:
            return array(code, column)
    return array("q", column)
