"""Trace contexts: W3C ``traceparent`` texts, and the ids under which steps appear in traces.

A step's span id and, for the first step of a causal chain, its trace id are digests, so that whoever knows
the step can compute them and nobody needs to store them.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

SPAN_DOMAIN: Final = b"farscope span id\0"
TRACE_DOMAIN: Final = b"farscope trace id\0"
"""Separate the two digests of one step."""

SAMPLED: Final = 0x01

_PARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.{0,400})?",
    re.DOTALL,
)


class TraceParent(NamedTuple):
    """The content of a ``traceparent``."""

    trace_id: str
    """32 lower-case hex digits, not all zero."""
    span_id: str
    """16 lower-case hex digits, not all zero."""
    flags: int = SAMPLED

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse_traceparent(text: str) -> TraceParent | None:
    """Return the content of a ``traceparent``; None if it is invalid by the W3C recommendation.

    Of a version later than 00, the known fields are read, as the recommendation asks.
    """
    found = _PARENT.fullmatch(text)
    if found is None or found["version"] == "ff":
        return None
    if found["version"] == "00" and found["more"] is not None:
        return None
    trace_id, span_id = found["trace"], found["span"]
    if not (trace_id.strip("0") and span_id.strip("0")):
        return None
    return TraceParent(trace_id, span_id, int(found["flags"], 16))


def span_id(probe: str, serial: int, number: int) -> str:
    """Return the span id of a step, as 16 hex digits.

    Args:
        probe: hex of the probe that broadcast it.
        serial: serial of its chart.
        number: its number in the chart.
    """
    return _digest(SPAN_DOMAIN, probe, serial, number, SPAN_ID_BYTES)


def trace_id(probe: str, serial: int, number: int) -> str:
    """Return the trace id of a causal chain that begins with a step, as 32 hex digits; see ``span_id``."""
    return _digest(TRACE_DOMAIN, probe, serial, number, TRACE_ID_BYTES)


def _digest(domain: bytes, probe: str, serial: int, number: int, size: int) -> str:
    named = domain + bytes.fromhex(probe) + serial.to_bytes(8, "big") + number.to_bytes(8, "big")
    digest = sha256(named).digest()[:size]
    # An id of zeros is invalid in a traceparent.
    return (digest if any(digest) else digest[:-1] + b"\x01").hex()
