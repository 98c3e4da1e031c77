"""The pace of a replay, and positions in a recording."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf
from typing import Final

import click

from farscope.cli.interrupts import LOOK_S, Over
from farscope.errors import UsageError
from farscope.logs.units import parse_span_ns
from farscope.records.step import NANOSECONDS, local_time

STORED_LATE: Final = timedelta(minutes=1)
"""Up to so much before a recording's beginning a time of day is that day's: steps are stored later."""

MAX: Final = "max"
"""The word for playback at maximum speed."""


class Speed(click.ParamType[float]):
    """A speed such as ``2x``, ``0.5`` or ``max``; becomes a factor, infinite for ``max``."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor, or fail with what it should look like."""
        text = str(value).strip().lower()
        if text == MAX:
            return inf
        try:
            factor = float(text.removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not 0 < factor < inf:
            self.fail(f"invalid speed {value!r}; write 2x, 0.5x or {MAX}", param, ctx)
        return factor


SPEED = Speed()


class Pace:
    """Determines when an item with a given time is due; the first item is due at once.

    ``clock`` returns seconds and does not go back.
    """

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._origin: tuple[int, float] | None = None

    def left_s(self, time_ns: int) -> float:
        """Return the seconds until it is due, 0 if it is: also if it comes before the first one."""
        now_s = self._clock()
        if self._origin is None:
            self._origin = (time_ns, now_s)
        first_ns, began_s = self._origin
        return max(0.0, began_s + (time_ns - first_ns) / NANOSECONDS / self._speed - now_s)

    def wait_for(self, time_ns: int, over: Over) -> bool:
        """Wait until it is due or all is over; return whether it is due."""
        while (left_s := self.left_s(time_ns)) > 0:
            if over():
                return False
            time.sleep(min(LOOK_S, left_s))
        return True


def place_ns(text: str, begin_ns: int, *, behind_ns: int | None = None, end_ns: int | None = None) -> int:
    """Return the place in a recording that begins at ``begin_ns``, in nanoseconds since the epoch.

    ``text`` is how long after its beginning (``30s``, ``1h30m``) or a moment in local time
    (``2026-01-10 13:14``, or ``13:14:26`` on the first day that has it behind the beginning, or behind
    ``behind_ns`` if that is given). With the recording's ``end_ns``, a time of day that comes only behind the
    end is the one shortly before the beginning where that is nearer, and a span of nothing leaves out
    nothing: steps happened before they were stored.

    Raises:
        UsageError: neither.
    """
    if ":" not in text:
        span_ns = parse_span_ns(text)
        return begin_ns + span_ns if span_ns or end_ns is None else 0
    day = timedelta(days=1)
    try:
        if len(text.strip()) > len("00:00:00.000000"):
            moment = datetime.fromisoformat(text.strip())
        else:
            first = _local(begin_ns) - STORED_LATE if behind_ns is None else _local(behind_ns)
            moment = datetime.fromisoformat(f"{first:%Y-%m-%d} {text.strip()}")
            if moment.astimezone() < first.replace(microsecond=0):
                moment += day
            # Who takes a round time to begin with means all of what began a little later.
            if (
                end_ns is not None
                and moment.astimezone() - _local(end_ns) > _local(begin_ns) - (moment - day).astimezone()
            ):
                moment -= day
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"invalid position {text!r}", "write 30s after its beginning, or 13:14:26"
        ) from error
    return seconds * NANOSECONDS + moment.microsecond * 1_000


def beside(from_ns: int, to_ns: int, begin_ns: int, end_ns: int) -> str:
    """Return what to tell who looks beside a recording, of which nothing lies in the window; else empty."""
    late_ns = int(STORED_LATE.total_seconds()) * NANOSECONDS
    if not end_ns or (from_ns <= end_ns and to_ns >= begin_ns - late_ns):
        return ""
    return f"nothing lies there: the recording is from {local_time(begin_ns)} to {local_time(end_ns)}"


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOSECONDS).astimezone()
