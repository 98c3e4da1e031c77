"""Parses times as typed by people, with an optional date."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final

from farscope.cli.playback_speed import place_ns
from farscope.errors import UsageError
from farscope.records.step import NANOSECONDS

MICROSECOND: Final = 1_000
"""Finer than this no moment is written; a step has some nanoseconds more than what is shown of it."""


def window_ns(
    from_text: str | None, to_text: str | None, now_ns: int, recorded: tuple[int, int] | None = None
) -> tuple[int | None, int | None]:
    """Return between which moments somebody wants to look, in nanoseconds since the epoch; None for no bound.

    A moment is written as trace lines show it, or a part of one: ``2026-01-10 13:14:26.7``, ``13:14``; in
    local time unless it names a zone; the whole of its microsecond belongs to the window. Of a recording,
    ``recorded`` from when to when, it may be a span from its beginning, too: see ``place_ns``. Otherwise a
    time without a day is the latest that is not to come, so that ``23:14`` is last night's in the morning;
    the second one is the first that is not before the first one.

    Raises:
        UsageError: one is no moment, or the second is before the first.
    """
    if recorded is not None:
        begin_ns, end_ns = recorded
        from_ns = None if from_text is None else place_ns(from_text, begin_ns, end_ns=end_ns)
        to_ns = None if to_text is None else place_ns(to_text, begin_ns, behind_ns=from_ns or None)
    else:
        now = datetime.fromtimestamp(now_ns / NANOSECONDS).astimezone()
        start = None if from_text is None else _latest(from_text, now)
        end = None if to_text is None else _latest(to_text, now) if start is None else _next(to_text, start)
        from_ns, to_ns = (None if moment is None else _ns(moment) for moment in (start, end))
    if from_ns is not None and to_ns is not None and from_ns > to_ns:
        raise UsageError("--from is later than --to", "swap them")
    return from_ns, None if to_ns is None else to_ns + MICROSECOND - 1


def _latest(text: str, now: datetime) -> datetime:
    """Return the moment; of a time without a day, the last one up to ``now``."""
    moment = _parsed(text)
    if isinstance(moment, datetime):
        return moment
    today = _on(moment, now)
    return today if today <= now else _on(moment, now - timedelta(days=1))


def _next(text: str, start: datetime) -> datetime:
    """Return the moment; of a time without a day, the first one from ``start`` on."""
    moment = _parsed(text)
    if isinstance(moment, datetime):
        return moment
    today = _on(moment, start)
    return today if today >= start.astimezone() else _on(moment, start + timedelta(days=1))


def _on(of_day: time, day: datetime) -> datetime:
    return datetime.combine(day.date(), of_day).astimezone()


def _parsed(text: str) -> datetime | time:
    try:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return time.fromisoformat(text)
        _ns(moment)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"invalid time {text!r}", "write 2026-01-10 13:14:26, or 13:14:26") from error
    return moment


def _ns(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * NANOSECONDS + moment.microsecond * 1000
