"""Labels for diagrams: never empty, unique, and without raw control characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from farscope.records.step import ChartId
from farscope.scope.labels import Labels
from farscope.views.text import escape

NO_NAME = "(no name)"
"""Stands where a name is empty, so that there is something to see and to point at."""

CACHED_NAMES = 2048
"""A run shows the same few names over and over; where it has more of them, some are worked out again."""


@lru_cache(maxsize=CACHED_NAMES)
def visible(text: str) -> str:
    r"""Return ``text`` in one line with every control character shown as an escape such as ``\n``."""
    shown = escape(text)
    return shown if shown.strip() else NO_NAME


def process_labels(charts: Iterable[ChartId]) -> dict[tuple[str, int], str]:
    """Return a label for each process, by host and number: its service, if no other process shares it.

    Charts read from text have no process: the label of theirs is empty.
    """
    services = {(chart.host, chart.pid): chart.service for chart in charts}
    shared = Counter(services.values())
    return {
        (host, pid): (service if service and shared[service] == 1 else f"{host}:{pid}") if host else ""
        for (host, pid), service in services.items()
    }


def chart_labels(charts: Iterable[ChartId]) -> dict[ChartId, str]:
    """Return a label for each chart: its name, extended as needed to distinguish charts of the same name.

    Charts may occur more than once. Control characters in labels are not yet made ``visible``.
    """
    known = dict.fromkeys(charts)
    namesakes = Counter(chart.name for chart in known)
    labels = Labels()
    for chart in known:
        labels.add(chart)
    return {
        # Charts read from text have no process: a name of their own is all there is to tell.
        chart: chart.name if not chart.host and namesakes[chart.name] == 1 else labels.of(chart)
        for chart in known
    }
