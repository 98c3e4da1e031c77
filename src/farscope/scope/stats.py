"""Snapshot of a scope's account of everything it has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farscope.scope.unknown import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStats:
    """Steps are counted once each: received, dropped at the source, or missing."""

    received: int
    """Steps received."""
    duplicated: int
    """Steps received again and discarded."""
    missing: int
    """Steps that were made but neither received nor declared dropped."""
    dropped: Mapping[str, int]
    """Steps the probes declared as dropped, by reason."""
    refused: Mapping[str, int]
    """Batches rejected, by reason: wrong key, tampered, malformed, unsupported version, unsupported suite,
    replayed."""
    probes: int
    """Probes heard from."""
    batches: int
    """Batches accepted."""
    repeated: int
    """Batches received again."""
    waiting: int
    """Steps received that wait to be taken by iterating or ``take``, or wait for earlier steps to arrive."""
    unread: int
    """Steps received but discarded from the full buffer because nobody took them."""
    cut: int
    """Batches retention removed from the log before they could be read."""
    late: int = 0
    """Steps handed out after a step that ended later than they did, by corrected times: they arrived too late
    for their place, or their clock was set back. All others were in order; a long duration does not make a
    step late."""

    skipped: Mapping[str, int] = field(default_factory=dict)
    """Parts of accepted batches that only a later release can read, by name."""

    unknown: tuple[Unknown, ...] = ()
    """Where knowledge ends: whether anything followed after these points is not known. ``lost`` counts only
    proven losses, so these are not included."""

    @property
    def lost(self) -> int:
        """Steps proven to have been made but never received, for whatever reason."""
        return self.missing + sum(self.dropped.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the account in plain types under stable names."""
        plain = asdict(self)
        plain |= {"lost": self.lost, "unknown": [unknown.as_dict() for unknown in self.unknown]}
        return plain
