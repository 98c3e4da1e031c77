"""A memory limit for the spy and trace of all foreign charts together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final, Protocol

from farscope.records.step import RawStep
from farscope.records.weight import STEP_BYTES, together_bytes

MAX_RING_BYTES: Final = 48 << 20
"""Most bytes the spy and trace of all foreign charts may take, give or take one batch. At the limit the
charts that remember most forget their oldest steps, which still count as received."""

KEPT_PARTS: Final = 4
"""At the limit one of this many parts is freed, so that counting does not start over with every batch."""


class Ring(Protocol):
    """Holds the newest steps of one chart."""

    def held(self) -> Iterable[RawStep]:
        """Return the steps it remembers."""

    def own_bytes(self) -> int:
        """Return its own memory use in bytes, without small shapes that charts of the same kind share."""

    def shrink(self, limit_bytes: int) -> None:
        """Forget the oldest steps until its own memory use is at most ``limit_bytes``."""


class Rings:
    """Keeps the total memory of all rings within a limit; not thread-safe.

    While steps arrive, the total is estimated from above; it is counted when the estimate reaches the limit.
    """

    def __init__(self, rings: Callable[[], Iterable[Ring]], limit_bytes: int = MAX_RING_BYTES) -> None:
        """``rings`` returns all rings there are when called."""
        self._rings = rings
        self._limit_bytes = limit_bytes
        self._guess_bytes = 0
        self._renewed = 0

    def add(self, more: int, extra_bytes: int, renewed: int) -> None:
        """Account for the steps of a batch.

        Args:
            more: how many steps the rings have gained.
            extra_bytes: what its steps take in addition to their own size.
            renewed: how often shapes were forgotten that older steps may still refer to.
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
    """Return the size to which the larger ones must shrink so that all together fit into ``room``."""
    left, remaining = room, len(sizes)
    for size in sorted(sizes):
        if size * remaining > left:
            return left // remaining
        left -= size
        remaining -= 1
    return max(sizes, default=0)
