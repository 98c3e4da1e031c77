"""A scope's knowledge of one probe, and the times of the changes in its batches. Pure: no I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from farscope.records.heartbeat import scaled
from farscope.records.step import CHART, DURATION_NS, TIME_NS, ChartKey, RawStep
from farscope.scope.accounting import ReceivedAccount
from farscope.scope.liveness import LivenessTracker
from farscope.scope.unknown import Why
from farscope.wire.batch import Batch


@dataclass(slots=True)
class TrackedProbe:
    """A probe being tracked; not thread-safe."""

    id: str
    service: str
    place: str
    """``host:pid``; identically configured machines may share it."""
    started_ns: int
    """When it started, by its machine's clock."""
    account: ReceivedAccount
    heard_ns: int
    closed: bool = False
    silent: bool = False
    silence_reported: bool = False
    left: Why | None = None
    """Why nothing is known about it after the end of the reading, unless it fell silent before that."""
    sent_ns: int = 0
    """When it was last heard, or its last reported step ended, by its machine's clock."""
    past_ns: int | None = None
    """How far the past had been read when it was last heard in it, by the clock of the past."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """First number of each gap when it appeared, and the time of that, by its machine's clock."""
    charts: dict[int, ChartKey] = field(default_factory=dict)
    liveness: LivenessTracker = field(default_factory=LivenessTracker)

    heartbeat_ns: int = 0
    """The interval that it announced."""

    @property
    def silent_after_ns(self) -> int:
        """After how long without a batch it is silent."""
        return self.liveness.silent_after_ns

    def quiet_beyond(self, silence_ns: int, now_ns: int) -> bool:
        """Return whether it was not heard for a silence of the usual heartbeat, scaled to its own."""
        return now_ns - self.heard_ns >= scaled(silence_ns, self.heartbeat_ns)

    def gap_ns(self, first: int) -> int:
        """Return when the gap that begins with a number appeared."""
        known = bisect_right(self.gaps, first, key=lambda gap: gap[0])
        return self.gaps[known - 1][1] if known else self.sent_ns


class BatchTimes:
    """Times of the changes a batch reports, by the clock of its machine."""

    def __init__(self, probe: str, batch: Batch) -> None:
        self.probe = probe
        self._batch = batch
        ended_ns = [step[TIME_NS] + step[DURATION_NS] for step in (*batch.steps[:1], *batch.steps[-1:])]
        self.first_ns = min([batch.sent_ns, *ended_ns])
        """Time before its steps."""
        self.last_ns = max([batch.sent_ns, *ended_ns])
        """Time after its steps."""

    def first_of(self, serial: int) -> int:
        """Return when a chart's first step in the batch ended; if there is none, when the batch was sent."""
        first = self.first_step(serial)
        return self._batch.sent_ns if first is None else first[TIME_NS] + first[DURATION_NS]

    def first_step(self, serial: int) -> RawStep | None:
        """Return a chart's first step in the batch."""
        return next((step for step in self._batch.steps if step[CHART].serial == serial), None)
