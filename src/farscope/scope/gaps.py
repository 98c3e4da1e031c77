"""Tracks which numbers of a rising sequence have arrived, stored as the gaps between them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import NamedTuple

MAX_GAPS = 1_024
"""Gaps kept for one sequence. At the limit the lowest is given up: it stays counted, and anything that
arrives for it later is treated as a repeat. Of the gaps given up before being reported, this many of the
newest can still be reported."""


FEW_GAPS = 8
"""Gaps that a sequence may always keep."""

ALL_GAPS = 65_536
"""Gaps kept by all sequences together, some 15 MB, in addition to the ``FEW_GAPS`` of each; at the limit a
sequence that gets another gap gives up its lowest."""


class NumberRange(NamedTuple):
    """The numbers ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers the span contains."""
        return self.last - self.first + 1


class _Gap(NamedTuple):
    first: int
    last: int
    noticed_ns: int
    """When the gap was noticed."""
    reported: bool


class GapBudget:
    """Shared budget for the gaps of many sequences. Used by one thread at a time."""

    __slots__ = ("_limit", "_taken")

    def __init__(self, limit: int = ALL_GAPS) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether only the room guaranteed to each sequence is left."""
        return self._taken > self._limit

    def charge(self, count: int) -> None:
        """Take room for ``count`` more gaps; a negative count gives room back."""
        self._taken += count


class Added(NamedTuple):
    """Result of handing in a span."""

    new: tuple[NumberRange, ...]
    """The parts that had not arrived before."""
    found: tuple[NumberRange, ...]
    """Parts of ``new`` that had been reported as missing."""


class GapTracker:
    """The numbers of one sequence, from ``first`` up to but not including ``end``; not thread-safe.

    Everything between the two has arrived, apart from the gaps. Numbers below ``first`` were never expected:
    if one arrives, ``first`` moves down.
    """

    __slots__ = ("_counted", "_gaps", "_given_up", "_room", "end", "first", "missing")

    def __init__(self, first: int | None = None, room: GapBudget | None = None) -> None:
        """``first`` is the first number to expect; the default is the first one handed in.

        ``room`` is shared with other sequences.
        """
        self.first = first
        self.end = 0 if first is None else first
        self.missing = 0
        """How many numbers were expected but have not arrived, including those of gaps given up."""
        self._gaps: list[_Gap] = []
        self._given_up: deque[NumberRange] = deque(maxlen=MAX_GAPS)
        self._room = room or GapBudget()
        self._counted = 0

    def gaps(self) -> list[NumberRange]:
        """Return the missing spans, lowest first, except those given up at the limit."""
        return [NumberRange(gap.first, gap.last) for gap in self._gaps]

    def add(self, first: int, last: int, now_ns: int = 0) -> Added:
        """Hand in the numbers ``first`` to ``last``; ``now_ns`` becomes the time of any gap this creates."""
        if self.first is None:
            self.first = self.end = first
        if first >= self.end:
            self.expect(first, now_ns)
            self.end = last + 1
            return Added((NumberRange(first, last),), ())
        if first < self.first:
            return self._add_early(self.first, first, last, now_ns)
        new, found = self._fill(first, min(last, self.end - 1))
        if last >= self.end:
            new.append(NumberRange(self.end, last))
            self.end = last + 1
        return Added(tuple(new), tuple(found))

    def expect(self, end: int, now_ns: int = 0) -> None:
        """Record that all numbers below ``end`` exist: those that have not arrived become a gap."""
        if self.first is None:
            self.first = self.end = end
        if end > self.end:
            self._gaps.append(_Gap(self.end, end - 1, now_ns, reported=False))
            self.missing += end - self.end
            self.end = end
            self._keep_bound()

    def report(self, noticed_ns: int) -> list[NumberRange]:
        """Return the gaps noticed at or before ``noticed_ns``, each only once over all calls."""
        reported = list(self._given_up)
        self._given_up.clear()
        self._count()
        for index, gap in enumerate(self._gaps):
            if not gap.reported and gap.noticed_ns <= noticed_ns:
                reported.append(NumberRange(gap.first, gap.last))
                self._gaps[index] = gap._replace(reported=True)
        return reported

    def _add_early(self, before: int, first: int, last: int, now_ns: int) -> Added:
        """Take a span that begins below ``before``, the first number expected so far."""
        self.first = first
        early = NumberRange(first, min(last, before - 1))
        if last < before - 1:
            self._gaps.insert(0, _Gap(last + 1, before - 1, now_ns, reported=False))
            self.missing += before - 1 - last
            self._keep_bound()
        if last < before:
            return Added((early,), ())
        rest = self.add(before, last, now_ns)
        return Added((early, *rest.new), rest.found)

    def _fill(self, first: int, last: int) -> tuple[list[NumberRange], list[NumberRange]]:
        """Remove a span from the gaps; return the parts removed, and those of them already reported."""
        index = bisect_right(self._gaps, first, key=lambda gap: gap.last + 1)
        new: list[NumberRange] = []
        found: list[NumberRange] = []
        while index < len(self._gaps) and self._gaps[index].first <= last:
            gap = self._gaps[index]
            part = NumberRange(max(first, gap.first), min(last, gap.last))
            new.append(part)
            self.missing -= part.size
            if gap.reported:
                found.append(part)
            rest = []
            if gap.first < part.first:
                rest.append(gap._replace(last=part.first - 1))
            if part.last < gap.last:
                rest.append(gap._replace(first=part.last + 1))
            self._gaps[index : index + 1] = rest
            index += len(rest)
        self._keep_bound()
        return new, found

    def forget(self) -> None:
        """Give back the room the gaps took; the sequence must not be used afterwards."""
        self._room.charge(-self._counted)
        self._counted = 0

    def _keep_bound(self) -> None:
        self._count()
        while len(self._gaps) > MAX_GAPS or self._is_crowded():
            if self._is_crowded() and self._given_up:
                self._given_up.popleft()
            else:
                gap = self._gaps.pop(0)
                if not (gap.reported or self._room.full):
                    self._given_up.append(NumberRange(gap.first, gap.last))
            self._count()

    def _is_crowded(self) -> bool:
        return self._room.full and self._counted > FEW_GAPS

    def _count(self) -> None:
        """Update the shared room with the number of gaps held."""
        counted = len(self._gaps) + len(self._given_up)
        self._room.charge(counted - self._counted)
        self._counted = counted
