"""The data of a chart in the page's list, updated step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from farscope.records.configuration import leaves_in
from farscope.records.shape import Shape
from farscope.records.step import SHAPE, RawStep
from farscope.records.weight import SHARED_BYTES
from farscope.scope.chart import ChartView
from farscope.views.chart_activity import ChartActivity
from farscope.views.regions import Regions
from farscope.views.statechart.model import Statechart

SPARK: Final = 40
"""Seconds that a chart's sparkline shows."""

MAX_ARROWS: Final = 2_000
"""Different arrows counted per chart: more would not make a readable picture. Further steps are counted as
``uncounted``."""

PICTURE_BYTES: Final = 32 << 20
"""Maximum size of the names in the pictures of all charts, in bytes; steps beyond are ``uncounted``."""

UNCOUNTED: Final = 1_024
"""Maximum number of steps that wait to be counted in the picture: counting many at once is far cheaper."""


class PictureRoom:
    """The memory budget of the pictures of all charts. Not thread-safe."""

    def __init__(self, limit: int = PICTURE_BYTES) -> None:
        self.left = limit


class ChartSummary:
    """One chart as the page knows it. Not thread-safe."""

    def __init__(
        self,
        number: int,
        view: ChartView,
        correction_ns: int = 0,
        *,
        kept: bool = False,
        room: PictureRoom | None = None,
    ) -> None:
        self.number = number
        """Identifies the chart on the page; never used again for another one."""
        self.kept = kept
        """Whether it stays, with its label and structure, whatever the scope follows: a recording has charts
        that are known from its end before the scope has reached them."""
        self.activity = ChartActivity(view)
        self.activity.last_ns = view.last_ns - correction_ns if view.last_ns else 0
        self.rate = 0
        """Steps in the last whole second."""
        self.spark = [0] * SPARK
        """Steps in each of the last whole seconds."""
        self.revision = 0
        """When anything above changed."""
        self.spark_revision = 0
        self._view = view
        self._picture = Statechart()
        self._shapes: list[Shape] = []
        self.uncounted = 0
        """Steps left out of the picture at ``MAX_ARROWS``."""
        self._drawn = 0
        self._room = room or PictureRoom()
        self._shape_bytes = 0
        self._large: set[int] = set()
        self.regions = Regions(view.structure)
        """The regions of the chart, as announced."""
        if view.structure is not None:
            self._picture.add_structure(view.structure)

    @property
    def picture(self) -> Statechart:
        """States and arrows, with every step added so far."""
        self._count_all()
        return self._picture

    @property
    def active(self) -> tuple[str, ...]:
        """The active leaves, in document order; empty before the start and after the end."""
        return self.activity.states

    def leaves_in(self, text: str) -> tuple[str, ...]:
        """Return the leaves of a configuration of this chart of which only the text is known."""
        if not text:
            return ()
        return (text,) if text in self.picture.states else leaves_in(text)

    @property
    def view(self) -> ChartView:
        """The scope's latest data about the chart."""
        return self._view

    def add_steps(self, steps: Sequence[RawStep], now_ns: int, correction_ns: int = 0) -> None:
        """Add new steps of the chart, at least one, in their order; see ``ChartActivity.add_steps``."""
        self.activity.add_steps(steps, now_ns, correction_ns)
        self._shapes.extend([step[SHAPE] for step in steps])
        if len(self._shapes) >= UNCOUNTED:
            self._count_all()

    def update(self, view: ChartView) -> bool:
        """Take the scope's latest data about the chart; return whether anything changed."""
        before = self._view
        if self.kept:
            structure = view.structure or before.structure
            view = replace(view, label=before.label, structure=structure)
        if view == before:
            return False
        self._view = view
        self.activity.update(view)
        if view.structure is not None and view.structure != before.structure:
            self._picture.add_structure(view.structure)
            self.regions = Regions(view.structure)
        return True

    def tick(self, now_ns: int) -> bool:
        """Update the sparkline up to the last whole second; return whether it changed."""
        spark = self.activity.steps_per_second(now_ns, SPARK)
        changed = spark != self.spark
        self.spark, self.rate = spark, spark[-1]
        return changed

    def _count_all(self) -> None:
        # Most steps share a few shape objects: asking for each object once spares hashing every step.
        shapes = {id(shape): shape for shape in self._shapes}
        for key, count in Counter(map(id, self._shapes)).items():
            self._count(shapes[key], count)
        self._shapes.clear()

    def _count(self, shape: Shape, count: int) -> None:
        known = self._picture.draws(shape)
        # Another shape of an arrow that is drawn already brings few names, unless it is large.
        if not known or (shape.size > SHARED_BYTES and hash(shape) not in self._large):
            if self._room.left < shape.size or (not known and self._drawn >= MAX_ARROWS):
                self.uncounted += count
                return
            self._room.left -= shape.size
            self._shape_bytes += shape.size
            self._large.add(hash(shape))
        self._picture.add_shape(shape, count)
        self._drawn = len(self._picture.seen) + len(self._picture.hooked) + len(self._picture.failed)

    def give_back(self) -> None:
        """Release the memory of the picture, because the chart is removed."""
        self._room.left += self._shape_bytes
        self._shape_bytes = 0
