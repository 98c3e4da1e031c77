"""Bounds on clock offsets, from the order of batches in a log. Pure: no I/O, no clock.

For batches read from the past the time of receipt is meaningless, and every log stamps a batch by the clock
of the machine that sent it. What remains is the order: a batch that follows another machine's batch was
stored after it. Each such pair bounds how far one clock can be ahead of the other, up to the delays of the
two batches; the offset in use is the one that contradicts the fewest pairs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from farscope.records.heartbeat import MAX_SPELL_NS, SPELL_NS, scaled

SAMPLES = 64
"""Newest bounds used on either side: they cover seconds of busy probes, or a minute of idle ones."""

SPARED = 32
"""One pair in this many may contradict clocks that agree, since batches are sometimes held up."""

SETTLE_SAMPLES = 3
SETTLED_SAMPLES = 8
"""Bounds used on either side at first, and how many are enough before the spell is over."""

REFINED_NS = 20_000_000
"""An offset in use is kept while the better estimate differs by no more than this."""


class _Mark(NamedTuple):
    """A batch to compare others with."""

    position: int
    probe: str
    corrected_ns: int


def _newest() -> deque[int]:
    return deque(maxlen=SAMPLES)


@dataclass(slots=True)
class _ProbeBounds:
    anchor: bool
    position: int = -1
    stamp_ns: int = 0
    first_ns: int = 0
    alone_since_ns: int = 0
    settled: bool = False
    offset_ns: int = 0
    least: deque[int] = field(default_factory=_newest)
    """Its stamps minus those of the batches after them: lower bounds of the offset."""
    most: deque[int] = field(default_factory=_newest)
    """Its stamps minus those of the batches before them: upper bounds of the offset."""

    def begin(self, stamp_ns: int) -> None:
        """Start over, keeping only the current offset."""
        self.position = -1
        self.first_ns = self.alone_since_ns = stamp_ns
        self.settled = self.anchor
        self.least.clear()
        self.most.clear()


class OrderBounds:
    """Offsets of any number of probes relative to the first one heard; not thread-safe."""

    def __init__(self, limit: int, delay_ns: int) -> None:
        """Set the limit of memory and the tolerance.

        Args:
            limit: probes remembered at a time; the one unheard for longest is forgotten.
            delay_ns: clocks agree if batch delays of up to this long explain the order.
        """
        self._limit = limit
        self._delay_ns = delay_ns
        self._probes: OrderedDict[str, _ProbeBounds] = OrderedDict()
        self._position = 0
        self._last = self._last_of_another = _Mark(-1, "", 0)
        self._spell_ns = SPELL_NS
        """Every probe sends heartbeats. After being heard for this long, even a probe with few batches has
        yielded what it can; a probe heard for this long with no other in between currently has nothing to be
        compared with. Longer if there are slower heartbeats, but at most ``MAX_SPELL_NS``."""
        self._unbounded: set[str] = set()
        """Probes whose newest batch is not yet followed by one of another probe."""

    def add(self, probe_id: str, stamp_ns: int, heartbeat_ns: int = 0) -> None:
        """Add the next batch of the log.

        Args:
            probe_id: the probe that sent it.
            stamp_ns: when it was stored, by its probe's clock.
            heartbeat_ns: the interval that its probe announced; 0 if unknown.
        """
        self._spell_ns = max(self._spell_ns, min(scaled(SPELL_NS, heartbeat_ns), MAX_SPELL_NS))
        probe = self._probes.pop(probe_id, None)
        if probe is None:
            probe = _ProbeBounds(anchor=self._position == 0)
            probe.begin(stamp_ns)
        while len(self._probes) >= self._limit:
            self._unbounded.discard(self._probes.popitem(last=False)[0])
        self._probes[probe_id] = probe
        mark = self._last if self._last.probe != probe_id else self._last_of_another
        if mark.position > probe.position:
            probe.alone_since_ns = stamp_ns
            probe.most.append(stamp_ns - mark.corrected_ns)
        self._settle(probe, stamp_ns)
        probe.position, probe.stamp_ns = self._position, stamp_ns
        if probe.settled:
            self._mark(_Mark(self._position, probe_id, stamp_ns - probe.offset_ns))
        self._unbounded.add(probe_id)
        self._position += 1

    def set_back(self, probe_id: str, by_ns: int) -> None:
        """Record that a probe's clock was set back by at least ``by_ns``, as its next batch will show."""
        probe = self._probes.get(probe_id)
        if probe is not None:
            probe.anchor = False
            probe.offset_ns -= by_ns
            probe.begin(probe.stamp_ns - by_ns)
            self._unbounded.discard(probe_id)

    @property
    def reached_ns(self) -> int:
        """The time of the newest batch, by the clock of the first probe heard."""
        return self._last.corrected_ns

    def offset_ns(self, probe_id: str) -> int:
        """Return how far a probe's clock is ahead of the first probe's; 0 if they agree or if unknown."""
        probe = self._probes.get(probe_id)
        return probe.offset_ns if probe else 0

    def settled(self, probe_id: str) -> bool:
        """Return whether a probe can be ordered relative to others, as far as currently known."""
        probe = self._probes.get(probe_id)
        return probe is not None and probe.settled

    def _mark(self, mark: _Mark) -> None:
        """Compare this batch with the newest earlier one of every other probe, and later ones with it."""
        self._unbounded.discard(mark.probe)
        for probe_id in self._unbounded:
            probe = self._probes[probe_id]
            probe.least.append(probe.stamp_ns - mark.corrected_ns)
        self._unbounded.clear()
        if self._last.probe != mark.probe:
            self._last_of_another = self._last
        self._last = mark

    def _settle(self, probe: _ProbeBounds, stamp_ns: int) -> None:
        if probe.anchor:
            return
        spell_over = stamp_ns - probe.first_ns >= self._spell_ns
        count = min(len(probe.least), len(probe.most))
        if count >= (SETTLE_SAMPLES if spell_over or probe.settled else SETTLED_SAMPLES):
            offset_ns = offset_between(probe.least, probe.most, self._delay_ns)
            if not probe.settled or not offset_ns or abs(offset_ns - probe.offset_ns) > REFINED_NS:
                probe.offset_ns = offset_ns
            probe.settled = True
        elif stamp_ns - probe.alone_since_ns >= self._spell_ns:
            probe.settled = True


def offset_between(least: Sequence[int], most: Sequence[int], delay_ns: int) -> int:
    """Return the offset that the bounds leave, or 0 if they are consistent with clocks that agree.

    If bounds contradict each other, the most extreme ones of both sides are dropped until they agree: those
    come from batches that were held up, which is equally likely for either probe.

    Args:
        least: lower bounds of the offset; at least one.
        most: upper bounds of the offset; at least one.
        delay_ns: by how much a bound may be wrong if clocks agree.
    """
    least, most = sorted(least, reverse=True), sorted(most)
    count = min(len(least), len(most))
    wrong = sum(low > high for low, high in zip(least, most, strict=False))
    # If all contradict, the smallest contradiction is split in half.
    rest = min(wrong, count - 1)
    low, high = sorted((least[rest], most[rest]))
    spared = count // SPARED
    above = len(least) - bisect_right(least[::-1], delay_ns)
    below = bisect_left(most, -delay_ns)
    if max(above, below) <= spared or low - delay_ns <= 0 <= high + delay_ns:
        return 0
    return (low + high) // 2
