"""What the page's list shows of a chart, kept up to date step by step."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from farscope.records.shape import Shape
from farscope.records.step import RawStep
from farscope.scope.chart import ChartView
from farscope.views.statechart.model import Statechart
from farscope.views.statechart.moves import moves

SPARK: Final = 40
"""Seconds of a chart's recent past that its spark line shows."""

MAX_ARROWS: Final = 2_000
"""Different arrows that are counted of a chart; more of them make no picture any more, and what is done
beyond these is counted as ``uncounted``."""


class Row:
    """One chart as the page knows it. Not thread-safe.

    Times are in nanoseconds since the epoch by the chart's own clock; 0 means not yet.
    """

    def __init__(self, number: int, view: ChartView) -> None:
        self.number = number
        """What the page calls the chart; never used again for another one."""
        self.view = view
        self.state = view.state
        self.since_ns = 0
        """When the state was last entered."""
        self.event = ""
        """Signal of the last step."""
        self.outcome = 0
        """Kind of the last step."""
        self.last_ns = view.last_ns
        self.queued = 0
        self.rate = 0
        """Steps received in the last second."""
        self.spark: deque[int] = deque([0] * SPARK, maxlen=SPARK)
        self.revision = 0
        """When anything above changed."""
        self.spark_revision = 0
        self.picture = Statechart()
        self.uncounted = 0
        """Steps left out of the picture at ``MAX_ARROWS``."""
        self._number = 0
        self._counted = 0
        self._drawn = 0
        if view.structure is not None:
            self.picture.add_structure(view.structure)

    def take_steps(self, steps: Sequence[RawStep]) -> None:
        """Take new steps of the chart, at least one, in their order."""
        last = steps[-1]
        self._number = last[1]
        self._counted += len(steps)
        self.state = last[2].end
        self.event = last[2].signal
        self.outcome = int(last[2].kind)
        self.last_ns = last[3]
        self.queued = last[5]
        for step in reversed(steps):
            if step[2].traced:
                self.since_ns = step[3]
                break
        for shape, count in Counter([step[2] for step in steps]).items():
            self._count(shape, count)

    def take_view(self, view: ChartView) -> bool:
        """Take what the scope says of the chart as a whole; return whether anything changed."""
        before = self.view
        if view == before:
            return False
        self.view = view
        if view.structure is not None and view.structure != before.structure:
            self.picture.add_structure(view.structure)
        # Announcements may be ahead of the steps that wait to be taken.
        if view.last_number > self._number:
            self.state = view.state
        return True

    def tick(self) -> bool:
        """End a second of the spark line; return whether that changed it."""
        changed = self._counted != self.rate or any(self.spark)
        self.rate, self._counted = self._counted, 0
        self.spark.append(self.rate)
        return changed

    def _count(self, shape: Shape, count: int) -> None:
        if self._drawn >= MAX_ARROWS and not self._draws(shape):
            self.uncounted += count
            return
        self.picture.add_shape(shape, count)
        self._drawn = len(self.picture.seen) + len(self.picture.hooked)

    def _draws(self, shape: Shape) -> bool:
        seen = moves(shape)
        return (seen.source, seen.target, shape.signal) in self.picture.seen or (
            seen.source,
            shape.signal,
        ) in self.picture.hooked
