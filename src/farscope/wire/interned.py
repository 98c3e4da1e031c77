"""One object for each shape and chart id a reader meets, however many batches bring it."""

from __future__ import annotations

from farscope.records.shape import Shape
from farscope.records.step import ChartId

MAX_INTERNED_SHAPES = 16_384
"""When as many different shapes are known all are forgotten: equal ones then come as two objects, once."""

MAX_INTERNED_CHARTS = 16_384
"""The same for chart ids."""


class Interned:
    """Bounded memory of shapes and chart ids; used by one thread at a time.

    A shape keeps its rendered lines, so meeting the same object again saves the rendering.
    """

    def __init__(self) -> None:
        self._shapes: dict[Shape, Shape] = {}
        self._charts: dict[ChartId, ChartId] = {}

    def shape(self, shape: Shape) -> Shape:
        """Return the first shape met that equals ``shape``."""
        if len(self._shapes) >= MAX_INTERNED_SHAPES:
            self._shapes.clear()
        return self._shapes.setdefault(shape, shape)

    def chart(self, chart: ChartId) -> ChartId:
        """Return the first chart id met that equals ``chart``."""
        if len(self._charts) >= MAX_INTERNED_CHARTS:
            self._charts.clear()
        return self._charts.setdefault(chart, chart)
