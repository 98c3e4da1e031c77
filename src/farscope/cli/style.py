"""Colour, used only on terminals."""

from __future__ import annotations

import os
import sys
import time
from typing import Final, TextIO
from zlib import crc32

import click

from farscope.records.shape import AnyStepKind, StepKind
from farscope.records.step import local_time

PALETTE = (
    "cyan",
    "magenta",
    "green",
    "blue",
    "bright_cyan",
    "bright_magenta",
    "bright_green",
    "bright_blue",
)
"""Colours of charts, distinguishable on dark and light backgrounds; the others stand for outcomes."""

OUTCOMES: Final[dict[int, str]] = {
    StepKind.FAILED: "red",
    StepKind.REFUSED: "yellow",
    StepKind.IGNORED: "bright_black",
}
"""Colours of outcomes. Red is for errors, and a refused event is not an error."""


def wants_colour(stream: TextIO) -> bool:
    """Return whether to use colours on ``stream``.

    A terminal gets colours unless ``NO_COLOR`` is set or it is dumb; ``FORCE_COLOR`` enables them everywhere.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour_of(name: str) -> str:
    """Return the colour of a chart, which depends only on its name."""
    return PALETTE[crc32(name.encode("utf-8", "replace")) % len(PALETTE)]


def colour_of_step(kind: AnyStepKind, name: str) -> str:
    """Return the colour of the line about a step: that of its chart, or of an outcome without effect."""
    return OUTCOMES.get(kind) or colour_of(name)


def painted(text: str, colour: str, *, bold: bool = False, stream: TextIO | None = None) -> str:
    """Return ``text`` in ``colour`` if ``stream`` (standard output by default) wants colours."""
    return click.style(text, fg=colour, bold=bold or None) if wants_colour(stream or sys.stdout) else text


def say(text: str, *, stream: TextIO | None = None, nl: bool = True) -> None:
    """Print a line, or text that ends in one without ``nl``, to ``stream``, standard output by default.

    The stream is passed explicitly, because ``click.echo`` would write UTF-8 if the encoding is ASCII.
    """
    stream = stream or sys.stdout
    click.echo(text, file=stream, color=wants_colour(stream), nl=nl)


def report(text: str, *, alarming: bool = False) -> None:
    """Print a message to standard error: grey, or red if it is alarming."""
    say(painted(text, "red" if alarming else "bright_black", stream=sys.stderr), stream=sys.stderr)


def report_now(text: str, *, alarming: bool = False) -> None:
    """Print a message preceded by the current time."""
    report(f"[{local_time(time.time_ns())}] {text}", alarming=alarming)
