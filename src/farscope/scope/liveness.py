"""The life of a probe: when it was heard and how it ended, for views of the past. Pure: no I/O, no clock.

All times are by the probe's own clock, as stamped on its batches, in nanoseconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from farscope.records.heartbeat import LATELY_NS, SILENT_AFTER_NS
from farscope.records.structure import AnyChartStatus, ChartStatus
from farscope.scope.chart import Status, word_for

MAX_SPANS = 128
"""Intervals kept per probe; at the limit the two oldest are merged, and the silence between them is
forgotten."""

MAX_STOPS = 4_096
"""Stopped charts remembered per probe; at the limit the one stopped first is treated as running."""

FEW = 8
"""Intervals and stops that a probe may always keep."""

ALL_KEPT = 65_536
"""Intervals and stops kept by all probes together, some 15 MB, in addition to the ``FEW`` of each; at the
limit a probe that gets another one is treated as if at its own limit."""

MAX_JUMPS = 8
"""Newest clock jumps kept per probe."""

BACK_NS = 500_000_000
"""A stamp this much earlier than its predecessor shows that the clock was set back."""

AHEAD_NS = LATELY_NS
"""A stamp this much later than its predecessor may show that the clock was set forward."""


class Liveness(NamedTuple):
    """Immutable snapshot of what is known about a probe."""

    heard: tuple[tuple[int, int], ...]
    """Times of the first and last batch of each span without silence, oldest first."""
    closed_ns: int | None
    """When it said goodbye; None if it did not."""
    stopped: Mapping[int, int]
    """When each stopped chart was reported as stopped, by the chart's serial."""
    jumps: tuple[int, ...]
    """Newest differences between successive stamps that are too large or too small to be explained by time
    alone."""
    correction_ns: int
    """Is subtracted from its times to convert them to the scope's clock."""
    silent_after_ns: int = SILENT_AFTER_NS
    """After how long without a batch it is silent: a multiple of the interval it announced."""
    ends: Mapping[int, AnyChartStatus] = MappingProxyType({})
    """How each stopped chart ended, by its serial, unless it was just stopped."""

    def status(self, serial: int, time_ns: int) -> Status | None:
        """Return the status of a chart at a moment of the probe's clock; None before it was heard."""
        if self.stopped.get(serial, time_ns + 1) <= time_ns:
            return word_for(self.ends.get(serial, ChartStatus.STOPPED))
        if self.closed_ns is not None and self.closed_ns <= time_ns:
            return "closed"
        place = bisect_right(self.heard, time_ns, key=lambda span: span[0]) - 1
        if place < 0:
            return None
        return "alive" if time_ns - self.heard[place][1] < self.silent_after_ns else "silent"

    def was_set(self, change_ns: int) -> bool:
        """Return whether a correction changed by ``change_ns`` because the clock was set.

        Otherwise the estimate has merely improved, and the clock was just as far off before.
        """
        if abs(change_ns) <= AHEAD_NS:
            return False
        return any(change_ns - BACK_NS <= jump <= change_ns + self.silent_after_ns for jump in self.jumps)


class LivenessBudget:
    """Shared budget for what is kept of all probes. Used by one thread at a time."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0
        """Number of spans and stops kept."""

    @property
    def full(self) -> bool:
        """Whether only the room guaranteed to each probe is left."""
        return self.taken > ALL_KEPT


class LivenessTracker:
    """Tracks one probe, batch by batch. Not thread-safe."""

    __slots__ = (
        "_closed_ns",
        "_counted",
        "_ends",
        "_heard",
        "_jumps",
        "_last_ns",
        "_room",
        "_stopped",
        "silent_after_ns",
    )

    def __init__(self, room: LivenessBudget | None = None) -> None:
        """``room`` is shared with the pulses of other probes."""
        self._room = room or LivenessBudget()
        self._counted = 0
        self._heard: list[tuple[int, int]] = []
        self._closed_ns: int | None = None
        self._stopped: dict[int, int] = {}
        self._ends: dict[int, AnyChartStatus] = {}
        self._jumps: deque[int] = deque(maxlen=MAX_JUMPS)
        self._last_ns = 0
        self.silent_after_ns = SILENT_AFTER_NS
        """After how long without a batch it is silent."""

    def add_batch(self, sent_ns: int, *, goodbye: bool) -> None:
        """Record the time of a batch; call in the order the probe sent them."""
        if self._heard:
            jump_ns = sent_ns - self._last_ns
            if not -BACK_NS <= jump_ns <= max(AHEAD_NS, self.silent_after_ns // 2):
                self._jumps.append(jump_ns)
        self._last_ns = sent_ns
        first_ns, last_ns = self._heard[-1] if self._heard else (sent_ns, sent_ns)
        if self._heard and sent_ns - last_ns < self.silent_after_ns:
            self._heard[-1] = min(first_ns, sent_ns), max(last_ns, sent_ns)
        else:
            self._heard.append((sent_ns, sent_ns))
        self._join_oldest()
        if goodbye and self._closed_ns is None:
            self._closed_ns = sent_ns

    def stop(self, serial: int, sent_ns: int, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Record that a chart was reported as ended, and how; only the first time counts."""
        if serial not in self._stopped:
            self._stopped[serial] = sent_ns
            if status is not ChartStatus.STOPPED:
                self._ends[serial] = status
        self._count()
        while len(self._stopped) > (FEW if self._room.full else MAX_STOPS):
            first = next(iter(self._stopped))
            del self._stopped[first]
            self._ends.pop(first, None)
            self._count()

    def resume(self, serial: int) -> None:
        """Record that a stopped chart runs again; it is then treated as having run all the time."""
        self._stopped.pop(serial, None)
        self._ends.pop(serial, None)
        self._count()

    def liveness(self, correction_ns: int) -> Liveness:
        """Return a snapshot of what is known."""
        stopped, ends = MappingProxyType(dict(self._stopped)), MappingProxyType(dict(self._ends))
        return Liveness(
            tuple(self._heard),
            self._closed_ns,
            stopped,
            tuple(self._jumps),
            correction_ns,
            self.silent_after_ns,
            ends,
        )

    def ended_ns(self, serial: int) -> int | None:
        """Return when a chart was stopped, or else when the probe said goodbye; None if neither."""
        return self._stopped.get(serial, self._closed_ns)

    def forget(self) -> None:
        """Give back the room it took; the probe is no longer tracked."""
        self._room.taken -= self._counted
        self._counted = 0

    def _count(self) -> None:
        counted = len(self._heard) + len(self._stopped)
        self._room.taken += counted - self._counted
        self._counted = counted

    def _join_oldest(self) -> None:
        self._count()
        limit = FEW if self._room.full else MAX_SPANS
        # A span that was extended backwards may have reached the one before it.
        while len(self._heard) > 1 and (len(self._heard) > limit or self._heard[-1][0] < self._heard[-2][0]):
            place = 0 if len(self._heard) > limit else len(self._heard) - 2
            one, other = self._heard[place : place + 2]
            self._heard[place : place + 2] = [(min(one[0], other[0]), max(one[1], other[1]))]
