"""The activity of a chart as lists show it, updated step by step: state, last event, queue and rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from farscope.records.step import (
    DEFERRED,
    DURATION_NS,
    NANOSECONDS,
    NUMBER,
    QUEUED,
    SHAPE,
    TIME_NS,
    VALUES,
    RawStep,
    Value,
)
from farscope.scope.chart import ChartView

ENDED: Final = "ended"
"""Status of a chart that was alive when a recording ended without a goodbye: no more is known about it."""


class ChartActivity:
    """The current state, last event and rate of a chart. Not thread-safe.

    Times are in nanoseconds since the epoch, by one clock for all charts; 0 means not yet.
    """

    def __init__(self, view: ChartView | None = None) -> None:
        self.view = view
        """The scope's latest data about the chart; None before the first."""
        self.number = 0
        """Number of the last step."""
        self.state = "" if view is None else view.state
        self.states: tuple[str, ...] = () if view is None else view.states
        """The active leaf states of ``state``."""
        self.values: dict[str, Value] = {} if view is None else dict(view.values)
        """The values that the program shows of the chart, by name."""
        self.since_ns = 0
        """When the state was last entered."""
        self.event = ""
        """Signal of the last step."""
        self.outcome = 0
        """Kind of the last step."""
        self.last_ns = 0
        """When the last step ended."""
        self.queued = 0
        """Events in the queue after the last step."""
        self.deferred = 0
        """Deferred events after the last step."""
        self._seconds: Counter[int] = Counter()

    def add_steps(
        self, steps: Sequence[RawStep], now_ns: int, correction_ns: int = 0, *, oldest_ns: int | None = None
    ) -> None:
        """Add new steps of the chart, at least one, in their order.

        Args:
            steps: the steps.
            now_ns: the present. Steps of a clock that is ahead do not count into future seconds.
            correction_ns: is subtracted from the steps' times.
            oldest_ns: steps with earlier times count as having ended just now.
        """
        last = steps[-1]
        self.number = last[NUMBER]
        # Announcements may be ahead of the steps that wait to be taken.
        if self.view is None or self.view.last_number <= self.number:
            self.state, self.states = last[SHAPE].end, last[SHAPE].end_states
            self._add_values(steps)
        self.event = last[SHAPE].signal
        self.outcome = int(last[SHAPE].kind)
        self.queued = last[QUEUED]
        self.deferred = last[DEFERRED]

        def ended_ns(step: RawStep) -> int:
            time_ns = step[TIME_NS] + step[DURATION_NS] - correction_ns
            return now_ns if oldest_ns is not None and time_ns < oldest_ns else time_ns

        self.last_ns = ended_ns(last)
        entered = next((step for step in reversed(steps) if step[SHAPE].traced), None)
        if entered is not None:
            self.since_ns = ended_ns(entered)
        now_s, last_s = now_ns // NANOSECONDS, self.last_ns // NANOSECONDS
        if ended_ns(steps[0]) // NANOSECONDS == last_s:
            # Most batches span a single second, so that not every step has to be examined.
            self._seconds[min(last_s, now_s)] += len(steps)
        else:
            self._seconds.update([min(ended_ns(step) // NANOSECONDS, now_s) for step in steps])

    def update(self, view: ChartView) -> None:
        """Take the scope's latest data about the chart."""
        self.view = view
        if view.last_number > self.number:
            self.state, self.states = view.state, view.states
        if view.last_number >= self.number:
            self.values = dict(view.values)

    def _add_values(self, steps: Sequence[RawStep]) -> None:
        for step in steps:
            if step[VALUES]:
                self.values.update(step[VALUES])

    def shift(self, by_ns: int) -> None:
        """Shift all times by ``by_ns``, after a better estimate of the chart's clock."""
        self.since_ns += by_ns if self.since_ns else 0
        self.last_ns += by_ns if self.last_ns else 0

    def steps_per_second(self, now_ns: int, seconds: int) -> list[int]:
        """Return the steps in each of the last whole seconds, oldest first; older seconds are forgotten."""
        end = now_ns // NANOSECONDS
        for second in [second for second in self._seconds if second < end - seconds]:
            del self._seconds[second]
        return [self._seconds[second] for second in range(end - seconds, end)]
