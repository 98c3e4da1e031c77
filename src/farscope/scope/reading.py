"""The progress of a collector through its log. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Phase(Enum):
    """How the entries that are read next relate to the present."""

    PAST = "past"
    """They were stored before the collector got to them; they are treated and ordered as the past."""
    LIVE = "live"
    """They are read as soon as they are stored."""
    LOST = "lost"
    """None can be read: the log is unavailable, and reading is retried."""


@dataclass(slots=True)
class Reading:
    """Where a collector is in its log. Not thread-safe, but any thread may call ``fall_behind``."""

    until_ns: int | None = None
    """For a log that ends, when its newest batch was stored; None for any other."""
    goes_on: bool = False
    """Whether a log that ends is part of something longer."""
    phase: Phase = Phase.PAST
    live_since_ns: int | None = None
    """Start of the phase ``LIVE``, by a monotonic clock; None in any other phase."""
    caught_up: bool = False
    """Whether everything in the log at the last read, or at the end of the reading, was processed."""
    reached_end: bool = False
    """Whether the end of the log was reached at least once, with everything before it processed."""
    failures: int = 0
    """Attempts to read that failed since the last one that succeeded."""
    was_lost: bool = False
    """Whether the log was ever unavailable, so that probes need time to be heard again."""

    @property
    def live(self) -> bool:
        """Whether entries are read as soon as they are stored."""
        return self.phase is Phase.LIVE

    @property
    def ends(self) -> bool:
        """Whether the log ends, as a recording does."""
        return self.until_ns is not None

    @property
    def for_good(self) -> bool:
        """Whether nothing will ever follow the end of the log."""
        return self.ends and not self.goes_on

    @property
    def finished(self) -> bool:
        """Whether the log ends and was read to its end."""
        return self.ends and self.caught_up

    def go_live(self, now_ns: int) -> None:
        """Record that the end was reached, so that further entries are new."""
        self.phase, self.live_since_ns = Phase.LIVE, now_ns

    def fall_back(self) -> None:
        """Record a pause: what was stored meanwhile is the past."""
        self.phase, self.live_since_ns = Phase.PAST, None

    def fall_behind(self) -> None:
        """Record that the log holds more than was processed."""
        self.caught_up = False

    def end_read(self, *, at_end: bool) -> None:
        """Record that the entries of a read were processed; ``at_end``: it reached the end of the log."""
        self.caught_up = at_end
        self.reached_end = self.reached_end or at_end

    def lose(self) -> None:
        """Record a failed attempt to read."""
        self.phase, self.live_since_ns, self.was_lost = Phase.LOST, None, True
        self.failures += 1
        self.fall_behind()

    def find(self) -> bool:
        """Record a successful attempt; return whether the log was lost before."""
        if self.phase is not Phase.LOST:
            return False
        self.phase, self.failures = Phase.PAST, 0
        return True

    def is_settled(self, now_ns: int, settle_ns: int) -> bool:
        """Return whether probes that are alive have been heard: after an outage, that takes ``settle_ns``."""
        if self.live_since_ns is None:
            return False
        return not self.was_lost or now_ns - self.live_since_ns >= settle_ns
