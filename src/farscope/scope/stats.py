"""A scope's account of everything it read, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from farscope.scope.unknown import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStats:
    """Steps are counted once each: received, dropped at the source, or missing."""

    received: int
    """Steps had."""
    duplicated: int
    """Steps that came again and were left out."""
    missing: int
    """Steps made and neither received nor declared dropped."""
    dropped: Mapping[str, int]
    """Steps the probes declared as dropped, by reason."""
    refused: Mapping[str, int]
    """Batches not taken, by reason: wrong key, tampered, malformed, unsupported version, replayed."""
    probes: int
    """Probes heard."""
    batches: int
    """Batches taken."""
    repeated: int
    """Batches that came again."""
    waiting: int
    """Steps received that wait to be taken by iterating or ``take``, or for those that come before them."""
    unread: int
    """Steps received that left the buffer because nobody took them."""
    cut: int
    """Batches retention removed from the log before they could be read."""
    late: int = 0
    """Steps handed out behind one that ended after them, by corrected times: they came too late for their
    place, or their clock was set back. All others came in order; no step is late because it took long."""

    unknown: tuple[Unknown, ...] = ()
    """Where knowledge ends: of what lies behind these it is not known whether there was anything to receive.
    ``lost`` counts what is proven; it says nothing about these."""

    @property
    def lost(self) -> int:
        """Steps that were made and never received, for whatever reason, as far as that is proven."""
        return self.missing + sum(self.dropped.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the account in plain types under stable names."""
        plain = asdict(self)
        plain |= {"lost": self.lost, "unknown": [unknown.as_dict() for unknown in self.unknown]}
        return plain
