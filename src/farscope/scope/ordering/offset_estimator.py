"""How far a probe's clock is from the scope's, by when its batches arrive. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import deque

WINDOW_NS = 60_000_000_000
"""The quickest batch of so long tells the offset. Longer, and a clock that drifts (6 ms a minute at 100 ppm)
or was set back unseen would be followed too late; shorter, and a busy spell without a quick batch would
mislead."""

MAX_BEST = 256
"""Batches remembered of the window at most, one of each part of it."""

SETTLE_NS = 2_500_000_000
SETTLE_SAMPLES = 3
"""An estimate is settled when so many batches over so long have brought none that was much quicker. What
was kept waiting, in a spool or a frozen program, comes in a burst and settles nothing."""

STEADY_NS = 50_000_000
"""A batch quicker by this than all before it means that those were kept waiting: settling begins anew."""


class ClockEstimate:
    """The offset of one probe's clock; not thread-safe.

    A batch takes some time from being sent to being received, and never less than none. So "sent" minus
    "received" is the offset less the delay, and the largest of the recent ones is the best: too low by
    the least delay of the way, never too high. That delay is the bound of its error: where messages go one
    way only, nothing tells a delay from a clock that is behind. A clock that is ahead is proven to be.
    """

    __slots__ = ("_adopted", "_best", "_count", "_improved_ns", "_settled")

    def __init__(self) -> None:
        # Times of arrival with "sent minus received"; the first is the best, each later one a worse one.
        self._best: deque[tuple[int, int]] = deque()
        self._adopted: int | None = None
        self._improved_ns = 0
        self._count = 0
        self._settled = False

    @property
    def offset_ns(self) -> int | None:
        """How far the clock is ahead of the scope's, negative if behind; None before the first batch."""
        return self._adopted

    @property
    def settled(self) -> bool:
        """Whether it can be told to people: until then a clock that is right may seem to be far behind."""
        return self._settled

    def take(self, sent_ns: int, received_ns: int, now_ns: int) -> None:
        """Take a batch that was read as soon as it could be.

        Args:
            sent_ns: when it was sent, by the probe's clock.
            received_ns: when it arrived, by the scope's.
            now_ns: the same moment by a clock that does not go back.
        """
        offset_ns = sent_ns - received_ns
        best = self._best
        while best and best[0][0] < now_ns - WINDOW_NS:
            best.popleft()
        if not best or offset_ns - best[0][1] >= STEADY_NS:
            self._begin_settling(now_ns)
        while best and best[-1][1] <= offset_ns:
            best.pop()
        # One that is worse than another of the same quarter of a second is never needed.
        if not best or now_ns - best[-1][0] >= WINDOW_NS // MAX_BEST:
            best.append((now_ns, offset_ns))
        self._count += 1
        if self._count >= SETTLE_SAMPLES and now_ns - self._improved_ns >= SETTLE_NS:
            self._settled = True
        # An offset that is larger than thought is proven by one batch; a smaller one may be one slow batch.
        if self._adopted is None or best[0][1] > self._adopted or self._settled:
            self._adopted = best[0][1]

    def begin_anew(self) -> None:
        """Forget all batches: the probe's clock was set back since, so that none of them tells its offset."""
        self._best.clear()
        self._adopted = None

    def shift(self, by_ns: int) -> None:
        """Take note that the scope's own clock was set, and all others are ahead of it by so much more."""
        self._best = deque((now_ns, offset_ns + by_ns) for now_ns, offset_ns in self._best)
        if self._adopted is not None:
            self._adopted += by_ns

    def _begin_settling(self, now_ns: int) -> None:
        self._count = 0
        self._improved_ns = now_ns
        self._settled = False
