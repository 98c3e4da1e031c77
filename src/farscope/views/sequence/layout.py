"""Lane positions: as close together as the text between them allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from farscope.views.sequence.model import Arrow, Row


class Room(NamedTuple):
    """The distance two lanes need, in the renderer's unit."""

    left: int
    right: int
    distance: int


def place_lanes(lanes: int, first: int, least: int, rooms: Iterable[Room]) -> list[int]:
    """Return a position for each lane, from ``first`` on, at least ``least`` apart.

    Missing space for an arrow across several lanes is spread evenly over the gaps it crosses.
    """
    gaps = [least] * max(0, lanes - 1)
    for room in sorted(set(rooms), key=lambda room: room.right - room.left):
        crossed = room.right - room.left
        lacking = room.distance - sum(gaps[room.left : room.right])
        if lacking <= 0:
            continue
        share, rest = divmod(lacking, crossed)
        for offset in range(crossed):
            gaps[room.left + offset] += share + (offset < rest)
    places = [first]
    for gap in gaps:
        places.append(places[-1] + gap)
    return places[:lanes]


def arrows_in(rows: Iterable[Row]) -> Iterator[tuple[Arrow, str]]:
    """Yield each arrow that is drawn and the text of its number, also within loops."""
    for row in rows:
        if isinstance(row, Arrow):
            yield row, f"({row.number})"
        elif len(row.body) == 1 and isinstance(row.body[0], Arrow):
            yield row.body[0], f"({row.first}..{row.last}) x {row.times}"
        else:
            yield from arrows_in(row.body)
