"""Interning: one object for each shape and chart id a reader receives, however many batches contain it."""

from __future__ import annotations

from farscope.records.shape import Shape
from farscope.records.step import ChartId
from farscope.records.weight import chart_bytes

MAX_INTERNED_BYTES = 16 << 20
"""Memory limit of known shapes and chart ids; at it, all are forgotten, so equal ones may be two objects."""


class Interned:
    """A bounded intern table of shapes and chart ids; used by one thread at a time.

    A shape caches its rendered lines, so reusing the object saves rendering them again.
    """

    def __init__(self) -> None:
        self.met_bytes = 0
        """Total bytes of all objects that were new, since creation; never decreases."""
        self.renewed = 0
        """How often the table was cleared."""
        self._shapes: dict[Shape, Shape] = {}
        self._charts: dict[ChartId, ChartId] = {}
        self._bytes = 0

    def shape(self, shape: Shape) -> Shape:
        """Return the first known shape equal to ``shape``."""
        known = self._shapes.get(shape)
        if known is not None:
            return known
        self._make_room(shape.size)
        self._shapes[shape] = shape
        return shape

    def chart(self, chart: ChartId) -> ChartId:
        """Return the first known chart id equal to ``chart``."""
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
