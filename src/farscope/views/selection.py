"""Which steps a picture shows, and in what order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from farscope.records.step import ChartId, Step
from farscope.scope.labels import spellings


class Selection(NamedTuple):
    """What to keep of a run; the default keeps everything."""

    last: int | None = None
    """Only the last so many of the steps that pass the other conditions."""
    from_ns: int | None = None
    """Only steps that began then or later, in nanoseconds since the epoch."""
    to_ns: int | None = None
    """Only steps that began then or earlier."""
    charts: tuple[str, ...] = ()
    """Shell patterns; a chart's name, or a longer label of it, must fit one of them. None: all charts."""
    signals: tuple[str, ...] = ()
    """Shell patterns; the signal must fit one of them. None: all signals."""

    def wants(self, step: Step) -> bool:
        """Tell whether the step passes everything but ``last``."""
        if self.from_ns is not None and step.time_ns < self.from_ns:
            return False
        if self.to_ns is not None and step.time_ns > self.to_ns:
            return False
        if not self.wants_chart(step.chart):
            return False
        return not self.signals or fits(step.shape.signal, self.signals)

    def wants_chart(self, chart: ChartId) -> bool:
        """Tell whether any step of the chart may pass."""
        return not self.charts or fits_chart(chart, self.charts)


def in_time(
    steps: Iterable[Step], selection: Selection, also: Callable[[Step], bool] = lambda _: True
) -> list[Step]:
    """Return the selected steps over all charts in order of time.

    A chart's own steps keep their order even where its clock was set back. With ``selection.last``
    only so many steps are held at any time, however long the run. ``also`` is a further condition.
    """
    reached: dict[ChartId, int] = {}
    held: list[tuple[int, int, Step]] = []
    for arrival, step in enumerate(steps):
        time_ns = max(step.time_ns, reached.get(step.chart, step.time_ns))
        reached[step.chart] = time_ns
        if not selection.wants(step) or not also(step):
            continue
        entry = (time_ns, arrival, step)
        if selection.last is None or len(held) < selection.last:
            heapq.heappush(held, entry)
        elif held and entry > held[0]:
            heapq.heapreplace(held, entry)
    return [step for _, _, step in sorted(held)]


def fits(text: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the shell patterns fits; text full of brackets and stars fits as it is, too."""
    return any(text == pattern or fnmatchcase(text, pattern) for pattern in patterns)


def fits_chart(chart: ChartId, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the shell patterns fits the chart's name, or any label it may be shown by."""
    return any(fits(spelling, patterns) for spelling in (chart.name, *spellings(chart)))
