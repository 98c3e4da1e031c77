"""The timeline, reduced to what a screen can show: never more items a lane than it has pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

from farscope.records.shape import StepKind
from farscope.views.web.plain import Plain
from farscope.views.web.track import Place, Track

_BAD = frozenset({StepKind.REFUSED, StepKind.FAILED})


class Window(NamedTuple):
    """A span of time, in nanoseconds since the epoch, and the pixels it is drawn on."""

    from_ns: int
    to_ns: int
    width: int

    def pixel(self, time_ns: int) -> int:
        """Return the pixel a moment in the window falls on."""
        return (time_ns - self.from_ns) * self.width // max(1, self.to_ns - self.from_ns)

    def start_of(self, pixel: int) -> int:
        """Return the first nanosecond that falls on a pixel."""
        span = max(1, self.to_ns - self.from_ns)
        return self.from_ns + -(-pixel * span // self.width)


class _Names:
    """Names told once a lane and referred to by place."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self.places.setdefault(name, len(self.places))


def lane(track: Track, window: Window, origin_ns: int) -> dict[str, Plain]:
    """Return a chart's lane.

    ``items`` are [time, steps, state, signal, kind], one a pixel at most: where several steps fall on a
    pixel, the first one's time, the last one's state and signal, and the worst kind of any. ``before`` is
    the state that the lane begins with, -1 if that is not remembered. Each state lasts up to the next item.
    """
    states, signals = _Names(), _Names()
    items: list[list[Any]] = []
    before = _state_before(track, window.from_ns)
    first = -1 if before is None else states.of(before)
    place = track.first_from(window.from_ns)
    while place is not None:
        time_ns = track.time_at(place)
        if time_ns > window.to_ns:
            break
        end_ns = window.start_of(window.pixel(time_ns) + 1)
        last = track.last_until(min(end_ns - 1, window.to_ns)) or place
        shape = track.shape_at(last)
        count = _distance(track, place, last) + 1
        items.append(
            [
                time_ns - origin_ns,
                count,
                states.of(shape.end),
                signals.of(shape.signal),
                _kind(track, place, last, count),
            ]
        )
        place = _following(track, last)
    return {"states": list(states.places), "signals": list(signals.places), "before": first, "items": items}


def _state_before(track: Track, time_ns: int) -> str | None:
    """Return the state the chart was in just before a moment; empty before its start, None if forgotten."""
    place = track.last_until(time_ns - 1)
    if place is not None:
        return track.shape_at(place).end
    first = track.first_from(time_ns)
    if first is None:
        return None
    shape = track.shape_at(first)
    return "" if shape.kind is StepKind.START else None


def _following(track: Track, place: Place) -> Place | None:
    if place.offset + 1 < len(track.blocks[place.block]):
        return Place(place.block, place.offset + 1)
    return Place(place.block + 1, 0) if place.block + 1 < len(track.blocks) else None


def _distance(track: Track, first: Place, last: Place) -> int:
    start, end = track.blocks[first.block].first, track.blocks[last.block].first
    return end + last.offset - start - first.offset


def _kind(track: Track, first: Place, last: Place, count: int) -> int:
    """Return the kind to draw: a refused or failed one if the pixel has any, else the last one's."""
    kind = track.shape_at(last).kind
    if count == 1:
        return int(kind)
    for number in range(first.block, last.block + 1):
        block = track.blocks[number]
        bad = [shape.kind for shape in block.table if shape.kind in _BAD]
        if bad and (first.block != last.block or _has_bad(track, first, last)):
            return int(max(bad))
    return int(kind)


def _has_bad(track: Track, first: Place, last: Place) -> bool:
    block = track.blocks[first.block]
    numbers = set(block.shapes[first.offset : last.offset + 1])
    return any(block.table[number].kind in _BAD for number in numbers)
