"""Sizes and spans of time as people write them: ``500MB``, ``2GiB``, ``10m``, ``1h30m``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from farscope.errors import UsageError

_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]*)")
_SPAN = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-zµ]+)\s*")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")

MAX_TEXT: Final = 40
"""Longer texts are rejected unparsed: no valid size or duration is this long."""

_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb"), 1)},
    **{unit: 1000**power for power, unit in enumerate(("k", "m", "g", "t"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), 1)},
}
_SPAN_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "min": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
    "w": 7 * 86_400 * 1_000_000_000,
}


def parse_size(text: str) -> int:
    """Return the bytes meant by ``500MB``, ``2GiB``, ``64k`` or ``1000``.

    k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024; case does not matter.

    Raises:
        UsageError: ``text`` is not a valid size.
    """
    match = _SIZE.fullmatch(text.strip().lower()) if len(text) <= MAX_TEXT else None
    factor = _SIZE_UNITS.get(match["unit"]) if match else None
    if match is None or factor is None:
        raise UsageError(f"invalid size {text[:MAX_TEXT]!r}", "write a size like 500MB, 2GiB or 64k")
    return int(Decimal(match["number"]) * factor)


def parse_span_ns(text: str) -> int:
    """Return the nanoseconds meant by ``10m``, ``1h30m``, ``7d``, ``500ms`` or ``90`` (seconds).

    Raises:
        UsageError: ``text`` is not a valid time span.
    """
    clean = text.strip().lower() if len(text) <= MAX_TEXT else ""
    if _PLAIN.fullmatch(clean):
        clean += "s"
    total = Decimal(0)
    at = 0
    while match := _SPAN.match(clean, at):
        factor = _SPAN_UNITS.get(match["unit"])
        if factor is None:
            break
        total += Decimal(match["number"]) * factor
        at = match.end()
    if not clean or at != len(clean):
        raise UsageError(
            f"invalid span of time {text[:MAX_TEXT]!r}", "write a span like 10m, 1h30m, 7d or 500ms"
        )
    return int(total)
