"""The clocks of all probes: what to correct times by, and what to tell people. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from farscope.records.step import NANOSECONDS
from farscope.scope.clock import ClockEstimate
from farscope.scope.intake import MAX_PROBES
from farscope.scope.log_order import LogOrder
from farscope.scope.notice import Notice, NoticeKind

FAR_NS = 1_000_000_000
"""A clock off by more than this is told to people, and views show its steps by corrected times."""

NEAR_AGAIN_NS = 500_000_000
"""A clock told as off is told as right again when it is off by less than this, so that none flickers; one
that has moved by more than this since it was told is told again."""

SAME_CLOCK_NS = 5_000_000
"""A clock ahead by less than this is taken as right: the two readings compared are never of one instant."""


def off_text(offset_ns: int) -> str:
    """Return an offset in words, such as ``40.0 s ahead of``; one that fits in front of a clock."""
    seconds = abs(offset_ns) / NANOSECONDS
    return f"{seconds:,.1f} s {'ahead of' if offset_ns > 0 else 'behind'}"


@dataclass(slots=True)
class _Probe:
    id: str
    host: str
    live: ClockEstimate = field(default_factory=ClockEstimate)
    told_ns: int | None = None


class Clocks:
    """Every probe's clock against the scope's; not thread-safe.

    While new batches are read, the time they arrive at tells. Of the past only their order in the log does,
    which shows how clocks differ from each other.
    """

    def __init__(self, host: str, delay_ns: int) -> None:
        """Say what a clock is compared with.

        Args:
            host: this machine's name; probes of the same name are taken to go by its clock unless
                they are off by more than a second.
            delay_ns: a clock that seems to be behind by no more than this is taken as right, and its
                batches as having been on their way for so long.
        """
        self._host = host
        self._delay_ns = delay_ns
        self._probes: dict[str, _Probe] = {}
        self._order = LogOrder(MAX_PROBES)

    def take_new(
        self, probe_id: str, host: str, sent_ns: int, received_ns: int, now_ns: int
    ) -> Iterator[Notice]:
        """Take a batch that was read as soon as it was stored; see ``ClockEstimate.take``."""
        probe = self._probe(probe_id, host)
        probe.live.take(sent_ns, received_ns, now_ns)
        if probe.live.settled:
            yield from self._tell(probe, probe.live.offset_ns or 0, "this machine's")

    def take_past(self, probe_id: str, host: str, stamp_ns: int) -> Iterator[Notice]:
        """Take a batch from the past, in the order of the log; see ``LogOrder.take``."""
        probe = self._probe(probe_id, host)
        self._order.take(probe_id, stamp_ns)
        if probe.live.offset_ns is None and self._order.settled(probe_id):
            yield from self._tell(probe, self._order.offset_ns(probe_id), "the first machine's")

    def settled(self, probe_id: str) -> bool:
        """Whether a probe of the past can be merged with others already."""
        probe = self._probes.get(probe_id)
        return (probe is not None and probe.live.offset_ns is not None) or self._order.settled(probe_id)

    def correction_ns(self, probe_id: str) -> int:
        """Return what to take off a probe's times, so that all probes go by one clock."""
        probe = self._probes.get(probe_id)
        if probe is None:
            return 0
        offset_ns = probe.live.offset_ns
        if offset_ns is None:
            return self._order.offset_ns(probe_id)
        near_ns = self._delay_ns if probe.live.settled and probe.host != self._host else FAR_NS
        return 0 if -near_ns <= offset_ns <= SAME_CLOCK_NS else offset_ns

    def offset_ns(self, probe_id: str) -> int | None:
        """Return how far a probe's clock is ahead, as far as it is known well enough to be told."""
        probe = self._probes.get(probe_id)
        if probe is None:
            return None
        if probe.live.offset_ns is None:
            return self._order.offset_ns(probe_id) or None
        return probe.live.offset_ns if probe.live.settled else probe.told_ns

    def _probe(self, probe_id: str, host: str) -> _Probe:
        probe = self._probes.pop(probe_id, None) or _Probe(probe_id, host)
        while len(self._probes) >= MAX_PROBES:
            del self._probes[next(iter(self._probes))]
        self._probes[probe_id] = probe
        return probe

    def _tell(self, probe: _Probe, offset_ns: int, than: str) -> Iterator[Notice]:
        told_ns = probe.told_ns
        if told_ns is not None and abs(offset_ns) < NEAR_AGAIN_NS:
            probe.told_ns = None
            yield Notice(kind=NoticeKind.CLOCK_RIGHT, subject=self._machine(probe))
        elif abs(offset_ns) > FAR_NS and (told_ns is None or abs(offset_ns - told_ns) > NEAR_AGAIN_NS):
            known = self._told_of_machine(probe, offset_ns)
            probe.told_ns = offset_ns
            if not known:
                detail = f"{off_text(offset_ns)} {than}"
                yield Notice(kind=NoticeKind.CLOCK_OFF, subject=self._machine(probe), detail=detail)

    def _machine(self, probe: _Probe) -> str:
        """Return the machine's name, with the probe's if another machine, by another clock, has the same."""
        own_ns = self.offset_ns(probe.id) or 0
        offsets = [self.offset_ns(other.id) for other in self._probes.values() if other.host == probe.host]
        shared = any(abs(other_ns - own_ns) > NEAR_AGAIN_NS for other_ns in offsets if other_ns is not None)
        return f"{probe.host}/{probe.id[:8]}" if shared else probe.host

    def _told_of_machine(self, probe: _Probe, offset_ns: int) -> bool:
        """Whether the same was told already, by way of another probe of the machine."""
        return any(
            other.host == probe.host
            and other.told_ns is not None
            and abs(other.told_ns - offset_ns) <= NEAR_AGAIN_NS
            for other in self._probes.values()
        )
