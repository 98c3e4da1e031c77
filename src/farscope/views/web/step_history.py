"""The stored steps of one chart: a sequence of blocks that can be searched by time and position."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from farscope.records.shape import Shape
from farscope.records.step import MAX_VALUES, NUMBER, VALUES, ChartId, RawStep, Step, Value
from farscope.views.web.step_columns import BLOCK_WEIGHT, StepColumns


class StepPosition(NamedTuple):
    """The position of a step: the block, counted from the oldest, and the offset in it."""

    block: int
    offset: int


class StepHistory:
    """The stored steps of a chart, oldest first. Not thread-safe.

    The time of a step is its end. All times are by one clock for all charts, in nanoseconds since the epoch:
    its own less a correction, which may change. Positions are valid until steps are next added or the
    oldest block forgotten.
    """

    def __init__(self, chart: ChartId, correction_ns: int = 0) -> None:
        self.chart = chart
        self.forgotten = 0
        """Number of steps that were forgotten."""
        self.first_number = 0
        """Number of the first step; 0 before it."""
        self.blocks: deque[StepColumns] = deque()
        self.values: dict[str, Value] = {}
        """The chart's values after its newest step, by name, as far as they have changed."""
        self._steps = 0
        # Subtracted from the times of future steps, and added to the times of all stored ones.
        self._ahead_ns = correction_ns
        self._moved_ns = 0

    def __len__(self) -> int:
        return self._steps

    def correct(self, correction_ns: int, *, was_set: bool) -> None:
        """Change the correction.

        With ``was_set``, it applies from the next step on: the clock was right until now, or as wrong as
        was known. Otherwise all steps move together, and their distances stay the same.
        """
        if was_set:
            self._ahead_ns = correction_ns + self._moved_ns
        else:
            self._moved_ns = self._ahead_ns - correction_ns

    def extend(self, steps: Sequence[RawStep]) -> list[StepColumns]:
        """Append steps; return the blocks filled by this."""
        filled = []
        rest = steps
        if steps and not self.first_number:
            self.first_number = steps[0][NUMBER]
        if self.blocks and not self.blocks[-1].full and self.blocks[-1].ahead_ns != self._ahead_ns:
            self.blocks[-1].pack()
            filled.append(self.blocks[-1])
        while rest:
            if not self.blocks or self.blocks[-1].full or self.blocks[-1].ahead_ns != self._ahead_ns:
                self.blocks.append(StepColumns(self.forgotten + self._steps, self._ahead_ns, self.values))
            block = self.blocks[-1]
            part = rest[: max(1, BLOCK_WEIGHT - block.weight)]
            block.extend(part, self._floor())
            self._add_values(part)
            if block.full:
                block.pack()
                filled.append(block)
            self._steps += len(part)
            rest = rest[len(part) :]
        return filled

    def _add_values(self, steps: Sequence[RawStep]) -> None:
        for step in steps:
            if step[VALUES]:
                self.values.update(step[VALUES])
        # Only a program that is not farscope's names more: those named first are forgotten.
        while len(self.values) > MAX_VALUES:
            del self.values[next(iter(self.values))]

    def values_before(self, time_ns: int) -> dict[str, Value]:
        """Return the chart's values just before a moment, by name, as far as they are known."""
        place = self.first_from(time_ns)
        if place is None:
            return dict(self.values)
        return self.blocks[place.block].values_at(place.offset)

    def value_changes(self, from_ns: int, to_ns: int) -> Iterator[tuple[int, tuple[tuple[str, Value], ...]]]:
        """Yield the time of each step in a span that changed values, ends included, with what it changed."""
        from_ns, to_ns = from_ns - self._moved_ns, to_ns - self._moved_ns
        for number in range(max(0, self._block_of(from_ns, after=False)), len(self.blocks)):
            block = self.blocks[number]
            if block.times[0] > to_ns:
                return
            for place, values in block.value_changes(block.before(from_ns), block.until(to_ns)):
                yield block.times[place] + self._moved_ns, values

    def fill_up(self) -> StepColumns | None:
        """Make the next step begin a new block; return the block that is now full, if any."""
        if not self.blocks or self.blocks[-1].full:
            return None
        block = self.blocks[-1]
        block.close()
        return block

    def forget_oldest(self) -> None:
        """Forget the oldest block; there must be one."""
        gone = len(self.blocks.popleft())
        self._steps -= gone
        self.forgotten += gone

    @property
    def first_ns(self) -> int | None:
        """The time of the oldest step; None if there is none."""
        return self.blocks[0].times[0] + self._moved_ns if self._steps else None

    @property
    def last_ns(self) -> int | None:
        """The time of the newest step; None if there is none."""
        return self.blocks[-1].times[-1] + self._moved_ns if self._steps else None

    def last_until(self, time_ns: int) -> StepPosition | None:
        """Return the position of the last step that ended at ``time_ns`` or before."""
        time_ns -= self._moved_ns
        for number in range(self._block_of(time_ns, after=True), -1, -1):
            offset = self.blocks[number].until(time_ns)
            if offset:
                return StepPosition(number, offset - 1)
        return None

    def first_from(self, time_ns: int) -> StepPosition | None:
        """Return the position of the first step that ended at ``time_ns`` or later."""
        time_ns -= self._moved_ns
        for number in range(max(0, self._block_of(time_ns, after=False)), len(self.blocks)):
            offset = self.blocks[number].before(time_ns)
            if offset < len(self.blocks[number]):
                return StepPosition(number, offset)
        return None

    def at(self, place: StepPosition) -> Step:
        """Return the step at a position, with the common clock's time."""
        return self.blocks[place.block].step(self.chart, place.offset, self._moved_ns)

    def own_ns(self, place: StepPosition) -> int:
        """Return when the step at a position began by the chart's own clock."""
        return self.blocks[place.block].own_ns(place.offset)

    def shape_at(self, place: StepPosition) -> Shape:
        """Return the shape of the step at a position."""
        return self.blocks[place.block].shape(place.offset)

    def time_at(self, place: StepPosition) -> int:
        """Return the time of the step at a position, in nanoseconds since the epoch."""
        return self.blocks[place.block].times[place.offset] + self._moved_ns

    def took_at(self, place: StepPosition) -> int:
        """Return how long the step at a position took, in nanoseconds."""
        return self.blocks[place.block].durations[place.offset]

    def count_until(self, time_ns: int) -> int:
        """Return how many steps ended at ``time_ns`` or before, the forgotten ones included."""
        time_ns -= self._moved_ns
        number = self._block_of(time_ns, after=True)
        return (
            self.forgotten if number < 0 else self.blocks[number].first + self.blocks[number].until(time_ns)
        )

    def newest(self, limit: int, from_ns: int, to_ns: int) -> list[Step]:
        """Return the newest ``limit`` steps that ended in the span, ends included; oldest first."""
        found: list[Step] = []
        moved_ns = self._moved_ns
        from_ns, to_ns = from_ns - moved_ns, to_ns - moved_ns
        for number in range(self._block_of(to_ns, after=True), -1, -1):
            block = self.blocks[number]
            start = max(block.before(from_ns), block.until(to_ns) - (limit - len(found)))
            places = range(block.until(to_ns) - 1, start - 1, -1)
            found += [block.step(self.chart, place, moved_ns) for place in places]
            if len(found) >= limit or block.times[0] < from_ns:
                break
        return found[::-1]

    def newest_after(self, count: int, limit: int) -> list[Step]:
        """Return the newest steps after the first ``count`` (including forgotten ones), up to ``limit``."""
        wanted = min(limit, self.forgotten + self._steps - count)
        found: list[Step] = []
        for block in reversed(self.blocks):
            if len(found) >= wanted:
                break
            start = max(0, len(block) - (wanted - len(found)))
            places = range(len(block) - 1, start - 1, -1)
            found += [block.step(self.chart, place, self._moved_ns) for place in places]
        return found[::-1]

    def numbered(self, number: int) -> StepPosition | None:
        """Return the position of the newest step with a number, or None if there is none."""
        for place, block in reversed(list(enumerate(self.blocks))):
            if block.numbers[0] <= number <= block.numbers[-1]:
                offset = bisect_left(block.numbers, number)
                if offset < len(block) and block.numbers[offset] == number:
                    return StepPosition(place, offset)
        # Numbers rise, except for steps that arrived late, after ones made later.
        for place, block in reversed(list(enumerate(self.blocks))):
            if number in block.numbers:
                return StepPosition(place, block.numbers.index(number))
        return None

    def shapes_after(self, time_ns: int) -> Counter[Shape]:
        """Return how many of the steps that ended after ``time_ns`` are of each shape."""
        counts: Counter[Shape] = Counter()
        time_ns -= self._moved_ns
        for number in range(max(0, self._block_of(time_ns, after=True)), len(self.blocks)):
            block = self.blocks[number]
            for shape, count in block.counts(block.until(time_ns), len(block)).items():
                counts[shape] += count
        return counts

    def _block_of(self, time_ns: int, *, after: bool) -> int:
        """Return the last block that begins before ``time_ns``, or at it if ``after``; -1 if none does."""
        find = bisect_right if after else bisect_left
        return find(self.blocks, time_ns, key=lambda block: block.times[0]) - 1

    def _floor(self) -> int:
        for block in reversed(self.blocks):
            if block:
                return block.times[-1]
        return 0
