"""Timing and batch sizes of a pump."""

from __future__ import annotations

from dataclasses import dataclass

BATCH_STEPS = 4_096
"""Maximum number of steps in a batch; further steps go into another batch."""
BATCHES_AT_ONCE = 8
"""Maximum number of batches passed to the log together; the pump holds no other steps."""
LINGER_S = 0.01
"""How long steps accumulate before they are sent; adds this much to the delay seen by a scope. The first step
after a silence is sent at once. At a thousand steps per second, doubling this would save a third of the bytes
and 2 % of a core."""
HEARTBEAT_S = 1.0
"""After this long without a batch, the probe sends a heartbeat that introduces its charts."""
MAX_SILENCE_S = 2.0
"""Maximum accepted ``heartbeat_s`` and ``linger_s``. The interval is not sent with batches: every scope
reports a probe as silent after five seconds without a batch, and waits four seconds for it at the end of the
past. Two signs of life must fit into that, even on a busy machine."""
STRUCTURES_S = 5.0
"""How often charts are introduced to late joiners while a steady flow of steps leaves no heartbeats."""
APPEND_TIMEOUT_S = 10.0
"""How long the log may take to store batches before they are passed to it again."""
LEAST_TIMEOUT_S = 0.05
"""Minimum time given to a log, however little is left for closing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Timing and batch sizes of a pump; the constants above explain each field."""

    batch_steps: int = BATCH_STEPS
    linger_s: float = LINGER_S
    heartbeat_s: float = HEARTBEAT_S
    structures_s: float = STRUCTURES_S
