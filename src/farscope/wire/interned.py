"""One object for each shape and chart id a reader meets, however many batches bring it."""

from __future__ import annotations

from farscope.records.shape import Shape
from farscope.records.step import ChartId

MAX_INTERNED_FACTS = 262_144
"""When the known shapes hold as many facts all are forgotten: equal shapes then come as two objects, once."""

MAX_INTERNED_CHARTS = 16_384
"""When as many chart ids are known all are forgotten, with the same effect."""


class Interned:
    """Bounded memory of shapes and chart ids; used by one thread at a time.

    A shape keeps its rendered lines, so meeting the same object again saves the rendering.
    """

    def __init__(self) -> None:
        self._shapes: dict[Shape, Shape] = {}
        self._facts = 0
        self._charts: dict[ChartId, ChartId] = {}

    def shape(self, shape: Shape) -> Shape:
        """Return the first shape met that equals ``shape``."""
        known = self._shapes.get(shape)
        if known is not None:
            return known
        self._facts += len(shape.facts) + 1
        if self._facts > MAX_INTERNED_FACTS:
            self._shapes.clear()
            self._facts = len(shape.facts) + 1
        self._shapes[shape] = shape
        return shape

    def chart(self, chart: ChartId) -> ChartId:
        """Return the first chart id met that equals ``chart``."""
        known = self._charts.get(chart)
        if known is not None:
            return known
        if len(self._charts) >= MAX_INTERNED_CHARTS:
            self._charts.clear()
        self._charts[chart] = chart
        return chart
