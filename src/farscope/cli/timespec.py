"""Times as people type them: durations, times with or without a date, and positions in a recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

import click

from farscope.errors import UsageError
from farscope.logs.units import parse_span_ns
from farscope.records.step import NANOSECONDS, local_time

MICROSECOND: Final = 1_000
"""Resolution of a typed time, in nanoseconds; trace lines show no more, although steps are timed finer."""

STORED_LATE: Final = timedelta(minutes=1)
"""A time of day up to this long before a recording's start is on that day: steps happen before they are
stored."""

DAY: Final = timedelta(days=1)

Window = tuple[int | None, int | None]
"""First and last nanosecond since the epoch, both included; None for no bound."""


class Duration(click.ParamType[float]):
    """A span such as ``500ms``, ``30s``, ``1h30m``; a bare number is seconds. Becomes seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the span in seconds, or fail with what is wrong about it."""
        try:
            return parse_span_ns(str(value)) / NANOSECONDS
        except UsageError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


DURATION = Duration()


def window_ns(from_text: str | None, to_text: str | None, now_ns: int) -> Window:
    """Return the window between two typed times.

    A time is written as in trace lines, or as a part of one: ``2026-01-10 13:14:26.7``, ``13:14``; in local
    time unless it names a zone. Without a date, the first time is the latest one that is not in the future,
    so that ``23:14`` in the morning means last night; the second is the next one after the first.

    Raises:
        UsageError: a time is invalid, or the second is before the first.
    """
    now = datetime.fromtimestamp(now_ns / NANOSECONDS).astimezone()
    start = None if from_text is None else _latest(_typed(from_text), now)
    end = None
    if to_text is not None:
        end = _latest(_typed(to_text), now) if start is None else _next(_typed(to_text), start)
    return _window(None if start is None else _ns(start), None if end is None else _ns(end))


class Recorded(NamedTuple):
    """The time span of a recording, in which positions are typed. Nanoseconds since the epoch.

    A position is an offset from the start (``30s``, ``1h30m``), a time of day, or a time with a date.
    """

    begin_ns: int
    end_ns: int

    def window_ns(self, from_text: str | None, to_text: str | None) -> Window:
        """Return the window between two positions.

        Raises:
            UsageError: a position is invalid, or the second is before the first.
        """
        from_ns = None if from_text is None else self.start_ns(from_text)
        return _window(from_ns, None if to_text is None else self.stop_ns(to_text, from_ns))

    def start_ns(self, text: str) -> int:
        """Return the first moment to show.

        An offset of zero leaves out nothing, since steps happen before they are stored: it returns 0.

        Raises:
            UsageError: the position is invalid.
        """
        if _is_offset(text):
            offset_ns = parse_span_ns(text)
            return self.begin_ns + offset_ns if offset_ns else 0
        return self._moment_ns(text, None)

    def stop_ns(self, text: str, from_ns: int | None) -> int:
        """Return the last moment to show; a time of day is the next one after ``from_ns`` if that is given.

        Raises:
            UsageError: the position is invalid.
        """
        if _is_offset(text):
            return self.begin_ns + parse_span_ns(text)
        return self._moment_ns(text, from_ns or None)

    def note_if_outside(self, from_ns: int, to_ns: int) -> str:
        """Return a message if a window lies outside the recording, otherwise an empty text."""
        late_ns = int(STORED_LATE.total_seconds()) * NANOSECONDS
        if not self.end_ns or (from_ns <= self.end_ns and to_ns >= self.begin_ns - late_ns):
            return ""
        first, last = local_time(self.begin_ns), local_time(self.end_ns)
        return f"nothing lies there: the recording is from {first} to {last}"

    def _moment_ns(self, text: str, after_ns: int | None) -> int:
        with _invalid(f"invalid position {text!r}", "write 30s for 30 seconds after the start, or 13:14:26"):
            moment = _parsed(text)
            if isinstance(moment, time):
                moment = self._nearest(moment) if after_ns is None else _next(moment, _local(after_ns))
            return _ns(moment)

    def _nearest(self, of_day: time) -> datetime:
        """Return the first time of day in the recording, or the nearest one before or after it.

        A round time shortly before the start is the usual way to say: everything from the start on.
        """
        moment = _next(of_day, _local(self.begin_ns) - STORED_LATE)
        day_before = (moment.replace(tzinfo=None) - DAY).astimezone()
        after_end, before_begin = moment - _local(self.end_ns), _local(self.begin_ns) - day_before
        return day_before if after_end > before_begin else moment


def _window(from_ns: int | None, to_ns: int | None) -> Window:
    """Return the window; the whole microsecond that is typed as its end belongs to it."""
    last_ns = None if to_ns is None else to_ns + MICROSECOND - 1
    if from_ns is not None and last_ns is not None and from_ns > last_ns:
        raise UsageError("--from is later than --to", "swap them")
    return from_ns, last_ns


def _is_offset(text: str) -> bool:
    return ":" not in text


def _latest(moment: datetime | time, now: datetime) -> datetime:
    """Return the moment; a time without a date becomes the last one up to ``now``."""
    if isinstance(moment, datetime):
        return moment
    today = _on(moment, now)
    return today if today <= now else _on(moment, now - DAY)


def _next(moment: datetime | time, start: datetime) -> datetime:
    """Return the moment; a time without a date becomes the first one from ``start`` on."""
    if isinstance(moment, datetime):
        return moment
    today = _on(moment, start)
    return today if today >= start.astimezone() else _on(moment, start + DAY)


def _on(of_day: time, day: datetime) -> datetime:
    return datetime.combine(day.date(), of_day).astimezone()


def _typed(text: str) -> datetime | time:
    with _invalid(f"invalid time {text!r}", "write 2026-01-10 13:14:26, or 13:14:26"):
        return _parsed(text)


def _parsed(text: str) -> datetime | time:
    """Return a time of day or a time with a date; raises what Python raises for other text."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return time.fromisoformat(text.strip())
    _ns(moment)
    return moment


@contextmanager
def _invalid(message: str, hint: str) -> Iterator[None]:
    """Report times that cannot be parsed, or not be represented, as a usage error."""
    try:
        yield
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(message, hint) from error


def _ns(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * NANOSECONDS + moment.microsecond * 1000


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOSECONDS).astimezone()
