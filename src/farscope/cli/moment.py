"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime, time

import click

from farscope.records.step import NANOSECONDS


class Moment(click.ParamType[int]):
    """A moment as trace lines show it, or a part of one: ``2026-01-10 13:14:26.7``, ``13:14``.

    In local time unless it names a zone; without a date it is today's. Becomes nanoseconds since the epoch.
    """

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the moment in nanoseconds, or fail with what it should look like."""
        if isinstance(value, int):
            return value
        try:
            moment = _moment(str(value))
            seconds = int(moment.replace(microsecond=0).timestamp())
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no moment; write 2026-01-10 13:14:26 or 13:14:26", param, ctx)
        return seconds * NANOSECONDS + moment.microsecond * 1000


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.combine(datetime.now().astimezone().date(), time.fromisoformat(text))


MOMENT = Moment()
