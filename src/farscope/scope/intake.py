"""The intake: sealed bytes in, new steps and accounts out. Pure: no I/O, and no clock of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Protocol

from farscope.errors import Malformed, UnsupportedVersion, WireError, WrongKey
from farscope.scope.accounting import OTHER_REASON, Ledger, Posted
from farscope.scope.gaps import HoleRoom, Spans
from farscope.wire.batch import Batch
from farscope.wire.codec import Decoder
from farscope.wire.envelope import Flags, Header
from farscope.wire.seal import Opener

MAX_PROBES = 4_096
"""Probes whose numbers are known at a time. At the limit the one unheard for longest is forgotten: its
counts stay in the totals, and should it speak again it is taken for a probe heard for the first time."""

MAX_ALL_REASONS = 256
"""Different reasons for drops kept apart for all probes; further ones are counted as ``OTHER_REASON``."""

REPLAY_DISTANCE = 1_024
"""A batch had before that lies this far behind the newest of its probe is refused as replayed: a probe
that sends again what it could not be sure of is never that far back."""


@unique
class Refusal(StrEnum):
    """Why bytes from a log were not taken."""

    WRONG_KEY = "wrong key"
    TAMPERED = "tampered"
    MALFORMED = "malformed"
    UNSUPPORTED_VERSION = "unsupported version"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that is seen for the first time."""

    header: Header
    batch: Batch
    posted: Posted
    """What of it is new."""
    ledger: Ledger
    """The account of its probe, which lives on."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A batch that was had before; nothing of it is handed on."""

    header: Header
    steps: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that were not taken; ``detail`` is one line for people."""

    reason: Refusal
    detail: str
    fingerprint: str = ""
    """Of the key it was sealed with, if that is the reason."""


Outcome = Accepted | Repeated | Refused


@dataclass(slots=True)
class _Known:
    ledger: Ledger
    batches: Spans


@dataclass(slots=True)
class Totals:
    """Sums over all probes, those forgotten at the limit included."""

    received: int = 0
    duplicated: int = 0
    missing: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, ledger: Ledger) -> None:
        """Add one probe's account."""
        self.received += ledger.received
        self.duplicated += ledger.duplicated
        self.missing += ledger.missing
        for reason, count in ledger.dropped.items():
            known = reason in self.dropped or len(self.dropped) < MAX_ALL_REASONS
            self.dropped[reason if known else OTHER_REASON] += count


class EntryIntake(Protocol):
    """What makes steps of a log's entries, and keeps account of them. Used by one thread at a time."""

    numbered: bool
    """Whether what is read carries numbers, so that what is missing shows."""
    accepted: int
    """Entries or steps taken."""
    repeated: int
    """Entries had before."""
    refused: Counter[Refusal]
    """Entries not taken, by reason."""

    @property
    def probes(self) -> int:
        """Probes heard so far."""

    def totals(self) -> Totals:
        """Return the sums over all probes heard so far."""

    def take(self, data: bytes, now_ns: int) -> Outcome | None:
        """Take an entry; None where it completes nothing.

        Bytes that cannot be taken are an outcome, never an exception.
        """


class Intake:
    """Opens, decodes and accounts for batches of any number of probes. Used by one thread at a time."""

    numbered = True
    """Whether what is read carries numbers, so that what is missing shows."""

    def __init__(self, opener: Opener, *, since_ns: int | None = None, host: str = "") -> None:
        """Whether the first steps of a probe could be seen decides whether they can be missing.

        Args:
            opener: holds the keys.
            since_ns: from when on the log is read; 0 is from its oldest batch; None is unknown, and then
                a probe's numbers count from the first batch of it that arrives.
            host: this machine's name. Only probes of the same machine go by the clock that ``since_ns``
                is of, so only theirs can be known to have begun after it.
        """
        self.accepted = 0
        """Batches taken."""
        self.repeated = 0
        """Batches had before."""
        self.refused: Counter[Refusal] = Counter()
        """Batches not taken, by reason."""
        self._opener = opener
        self._decoder = Decoder()
        self._since_ns = since_ns
        self._host = host
        self._room = HoleRoom()
        self._probes: dict[bytes, _Known] = {}
        self._forgotten = Totals()
        self._forgotten_probes = 0
        self._mute = 0

    @property
    def probes(self) -> int:
        """Probes heard so far, apart from those that only said goodbye, as ``farscope doctor`` does."""
        return len(self._probes) + self._forgotten_probes - self._mute

    def totals(self) -> Totals:
        """Return the sums over all probes heard so far."""
        totals = Totals()
        totals.received, totals.duplicated = self._forgotten.received, self._forgotten.duplicated
        totals.missing, totals.dropped = self._forgotten.missing, Counter(self._forgotten.dropped)
        for known in self._probes.values():
            totals.add(known.ledger)
        return totals

    def take(self, data: bytes, now_ns: int) -> Outcome:
        """Take what a log returned; ``now_ns`` is any clock that does not go back.

        Bytes that cannot be taken are an outcome, never an exception.
        """
        try:
            header, body = self._opener.open(data)
            batch = self._decoder.decode(body, header.probe)
        except WireError as error:
            return self._refuse(error)
        known = self._probes.pop(header.probe, None) or self._new_probe(header, batch)
        self._probes[header.probe] = known
        if known.batches.first is not None and header.number < known.batches.first:
            return self._repeat(known, header, batch)
        if not known.batches.take(header.number, header.number).new:
            return self._repeat(known, header, batch)
        self.accepted += 1
        goodbye = bool(header.flags & Flags.GOODBYE)
        self._mute += goodbye and header.number == batch.next_number == len(batch.charts) == 0
        posted = known.ledger.post(batch, now_ns, goodbye=goodbye)
        return Accepted(header, batch, posted, known.ledger)

    def _new_probe(self, header: Header, batch: Batch) -> _Known:
        if len(self._probes) >= MAX_PROBES:
            unheard = next(iter(self._probes))
            forgotten = self._probes.pop(unheard)
            self._forgotten.add(forgotten.ledger)
            forgotten.ledger.forget()
            forgotten.batches.forget()
            self._forgotten_probes += 1
        from_start = header.number == 0 or self._since_ns == 0
        if self._since_ns is not None and batch.host == self._host:
            from_start = from_start or batch.started_ns >= self._since_ns
        return _Known(
            Ledger(from_start=from_start, room=self._room), Spans(0 if from_start else None, self._room)
        )

    def _repeat(self, known: _Known, header: Header, batch: Batch) -> Outcome:
        if header.number + REPLAY_DISTANCE < known.batches.end:
            detail = f"batch {header.number} of a probe that has reached {known.batches.end - 1} came again"
            self.refused[Refusal.REPLAYED] += 1
            return Refused(Refusal.REPLAYED, detail)
        self.repeated += 1
        known.ledger.repeat(len(batch.steps))
        return Repeated(header, len(batch.steps))

    def _refuse(self, error: WireError) -> Refused:
        reason = _reason(error)
        self.refused[reason] += 1
        fingerprint = error.fingerprint if isinstance(error, WrongKey) else ""
        return Refused(reason, error.message, fingerprint)


def _reason(error: WireError) -> Refusal:
    if isinstance(error, WrongKey):
        return Refusal.WRONG_KEY
    if isinstance(error, UnsupportedVersion):
        return Refusal.UNSUPPORTED_VERSION
    if isinstance(error, Malformed):
        return Refusal.MALFORMED
    return Refusal.TAMPERED
