"""One object for each shape and chart id a reader meets, however many batches bring it."""

from __future__ import annotations

from farscope.records.shape import Shape
from farscope.records.step import ChartId
from farscope.records.weight import chart_bytes

MAX_INTERNED_BYTES = 16 << 20
"""When the known shapes and chart ids take as much all are forgotten: equal ones then come as two objects."""


class Interned:
    """Bounded memory of shapes and chart ids; used by one thread at a time.

    A shape keeps its rendered lines, so meeting the same object again saves the rendering.
    """

    def __init__(self) -> None:
        self.met_bytes = 0
        """What everything that was not known takes together, over all time; never falls."""
        self.renewed = 0
        """How often all was forgotten."""
        self._shapes: dict[Shape, Shape] = {}
        self._charts: dict[ChartId, ChartId] = {}
        self._bytes = 0

    def shape(self, shape: Shape) -> Shape:
        """Return the first shape met that equals ``shape``."""
        known = self._shapes.get(shape)
        if known is not None:
            return known
        self._make_room(shape.size)
        self._shapes[shape] = shape
        return shape

    def chart(self, chart: ChartId) -> ChartId:
        """Return the first chart id met that equals ``chart``."""
        known = self._charts.get(chart)
        if known is not None:
            return known
        self._make_room(chart_bytes(chart))
        self._charts[chart] = chart
        return chart

    def _make_room(self, size: int) -> None:
        self.met_bytes += size
        self._bytes += size
        if self._bytes > MAX_INTERNED_BYTES:
            self._shapes.clear()
            self._charts.clear()
            self._bytes = size
            self.renewed += 1
