"""When a probe was heard and what became of it, for views that look back. Pure: no I/O, no clock.

All times are by the probe's own clock, as it stamped its batches, in nanoseconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from farscope.scope.chart import Status

SILENT_AFTER_NS = 5_000_000_000
"""A probe says something every second. When it has not for this long, its charts are silent."""

MAX_SPANS = 128
"""Spans kept of one probe; at the limit the two oldest become one, and the silence between is forgotten."""

MAX_STOPS = 4_096
"""Charts of one probe whose stop is kept; at the limit the one stopped first is taken for running."""

FEW = 8
"""Spans and stops that a probe may keep in any case."""

ALL_KEPT = 65_536
"""Spans and stops that all probes together keep, some 15 MB, besides those few of each; at the limit a probe
that gets another one is treated as at its own limit."""

MAX_JUMPS = 8
"""Newest jumps of a clock kept."""

BACK_NS = 500_000_000
"""A stamp this much before the one in front of it shows that the clock was set back."""

AHEAD_NS = 2_500_000_000
"""One this much behind the one in front of it may show that the clock was set forward."""


class Life(NamedTuple):
    """What is known of a probe at one moment; does not change any more."""

    heard: tuple[tuple[int, int], ...]
    """First and last batch of each span in which it was never silent, oldest first."""
    closed_ns: int | None
    """When it said goodbye; None if it did not."""
    stopped: Mapping[int, int]
    """When each chart that was stopped was told to be, by the chart's serial."""
    jumps: tuple[int, ...]
    """From one stamp to the next, where that is more or less than time alone makes likely; the newest."""
    correction_ns: int
    """What to take off its times to have them by the scope's clock."""

    def status(self, serial: int, time_ns: int) -> Status | None:
        """Return what a chart was at a moment, by the probe's clock; None before the probe was heard."""
        if self.stopped.get(serial, time_ns + 1) <= time_ns:
            return "stopped"
        if self.closed_ns is not None and self.closed_ns <= time_ns:
            return "closed"
        place = bisect_right(self.heard, time_ns, key=lambda span: span[0]) - 1
        if place < 0:
            return None
        return "alive" if time_ns - self.heard[place][1] < SILENT_AFTER_NS else "silent"

    def was_set(self, change_ns: int) -> bool:
        """Tell whether a correction that has changed by so much did because the clock was set.

        Otherwise it has only become better known, and was as far off before.
        """
        if abs(change_ns) <= AHEAD_NS:
            return False
        return any(change_ns - BACK_NS <= jump <= change_ns + SILENT_AFTER_NS for jump in self.jumps)


class PulseRoom:
    """Room for what is kept of all probes. Used by one thread at a time."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0
        """Spans and stops that are kept."""

    @property
    def full(self) -> bool:
        """Whether there is no more room than what each probe has in any case."""
        return self.taken > ALL_KEPT


class Pulse:
    """Follows one probe, batch by batch. Not thread-safe."""

    __slots__ = ("_closed_ns", "_counted", "_heard", "_jumps", "_last_ns", "_room", "_stopped")

    def __init__(self, room: PulseRoom | None = None) -> None:
        """``room`` is shared with the pulses of other probes."""
        self._room = room or PulseRoom()
        self._counted = 0
        self._heard: list[tuple[int, int]] = []
        self._closed_ns: int | None = None
        self._stopped: dict[int, int] = {}
        self._jumps: deque[int] = deque(maxlen=MAX_JUMPS)
        self._last_ns = 0

    def hear(self, sent_ns: int, *, goodbye: bool) -> None:
        """Take the time of a batch, in the order the probe sent them."""
        if self._heard:
            jump_ns = sent_ns - self._last_ns
            if not -BACK_NS <= jump_ns <= AHEAD_NS:
                self._jumps.append(jump_ns)
        self._last_ns = sent_ns
        first_ns, last_ns = self._heard[-1] if self._heard else (sent_ns, sent_ns)
        if self._heard and sent_ns - last_ns < SILENT_AFTER_NS:
            self._heard[-1] = min(first_ns, sent_ns), max(last_ns, sent_ns)
        else:
            self._heard.append((sent_ns, sent_ns))
        self._join_oldest()
        if goodbye and self._closed_ns is None:
            self._closed_ns = sent_ns

    def stop(self, serial: int, sent_ns: int) -> None:
        """Take note that a chart was told to be stopped; only the first time counts."""
        self._stopped.setdefault(serial, sent_ns)
        self._count()
        while len(self._stopped) > (FEW if self._room.full else MAX_STOPS):
            del self._stopped[next(iter(self._stopped))]
            self._count()

    def go_on(self, serial: int) -> None:
        """Take note that a chart that was stopped lives again; it is taken for running all the time."""
        self._stopped.pop(serial, None)
        self._count()

    def life(self, correction_ns: int) -> Life:
        """Return what is known at this moment."""
        stopped = MappingProxyType(dict(self._stopped))
        return Life(tuple(self._heard), self._closed_ns, stopped, tuple(self._jumps), correction_ns)

    def ended_ns(self, serial: int) -> int | None:
        """Return when a chart was stopped, or else when the probe said goodbye; None if neither."""
        return self._stopped.get(serial, self._closed_ns)

    def forget(self) -> None:
        """Give back the room that it took; the probe is not followed any more."""
        self._room.taken -= self._counted
        self._counted = 0

    def _count(self) -> None:
        counted = len(self._heard) + len(self._stopped)
        self._room.taken += counted - self._counted
        self._counted = counted

    def _join_oldest(self) -> None:
        self._count()
        limit = FEW if self._room.full else MAX_SPANS
        # A span that grew to the past may have reached the one before it.
        while len(self._heard) > 1 and (len(self._heard) > limit or self._heard[-1][0] < self._heard[-2][0]):
            place = 0 if len(self._heard) > limit else len(self._heard) - 2
            one, other = self._heard[place : place + 2]
            self._heard[place : place + 2] = [(min(one[0], other[0]), max(one[1], other[1]))]
