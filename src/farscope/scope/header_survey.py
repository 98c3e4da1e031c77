"""What the headers of sealed batches show without a key: senders, times, counts and missing batches."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from statistics import median_low

from farscope.errors import UnsupportedVersion, WireError
from farscope.logs.base import LogReader, Unread, unread_of
from farscope.records.heartbeat import LATELY_NS, SILENT_AFTER_NS, scaled
from farscope.scope.gaps import GapBudget, GapTracker
from farscope.scope.unknown import Unknown, Why, of_part
from farscope.wire.envelope import Flags, peek_header

MAX_PROBES_LISTED = 4_096
"""Probes listed individually. Batches of further ones are only counted: anyone can invent a probe."""

INTERVALS = 9
"""Newest intervals before a probe's heartbeats from which its heartbeat is estimated: the interval that it
announces is sealed. The median is not misled by an outage, nor by announcements that come early."""

MAX_KEYS = 16
"""Different keys remembered per probe; a genuine probe has one."""


@dataclass(slots=True)
class ProbeSurvey:
    """One probe according to the headers of its batches, which are not verified."""

    id: str
    """Its 16 bytes in hex."""
    keys: list[str] = field(default_factory=list)
    """Fingerprints of the keys its batches name, in hex."""
    batches: int = 0
    bytes: int = 0
    first_ns: int = 0
    """When its first batch was stored, in nanoseconds since the epoch."""
    last_ns: int = 0
    heartbeats: int = 0
    """Batches without steps."""
    announcements: int = 0
    """Batches with structures of charts."""
    goodbye: bool = False
    """Whether its goodbye, the last batch of all, is present."""
    numbers: GapTracker = field(default_factory=GapTracker)
    """Numbers of its batches, from the first one present."""
    repeated: int = 0
    """Batches whose number was seen before."""

    intervals: deque[int] = field(default_factory=lambda: deque(maxlen=INTERVALS))
    """Times between batches without steps and the batches before them, in nanoseconds."""

    @property
    def missing(self) -> int:
        """Batches missing between the first and the last."""
        return self.numbers.missing

    @property
    def heartbeat_ns(self) -> int:
        """Estimate of its heartbeat; 0 if there is too little to tell."""
        return median_low(self.intervals) if len(self.intervals) > 1 else 0


class HeaderSurvey:
    """Examines batches one by one. Used by one thread at a time; memory is bounded for any input."""

    def __init__(self) -> None:
        self._room = GapBudget()
        self.probes: dict[bytes, ProbeSurvey] = {}
        """By id, in the order of their first batches."""
        self.batches = 0
        self.bytes = 0
        self.first_ns = 0
        """When the oldest batch was stored, in nanoseconds since the epoch; 0 without any."""
        self.last_ns = 0
        self.further = 0
        """Batches of probes beyond ``MAX_PROBES_LISTED``."""
        self.cut = 0
        """Batches that retention removed before they could be examined."""
        self.unread: tuple[Unread, ...] = ()
        """Parts of the log that could not be read."""
        self.strangers: Counter[str] = Counter()
        """Entries that are not batches, or have another version, by what they are."""

    @property
    def keys(self) -> list[str]:
        """Fingerprints of all keys named, sorted."""
        return sorted({key for probe in self.probes.values() for key in probe.keys})

    @property
    def missing(self) -> int:
        """Batches of all probes that should be present but are missing."""
        return sum(probe.missing for probe in self.probes.values())

    def unknown(self, present_ns: int | None = None) -> list[Unknown]:
        """Return the probes of unknown fate after their last batch: those that said no goodbye.

        Args:
            present_ns: for a log that goes on, the present in nanoseconds since the epoch: a probe with a
                recently stored batch is running. None means that nothing follows the batches examined.
        """
        found: list[Unknown] = []
        for probe in self.probes.values():
            quiet_ns = (self.last_ns if present_ns is None else present_ns) - probe.last_ns
            lately_ns = scaled(LATELY_NS, probe.heartbeat_ns)
            if probe.goodbye or (present_ns is not None and quiet_ns < lately_ns):
                continue
            silent = quiet_ns >= scaled(SILENT_AFTER_NS, probe.heartbeat_ns)
            why = Why.SILENT if silent else Why.NO_GOODBYE
            found.append(
                Unknown(why=why, subject=f"probe {probe.id}", batch=probe.numbers.end - 1, probe=probe.id)
            )
        if self.further:
            found.append(Unknown(why=Why.FORGOTTEN, count=self.further, detail="batches of further probes"))
        return found + [of_part(part) for part in self.unread]

    def record_unread(self, reader: LogReader) -> None:
        """Record what a reader has not returned and will not return."""
        self.cut, self.unread = reader.cut, unread_of(reader)

    def add(self, data: bytes, stored_ns: int) -> None:
        """Examine an entry of a log."""
        self.bytes += len(data)
        self.first_ns = min(self.first_ns or stored_ns, stored_ns)
        self.last_ns = max(self.last_ns, stored_ns)
        try:
            header = peek_header(data)
        except UnsupportedVersion as error:
            self.strangers[f"of format version {error.version}"] += 1
            return
        except WireError:
            self.strangers["no batch at all"] += 1
            return
        self.batches += 1
        probe = self.probes.get(header.probe)
        if probe is None:
            if len(self.probes) >= MAX_PROBES_LISTED:
                self.further += 1
                return
            probe = ProbeSurvey(header.probe.hex(), first_ns=stored_ns, numbers=GapTracker(room=self._room))
            self.probes[header.probe] = probe
        key = header.key_id.hex()
        if key not in probe.keys and len(probe.keys) < MAX_KEYS:
            probe.keys.append(key)
        probe.batches += 1
        probe.bytes += len(data)
        probe.first_ns = min(probe.first_ns, stored_ns)
        if Flags.HEARTBEAT in header.flags and probe.batches > 1 and stored_ns > probe.last_ns:
            probe.intervals.append(stored_ns - probe.last_ns)
        probe.last_ns = max(probe.last_ns, stored_ns)
        probe.heartbeats += Flags.HEARTBEAT in header.flags
        probe.announcements += Flags.ANNOUNCE in header.flags
        probe.goodbye = probe.goodbye or Flags.GOODBYE in header.flags
        probe.repeated += not probe.numbers.add(header.number, header.number).new
