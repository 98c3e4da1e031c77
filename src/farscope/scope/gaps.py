"""Tracks which numbers of a rising sequence have arrived, stored as the holes between them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import NamedTuple

MAX_HOLES = 1_024
"""Holes kept for one sequence. At the limit the lowest is given up: it stays counted, and anything that
arrives for it later is treated as a repeat. Of the holes given up before being reported, this many of the
newest can still be reported."""


FEW_HOLES = 8
"""Holes that a sequence may always keep."""

ALL_HOLES = 65_536
"""Holes kept by all sequences together, some 15 MB, in addition to the ``FEW_HOLES`` of each; at the limit a
sequence that gets another hole gives up its lowest."""


class Span(NamedTuple):
    """The numbers ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers the span contains."""
        return self.last - self.first + 1


class _Hole(NamedTuple):
    first: int
    last: int
    born_ns: int
    """When the hole was noticed."""
    told: bool


class HoleRoom:
    """Shared budget for the holes of many sequences. Used by one thread at a time."""

    __slots__ = ("_limit", "_taken")

    def __init__(self, limit: int = ALL_HOLES) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether only the room guaranteed to each sequence is left."""
        return self._taken > self._limit

    def take(self, count: int) -> None:
        """Take room for ``count`` more holes; a negative count gives room back."""
        self._taken += count


class Taken(NamedTuple):
    """Result of handing in a span."""

    new: tuple[Span, ...]
    """The parts that had not arrived before."""
    found: tuple[Span, ...]
    """Parts of ``new`` that had been reported as missing."""


class Spans:
    """The numbers of one sequence, from ``first`` up to but not including ``end``; not thread-safe.

    Everything between the two has arrived, apart from the holes. Numbers below ``first`` were never expected:
    if one arrives, ``first`` moves down.
    """

    __slots__ = ("_counted", "_given_up", "_holes", "_room", "end", "first", "missing")

    def __init__(self, first: int | None = None, room: HoleRoom | None = None) -> None:
        """``first`` is the first number to expect; the default is the first one handed in.

        ``room`` is shared with other sequences.
        """
        self.first = first
        self.end = 0 if first is None else first
        self.missing = 0
        """How many numbers were expected but have not arrived, including those of holes given up."""
        self._holes: list[_Hole] = []
        self._given_up: deque[Span] = deque(maxlen=MAX_HOLES)
        self._room = room or HoleRoom()
        self._counted = 0

    def holes(self) -> list[Span]:
        """Return the missing spans, lowest first, except those given up at the limit."""
        return [Span(hole.first, hole.last) for hole in self._holes]

    def take(self, first: int, last: int, now_ns: int = 0) -> Taken:
        """Hand in the numbers ``first`` to ``last``; ``now_ns`` becomes the time of any hole this creates."""
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
        """Record that all numbers below ``end`` exist: those that have not arrived become a hole."""
        if self.first is None:
            self.first = self.end = end
        if end > self.end:
            self._holes.append(_Hole(self.end, end - 1, now_ns, told=False))
            self.missing += end - self.end
            self.end = end
            self._keep_bound()

    def tell(self, born_ns: int) -> list[Span]:
        """Return the holes noticed at or before ``born_ns``, each only once over all calls."""
        told = list(self._given_up)
        self._given_up.clear()
        self._count()
        for index, hole in enumerate(self._holes):
            if not hole.told and hole.born_ns <= born_ns:
                told.append(Span(hole.first, hole.last))
                self._holes[index] = hole._replace(told=True)
        return told

    def _take_early(self, before: int, first: int, last: int, now_ns: int) -> Taken:
        """Take a span that begins below ``before``, the first number expected so far."""
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
        """Remove a span from the holes; return the parts removed, and those of them already reported."""
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

    def forget(self) -> None:
        """Give back the room the holes took; the sequence must not be used afterwards."""
        self._room.take(-self._counted)
        self._counted = 0

    def _keep_bound(self) -> None:
        self._count()
        while len(self._holes) > MAX_HOLES or self._is_crowded():
            if self._is_crowded() and self._given_up:
                self._given_up.popleft()
            else:
                hole = self._holes.pop(0)
                if not (hole.told or self._room.full):
                    self._given_up.append(Span(hole.first, hole.last))
            self._count()

    def _is_crowded(self) -> bool:
        return self._room.full and self._counted > FEW_HOLES

    def _count(self) -> None:
        """Update the shared room with the number of holes held."""
        counted = len(self._holes) + len(self._given_up)
        self._room.take(counted - self._counted)
        self._counted = counted
