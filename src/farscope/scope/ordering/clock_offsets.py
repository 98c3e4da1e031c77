"""The clocks of all probes: what to correct times by, and what to tell people. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from farscope.records.step import NANOSECONDS
from farscope.scope.intake import MAX_PROBES
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.offset_estimator import SETTLE_NS, SETTLE_SAMPLES, ClockEstimate
from farscope.scope.ordering.order_bounds import LogOrder

FAR_NS = 1_000_000_000
"""A clock off by more than this is told to people, and views show its steps by corrected times."""

NEAR_AGAIN_NS = 500_000_000
"""A clock told as off is told as right again when it is off by less than this, so that none flickers; one
that has moved by more than this since it was told is told again."""

SAME_CLOCK_NS = 5_000_000
"""A clock ahead by less than this is taken as right: the two readings compared are never of one instant."""

SET_NS = 50_000_000
"""The scope's own clock was set when it moved by more than this against the one that does not go back.
Slewing moves it by half a thousandth at most."""

QUIET_NS = 4_000_000_000
"""A probe that has said nothing for so long may be gone: every probe speaks every second."""

BEHIND_NS = 600_000_000_000
"""In a log of many machines, a probe that seems to have said nothing for as long as this may still be one
whose clock is behind. Further behind, nobody waits to see whether it is."""

OLD_NS = 10_800_000_000_000
"""What comes in as new and was made longer ago than three hours, by its machine's clock, is shown at its own
times: it may be an old run that somebody stores once more, and nothing but its times would tell. Of a program
of this machine ``FAR_NS`` is enough where the log is of one machine, since there is one clock only."""

REFINED_NS = 1_000_000
"""Times go on being corrected by what they were while the better estimate differs by less than this."""


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
    number: int = -1
    """Of its newest batch."""
    sent_ns: int = 0
    """When that was sent, by its clock."""
    was_set_back: bool = False
    told_old: bool = False
    new: int = 0
    """Batches of it that were new."""
    new_since_ns: int = 0
    """When the first of them arrived, by a clock that does not go back."""
    correction_ns: int = 0
    """In use while new batches are read."""


class Clocks:
    """Every probe's clock against the scope's; not thread-safe.

    While new batches are read, the time they arrive at tells. Of the past only their order in the log does,
    which shows how clocks differ from each other; by how much all of them differ from the scope's is known
    as soon as one of those probes sends something new.
    """

    def __init__(self, host: str, delay_ns: int, *, one_machine: bool = False) -> None:
        """Say what a clock is compared with.

        Args:
            host: this machine's name; probes of the same name are taken to go by its clock unless
                they are off by more than a second.
            delay_ns: a clock that seems to be behind by no more than this is taken as right, and its
                batches as having been on their way for so long.
            one_machine: all probes are of this machine, so that no clock is expected to be off.
        """
        self.past_ahead_ns: int | None = None
        """How far the clock that the past was compared with is ahead of the scope's; None if unknown."""
        self._host = host
        self._one_machine = one_machine
        self._delay_ns = delay_ns
        self._probes: dict[str, _Probe] = {}
        self._order = LogOrder(MAX_PROBES, delay_ns)
        self._own_ns: int | None = None

    def set_back(self, probe_id: str, host: str, number: int, sent_ns: int) -> bool:
        """Tell whether a probe's clock was set back before its batch ``number``; call before taking that.

        Batches are numbered in the order they are sent in, so one sent before its predecessor is proof.
        """
        probe = self._probe(probe_id, host)
        if number <= probe.number:
            return False
        by_ns = probe.sent_ns - sent_ns
        proven = probe.number >= 0 and by_ns > 0
        probe.number, probe.sent_ns = number, sent_ns
        if proven:
            probe.was_set_back = True
            probe.live.begin_anew()
            self._order.set_back(probe_id, by_ns)
        return proven

    def take_new(
        self, probe_id: str, host: str, sent_ns: int, received_ns: int, now_ns: int
    ) -> Iterator[Notice]:
        """Take a batch that was read as soon as it was stored; see ``ClockEstimate.take``."""
        self._look_at_own(received_ns - now_ns)
        probe = self._probe(probe_id, host)
        first = probe.live.offset_ns is None
        probe.live.take(sent_ns, received_ns, now_ns)
        probe.new += 1
        probe.new_since_ns = now_ns if first else probe.new_since_ns
        correction_ns = self._correction_ns(probe, probe.live.offset_ns or 0)
        if not correction_ns or abs(correction_ns - probe.correction_ns) >= REFINED_NS:
            probe.correction_ns = correction_ns
        if first and self.past_ahead_ns is None and self._order.settled(probe_id):
            self.past_ahead_ns = probe.correction_ns - self._order.offset_ns(probe_id)
        if self._is_old(probe, probe.live.offset_ns or 0) and self._is_sure(probe, now_ns):
            yield from self._tell_old(probe, probe.live.offset_ns or 0)
        elif probe.live.settled:
            probe.told_old = False
            yield from self._tell(probe, probe.live.offset_ns or 0, "this machine's")

    def take_past(
        self, probe_id: str, host: str, stored_ns: int, sent_ns: int | None = None
    ) -> Iterator[Notice]:
        """Take a batch from the past, in the order of the log; both times by the probe's clock."""
        probe = self._probe(probe_id, host)
        # What waited in a spool was sent long before it was stored, and its place tells of the storing; but
        # times of storing stand still while a clock that was set back catches up with itself.
        stamp_ns = stored_ns if sent_ns is None else max(sent_ns, stored_ns)
        self._order.take(probe_id, sent_ns if sent_ns is not None and probe.was_set_back else stamp_ns)
        if probe.live.offset_ns is None and self._order.settled(probe_id):
            yield from self._tell(probe, self._order.offset_ns(probe_id), "the first machine's")

    @property
    def past_ns(self) -> int:
        """How far the past was read, by the clock it was compared with."""
        return self._order.reached_ns

    def may_be_present(self, wall_ns: int) -> bool:
        """Whether the past may have been read up to now, by the scope's clock, as far as anybody can tell."""
        return wall_ns - self.past_ns < (QUIET_NS if self._one_machine else QUIET_NS + BEHIND_NS)

    def heard_new(self, probe_id: str) -> bool:
        """Whether a probe was compared with the scope's own clock."""
        probe = self._probes.get(probe_id)
        return probe is not None and probe.live.offset_ns is not None

    def settled(self, probe_id: str) -> bool:
        """Whether a probe of the past can be merged with others already."""
        return self.heard_new(probe_id) or self._order.settled(probe_id)

    def correction_ns(self, probe_id: str) -> int:
        """Return what to take off a probe's times, so that all probes go by one clock."""
        if self.heard_new(probe_id):
            return self._probes[probe_id].correction_ns
        return self._order.offset_ns(probe_id) + (self.past_ahead_ns or 0)

    def offset_ns(self, probe_id: str) -> int | None:
        """Return how far a probe's clock is ahead, as far as it is known well enough to be told."""
        probe = self._probes.get(probe_id)
        if probe is None:
            return None
        if probe.live.offset_ns is None:
            offset_ns = self.correction_ns(probe_id)
            return offset_ns if abs(offset_ns) > FAR_NS else None
        if self._is_old(probe, probe.live.offset_ns):
            return None
        return probe.live.offset_ns if probe.live.settled else probe.told_ns

    def _look_at_own(self, own_ns: int) -> None:
        """Notice when the scope's own clock was set: ``own_ns`` is it less the one that does not go back."""
        moved_ns = 0 if self._own_ns is None else own_ns - self._own_ns
        self._own_ns = own_ns
        if abs(moved_ns) >= SET_NS:
            for probe in self._probes.values():
                probe.live.shift(-moved_ns)
                probe.correction_ns = self._correction_ns(probe, probe.live.offset_ns or 0)

    def _correction_ns(self, probe: _Probe, offset_ns: int) -> int:
        """Return what of an offset is a clock that is off, rather than the way of the batches."""
        if self._is_old(probe, offset_ns):
            return 0
        if probe.host == self._host:
            right = offset_ns >= -FAR_NS if probe.live.settled else offset_ns <= 0
            return 0 if right and offset_ns <= FAR_NS else offset_ns
        near_ns = self._delay_ns if probe.live.settled else FAR_NS
        return 0 if -near_ns <= offset_ns <= SAME_CLOCK_NS else offset_ns

    def _is_old(self, probe: _Probe, offset_ns: int) -> bool:
        """Whether what comes in is so far behind that it may be of long ago."""
        return offset_ns < -(FAR_NS if self._has_our_clock(probe) else OLD_NS)

    def _is_sure(self, probe: _Probe, now_ns: int) -> bool:
        """Whether what seems to be old is.

        A run that is stored once more at twice its speed comes nearer with every batch, as does what had
        waited in a spool. A log of one machine has no spool, so there what has been old for long enough is.
        """
        if probe.live.settled or not self._has_our_clock(probe):
            return probe.live.settled
        return probe.new >= SETTLE_SAMPLES and now_ns - probe.new_since_ns >= SETTLE_NS

    def _has_our_clock(self, probe: _Probe) -> bool:
        return self._one_machine and probe.host == self._host

    def _tell_old(self, probe: _Probe, offset_ns: int) -> Iterator[Notice]:
        if not probe.told_old:
            known = any(other.told_old and other.host == probe.host for other in self._probes.values())
            probe.told_old, probe.told_ns = True, None
            if known:
                return
            detail = f"{-offset_ns / NANOSECONDS:,.1f} s"
            yield Notice(kind=NoticeKind.OLD, subject=self._machine(probe), detail=detail)

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
