"""The reorder buffer: decides when each received step is handed out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from farscope.records.heartbeat import COMPANY_NS, GONE_AFTER_NS, HEARTBEAT_NS, HOLD_NS, MAX_AWAIT_NS, scaled
from farscope.records.step import ChartId, RawStep
from farscope.records.weight import Weighed
from farscope.scope.intake import MAX_PROBES, Accepted
from farscope.scope.notice import Notice
from farscope.scope.ordering.clock_offsets import ClockOffsets
from farscope.scope.ordering.merge import Merge
from farscope.scope.ordering.notice_queue import NoticeQueue
from farscope.scope.ordering.run_queue import EVER_NS, NEVER_NS

WINDOW_S = 0.1
"""How long a step that has just happened waits for earlier ones of other probes. Steps that take longer to
arrive are handed out at once and counted as late."""

PAST_HOLD_NS = HOLD_NS
"""Longest wait of a step from the past for all of the past to be read: the more is known, the better the
estimates of wrong clocks. After that, or once ``HELD_STEPS`` are held, the earliest are handed out."""

END_HOLD_NS = MAX_AWAIT_NS
"""How long steps held at the end of the past wait for the next batch of probes that may be alive, which shows
how far their clocks are off."""


class Now(NamedTuple):
    """One moment by the scope's clocks."""

    wall_ns: int
    """Since the epoch."""
    monotonic_ns: int
    """By a monotonic clock."""


