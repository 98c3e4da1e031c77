"""Where a scope starts reading: parsing of the ``since`` argument."""

from __future__ import annotations

from datetime import datetime, timedelta

from farscope.errors import UsageError
from farscope.logs.units import parse_span_ns
from farscope.records.step import NANOSECONDS

START = "start"
"""The value that means the oldest batch."""

Since = str | datetime | timedelta | float | None
"""None, ``"start"``, a time ago (as text such as ``"10m"``, as seconds or as a timedelta), or a datetime."""


def since_ns(since: Since, now_ns: int) -> int | None:
    """Return the moment in nanoseconds since the epoch: 0 for the oldest batch, None for now.

    A datetime without a zone is in local time.

    Raises:
        UsageError: the value is invalid, or lies before the epoch.
    """
    if since is None:
        return None
    if isinstance(since, str):
        if since == START:
            return 0
        try:
            return max(1, now_ns - parse_span_ns(since))
        except UsageError as error:
            raise UsageError(error.message, f"{error.hint}, or {START} for all there is") from error
    if isinstance(since, datetime):
        moment_ns = int(since.timestamp() * NANOSECONDS)
        if moment_ns <= 0:
            raise UsageError(f"{since} lies before 1970", 'to read everything, say "start"')
        return moment_ns
    seconds = since.total_seconds() if isinstance(since, timedelta) else since
    if not seconds >= 0:
        raise UsageError(f"{seconds} seconds ago is not in the past", "give a positive number of seconds")
    return max(1, now_ns - int(seconds * NANOSECONDS))
