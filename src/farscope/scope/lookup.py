"""Resolves a name that several charts may share. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from farscope.errors import AmbiguousChart, UnknownChart
from farscope.scope.chart import Chart
from farscope.scope.labels import spellings

LISTED = 10
"""Most labels listed in a message."""


def candidates(name: str, charts: Iterable[Chart]) -> list[Chart]:
    """Return the charts called ``name``, or else those with that label or ``name@host``."""
    known = list(charts)
    return [one for one in known if one.id.name == name] or [
        one for one in known if name in spellings(one.id)
    ]


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
