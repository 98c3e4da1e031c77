"""Times as text with nanosecond precision, and the times of steps from several machines on one clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from farscope.records.step import NANOSECONDS, Step
from farscope.scope.ordering.clock_offsets import FAR_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799
"""End of the year 9999, beyond which a calendar date cannot be written."""

Clock = Callable[[Step], int]
"""Returns when a step began by a common clock for all machines, in nanoseconds since the epoch."""


def own_clock(step: Step) -> int:
    """Return the time by the clock of the step's machine, for use when clocks were not compared."""
    return step.time_ns


def by_one_clock(step: Step, clock: Clock) -> Step:
    """Return the step with its begin and end converted to the common clock of all machines.

    If the clocks differ by no more than a second, times are unchanged, as in all other output for people.
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