class ReorderBuffer:
    """Puts the steps of all probes into the order of one clock; not thread-safe."""

    def __init__(self, clocks: ClockOffsets, window_s: float) -> None:
        """``window_s``: 0 hands out everything at once, in the order of the log."""
        self._clocks = clocks
        self._window_ns = int(window_s * 1_000_000_000)
        self._merge = Merge()
        self._notices = NoticeQueue(clocks.correction_ns)
        self.handed_out = 0
        """Number of steps handed out."""
        # When each probe without a goodbye was last heard in the past, by the clock of the log, and its
        # heartbeat.
        self._open: dict[str, tuple[int, int]] = {}
        self._unsettled: set[str] = set()
        self._awaited: set[str] = set()
        self._await_until_ns = 0
        self._company_until_ns = 0
        self._was_live = False

    def __len__(self) -> int:
        """Return how many steps wait."""
        return len(self._merge)

    @property
    def late(self) -> int:
        """Steps that arrived too late for their place; all others were in order."""
        return self._merge.late

    @property
    def past_ns(self) -> int:
        """How far the past was read, by its reference clock."""
        return self._clocks.past_ns

    def ran_ahead(self, chart: ChartId, number: int) -> bool:
        """Return whether a step was handed out while the one that caused it was still running."""
        return self._merge.ran_ahead(chart, number)

    def correction_ns(self, chart: ChartId, number: int) -> int:
        """Return what was subtracted from the time of a step that was handed out."""
        return self._merge.corrections.of(chart, number)

    def put(self, accepted: Accepted, stored_ns: int, now: Now, *, live: bool) -> list[Notice]:
        """Add a batch; return the notices about its machine's clock.

        Args:
            accepted: from the intake.
            stored_ns: when the log stored it, by its machine's clock.
            now: when it was read.
            live: whether it was read as soon as it was stored.
        """
        batch, header, probe = accepted.batch, accepted.header, accepted.header.probe.hex()
        set_back = self._clocks.set_back(probe, batch.host, header.number, batch.sent_ns)
        if set_back:
            self._merge.freeze(probe)
        known = self._clocks.settled(probe)
        if live:
            self._was_live = True
            if not self._clocks.heard_live(probe):
                self._company_until_ns = now.monotonic_ns + COMPANY_NS
            notices = self._clocks.add_live(
                probe,
                batch.host,
                batch.sent_ns,
                now.wall_ns,
                now.monotonic_ns,
                heartbeat_ns=batch.heartbeat_ns,
            )
        else:
            notices = self._clocks.add_past(
                probe, batch.host, stored_ns, batch.sent_ns, heartbeat_ns=batch.heartbeat_ns
            )
        self._keep_open(accepted, probe)
        correction_ns = self._clocks.correction_ns(probe)
        # If an estimate for the past changes later, the clock itself has changed.
        if live or (self._clocks.settled(probe) and not known):
            self._merge.correct(probe, correction_ns)
            self._notices.correct(probe)
        self._note_known(probe)
        steps, each = accepted.posted.steps, batch.step_bytes
        if len(self._notices):
            self._notices.introduce(probe, steps)
        self._merge.put(probe, steps, correction_ns, now.monotonic_ns, batch.charts, each=each)
        return [replace(notice, probe=probe, time_ns=batch.sent_ns) for notice in notices]

    def add_notices(self, notices: Iterable[Notice], now: Now) -> None:
        """Add notices; ``notices`` returns each one once its place has come."""
        for notice in notices:
            self._notices.add(notice, now.monotonic_ns)

    def pop_notices(self) -> list[Notice]:
        """Return the notices placed among the steps handed out since the last call."""
        return self._notices.pop_placed()

    def pop_due(self, now: Now, *, live: bool, several: bool) -> Sequence[RawStep]:
        """Return the steps whose time has come.

        Args:
            now: the present.
            live: whether everything in the log was read.
            several: whether more than one probe is currently heard; the steps of a single one soon stop
                waiting.
        """
        if not len(self._merge) and not len(self._notices):
            return ()
        if not self._window_ns:
            return self._out(EVER_NS, EVER_NS)
        if not live:
            return self._out(NEVER_NS, now.monotonic_ns - PAST_HOLD_NS)
        if self._awaiting(now):
            return self._out(NEVER_NS, now.monotonic_ns - END_HOLD_NS)
        if not (several or self._merge.effects) and now.monotonic_ns >= self._company_until_ns:
            return self._out(EVER_NS, EVER_NS)
        return self._out(now.wall_ns - self._window_ns, now.monotonic_ns - self._window_ns)

    def reach_end(self, now: Now) -> Sequence[RawStep]:
        """Return the waiting steps at the end of the past, unless the next batches may reorder them."""
        if (len(self._merge) or len(self._notices)) and self._window_ns:
            self._await(now)
        if self._awaited:
            return ()
        if self._was_live:
            # The reader had fallen behind. Everything uses the scope's clock, so continue as when live.
            self._correct_all()
            return ()
        self._correct_all()
        steps = self._out(EVER_NS, EVER_NS, effects=False)
        self._end_past()
        return steps

    def pop_all(self) -> Sequence[RawStep]:
        """Return all waiting steps: nothing will arrive that could precede them."""
        self._correct_all()
        return self._out(EVER_NS, EVER_NS)

    def wait_s(self, now: Now, *, live: bool) -> float | None:
        """Return the number of seconds until the next step is due; None if no step waits."""
        next_ns = _earlier(self._merge.next_ns, self._notices.next_ns)
        arrived_ns = _earlier(self._merge.oldest_arrival_ns, self._notices.oldest_arrival_ns)
        if next_ns is None or arrived_ns is None:
            return None
        if live and self._awaiting(now):
            left_ns = min(arrived_ns + END_HOLD_NS, self._await_until_ns) - now.monotonic_ns
            return max(0, left_ns) / 1e9
        hold_ns = self._window_ns if live else PAST_HOLD_NS
        left_ns = arrived_ns + hold_ns - now.monotonic_ns
        if live:
            left_ns = min(left_ns, next_ns + hold_ns - now.wall_ns)
        return max(0, left_ns) / 1e9

    def _out(self, until_ns: int, arrived_ns: int, *, effects: bool = True) -> Sequence[RawStep]:
        """Return the steps due or arrived by then, and place the notices among them."""
        if not len(self._notices):
            steps = self._merge.pop_due(until_ns, arrived_ns, effects=effects)
            self.handed_out += len(steps)
            return steps
        until_ns = max(self._merge.due_ns(until_ns, arrived_ns), self._notices.due_ns(until_ns, arrived_ns))
        taken = Weighed()
        while (before_ns := self._notices.before(until_ns)) is not None:
            taken.append_all(self._merge.pop_due(before_ns, NEVER_NS, effects=effects))
            self._notices.place(self.handed_out + len(taken))
        taken.append_all(self._merge.pop_due(until_ns, NEVER_NS, effects=effects))
        self.handed_out += len(taken)
        return taken

    def _keep_open(self, accepted: Accepted, probe: str) -> None:
        self._open.pop(probe, None)
        if accepted.header.is_goodbye:
            self._awaited.discard(probe)
            return
        while len(self._open) >= MAX_PROBES:
            del self._open[next(iter(self._open))]
        heartbeat_ns = max(accepted.batch.heartbeat_ns, HEARTBEAT_NS)
        self._open[probe] = self._clocks.past_ns, heartbeat_ns

    def _note_known(self, probe: str) -> None:
        if self._clocks.heard_live(probe) and probe in self._awaited:
            self._awaited.discard(probe)
            if not self._awaited:
                self._end_past()
        if self._clocks.settled(probe):
            self._unsettled.discard(probe)
        else:
            self._unsettled.add(probe)

    def _await(self, now: Now) -> None:
        """Determine the probes to wait for: those heard just before the end of the past, if that is now.

        A probe whose next heartbeat is not due within ``END_HOLD_NS`` is not waited for.
        """
        end_ns = self._clocks.past_ns
        lately = {
            probe: heartbeat_ns
            for probe, (heard_ns, heartbeat_ns) in self._open.items()
            if end_ns - heard_ns < scaled(GONE_AFTER_NS, heartbeat_ns)
            and heard_ns + heartbeat_ns - end_ns < END_HOLD_NS
            and not self._clocks.heard_live(probe)
        }
        gone_after_ns = scaled(GONE_AFTER_NS, max(lately.values(), default=0))
        if self._unsettled & lately.keys() or self._clocks.may_be_present(now.wall_ns, gone_after_ns):
            self._awaited = set(lately)
            self._await_until_ns = now.monotonic_ns + END_HOLD_NS

    def _awaiting(self, now: Now) -> bool:
        """Return whether some of the past still waits to be ordered although its end was reached."""
        if self._awaited and now.monotonic_ns >= self._await_until_ns:
            self._awaited.clear()
            self._end_past()
        return bool(self._awaited)

    def _end_past(self) -> None:
        """Switch to the scope's clock."""
        self._unsettled.clear()
        self._correct_all()
        if self._clocks.past_ahead_ns != 0:
            # Steps already handed out may have used another clock.
            self._merge.forget_reached()

    def _correct_all(self) -> None:
        """Apply the current corrections, also to held steps."""
        for probe in self._merge.probes:
            self._merge.correct(probe, self._clocks.correction_ns(probe))
        self._notices.correct()


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((time for time in (one, other) if time is not None), default=None)
