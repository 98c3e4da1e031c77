"""What a chart was like at a moment of the past, in the rows its present is told in."""

from __future__ import annotations

from typing import Final

from farscope.records.shape import StepKind
from farscope.records.step import NANOSECONDS
from farscope.views.web.plain import Plain, moment
from farscope.views.web.row import SPARK, Row
from farscope.views.web.track import Place, Track

SEARCHED: Final = 2_000
"""Steps looked through for the one that last entered a state; a chart that has only handled events without a
transition for longer than that is shown without a time in state."""

NOT_YET: Final = "not yet"
"""Status of a chart before its first step."""

THEN: Final = "then"
"""Status of a chart at a moment of the past: whether it was heard from just then is not remembered."""

FORGOTTEN: Final = "forgotten"
"""Status of a chart at a moment before everything that is remembered of it."""


def row_at(row: Row, track: Track | None, time_ns: int, origin_ns: int) -> list[Plain]:
    """Return a row as ``plain_row`` does, for a moment; losses are not known by moment and are None."""
    place = None if track is None else track.last_until(time_ns)
    if track is None or place is None:
        status, state = _before(track)
        return [row.number, state, None, status, 0, None, 0, "", None, 0, 0]
    step = track.at(place)
    count = track.count_until(time_ns)
    return [
        row.number,
        step.end,
        moment(_entered(track, place), origin_ns),
        THEN,
        count,
        None,
        count - track.count_until(time_ns - NANOSECONDS),
        step.signal,
        step.time_ns - origin_ns,
        step.queued,
        int(step.kind),
    ]


def spark_at(track: Track | None, time_ns: int) -> list[int]:
    """Return the steps in each of the seconds up to a moment."""
    spark = [0] * SPARK
    place = None if track is None else track.last_until(time_ns)
    if track is None or place is None or track.time_at(place) < time_ns - SPARK * NANOSECONDS:
        return spark
    after = track.count_until(time_ns)
    for second in range(SPARK):
        before = track.count_until(time_ns - (second + 1) * NANOSECONDS)
        spark[SPARK - 1 - second] = after - before
        after = before
        if before <= track.forgotten:
            break
    return spark


def _before(track: Track | None) -> tuple[str, str]:
    """Return status and state before all steps that are here: the first one tells what it started from."""
    place = None if track is None else track.first_from(0)
    if track is None or place is None:
        return NOT_YET, ""
    shape = track.shape_at(place)
    if shape.kind is StepKind.START:
        return NOT_YET, ""
    return FORGOTTEN, shape.start if not track.forgotten else ""


def _entered(track: Track, place: Place) -> int:
    """Return when the state the chart was in at ``place`` was entered; 0 if that is not remembered."""
    block, offset = place
    for _ in range(SEARCHED):
        if track.shape_at(Place(block, offset)).traced:
            return track.time_at(Place(block, offset))
        offset -= 1
        if offset < 0:
            block -= 1
            if block < 0:
                return 0
            offset = len(track.blocks[block]) - 1
    return 0
