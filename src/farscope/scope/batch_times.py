"""The times of the changes that a batch reports."""

from __future__ import annotations

from farscope.records.step import CHART, DURATION_NS, TIME_NS, RawStep
from farscope.wire.batch import Batch


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
