"""Named options of a bench: each with its usual value, and a small one for ``--quick``.

::

    chosen = choose(__doc__, Option("rounds", 5, quick=1, what="times each contender is measured"))
    chosen.rounds

``--quick`` shows that a bench runs; its figures mean nothing. An option given by name counts in either case.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple


class Option(NamedTuple):
    """One number of a bench; its type is that of its usual value."""

    name: str
    usual: float
    quick: float
    what: str
    """What it counts, for ``--help``."""


def choose(doc: str | None, *options: Option, flags: dict[str, str] | None = None) -> argparse.Namespace:
    """Read the command line; return the options, and the flags (name to help) as booleans."""
    parser = argparse.ArgumentParser(description=(doc or "").strip().splitlines()[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="run with tiny sizes: the figures mean nothing")
    for each in options:
        parser.add_argument(
            f"--{each.name.replace('_', '-')}",
            type=type(each.usual),
            metavar="N",
            help=f"{each.what} ({each.usual:,}; quick: {each.quick:,})",
        )
    for name, what in (flags or {}).items():
        parser.add_argument(f"--{name}", action="store_true", help=what)
    chosen = parser.parse_args()
    for each in options:
        if getattr(chosen, each.name) is None:
            setattr(chosen, each.name, each.quick if chosen.quick else each.usual)
    return chosen


def rounds(usual: int) -> Option:
    """Return the option that nearly every bench has."""
    return Option("rounds", usual, 1, "rounds in which the contenders take turns")
