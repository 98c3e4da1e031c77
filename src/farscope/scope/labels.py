"""Unique labels for charts, as short as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

from farscope.errors import AmbiguousChart, UnknownChart
from farscope.records.step import ChartId
from farscope.scope.chart import Chart


class Labels:
    """Labels for a changing set of charts; not thread-safe.

    A name that no other chart shares is the label. Otherwise it is ``name@service``, then ``name@host:pid``,
    then ``name@host:pid#serial``, then that with ``/probe``. A name that looks like a longer label always
    gets the longest, and a service that looks like a host and a process is left out, so that no chart can
    take another's label by its name or its service.
    """

    def __init__(self) -> None:
        self._names: Counter[str] = Counter()
        self._services: Counter[str] = Counter()
        self._places: Counter[str] = Counter()
        self._serials: Counter[str] = Counter()

    def add(self, chart: ChartId) -> None:
        """Add a chart."""
        for counter, text in self._counters(chart):
            counter[text] += 1

    def remove(self, chart: ChartId) -> None:
        """Forget a chart that was added."""
        for counter, text in self._counters(chart):
            counter[text] -= 1
            if not counter[text]:
                del counter[text]

    def of(self, chart: ChartId) -> str:
        """Return the label of a chart that was added."""
        if "@" in chart.name or "#" in chart.name:
            return _with_probe(chart)
        if self._names[chart.name] <= 1:
            return chart.name
        if _is_named(chart) and self._services[_with_service(chart)] <= 1:
            return _with_service(chart)
        if self._places[chart.label] <= 1:
            return chart.label
        if self._serials[_with_serial(chart)] <= 1:
            return _with_serial(chart)
        return _with_probe(chart)

    def _counters(self, chart: ChartId) -> tuple[tuple[Counter[str], str], ...]:
        return (
            (self._names, chart.name),
            (self._services, _with_service(chart)),
            (self._places, chart.label),
            (self._serials, _with_serial(chart)),
        )


class ProbeLabels:
    """Labels for a changing set of probes; not thread-safe.

    The label is the service, ``host:pid`` if another probe has the same one or it looks like a place, and
    that with ``/`` and the beginning of the probe's id if several probes are there.
    """

    def __init__(self) -> None:
        self._services: Counter[str] = Counter()
        self._places: Counter[str] = Counter()

    def add(self, service: str, place: str) -> None:
        """Add a probe."""
        self._services[service] += 1
        self._places[place] += 1

    def remove(self, service: str, place: str) -> None:
        """Forget a probe that was added."""
        self._services -= Counter((service,))
        self._places -= Counter((place,))

    def of(self, probe: str, service: str, place: str) -> str:
        """Return the label of a probe that was added."""
        if service and ":" not in service and self._services[service] == 1:
            return service
        return place if self._places[place] <= 1 else f"{place}/{probe[:8]}"


def spellings(chart: ChartId) -> tuple[str, ...]:
    """Return every way to refer to a chart other than by its bare name."""
    return (
        *((_with_service(chart),) if _is_named(chart) else ()),
        f"{chart.name}@{chart.host}",
        chart.label,
        _with_serial(chart),
        _with_probe(chart),
    )


def _is_named(chart: ChartId) -> bool:
    """Return whether the chart's service has a name that cannot be taken for a host and a process."""
    return bool(chart.service) and ":" not in chart.service


def _with_service(chart: ChartId) -> str:
    return f"{chart.name}@{chart.service}"


def _with_serial(chart: ChartId) -> str:
    return f"{chart.label}#{chart.serial}"


def _with_probe(chart: ChartId) -> str:
    return f"{_with_serial(chart)}/{chart.probe}"


LISTED = 10
"""Most labels listed in a message."""


def candidates(name: str, charts: Iterable[Chart]) -> list[Chart]:
    """Return the charts called ``name``, else those of that ``name@service``, else of any such label."""
    known = list(charts)
    return (
        [one for one in known if one.id.name == name]
        or [one for one in known if _is_named(one.id) and name == _with_service(one.id)]
        or [one for one in known if name in spellings(one.id)]
    )


def meant(
    found: list[Chart], *, alive: Callable[[Chart], bool], began_ns: Callable[[Chart], int]
) -> list[Chart]:
    """Narrow down charts that match one name, to a single one if there is a reason to prefer it.

    The only one alive is preferred; if none is alive, the newest of successive runs of one program.

    Args:
        found: the charts.
        alive: returns whether a chart is currently heard.
        began_ns: returns when a chart's probe began, in nanoseconds since the epoch by the clock of its
            machine; 0 if unknown.
    """
    if len(found) < 2:
        return found
    living = [one for one in found if alive(one)]
    if living:
        return living
    runs = sorted(found, key=began_ns)
    return runs[-1:] if _successive(runs, began_ns) else found


def ambiguous(name: str, labels: tuple[str, ...]) -> AmbiguousChart:
    """Return the error for a name that several charts match; ``labels`` distinguish them."""
    return AmbiguousChart(
        f"{len(labels)} charts answer to {name!r}", f"choose one: {_listed(labels)}", labels=labels
    )


def unknown(name: str, labels: tuple[str, ...]) -> UnknownChart:
    """Return the error for a name that no chart matches; ``labels`` are those of the existing charts."""
    hint = f"seen so far: {_listed(labels)}" if labels else "no chart was seen yet"
    return UnknownChart(f"no chart {name!r} was seen", hint, name=name)


def _successive(runs: list[Chart], began_ns: Callable[[Chart], int]) -> bool:
    """Return whether each run made its last step before the next one began.

    Only times of one host can be compared. A run without a step does not show when it ended.
    """
    if len({run.id.host for run in runs}) > 1 or not began_ns(runs[0]):
        return False
    return all(0 < earlier.last_ns < began_ns(later) for earlier, later in pairwise(runs))


def _listed(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    return ", ".join(labels[:LISTED]) + more
