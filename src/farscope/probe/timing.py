"""How fast and in what portions a pump works."""

from __future__ import annotations

from dataclasses import dataclass

BATCH_STEPS = 4_096
"""Steps in a batch at most; more make a batch of their own."""
BATCHES_AT_ONCE = 8
"""Batches handed to the log together at most; with the steps in them they are all the pump holds."""
LINGER_S = 0.01
"""How long steps gather behind others before they go on their way; a scope may see them so much later. The
first one after a silence goes at once. At a thousand steps a second, twice as long would save a third of the
bytes, and 2 % of a core."""
HEARTBEAT_S = 1.0
"""After so long without a batch the probe says that it lives, and introduces its charts."""
MAX_SILENCE_S = 2.0
"""Longest ``heartbeat_s`` and ``linger_s`` that are taken. The interval does not travel: every scope calls a
probe silent that says nothing for five seconds, and waits four for it at the end of the past. Two signs of
life must fit into that, on a busy machine too."""
STRUCTURES_S = 5.0
"""How often charts are introduced to late joiners while steps keep the probe from heartbeats."""
APPEND_TIMEOUT_S = 10.0
"""How long the log may take to store what it is handed, before it is handed the same again."""
LEAST_TIMEOUT_S = 0.05
"""A log is given at least so long, however little time is left for closing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast and in what portions a pump works; the constants above tell what each means."""

    batch_steps: int = BATCH_STEPS
    linger_s: float = LINGER_S
    heartbeat_s: float = HEARTBEAT_S
    structures_s: float = STRUCTURES_S
