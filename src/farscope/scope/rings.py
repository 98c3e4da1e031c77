"""What all foreign charts together remember of their spy and trace, within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final, Protocol

from farscope.records.step import RawStep
from farscope.records.weight import STEP_BYTES, together_bytes

MAX_RING_BYTES: Final = 48 << 20
"""Bytes that the spy and trace of all foreign charts take at most, give or take what one batch brings. At the
limit the charts that remember most forget their oldest steps, which were received and stay counted."""

KEPT_PARTS: Final = 4
"""Of so many parts one is freed at the limit, so that the counting is not begun anew with every batch."""


class Ring(Protocol):
    """What remembers the newest steps of one chart."""

    def held(self) -> Iterable[RawStep]:
        """Return the steps it remembers."""

    def own_bytes(self) -> int:
        """Return what it takes by itself, without small shapes that charts of a kind share."""

    def shrink(self, limit_bytes: int) -> None:
        """Forget the oldest steps, so that it takes no more than that by itself."""


class Rings:
    """Sees to it that rings take no more memory than there is for them together; not thread-safe.

    What they take is guessed from above while steps come, and counted when the guess reaches the limit.
    """

    def __init__(self, rings: Callable[[], Iterable[Ring]], limit_bytes: int = MAX_RING_BYTES) -> None:
        """``rings`` returns all of them at the moment of asking."""
        self._rings = rings
        self._limit_bytes = limit_bytes
        self._guess_bytes = 0
        self._renewed = 0

    def note(self, more: int, extra_bytes: int, renewed: int) -> None:
        """Take note of what a batch brought.

        Args:
            more: by how many steps the rings have grown.
            extra_bytes: what its steps take besides themselves.
            renewed: how often shapes were forgotten that older steps may still hold.
        """
        self._guess_bytes += more * STEP_BYTES + extra_bytes
        if self._guess_bytes > self._limit_bytes or renewed != self._renewed:
            self._renewed = renewed
            self._count()

    def _count(self) -> None:
        rings = list(self._rings())
        self._guess_bytes = together_bytes(chain.from_iterable(ring.held() for ring in rings))
        kept = self._limit_bytes - self._limit_bytes // KEPT_PARTS
        if self._guess_bytes <= kept:
            return
        sizes = [ring.own_bytes() for ring in rings]
        shared = max(0, self._guess_bytes - sum(sizes))
        level = level_of(sizes, max(0, kept - shared))
        for ring, size in zip(rings, sizes, strict=True):
            if size > level:
                ring.shrink(level)
        self._guess_bytes = together_bytes(chain.from_iterable(ring.held() for ring in rings))


def level_of(sizes: Sequence[int], room: int) -> int:
    """Return to what size the larger ones have to shrink, so that all together fit into ``room``."""
    left, remaining = room, len(sizes)
    for size in sorted(sizes):
        if size * remaining > left:
            return left // remaining
        left -= size
        remaining -= 1
    return max(sizes, default=0)
