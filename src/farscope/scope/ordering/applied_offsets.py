"""Clock corrections that were applied to steps, for later queries. Pure: no I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from farscope.records.step import CHART, NUMBER, ChartId, RawStep
from farscope.scope.intake import MAX_PROBES

KEPT = 256
"""Corrections kept per chart; for older steps the first correction kept is returned."""

KEPT_CHARTS = 16_384
"""Charts of all probes together for which corrections are kept, some 5 MB; at the limit those of the probe
corrected first are forgotten, and its steps are shown at their own times."""

ALL_KEPT = 131_072
"""Corrections kept for all charts together, some 20 MB; the same happens at this limit."""


class AppliedOffsets:
    """Amounts subtracted from the times of steps when they were handed out; not thread-safe.

    Estimates improve over time, so the current one could show steps in a different order from the one they
    were handed out in.
    """

    def __init__(self) -> None:
        # By probe and chart, with the number each applies from; only for probes that were ever corrected.
        self._probes: dict[str, dict[int, list[tuple[int, int]]]] = {}
        self._charts = self._changes = 0

    def record(self, probe: str, steps: Iterable[RawStep], correction_ns: int) -> None:
        """Record steps that are handed out; those of a chart in the order of their numbers."""
        charts = self._probes.get(probe)
        if charts is None:
            if not correction_ns:
                return
            while len(self._probes) >= MAX_PROBES:
                self._forget(next(iter(self._probes)))
            charts = self._probes[probe] = {}
        known = len(charts)
        for step in steps:
            changes = charts.setdefault(step[CHART].serial, [])
            number, present_ns = changes[-1] if changes else (-1, 0)
            if correction_ns != present_ns and step[NUMBER] > number:
                changes.append((step[NUMBER], correction_ns))
                self._changes += len(changes) <= KEPT
                del changes[:-KEPT]
        self._charts += len(charts) - known
        while self._charts > KEPT_CHARTS or self._changes > ALL_KEPT:
            first = next(iter(self._probes))
            if first != probe:
                self._forget(first)
            else:
                self._charts -= 1
                self._changes -= len(charts.pop(next(iter(charts))))

    def _forget(self, probe: str) -> None:
        charts = self._probes.pop(probe)
        self._charts -= len(charts)
        self._changes -= sum(map(len, charts.values()))

    def of(self, chart: ChartId, number: int) -> int:
        """Return what was subtracted from the time of a step that was handed out, in nanoseconds."""
        changes = self._probes.get(chart.probe, {}).get(chart.serial, [])
        index = bisect_right(changes, number, key=lambda change: change[0])
        if index:
            return changes[index - 1][1]
        return changes[0][1] if len(changes) == KEPT else 0
