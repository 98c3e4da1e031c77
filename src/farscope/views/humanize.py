"""Sizes, durations and rates in short human-readable form."""

from __future__ import annotations

from collections.abc import Sequence

_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_SECOND_NS = 10**9

_MANY = {"batch": "batches", "entry": "entries"}

BLOCKS = "▁▂▃▄▅▆▇█"
"""Bars of a sparkline by height; zero is a blank."""


def number(count: int, thing: str) -> str:
    """Return a count with what is counted, such as ``1 batch``, ``1,234 batches``."""
    return f"{count:,} {thing if count == 1 else _MANY.get(thing, thing + 's')}"


def size_text(size: int) -> str:
    """Return a number of bytes, such as ``512 B``, ``4.2 kB``, ``1.3 GB``."""
    for factor, unit in _SIZES:
        # What would be rounded to 1000.0 is one of the next unit.
        if size >= factor * 0.99995:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def span_text(span_ns: int) -> str:
    """Return a span in its two largest units, such as ``3.2s``, ``4m 07s``, ``2h 05m``, ``3d 04h``."""
    tenths = max(0, span_ns) // (_SECOND_NS // 10)
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10}s"
    seconds = tenths // 10
    for unit, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= unit:
            return f"{seconds // unit}{name} {seconds % unit // part:02}{part_name}"
    return f"{seconds}s"


def count_text(count: int, width: int = 7) -> str:
    """Return a count in at most ``width`` characters where that can be: ``12,345``, ``1.2M``, ``34G``."""
    text = f"{count:,}"
    if len(text) <= width:
        return text
    for factor, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{count / factor:.1f}{unit}" if count < 100 * factor else f"{count // factor}{unit}"
    return text


def spark(counts: Sequence[int], blocks: str = BLOCKS) -> str:
    """Return counts as a sparkline, scaled to the highest count."""
    highest = max(counts, default=0)
    if highest <= 0:
        return " " * len(counts)
    top = len(blocks) - 1
    return "".join(blocks[count * top // highest] if count > 0 else " " for count in counts)
