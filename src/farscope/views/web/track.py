"""The remembered steps of one chart: a row of blocks that is searched by time and by place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from farscope.records.shape import Shape
from farscope.records.step import ChartId, RawStep, Step
from farscope.views.web.block import BLOCK_WEIGHT, Block


class Place(NamedTuple):
    """Where a step stands: in which block, counted from the oldest, and where in it."""

    block: int
    offset: int


class Track:
    """What is remembered of a chart, oldest first. Not thread-safe.

    Places are good until the track is next extended or the oldest block forgotten.
    """

    def __init__(self, chart: ChartId) -> None:
        self.chart = chart
        self.forgotten = 0
        """Steps that were here once and are no more."""
        self.blocks: deque[Block] = deque()
        self._steps = 0

    def __len__(self) -> int:
        return self._steps

    def extend(self, steps: Sequence[RawStep]) -> list[Block]:
        """Add steps behind the others; return the blocks that this has filled."""
        filled = []
        rest = steps
        while rest:
            if not self.blocks or self.blocks[-1].full:
                self.blocks.append(Block(self.forgotten + self._steps))
            block = self.blocks[-1]
            part = rest[: max(1, BLOCK_WEIGHT - block.weight)]
            block.extend(part, self._floor())
            if block.full:
                block.pack()
                filled.append(block)
            self._steps += len(part)
            rest = rest[len(part) :]
        return filled

    def forget_oldest(self) -> None:
        """Forget the oldest block; there must be one."""
        gone = len(self.blocks.popleft())
        self._steps -= gone
        self.forgotten += gone

    @property
    def first_ns(self) -> int | None:
        """Where the oldest step stands; None if there is none."""
        return self.blocks[0].times[0] if self._steps else None

    def last_until(self, time_ns: int) -> Place | None:
        """Return the place of the last step that began at ``time_ns`` or before."""
        for number in range(self._block_of(time_ns, after=True), -1, -1):
            offset = self.blocks[number].until(time_ns)
            if offset:
                return Place(number, offset - 1)
        return None

    def first_from(self, time_ns: int) -> Place | None:
        """Return the place of the first step that began at ``time_ns`` or later."""
        for number in range(max(0, self._block_of(time_ns, after=False)), len(self.blocks)):
            offset = self.blocks[number].before(time_ns)
            if offset < len(self.blocks[number]):
                return Place(number, offset)
        return None

    def at(self, place: Place) -> Step:
        """Return the step at a place."""
        return self.blocks[place.block].step(self.chart, place.offset)

    def shape_at(self, place: Place) -> Shape:
        """Return the shape of the step at a place."""
        return self.blocks[place.block].shape(place.offset)

    def time_at(self, place: Place) -> int:
        """Return where the step at a place stands in time, in nanoseconds since the epoch."""
        return self.blocks[place.block].times[place.offset]

    def count_until(self, time_ns: int) -> int:
        """Return how many steps began at ``time_ns`` or before, the forgotten ones included."""
        number = self._block_of(time_ns, after=True)
        return (
            self.forgotten if number < 0 else self.blocks[number].first + self.blocks[number].until(time_ns)
        )

    def newest(self, limit: int, from_ns: int, to_ns: int) -> list[Step]:
        """Return the newest ``limit`` steps that began in the span, ends included; oldest first."""
        found: list[Step] = []
        for number in range(self._block_of(to_ns, after=True), -1, -1):
            block = self.blocks[number]
            start = max(block.before(from_ns), block.until(to_ns) - (limit - len(found)))
            found += [block.step(self.chart, place) for place in range(block.until(to_ns) - 1, start - 1, -1)]
            if len(found) >= limit or block.times[0] < from_ns:
                break
        return found[::-1]

    def newest_after(self, count: int, limit: int) -> list[Step]:
        """Return the newest steps behind the first ``count``, forgotten ones counted; up to ``limit``."""
        wanted = min(limit, self.forgotten + self._steps - count)
        found: list[Step] = []
        for block in reversed(self.blocks):
            if len(found) >= wanted:
                break
            start = max(0, len(block) - (wanted - len(found)))
            found += [block.step(self.chart, place) for place in range(len(block) - 1, start - 1, -1)]
        return found[::-1]

    def numbered(self, number: int) -> Step | None:
        """Return the newest step of that number, or None if it is not here."""
        for block in reversed(self.blocks):
            if block.numbers[0] <= number <= block.numbers[-1]:
                place = bisect_left(block.numbers, number)
                if place < len(block) and block.numbers[place] == number:
                    return block.step(self.chart, place)
        # Numbers rise but for what arrived after all, behind steps that were made later.
        for block in reversed(self.blocks):
            if number in block.numbers:
                return block.step(self.chart, block.numbers.index(number))
        return None

    def shapes_after(self, time_ns: int) -> Counter[Shape]:
        """Return how many of the steps that began after ``time_ns`` are of each shape."""
        counts: Counter[Shape] = Counter()
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
