"""When a received step is handed out: by whose time, and how long it waits. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from farscope.records.step import RawStep
from farscope.scope.clocks import Clocks
from farscope.scope.intake import Accepted
from farscope.scope.merge import EVER_NS, Merge
from farscope.scope.notice import Notice

WINDOW_S = 0.1
"""How long a step that has just happened waits for earlier ones of other probes. What takes longer to arrive
is handed out at once and counted as late."""

PAST_WINDOW_NS = 5_000_000_000
"""How far the past is read ahead before a step is handed out: a log that was blocked stores in any order what
then comes at once. Costs memory only, within ``HELD_STEPS``."""

PAST_HOLD_NS = 1_000_000_000
"""Longest wait for a step from the past, so that a scope that never catches up shows something, too."""

END_HOLD_NS = 1_500_000_000
"""How long steps from just before the end of the past wait for the next batch of a probe whose clock could
not be told by then: every probe speaks every second."""


class Now(NamedTuple):
    """One moment by the scope's clocks."""

    wall_ns: int
    """Since the epoch."""
    steady_ns: int
    """By a clock that does not go back."""


class Ordering:
    """Puts the steps of all probes into the order of one clock; not thread-safe."""

    def __init__(self, clocks: Clocks, window_s: float) -> None:
        """``window_s``: 0 hands out everything at once, in the order of the log."""
        self._clocks = clocks
        self._window_ns = int(window_s * 1_000_000_000)
        self._merge = Merge()
        self._unsettled: set[str] = set()
        self._settle_by_ns = 0

    def __len__(self) -> int:
        """Return how many steps wait."""
        return len(self._merge)

    @property
    def late(self) -> int:
        """Steps that came too late for their place."""
        return self._merge.late

    def put(self, accepted: Accepted, stored_ns: int, now: Now, *, live: bool) -> Iterable[Notice]:
        """Take a batch; return what there is to tell about its machine's clock.

        Args:
            accepted: from the intake.
            stored_ns: when the log stored it, by its machine's clock.
            now: when it was read.
            live: whether that was as soon as it could be.
        """
        batch, probe = accepted.batch, accepted.header.probe.hex()
        if live:
            self._unsettled.discard(probe)
            notices = self._clocks.take_new(probe, batch.host, batch.sent_ns, now.wall_ns, now.steady_ns)
        else:
            # What waited in a spool was sent long before it was stored, and its place tells of the storing.
            notices = self._clocks.take_past(probe, batch.host, max(batch.sent_ns, stored_ns))
        told = list(notices)
        if not live:
            self._note_settled(probe)
        correction_ns = self._clocks.correction_ns(probe)
        self._merge.correct(probe, correction_ns)
        if accepted.posted.steps:
            self._merge.put(probe, accepted.posted.steps, correction_ns, now.steady_ns)
        return told

    def take(self, now: Now, *, live: bool, several: bool) -> Sequence[RawStep]:
        """Return the steps whose time has come.

        Args:
            now: the present.
            live: whether all there is in the log was read.
            several: whether more than one probe speaks at present; otherwise there is nothing to wait for.
        """
        if not len(self._merge):
            return ()
        if not self._window_ns or (live and not several):
            return self._merge.take_all()
        if live and self._settling(now):
            return self._merge.take(-EVER_NS, now.steady_ns - END_HOLD_NS)
        if live:
            return self._merge.take(now.wall_ns - self._window_ns, now.steady_ns - self._window_ns)
        until_ns = -EVER_NS if self._unsettled else self._merge.newest_ns - PAST_WINDOW_NS
        return self._merge.take(until_ns, now.steady_ns - PAST_HOLD_NS)

    def reach_end(self, now: Now) -> Sequence[RawStep]:
        """Return what waits when all of the past was read, unless the next batches tell more about it."""
        self._settle_by_ns = now.steady_ns + END_HOLD_NS
        if self._unsettled:
            return ()
        steps = self._merge.take_all()
        # From here on times are by another clock, perhaps: ours.
        self._merge.forget_reached()
        return steps

    def take_all(self) -> Sequence[RawStep]:
        """Return all steps that wait: nothing comes that could be in front of them."""
        return self._merge.take_all()

    def wait_s(self, now: Now, *, live: bool) -> float | None:
        """Return in how many seconds the next step's time has come; None if no step waits."""
        next_ns, arrived_ns = self._merge.next_ns, self._merge.oldest_arrival_ns
        if next_ns is None or arrived_ns is None:
            return None
        if live and self._settling(now):
            left_ns = min(arrived_ns + END_HOLD_NS, self._settle_by_ns) - now.steady_ns
            return max(0, left_ns) / 1e9
        hold_ns = self._window_ns if live else PAST_HOLD_NS
        left_ns = arrived_ns + hold_ns - now.steady_ns
        if live:
            left_ns = min(left_ns, next_ns + hold_ns - now.wall_ns)
        return max(0, left_ns) / 1e9

    def _settling(self, now: Now) -> bool:
        """Whether some of the past still waits to be put in order though its end was reached."""
        if now.steady_ns >= self._settle_by_ns:
            self._unsettled.clear()
        return bool(self._unsettled)

    def _note_settled(self, probe: str) -> None:
        if self._clocks.settled(probe):
            self._unsettled.discard(probe)
        else:
            self._unsettled.add(probe)
