"""Which numbers of a rising sequence were had and which were not, kept as the holes between them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import NamedTuple

MAX_HOLES = 1_024
"""Holes kept for one sequence. At the limit the lowest is given up: it stays counted, and what should
still arrive for it is taken for something had before. Of those given up without having been told, the
newest this many can still be told."""


class Span(NamedTuple):
    """The numbers ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers that is."""
        return self.last - self.first + 1


class _Hole(NamedTuple):
    first: int
    last: int
    born_ns: int
    """When the hole was noticed."""
    told: bool


class Taken(NamedTuple):
    """What became of a span that was handed in."""

    new: tuple[Span, ...]
    """The parts that were not had before."""
    found: tuple[Span, ...]
    """Those of them that had been told as missing."""


class Spans:
    """The numbers of one sequence, from ``first`` on and below ``end``; not thread-safe.

    Everything between the two was had, apart from the holes. What is below ``first`` was never
    expected: a number from there moves ``first`` down.
    """

    __slots__ = ("_given_up", "_holes", "end", "first", "missing")

    def __init__(self, first: int | None = None) -> None:
        """``first`` is the first number to expect; without it, the first one handed in is."""
        self.first = first
        self.end = 0 if first is None else first
        self.missing = 0
        """How many numbers were expected and not had, those of holes given up included."""
        self._holes: list[_Hole] = []
        self._given_up: deque[Span] = deque(maxlen=MAX_HOLES)

    def holes(self) -> list[Span]:
        """Return the missing spans, lowest first, without those given up at the limit."""
        return [Span(hole.first, hole.last) for hole in self._holes]

    def take(self, first: int, last: int, now_ns: int = 0) -> Taken:
        """Hand in the numbers ``first`` to ``last``; ``now_ns`` is noted on a hole this makes."""
        if self.first is None:
            self.first = self.end = first
        if first >= self.end:
            self.expect(first, now_ns)
            self.end = last + 1
            return Taken((Span(first, last),), ())
        if first < self.first:
            return self._take_early(self.first, first, last, now_ns)
        new, found = self._fill(first, min(last, self.end - 1))
        if last >= self.end:
            new.append(Span(self.end, last))
            self.end = last + 1
        return Taken(tuple(new), tuple(found))

    def expect(self, end: int, now_ns: int = 0) -> None:
        """Take note that all numbers below ``end`` exist: those not had yet become a hole."""
        if self.first is None:
            self.first = self.end = end
        if end > self.end:
            self._holes.append(_Hole(self.end, end - 1, now_ns, told=False))
            self.missing += end - self.end
            self.end = end
            self._keep_bound()

    def tell(self, born_ns: int) -> list[Span]:
        """Return the holes noticed at ``born_ns`` or before, each once."""
        told = list(self._given_up)
        self._given_up.clear()
        for index, hole in enumerate(self._holes):
            if not hole.told and hole.born_ns <= born_ns:
                told.append(Span(hole.first, hole.last))
                self._holes[index] = hole._replace(told=True)
        return told

    def _take_early(self, before: int, first: int, last: int, now_ns: int) -> Taken:
        """Take a span that begins below ``before``, the first number expected up to now."""
        self.first = first
        early = Span(first, min(last, before - 1))
        if last < before - 1:
            self._holes.insert(0, _Hole(last + 1, before - 1, now_ns, told=False))
            self.missing += before - 1 - last
            self._keep_bound()
        if last < before:
            return Taken((early,), ())
        rest = self.take(before, last, now_ns)
        return Taken((early, *rest.new), rest.found)

    def _fill(self, first: int, last: int) -> tuple[list[Span], list[Span]]:
        """Take ``first`` to ``last`` out of the holes; return what was in them, and what of it was told."""
        index = bisect_right(self._holes, first, key=lambda hole: hole.last + 1)
        new: list[Span] = []
        found: list[Span] = []
        while index < len(self._holes) and self._holes[index].first <= last:
            hole = self._holes[index]
            part = Span(max(first, hole.first), min(last, hole.last))
            new.append(part)
            self.missing -= part.size
            if hole.told:
                found.append(part)
            rest = []
            if hole.first < part.first:
                rest.append(hole._replace(last=part.first - 1))
            if part.last < hole.last:
                rest.append(hole._replace(first=part.last + 1))
            self._holes[index : index + 1] = rest
            index += len(rest)
        self._keep_bound()
        return new, found

    def _keep_bound(self) -> None:
        while len(self._holes) > MAX_HOLES:
            hole = self._holes.pop(0)
            if not hole.told:
                self._given_up.append(Span(hole.first, hole.last))
