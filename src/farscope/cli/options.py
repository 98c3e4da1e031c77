"""Options shared by several commands, such as ``--key``, ``--since``, ``--for`` and ``--spy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from farscope.cli.timespec import DURATION

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

STANDARD_OUTPUT: Final = "-"
"""Means standard output in place of a file name."""

spy_option: Final[Decorator] = click.option(
    "--spy", is_flag=True, help="Show every fact of each step, not only the transitions."
)

values_option: Final[Decorator] = click.option(
    "--values", is_flag=True, help="Show the values that each step changed, if the program shows values."
)

since_option: Final[Decorator] = click.option(
    "--since", metavar="WHEN", help="Start in the past: 10m, 2h, or 'start' for everything in the log."
)

out_option: Final[Decorator] = click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    default=STANDARD_OUTPUT,
    help="Write to FILE instead of standard output.",
)


def key_option(help_text: str = "Key file that opens the steps.") -> Decorator:
    """Return the option that names a key file; the command is called with a path, or None, as ``key``."""
    return click.option("--key", type=click.Path(path_type=Path), metavar="PATH", help=help_text)


def for_option(help_text: str = "Stop after this time: 30s, 5m.") -> Decorator:
    """Return the option that bounds how long a command runs, which gets seconds, or None, as ``for_s``."""
    return click.option("--for", "for_s", type=DURATION, metavar="TIME", help=help_text)


WATCHING: Final = "Stop after this time: 30s, 5m. With --since, it counts from when the past has been read."
"""Help of ``--for`` for commands that show the past first."""
