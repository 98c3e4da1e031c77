"""The state of a chart at a past moment, in the same row format as live data."""

from __future__ import annotations

from typing import Final

from farscope.records.shape import StepKind
from farscope.records.step import NANOSECONDS
from farscope.views.chart_activity import ENDED
from farscope.views.web.chart_summary import SPARK, ChartSummary
from farscope.views.web.serialize import Plain, moment, several
from farscope.views.web.step_history import StepHistory, StepPosition
from farscope.views.web.time_travel import Past

SEARCHED: Final = 2_000
"""Steps searched for the last one that entered a state; a chart that has only handled events without a
transition for longer than that is shown without a time in state."""

UNKNOWN: Final = frozenset({"silent", ENDED})
"""Statuses of charts whose activity after their last step is unknown."""

NOT_YET: Final = "not yet"
"""Status of a chart before it was first heard."""

OPEN: Final = frozenset({"alive", *UNKNOWN, NOT_YET})
"""Statuses of charts that may make further steps."""


class Moment:
    """Provides the rows of charts at a moment.

    Args:
        past: the data for the moment.
        time_ns: when it is, in nanoseconds since the epoch.
        end_ns: when a recording ends; None for a log.
    """

    def __init__(self, past: Past, time_ns: int, end_ns: int | None = None) -> None:
        self._past = past
        self._time_ns = time_ns
        self._ended = end_ns is not None and time_ns >= end_ns

    def row(self, row: ChartSummary, origin_ns: int) -> list[Plain]:
        """Return a row as ``plain_row`` does; unknown values are None."""
        key, time_ns = row.view.id.key, self._time_ns
        stored = self._past.history.charts.get(key)
        place = None if stored is None else stored.last_until(time_ns)
        status = self.status(row, seen=place is not None)
        if stored is None or place is None:
            (state, states), steps = self._before(row, stored)
            return [
                row.number,
                state,
                None,
                status,
                steps,
                None,
                0,
                "",
                None,
                0,
                0,
                status in UNKNOWN,
                states,
            ]
        step = stored.at(place)
        count = stored.count_until(time_ns)
        return [
            row.number,
            step.end,
            moment(_entered(stored, place), origin_ns),
            status,
            count if self._past.whole else step.number,
            self._lost(row, stored, count, step.number, closed=status not in OPEN),
            count - stored.count_until(time_ns - NANOSECONDS),
            step.signal,
            step.ended_ns - origin_ns,
            step.queued,
            int(step.kind),
            status in UNKNOWN,
            several(step.end_states),
        ]

    def spark(self, row: ChartSummary) -> list[int]:
        """Return the steps in each of the seconds up to the moment."""
        stored, time_ns = self._past.history.charts.get(row.view.id.key), self._time_ns
        spark = [0] * SPARK
        place = None if stored is None else stored.last_until(time_ns)
        if stored is None or place is None or stored.time_at(place) < time_ns - SPARK * NANOSECONDS:
            return spark
        after = stored.count_until(time_ns)
        for second in range(SPARK):
            before = stored.count_until(time_ns - (second + 1) * NANOSECONDS)
            spark[SPARK - 1 - second] = after - before
            after = before
            if before <= stored.forgotten:
                break
        return spark

    def status(self, row: ChartSummary, *, seen: bool) -> str:
        """Return the status at the moment; ``seen``: the chart had made a step."""
        chart = row.view.id
        life = self._past.lives.get(chart.probe)
        own_ns = self._time_ns + self._past.history.corrections.get(chart.probe, 0)
        status = life.status(chart.serial, own_ns) if life is not None else None
        if status is None:
            # A step is made a little before the first batch is sent.
            status = "alive" if seen else None
        if status is None:
            return NOT_YET
        return ENDED if status == "alive" and self._ended else status

    def _before(
        self, row: ChartSummary, stored: StepHistory | None
    ) -> tuple[tuple[str | None, list[str] | None], int]:
        """Return state, its leaves if there are several, and step number before all known steps.

        The state is None if it was forgotten.
        """
        place = None if stored is None else stored.first_from(-(1 << 62))
        if stored is not None and place is not None:
            step = stored.at(place)
            if step.kind is StepKind.START:
                return ("", None), 0
            if self._past.whole:
                # If the chart had started before, its first step shows the state it was in.
                return (None if stored.forgotten else step.start, several(step.start_states)), 0
            return (step.start, several(step.start_states)), step.number - 1
        rest = self._past.rests.get(row.view.id.key)
        return ((rest.state, several(rest.states)), rest.number) if rest is not None else (("", None), 0)

    def _lost(
        self, row: ChartSummary, stored: StepHistory, count: int, number: int, *, closed: bool
    ) -> int | None:
        if not self._past.whole:
            return None
        # Losses after the last step are known only from the goodbye.
        if closed and count == len(stored) + stored.forgotten:
            return row.view.lost
        return min(row.view.lost, max(0, number - stored.first_number + 1 - count))


def _entered(stored: StepHistory, place: StepPosition) -> int:
    """Return when the state the chart was in at ``place`` was entered; 0 if that was forgotten."""
    block, offset = place
    for _ in range(SEARCHED):
        if stored.shape_at(StepPosition(block, offset)).traced:
            return stored.time_at(StepPosition(block, offset))
        offset -= 1
        if offset < 0:
            block -= 1
            if block < 0:
                return 0
            offset = len(stored.blocks[block]) - 1
    return 0
