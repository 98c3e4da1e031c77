"""Compares the steps that went in with those that came out, and names the lost ones.

::

    verdict = check(attempted, acknowledged, had)
    print(table({"scope 1": verdict}))

Every item must be told from every other: a producer's name and its own count will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import NamedTuple


class Verdict(NamedTuple):
    """Numbers of items."""

    attempted: int
    """Somebody tried to put them in."""
    acknowledged: int
    """Of those, the ones that were told to be in."""
    ok: int
    """Acknowledged and had."""
    lost: int
    """Acknowledged and never had."""
    unexpected: int
    """Had, and never put in."""
    repeated: int
    """Came again before duplicates were left out."""
    duplicated: int
    """Had again after duplicates were left out."""
    recovered: int
    """Had, though nobody was told that they were in."""

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, invented or had twice."""
        return not (self.lost or self.unexpected or self.duplicated)


def check(
    attempted: Collection[Hashable],
    acknowledged: Collection[Hashable],
    had: Iterable[Hashable],
    *,
    repeated: int = 0,
) -> Verdict:
    """Compare what producers say with what one reader had.

    Args:
        attempted: what they tried to put in, each item once.
        acknowledged: those of it they were told to be in.
        had: what the reader was given, repetitions included.
        repeated: how many the reader says it has left out as had before.
    """
    tried, told, seen = set(attempted), set(acknowledged), Counter(had)
    return Verdict(
        attempted=len(tried),
        acknowledged=len(told),
        ok=len(told & seen.keys()),
        lost=len(told - seen.keys()),
        unexpected=len(seen.keys() - tried),
        repeated=repeated + seen.total() - len(seen),
        duplicated=seen.total() - len(seen),
        recovered=len(seen.keys() & (tried - told)),
    )


def table(verdicts: Mapping[str, Verdict]) -> str:
    """Return verdicts as a table of text, a line for each name."""
    width = max(map(len, verdicts), default=0)
    lines = [" " * width + "".join(f"{field:>14}" for field in Verdict._fields)]
    lines += [
        f"{name:{width}}" + "".join(f"{number:>14,}" for number in verdict)
        for name, verdict in verdicts.items()
    ]
    return "\n".join(lines)
