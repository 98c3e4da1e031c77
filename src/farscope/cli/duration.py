"""Parses time spans as typed by people."""

from __future__ import annotations

import click

from farscope.errors import UsageError
from farscope.logs.units import parse_span_ns
from farscope.records.step import NANOSECONDS


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
