"""The heartbeat: how often a probe is heard at least. Watchers judge silences by multiples of it."""

from __future__ import annotations

from typing import Final

from farscope.records.step import NANOSECONDS

HEARTBEAT_NS: Final = 1_000_000_000
"""After this long without a batch, a probe sends a heartbeat, unless its program chooses another interval."""

HEARTBEAT_S: Final = HEARTBEAT_NS / NANOSECONDS
"""The same in seconds."""

MAX_SILENCE_S: Final = 2 * HEARTBEAT_S
"""Longest time for which steps may accumulate; a longer one is a usage error."""

SILENT_AFTER_NS: Final = 5 * HEARTBEAT_NS
"""After this long without a batch from a probe with the usual interval, a watcher calls its charts silent."""

MAX_HEARTBEAT_NS: Final = 3_600 * NANOSECONDS
"""Longest interval that a program may choose; watchers treat a longer one that is announced as this one."""

MAX_HEARTBEAT_S: Final = MAX_HEARTBEAT_NS / NANOSECONDS
"""The same in seconds."""


def silent_after_ns(heartbeat_ns: int) -> int:
    """Return after how long without a batch a probe that announced an interval counts as silent.

    Shorter intervals, and 0 for an unknown one, count as ``HEARTBEAT_NS``: busy machines are late.
    """
    return SILENT_AFTER_NS * min(max(heartbeat_ns, HEARTBEAT_NS), MAX_HEARTBEAT_NS) // HEARTBEAT_NS


SILENT_AFTER_S: Final = SILENT_AFTER_NS / NANOSECONDS
"""The same in seconds."""
