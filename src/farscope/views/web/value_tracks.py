"""The values of a chart over time, at screen resolution: numbers as lines, everything else as spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from farscope.records.step import Value
from farscope.views.value_text import value_text
from farscope.views.web.serialize import Plain
from farscope.views.web.timeline_lanes import Window

MOST: Final = 1e300
"""Greatest number that is drawn; larger and infinite ones are left out, and so is what is not a number."""

MAX_TEXTS: Final = 1_000
"""Different texts of one track; further ones are shown as ``...``."""


class ValueTracks:
    """The tracks of a chart's values in a window, made of the changes in order of time.

    A number has ``points``: [time, last, lowest, highest] of each pixel in which it changed. Anything else
    has ``spans``: [time, place in ``texts``]. Each value lasts until the next item, and ``before`` is the one
    that the window begins with, None if that is unknown.
    """

    def __init__(self, window: Window, origin_ns: int, before: Mapping[str, Value]) -> None:
        self._window = window
        self._origin_ns = origin_ns
        self._changes: dict[str, list[tuple[int, Value]]] = {name: [] for name in before}
        self._before = dict(before)

    def add(self, time_ns: int, values: Iterable[tuple[str, Value]]) -> None:
        """Add what changed at a moment in the window."""
        for name, value in values:
            self._changes.setdefault(name, []).append((time_ns, value))

    def plain(self, latest: Mapping[str, Value]) -> list[dict[str, Plain]]:
        """Return the tracks by name; a value that never changed has been as ``latest`` says."""
        steady = {name: value for name, value in latest.items() if not self._changes.get(name)}
        before = steady | self._before
        return [
            self._track(name, before.get(name), self._changes.get(name, []))
            for name in sorted(before.keys() | self._changes.keys())
        ]

    def _track(self, name: str, before: Value | None, changes: list[tuple[int, Value]]) -> dict[str, Plain]:
        values = [value for _, value in changes] + ([] if before is None else [before])
        if all(_is_number(value) for value in values):
            return {"name": name, "before": _finite(before), "points": self._points(changes)}
        places: dict[str, int] = {}
        start = None if before is None else _place(places, before)
        return {"name": name, "before": start, "spans": self._spans(changes, places), "texts": list(places)}

    def _points(self, changes: list[tuple[int, Value]]) -> list[list[Any]]:
        points: list[list[Any]] = []
        pixel = -1
        for time_ns, value in changes:
            number = _finite(value)
            if number is None:
                continue
            if points and self._window.pixel(time_ns) == pixel:
                point = points[-1]
                point[1:] = number, min(point[2], number), max(point[3], number)
                continue
            pixel = self._window.pixel(time_ns)
            points.append([time_ns - self._origin_ns, number, number, number])
        return points

    def _spans(self, changes: list[tuple[int, Value]], places: dict[str, int]) -> list[list[int]]:
        spans: list[list[int]] = []
        pixel = -1
        for time_ns, value in changes:
            place = _place(places, value)
            if spans and self._window.pixel(time_ns) == pixel:
                spans[-1][1] = place
                continue
            pixel = self._window.pixel(time_ns)
            spans.append([time_ns - self._origin_ns, place])
        return spans


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Value | None) -> float | int | None:
    """Return a number that can be drawn; None for one that cannot."""
    if value is None or isinstance(value, str):
        return None
    return value if abs(value) < MOST else None


def _place(places: dict[str, int], value: Value) -> int:
    text = value if isinstance(value, str) else value_text(value)
    if text not in places and len(places) >= MAX_TEXTS:
        text = "..."
    return places.setdefault(text, len(places))
