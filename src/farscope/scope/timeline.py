"""The recent past of all charts together, for views that look back."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from farscope.records.step import CHART, DURATION_NS, TIME_NS, ChartId, RawStep, Step
from farscope.records.weight import Charges, runs_of

DEFAULT_STEPS = 50_000
"""Steps of all charts together that are kept for looking back, some 15 MB; at the limit the oldest are
forgotten."""

DEFAULT_BYTES = 32 << 20
"""Most bytes the steps may take, including their texts; the same happens at this limit."""


class Timeline:
    """Bounded history in the order the steps were added; every method may be called from any thread."""

    def __init__(self, limit: int = DEFAULT_STEPS, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._lock = Lock()
        self._steps: deque[RawStep] = deque()
        self._charges = Charges()
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._taken = 0

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def forgotten(self) -> int:
        """Steps that were added and have since been forgotten."""
        with self._lock:
            return self._taken - len(self._steps)

    def extend(self, steps: Sequence[RawStep]) -> None:
        """Append steps."""
        with self._lock:
            self._steps.extend(steps)
            self._taken += len(steps)
            for count, each in runs_of(steps):
                self._charges.add(count, each)
            gone = max(len(self._steps) - self._limit, self._charges.over(self._limit_bytes))
            if gone > 0:
                self._charges.remove(gone)
                for _ in range(gone):
                    self._steps.popleft()

    def steps(
        self,
        *,
        chart: ChartId | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        limit: int | None = None,
    ) -> list[Step]:
        """Return steps, oldest first.

        Args:
            chart: only steps of this chart.
            since_ns: only steps that ended then or later, in nanoseconds since the epoch.
            until_ns: only steps that ended before that.
            limit: only this many of the newest of those.
        """
        with self._lock:
            steps = list(self._steps)
        if chart is not None:
            steps = [step for step in steps if step[CHART] == chart]
        if since_ns is not None:
            steps = [step for step in steps if step[TIME_NS] + step[DURATION_NS] >= since_ns]
        if until_ns is not None:
            steps = [step for step in steps if step[TIME_NS] + step[DURATION_NS] < until_ns]
        if limit is not None:
            steps = steps[max(0, len(steps) - limit) :]
        return list(map(Step._make, steps))
