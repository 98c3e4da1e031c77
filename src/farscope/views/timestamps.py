"""Moments as text, to the nanosecond, and where a step stands in a picture of several machines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from farscope.records.step import NANOSECONDS, Step
from farscope.scope.ordering.clock_offsets import FAR_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799
"""End of the year 9999, beyond which a calendar date cannot be written."""

Clock = Callable[[Step], int]
"""Tells when a step began by one clock for all machines, in nanoseconds since the epoch."""


def own_clock(step: Step) -> int:
    """Take the clock of the step's machine for right, where nobody compared it with others."""
    return step.time_ns


def by_one_clock(step: Step, clock: Clock) -> Step:
    """Return the step, begin and end, at the time it stands at among those of other machines.

    That is its own where the clocks differ by no more than a second, as everywhere that people look.
    """
    time_ns = clock(step)
    return step._replace(time_ns=time_ns) if abs(time_ns - step.time_ns) > FAR_NS else step


def utc_text(time_ns: int) -> str:
    """Return nanoseconds since the epoch as ISO 8601 in UTC; outside the years 1 to 9999, as seconds."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    if not -62_135_596_800 <= seconds <= _LAST_SECOND:
        return f"{seconds}.{nanoseconds:09d}"
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.replace(tzinfo=None).isoformat()}.{nanoseconds:09d}Z"
