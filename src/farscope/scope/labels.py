"""Unique labels for charts, as short as possible."""

from __future__ import annotations

from collections import Counter

from farscope.records.step import ChartId


class Labels:
    """Labels for a changing set of charts; not thread-safe.

    A name that no other chart shares is the label. Otherwise it is ``name@host:pid``, then
    ``name@host:pid#serial``, then that with ``/probe``. A name that looks like a longer label always gets the
    longest, so that no chart can take another's label by its name.
    """

    def __init__(self) -> None:
        self._names: Counter[str] = Counter()
        self._places: Counter[str] = Counter()
        self._serials: Counter[str] = Counter()

    def add(self, chart: ChartId) -> None:
        """Add a chart."""
        self._names[chart.name] += 1
        self._places[chart.label] += 1
        self._serials[_with_serial(chart)] += 1

    def remove(self, chart: ChartId) -> None:
        """Forget a chart that was added."""
        for counter, text in (
            (self._names, chart.name),
            (self._places, chart.label),
            (self._serials, _with_serial(chart)),
        ):
            counter[text] -= 1
            if not counter[text]:
                del counter[text]

    def of(self, chart: ChartId) -> str:
        """Return the label of a chart that was added."""
        if "@" in chart.name or "#" in chart.name:
            return _with_probe(chart)
        if self._names[chart.name] <= 1:
            return chart.name
        if self._places[chart.label] <= 1:
            return chart.label
        if self._serials[_with_serial(chart)] <= 1:
            return _with_serial(chart)
        return _with_probe(chart)


def spellings(chart: ChartId) -> tuple[str, ...]:
    """Return every way to refer to a chart other than by its bare name."""
    return f"{chart.name}@{chart.host}", chart.label, _with_serial(chart), _with_probe(chart)


def _with_serial(chart: ChartId) -> str:
    return f"{chart.label}#{chart.serial}"


def _with_probe(chart: ChartId) -> str:
    return f"{_with_serial(chart)}/{chart.probe}"
