"""The heartbeat: how often a probe is heard at least. Watchers judge silences by multiples of it."""

from __future__ import annotations

from typing import Final

from farscope.records.step import NANOSECONDS

HEARTBEAT_NS: Final = 1_000_000_000
"""After this long without a batch, a probe sends a heartbeat, unless its program chooses another interval."""

HEARTBEAT_S: Final = HEARTBEAT_NS / NANOSECONDS
"""The same in seconds."""

MAX_SILENCE_S: Final = 2 * HEARTBEAT_S
"""Longest interval that a program may choose, and longest time for which steps may accumulate; a longer one
is a usage error. Two signs of life must fit into the silences that watchers judge, even on a busy machine."""

SILENT_AFTER_NS: Final = 5 * HEARTBEAT_NS
"""After this long without a batch from a probe, a watcher calls its charts silent."""

SILENT_AFTER_S: Final = SILENT_AFTER_NS / NANOSECONDS
"""The same in seconds."""
