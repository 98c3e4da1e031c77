"""Moments as text, to the nanosecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from farscope.records.step import NANOSECONDS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799
"""End of the year 9999, beyond which a calendar date cannot be written."""


def utc_text(time_ns: int) -> str:
    """Return nanoseconds since the epoch as ISO 8601 in UTC; outside the years 1 to 9999, as seconds."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    if not -62_135_596_800 <= seconds <= _LAST_SECOND:
        return f"{seconds}.{nanoseconds:09d}"
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.replace(tzinfo=None).isoformat()}.{nanoseconds:09d}Z"
