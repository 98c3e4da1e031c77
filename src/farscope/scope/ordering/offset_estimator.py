"""Estimates a probe's clock offset from the arrival times of its batches. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import deque

from farscope.records.heartbeat import GONE_AFTER_NS, LATELY_NS, scaled

WINDOW_NS = 60_000_000_000
"""The offset is taken from the fastest batch of this period. With a longer one, drift (6 ms a minute at 100
ppm) or an undetected setback of the clock would be followed too late; a shorter one would be misled by a busy
spell without a fast batch. For a heartbeat of more than 15 seconds it is longer, so that it has several."""

MAX_BEST = 256
"""Most batches remembered within the window, one for each part of it."""

SETTLE_NS = LATELY_NS
SETTLE_SAMPLES = 3
"""An estimate is settled after this many batches, over ``SETTLE_NS``, of which none was much faster. Batches
that were held up, in a spool or a frozen program, arrive in a burst and settle nothing."""

STEADY_NS = 50_000_000
"""A batch faster by this than all before it shows that those were held up: settling starts over."""


class OffsetEstimator:
    """The offset of one probe's clock; not thread-safe.

    The delay of a batch between sending and receiving is never negative. So "sent" minus "received" is the
    offset minus the delay, and the largest recent value is the best estimate: too low by the shortest delay,
    never too high. That delay bounds the error: if messages travel in one direction only, a delay cannot be
    distinguished from a clock that is behind. A clock that is ahead is proven to be so.
    """

    __slots__ = ("_adopted", "_best", "_count", "_improved_ns", "_settled")

    def __init__(self) -> None:
        # Times of arrival with "sent minus received"; the first is the best, and each later one is worse.
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
        """Whether it can be reported: until then a correct clock may seem to be far behind."""
        return self._settled

    def add(self, sent_ns: int, received_ns: int, now_ns: int, heartbeat_ns: int = 0) -> None:
        """Add a batch that was read as soon as possible.

        Args:
            sent_ns: when it was sent, by the probe's clock.
            received_ns: when it arrived, by the scope's clock.
            now_ns: time of arrival by a monotonic clock.
            heartbeat_ns: the interval that the probe announced; 0 if unknown.
        """
        window_ns = max(WINDOW_NS, scaled(GONE_AFTER_NS, heartbeat_ns))
        offset_ns = sent_ns - received_ns
        best = self._best
        while best and best[0][0] < now_ns - window_ns:
            best.popleft()
        if not best or offset_ns - best[0][1] >= STEADY_NS:
            self._begin_settling(now_ns)
        while best and best[-1][1] <= offset_ns:
            best.pop()
        # A value worse than another of the same quarter of a second is never needed.
        if not best or now_ns - best[-1][0] >= window_ns // MAX_BEST:
            best.append((now_ns, offset_ns))
        self._count += 1
        if self._count >= SETTLE_SAMPLES and now_ns - self._improved_ns >= SETTLE_NS:
            self._settled = True
        # A single batch proves an offset larger than estimated; a smaller one may be due to a slow batch.
        if self._adopted is None or best[0][1] > self._adopted or self._settled:
            self._adopted = best[0][1]

    def reset(self) -> None:
        """Forget all batches: the probe's clock was set back, so none of them shows its offset any more."""
        self._best.clear()
        self._adopted = None

    def shift(self, by_ns: int) -> None:
        """Record that the scope's own clock was set, so that all others are ahead by ``by_ns`` more."""
        self._best = deque((now_ns, offset_ns + by_ns) for now_ns, offset_ns in self._best)
        if self._adopted is not None:
            self._adopted += by_ns

    def _begin_settling(self, now_ns: int) -> None:
        self._count = 0
        self._improved_ns = now_ns
        self._settled = False
