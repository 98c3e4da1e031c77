"""The clocks of all probes: corrections to apply and notices to report. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from farscope.records.heartbeat import GONE_AFTER_NS
from farscope.records.step import NANOSECONDS
from farscope.scope.intake import MAX_PROBES
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.offset_estimator import SETTLE_NS, SETTLE_SAMPLES, OffsetEstimator
from farscope.scope.ordering.order_bounds import OrderBounds

FAR_NS = 1_000_000_000
"""A clock off by more than this is reported, and views show its steps by corrected times."""

NEAR_AGAIN_NS = 500_000_000
"""A clock reported as off is reported as right again once it is off by less than this, which avoids flicker;
one that has moved by more than this since the report is reported again."""

SAME_CLOCK_NS = 5_000_000
"""A clock ahead by less than this is considered right: the two readings compared are never simultaneous."""

SET_NS = 50_000_000
"""The scope's own clock was set if it moved by more than this relative to the monotonic clock. Slewing
changes its rate by at most half a thousandth."""

BEHIND_NS = 600_000_000_000
"""In a log of many machines, a probe that seems to have been silent for up to this long may just have a clock
that is behind. Beyond that, nothing waits to find out."""

OLD_NS = 10_800_000_000_000
"""Steps that arrive as new but were made more than three hours ago, by their machine's clock, are shown at
their own times: they may be an old run that is being stored again, which only its times reveal. In a log of
one machine ``FAR_NS`` is enough for a program of this machine, since there is only one clock."""

REFINED_NS = 1_000_000
"""A correction in use is kept while the better estimate differs by less than this."""


def off_text(offset_ns: int) -> str:
    """Return an offset in words, such as ``40.0 s ahead of``, to be followed by the name of a clock."""
    seconds = abs(offset_ns) / NANOSECONDS
    return f"{seconds:,.1f} s {'ahead of' if offset_ns > 0 else 'behind'}"


@dataclass(slots=True)
class _ProbeClock:
    id: str
    host: str
    live: OffsetEstimator = field(default_factory=OffsetEstimator)
    reported_ns: int | None = None
    number: int = -1
    """Number of its newest batch."""
    sent_ns: int = 0
    """When its newest batch was sent, by its clock."""
    was_set_back: bool = False
    old_reported: bool = False
    new: int = 0
    """Number of its batches read live."""
    new_since_ns: int = 0
    """When the first of those arrived, by a monotonic clock."""
    correction_ns: int = 0
    """Correction in use while batches are read live."""


class ClockOffsets:
    """Every probe's clock relative to the scope's; not thread-safe.

    While batches are read live, offsets follow from their times of arrival. For the past only the order of
    batches in the log is available, which shows how clocks differ from each other; by how much all of them
    differ from the scope's is known once one of those probes sends something new.
    """

    def __init__(self, host: str, delay_ns: int, *, one_machine: bool = False) -> None:
        """Set what clocks are compared with.

        Args:
            host: this machine's name; probes with the same name are assumed to use its clock unless they are
                off by more than a second.
            delay_ns: a clock that seems to be behind by no more than this is considered right, and the
                difference is attributed to the delay of its batches.
            one_machine: all probes run on this machine, so no clock is expected to be off.
        """
        self.past_ahead_ns: int | None = None
        """How far the reference clock of the past is ahead of the scope's; None if unknown."""
        self._host = host
        self._one_machine = one_machine
        self._delay_ns = delay_ns
        self._probes: dict[str, _ProbeClock] = {}
        self._order = OrderBounds(MAX_PROBES, delay_ns)
        self._own_ns: int | None = None

    def set_back(self, probe_id: str, host: str, number: int, sent_ns: int) -> bool:
        """Return whether a probe's clock was set back before batch ``number``; call before taking it.

        Batches are numbered in the order they are sent, so one sent before its predecessor is proof.
        """
        probe = self._probe(probe_id, host)
        if number <= probe.number:
            return False
        by_ns = probe.sent_ns - sent_ns
        proven = probe.number >= 0 and by_ns > 0
        probe.number, probe.sent_ns = number, sent_ns
        if proven:
            probe.was_set_back = True
            probe.live.reset()
            self._order.set_back(probe_id, by_ns)
        return proven

    def add_live(
        self, probe_id: str, host: str, sent_ns: int, received_ns: int, now_ns: int, *, heartbeat_ns: int = 0
    ) -> list[Notice]:
        """Add a batch that was read as soon as it was stored; see ``OffsetEstimator.add``.

        Returns:
            The notices about its machine's clock.
        """
        self._check_own_clock(received_ns - now_ns)
        probe = self._probe(probe_id, host)
        first = probe.live.offset_ns is None
        probe.live.add(sent_ns, received_ns, now_ns, heartbeat_ns)
        probe.new += 1
        probe.new_since_ns = now_ns if first else probe.new_since_ns
        correction_ns = self._correction_ns(probe, probe.live.offset_ns or 0)
        if not correction_ns or abs(correction_ns - probe.correction_ns) >= REFINED_NS:
            probe.correction_ns = correction_ns
        if first and self.past_ahead_ns is None and self._order.settled(probe_id):
            self.past_ahead_ns = probe.correction_ns - self._order.offset_ns(probe_id)
        if self._is_old(probe, probe.live.offset_ns or 0) and self._is_sure(probe, now_ns):
            return self._report_old(probe, probe.live.offset_ns or 0)
        if not probe.live.settled:
            return []
        probe.old_reported = False
        return self._report_offset(probe, probe.live.offset_ns or 0, "this machine's")

    def add_past(
        self, probe_id: str, host: str, stored_ns: int, sent_ns: int | None = None, *, heartbeat_ns: int = 0
    ) -> list[Notice]:
        """Add a batch from the past, in the order of the log; both times are by the probe's clock.

        Returns:
            The notices about its machine's clock.
        """
        probe = self._probe(probe_id, host)
        # Batches from a spool were sent long before they were stored, and their place reflects the storing;
        # but times of storing stand still while a clock that was set back catches up with itself.
        stamp_ns = stored_ns if sent_ns is None else max(sent_ns, stored_ns)
        if sent_ns is not None and probe.was_set_back:
            stamp_ns = sent_ns
        self._order.add(probe_id, stamp_ns, heartbeat_ns)
        if probe.live.offset_ns is not None or not self._order.settled(probe_id):
            return []
        return self._report_offset(probe, self._order.offset_ns(probe_id), "the first machine's")

    @property
    def past_ns(self) -> int:
        """How far the past was read, by its reference clock."""
        return self._order.reached_ns

    def may_be_present(self, wall_ns: int, gone_after_ns: int = GONE_AFTER_NS) -> bool:
        """Return whether the past may have been read up to now, by the scope's clock, as far as known.

        ``gone_after_ns`` is how long the probes that were heard last may pause.
        """
        return wall_ns - self.past_ns < (gone_after_ns if self._one_machine else gone_after_ns + BEHIND_NS)

    def heard_live(self, probe_id: str) -> bool:
        """Return whether a probe was compared with the scope's own clock."""
        probe = self._probes.get(probe_id)
        return probe is not None and probe.live.offset_ns is not None

    def settled(self, probe_id: str) -> bool:
        """Return whether a probe of the past can already be merged with others."""
        return self.heard_live(probe_id) or self._order.settled(probe_id)

    def correction_ns(self, probe_id: str) -> int:
        """Return what to subtract from a probe's times so that all probes use one clock."""
        if self.heard_live(probe_id):
            return self._probes[probe_id].correction_ns
        return self._order.offset_ns(probe_id) + (self.past_ahead_ns or 0)

    def offset_ns(self, probe_id: str) -> int | None:
        """Return how far a probe's clock is ahead; None unless it is known well enough to report."""
        probe = self._probes.get(probe_id)
        if probe is None:
            return None
        if probe.live.offset_ns is None:
            offset_ns = self.correction_ns(probe_id)
            return offset_ns if abs(offset_ns) > FAR_NS else None
        if self._is_old(probe, probe.live.offset_ns):
            return None
        return probe.live.offset_ns if probe.live.settled else probe.reported_ns

    def _check_own_clock(self, own_ns: int) -> None:
        """Detect that the scope's own clock was set; ``own_ns`` is that clock minus the monotonic clock."""
        moved_ns = 0 if self._own_ns is None else own_ns - self._own_ns
        self._own_ns = own_ns
        if abs(moved_ns) >= SET_NS:
            for probe in self._probes.values():
                probe.live.shift(-moved_ns)
                probe.correction_ns = self._correction_ns(probe, probe.live.offset_ns or 0)

    def _correction_ns(self, probe: _ProbeClock, offset_ns: int) -> int:
        """Return the part of an offset due to a wrong clock rather than to the delay of batches."""
        if self._is_old(probe, offset_ns):
            return 0
        if probe.host == self._host:
            right = offset_ns >= -FAR_NS if probe.live.settled else offset_ns <= 0
            return 0 if right and offset_ns <= FAR_NS else offset_ns
        near_ns = self._delay_ns if probe.live.settled else FAR_NS
        return 0 if -near_ns <= offset_ns <= SAME_CLOCK_NS else offset_ns

    def _is_old(self, probe: _ProbeClock, offset_ns: int) -> bool:
        """Return whether arriving batches are so far behind that they may be from long ago."""
        return offset_ns < -(FAR_NS if self._has_our_clock(probe) else OLD_NS)

    def _is_sure(self, probe: _ProbeClock, now_ns: int) -> bool:
        """Return whether batches that seem old certainly are.

        A run that is stored again at twice its speed comes closer with every batch, as do batches that waited
        in a spool. A log of one machine has no spool, so batches that have been old for long enough really
        are.
        """
        if probe.live.settled or not self._has_our_clock(probe):
            return probe.live.settled
        return probe.new >= SETTLE_SAMPLES and now_ns - probe.new_since_ns >= SETTLE_NS

    def _has_our_clock(self, probe: _ProbeClock) -> bool:
        return self._one_machine and probe.host == self._host

    def _report_old(self, probe: _ProbeClock, offset_ns: int) -> list[Notice]:
        if probe.old_reported:
            return []
        known = any(other.old_reported and other.host == probe.host for other in self._probes.values())
        probe.old_reported, probe.reported_ns = True, None
        if known:
            return []
        detail = f"{-offset_ns / NANOSECONDS:,.1f} s"
        return [Notice(kind=NoticeKind.OLD, subject=self._machine(probe), detail=detail)]

    def _probe(self, probe_id: str, host: str) -> _ProbeClock:
        probe = self._probes.pop(probe_id, None) or _ProbeClock(probe_id, host)
        while len(self._probes) >= MAX_PROBES:
            del self._probes[next(iter(self._probes))]
        self._probes[probe_id] = probe
        return probe

    def _report_offset(self, probe: _ProbeClock, offset_ns: int, than: str) -> list[Notice]:
        """Return a notice if the offset is to be reported, or no longer; ``than`` is the reference clock."""
        last_ns = probe.reported_ns
        if last_ns is not None and abs(offset_ns) < NEAR_AGAIN_NS:
            probe.reported_ns = None
            return [Notice(kind=NoticeKind.CLOCK_RIGHT, subject=self._machine(probe))]
        if abs(offset_ns) <= FAR_NS or (last_ns is not None and abs(offset_ns - last_ns) <= NEAR_AGAIN_NS):
            return []
        known = self._is_reported(probe, offset_ns)
        probe.reported_ns = offset_ns
        if known:
            return []
        detail = f"{off_text(offset_ns)} {than}"
        return [Notice(kind=NoticeKind.CLOCK_OFF, subject=self._machine(probe), detail=detail)]

    def _machine(self, probe: _ProbeClock) -> str:
        """Return the machine's name, plus the probe's if a machine with another clock has the same name."""
        own_ns = self.offset_ns(probe.id) or 0
        offsets = [self.offset_ns(other.id) for other in self._probes.values() if other.host == probe.host]
        shared = any(abs(other_ns - own_ns) > NEAR_AGAIN_NS for other_ns in offsets if other_ns is not None)
        return f"{probe.host}/{probe.id[:8]}" if shared else probe.host

    def _is_reported(self, probe: _ProbeClock, offset_ns: int) -> bool:
        """Return whether this was already reported for another probe of the machine."""
        return any(
            other.host == probe.host
            and other.reported_ns is not None
            and abs(other.reported_ns - offset_ns) <= NEAR_AGAIN_NS
            for other in self._probes.values()
        )
