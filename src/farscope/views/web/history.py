"""The bounded history of all charts, which reports how much it had to discard."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from farscope.records.shape import Shape
from farscope.records.step import ChartId, ChartKey, RawStep, Step
from farscope.scope.ordering.causes import in_order_of_causes
from farscope.views.web.step_columns import STEP_BYTES, StepColumns
from farscope.views.web.step_history import StepHistory

DEFAULT_WEIGHT: Final = 2_000_000
"""Steps of all charts together that are remembered, some 80 MB; long texts and steps unlike all others count
as several. At the limit the oldest go, block by block, and the page says how many; a chart's newest few
hundred steps stay if they are not very long, so that a rare step is not driven out by busy charts."""

RECORDING_WEIGHT: Final = 2_500_000
"""The same for a recording, which has an end: some 100 MB. What is forgotten of it can still be gone to."""


UNFILLED_BYTES: Final = 32 << 20
"""Shapes of each chart's newest steps stay, whatever the limit, as long as they take no more than this."""


class SharedShapes:
    """Accounts for the memory of shapes that blocks share. Not thread-safe."""

    def __init__(self) -> None:
        self.bytes = 0
        self._blocks: dict[int, int] = {}
        """The number of blocks with each shape, by its id; a shape lives as long as one of them does."""

    def add(self, shapes: Iterable[Shape]) -> None:
        """Count the shapes of a block."""
        for shape in shapes:
            count = self._blocks.get(id(shape), 0)
            self._blocks[id(shape)] = count + 1
            if not count:
                self.bytes += shape.size

    def remove(self, shapes: Iterable[Shape]) -> None:
        """Stop counting the shapes of a block; they must still be alive."""
        for shape in shapes:
            count = self._blocks.pop(id(shape)) - 1
            if count:
                self._blocks[id(shape)] = count
            else:
                self.bytes -= shape.size


class History:
    """The step histories of all charts, with a common limit. Not thread-safe."""

    def __init__(self, limit: int = DEFAULT_WEIGHT) -> None:
        self.forgotten = 0
        """Number of steps that were forgotten."""
        self.charts: dict[ChartKey, StepHistory] = {}
        self.corrections: dict[str, int] = {}
        """Subtracted from the times of each probe, by its id, in nanoseconds; 0 if it is missing."""
        self._limit = limit
        self._filled: deque[tuple[ChartKey, StepColumns]] = deque()
        self._weight = 0
        self._shapes = SharedShapes()
        self._steps = 0

    def __len__(self) -> int:
        return self._steps

    def correct(self, probe: str, correction_ns: int, *, was_set: bool) -> None:
        """Change the correction of a probe's clock; see ``StepHistory.correct``."""
        self.corrections[probe] = correction_ns
        for key, stored in self.charts.items():
            if key.probe == probe:
                stored.correct(correction_ns, was_set=was_set)

    def extend(self, chart: ChartId, steps: Sequence[RawStep]) -> None:
        """Append steps of one chart."""
        key = chart.key
        stored = self.charts.get(key)
        if stored is None:
            stored = self.charts[key] = StepHistory(chart, self.corrections.get(key.probe, 0))
        stored.chart = chart
        self._steps += len(steps)
        for block in stored.extend(steps):
            self._fill(key, block)
        self._count(stored.blocks[-1])
        while self._weight + self._shapes.bytes // STEP_BYTES > self._limit and self._has_filled():
            self._forget_oldest()

    def remove(self, key: ChartKey) -> None:
        """Forget a chart and its steps, if it is known."""
        stored = self.charts.pop(key, None)
        if stored is None:
            return
        self._steps -= len(stored)
        self.forgotten += len(stored)
        for block in stored.blocks:
            self._shapes.remove(block.table[: block.counted])
        kept = [(owner, block) for owner, block in self._filled if owner != key]
        self._filled = deque(kept)
        self._weight = sum(block.weight for _, block in kept)

    @property
    def first_ns(self) -> int | None:
        """When the oldest step of all ended, in nanoseconds since the epoch; None if there is none."""
        return min(
            (first for stored in self.charts.values() if (first := stored.first_ns) is not None), default=None
        )

    @property
    def whole_from_ns(self) -> int:
        """The time from which nothing was forgotten of any chart; before all times if nothing was."""
        return max(
            (
                stored.first_ns
                for stored in self.charts.values()
                if stored.forgotten and stored.first_ns is not None
            ),
            default=-(1 << 62),
        )

    def next_after(self, time_ns: int, keys: Iterable[ChartKey]) -> int | None:
        """Return when the first step of those charts after ``time_ns`` ended; None if there is none."""
        found = []
        for stored in self._of(keys):
            place = stored.first_from(time_ns + 1)
            if place is not None:
                found.append(stored.time_at(place))
        return min(found, default=None)

    def last_before(self, time_ns: int, keys: Iterable[ChartKey]) -> int | None:
        """Return when the last step of those charts before ``time_ns`` ended; None if there is none."""
        found = []
        for stored in self._of(keys):
            place = stored.last_until(time_ns - 1)
            if place is not None:
                found.append(stored.time_at(place))
        return max(found, default=None)

    def newest(self, keys: Iterable[ChartKey], limit: int, to_ns: int) -> list[Step]:
        """Return the newest ``limit`` steps of those charts together until ``to_ns``, in their order."""
        steps = in_order_of_causes(
            step for stored in self._of(keys) for step in stored.newest(limit, 0, to_ns)
        )
        return steps[max(0, len(steps) - limit) :]

    def _of(self, keys: Iterable[ChartKey]) -> list[StepHistory]:
        return [stored for key in keys if (stored := self.charts.get(key)) is not None]

    def _fill(self, key: ChartKey, block: StepColumns) -> None:
        self._filled.append((key, block))
        self._weight += block.weight
        self._count(block)

    def _count(self, block: StepColumns) -> None:
        """Count the shapes that were added to a block."""
        self._shapes.add(block.table[block.counted :])
        block.counted = len(block.table)

    def _has_filled(self) -> bool:
        """Return whether there is a block to forget; unfilled ones count if they hold too much."""
        if not self._filled and self._shapes.bytes > UNFILLED_BYTES:
            for key, stored in self.charts.items():
                block = stored.fill_up()
                if block is not None:
                    self._fill(key, block)
        return bool(self._filled)

    def _forget_oldest(self) -> None:
        key, block = self._filled.popleft()
        self._shapes.remove(block.table)
        self._weight -= block.weight
        self._steps -= len(block)
        self.forgotten += len(block)
        # A chart's blocks fill in their order, so this is its oldest.
        self.charts[key].forget_oldest()
