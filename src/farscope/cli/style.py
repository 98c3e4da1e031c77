"""Colour, used only on terminals."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO
from zlib import crc32

import click

from farscope.records.shape import StepKind
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
"""Colours of charts, told apart on dark and light backgrounds alike; the others say what came of an event."""

OUTCOMES = {StepKind.FAILED: "red", StepKind.REFUSED: "yellow", StepKind.IGNORED: "bright_black"}
"""Colours of what came of an event. Red is for what went wrong, and a refused event is no such thing."""


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to ``stream``.

    A terminal gets colours unless ``NO_COLOR`` is set or it is a dumb one; ``FORCE_COLOR`` gives
    them to anything.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour_of(name: str) -> str:
    """Return the colour of a chart: the same in every terminal, whoever else is watched."""
    return PALETTE[crc32(name.encode("utf-8", "replace")) % len(PALETTE)]


def colour_of_step(kind: StepKind, name: str) -> str:
    """Return the colour of the line about a step: that of its chart, unless its event came to nothing."""
    return OUTCOMES.get(kind) or colour_of(name)


def painted(text: str, colour: str, *, bold: bool = False, stream: TextIO | None = None) -> str:
    """Return ``text`` in ``colour`` if ``stream`` (standard output by default) wants colours."""
    return click.style(text, fg=colour, bold=bold or None) if wants_colour(stream or sys.stdout) else text


def say(text: str, *, stream: TextIO | None = None, nl: bool = True) -> None:
    """Print a line, or text that ends in one without ``nl``, to ``stream``, standard output by default.

    It is the stream itself that is written to: ``click.echo`` writes UTF-8 where the encoding is ASCII.
    """
    stream = stream or sys.stdout
    click.echo(text, file=stream, color=wants_colour(stream), nl=nl)


def report(text: str, *, alarming: bool = False) -> None:
    """Print what is worth knowing besides the output, to standard error: grey, or red where it alarms."""
    say(painted(text, "red" if alarming else "bright_black", stream=sys.stderr), stream=sys.stderr)


def report_now(text: str, *, alarming: bool = False) -> None:
    """Print what has just come to be so, behind the time."""
    report(f"[{local_time(time.time_ns())}] {text}", alarming=alarming)
