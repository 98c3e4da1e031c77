"""How far clocks are from each other, by the order of their batches in a log. Pure: no I/O, no clock.

Of batches read from the past the time of receiving says nothing, and every log's stamp of storing is by the
clock of the machine that sent the batch. What remains is the order: where a batch of one probe lies between
two of another, it was stored between them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median_low
from typing import NamedTuple

SAMPLES = 31
"""Newest batches the middle of which tells the offset; few that were delayed do not move it."""

SETTLE_SAMPLES = 3
"""Batches it takes to know an offset."""

ALONE_NS = 2_500_000_000
"""Every probe speaks every second. One that was heard for so long with no other in between has nothing
to be compared with at present."""

FAR_NS = 1_000_000_000
"""Clocks that differ by no more than this count as agreeing: idle probes put a batch into the log once a
second, so the order alone tells no more."""

MOVED_NS = 500_000_000
"""An offset in use is given up for another one when they differ by more than this."""


class _Mark(NamedTuple):
    """A batch to compare with."""

    position: int
    probe: str
    corrected_ns: int


@dataclass(slots=True)
class _Probe:
    anchor: bool
    position: int = -1
    stamp_ns: int = 0
    alone_since_ns: int = 0
    settled: bool = False
    offset_ns: int = 0
    samples: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class LogOrder:
    """Offsets of any number of probes relative to the first one heard; not thread-safe."""

    def __init__(self, limit: int) -> None:
        """``limit``: probes remembered at a time; the one unheard for longest is forgotten."""
        self._limit = limit
        self._probes: OrderedDict[str, _Probe] = OrderedDict()
        self._position = 0
        self._last = _Mark(-1, "", 0)
        self._last_of_another = _Mark(-1, "", 0)

    def take(self, probe_id: str, stamp_ns: int) -> None:
        """Take the next batch of the log; ``stamp_ns`` is when it was stored, by its probe's clock."""
        probe = self._probes.pop(probe_id, None) or _Probe(anchor=self._position == 0)
        while len(self._probes) >= self._limit:
            self._probes.popitem(last=False)
        self._probes[probe_id] = probe
        mark = self._last if self._last.probe != probe_id else self._last_of_another
        if probe.position < 0:
            probe.settled = probe.anchor
            probe.alone_since_ns = stamp_ns
        elif mark.position > probe.position:
            probe.alone_since_ns = stamp_ns
            probe.samples.append((probe.stamp_ns + stamp_ns) // 2 - mark.corrected_ns)
        self._settle(probe, stamp_ns)
        probe.position, probe.stamp_ns = self._position, stamp_ns
        if probe.settled:
            if self._last.probe != probe_id:
                self._last_of_another = self._last
            self._last = _Mark(self._position, probe_id, stamp_ns - probe.offset_ns)
        self._position += 1

    def offset_ns(self, probe_id: str) -> int:
        """Return how far a probe's clock is ahead of the first probe's; 0 if they agree or nobody knows."""
        probe = self._probes.get(probe_id)
        return probe.offset_ns if probe else 0

    def settled(self, probe_id: str) -> bool:
        """Whether more batches would tell more, as far as is known."""
        probe = self._probes.get(probe_id)
        return probe is not None and probe.settled

    def _settle(self, probe: _Probe, stamp_ns: int) -> None:
        if probe.anchor:
            return
        if len(probe.samples) >= SETTLE_SAMPLES:
            offset_ns = median_low(probe.samples)
            if abs(offset_ns) <= FAR_NS:
                offset_ns = 0
            if not probe.settled or abs(offset_ns - probe.offset_ns) > MOVED_NS:
                probe.offset_ns = offset_ns
            probe.settled = True
        elif stamp_ns - probe.alone_since_ns >= ALONE_NS:
            probe.settled = True
