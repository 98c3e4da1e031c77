"""The heartbeat: how often a probe is heard at least. Watchers judge every silence by multiples of it.

The constants are for the usual interval. A probe announces its interval in each batch; ``scaled`` returns a
silence as it counts for that probe. What waits for any probe, known or not, uses the usual interval, so
that a slow one never delays the others for longer than ``MAX_AWAIT_NS``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from farscope.records.step import NANOSECONDS

HEARTBEAT_NS: Final = 1_000_000_000
"""After this long without a batch, a probe sends a heartbeat, unless its program chooses another interval."""

HEARTBEAT_S: Final = HEARTBEAT_NS / NANOSECONDS
"""The same in seconds."""

MAX_HEARTBEAT_NS: Final = 3_600 * NANOSECONDS
"""Longest interval that a program may choose; watchers treat a longer one that is announced as this one."""

MAX_HEARTBEAT_S: Final = MAX_HEARTBEAT_NS / NANOSECONDS
"""The same in seconds."""

MAX_SILENCE_S: Final = 2 * HEARTBEAT_S
"""Longest time for which steps may accumulate; a longer one is a usage error."""

SILENT_AFTER_NS: Final = 5 * HEARTBEAT_NS
"""After this long without a batch, a watcher calls the charts of a probe silent."""

SILENT_AFTER_S: Final = SILENT_AFTER_NS / NANOSECONDS
"""The same in seconds."""

GONE_AFTER_NS: Final = 4 * HEARTBEAT_NS
"""A probe not heard for this long may be gone, and nothing waits for its next batch."""

LATELY_NS: Final = 5 * HEARTBEAT_NS // 2
"""A probe sends heartbeats at half of its rate at least. One heard within this time of the end of the
reading was running then; for any other that is unknown."""

SETTLE_NS: Final = LATELY_NS
"""How long a scope must have been reading live before it reports that a probe fell silent: while it reads the
past, or just after an outage, the probe's next heartbeat may be about to arrive."""

SPELL_NS: Final = LATELY_NS
"""After this long, even a probe with few batches has been heard often enough to be compared with others."""

OVERDUE_NS: Final = 13 * HEARTBEAT_NS // 10
"""A probe not heard for this long is late. The end of the reading waits for it until ``LATELY_NS`` is over,
and for no longer than ``MAX_AWAIT_NS``."""

COMPANY_NS: Final = 3 * HEARTBEAT_NS // 2
"""How long after a probe is first heard its steps wait even if it is alone: programs are often started
together, so others with the usual heartbeat may be about to be heard."""

HOLD_NS: Final = 3 * HEARTBEAT_NS
"""Longest wait of a step from the past for all of the past to be read."""

MAX_AWAIT_NS: Final = GONE_AFTER_NS
"""Longest time for which steps, or the end of the reading, wait for the next batch of a probe, however slow
its heartbeat is: one that is not due by then is not waited for."""

MAX_SPELL_NS: Final = 10 * SPELL_NS
"""Longest part of a log over which clocks are compared before a probe counts as having no company, however
slow the heartbeats of others are."""

QUIET_S: Final = LATELY_NS / NANOSECONDS
"""Seconds without any input after which a command says that it sees nothing: a program with the usual
heartbeat would have been heard."""


@lru_cache(maxsize=256)
def scaled(silence_ns: int, heartbeat_ns: int) -> int:
    """Return a silence of this module as it counts for a probe that announced an interval.

    Shorter intervals, and 0 for an unknown one, count as ``HEARTBEAT_NS``: busy machines are late.
    """
    return silence_ns * min(max(heartbeat_ns, HEARTBEAT_NS), MAX_HEARTBEAT_NS) // HEARTBEAT_NS


def silent_after_ns(heartbeat_ns: int) -> int:
    """Return after how long without a batch a probe that announced an interval counts as silent."""
    return scaled(SILENT_AFTER_NS, heartbeat_ns)
