"""Interning: one object for each shape and chart id a reader receives, however many batches contain it."""

from __future__ import annotations

from collections.abc import Sequence

from farscope.records.shape import Shape
from farscope.records.step import ChartId
from farscope.records.structure import ChartStructure
from farscope.records.weight import chart_bytes

MAX_INTERNED_BYTES = 16 << 20
"""Memory limit of known shapes and chart ids; at it, all are forgotten, so equal ones may be two objects."""

MAX_DICTIONARY_BYTES = 1_024
"""Encoded dictionaries up to this size are remembered: those of small batches keep coming again."""

MAX_STRUCTURE_BYTES = 1 << 20
"""Structures up to this size are remembered: they are announced again and again, unchanged."""

TABLE_BYTES = 500
"""Memory of a remembered dictionary, in addition to a few times its size."""


class Interned:
    """A bounded intern table of shapes and chart ids; used by one thread at a time.

    A shape caches its rendered lines, so reusing the object saves rendering them again. Dictionaries and
    structures are remembered with their encoded bytes, so that known ones need not be decoded again.
    """

    def __init__(self) -> None:
        self.met_bytes = 0
        """Total bytes of all objects that were new, since creation; never decreases."""
        self.renewed = 0
        """How often the table was cleared."""
        self._shapes: dict[Shape, Shape] = {}
        self._charts: dict[ChartId, ChartId] = {}
        self._dictionaries: dict[bytes, tuple[Sequence[str], Sequence[Shape]]] = {}
        self._structures: dict[bytes, ChartStructure] = {}
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

    def dictionary(self, data: bytes) -> tuple[Sequence[str], Sequence[Shape]] | None:
        """Return the strings and shapes of a dictionary that was kept."""
        return self._dictionaries.get(data)

    def keep_dictionary(self, data: bytes, strings: Sequence[str], shapes: Sequence[Shape]) -> None:
        """Remember the strings and shapes of a dictionary, if it is small."""
        if len(data) <= MAX_DICTIONARY_BYTES:
            self._make_room(TABLE_BYTES + 8 * len(data), met=False)
            self._dictionaries[data] = strings, shapes

    def structure(self, data: bytes) -> ChartStructure | None:
        """Return a structure that was kept."""
        return self._structures.get(data)

    def keep_structure(self, data: bytes, structure: ChartStructure, size: int) -> None:
        """Remember a structure of ``size`` bytes, unless it is very large."""
        if size <= MAX_STRUCTURE_BYTES:
            self._make_room(TABLE_BYTES + len(data) + size, met=False)
            self._structures[data] = structure

    def _make_room(self, size: int, *, met: bool = True) -> None:
        """Count ``size`` more bytes; ``met`` unless the steps of a batch share none of them."""
        self.met_bytes += size if met else 0
        self._bytes += size
        if self._bytes > MAX_INTERNED_BYTES:
            self._shapes.clear()
            self._charts.clear()
            self._dictionaries.clear()
            self._structures.clear()
            self._bytes = size
            self.renewed += 1
