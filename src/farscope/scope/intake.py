"""The intake: sealed bytes in, new steps and accounts out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Protocol

from farscope.errors import Malformed, UnsupportedSuite, UnsupportedVersion, WireError, WrongKey
from farscope.scope.accounting import OTHER_REASON, Posted, ReceivedAccount
from farscope.scope.gaps import GapBudget, GapTracker
from farscope.scope.notice import Notice, NoticeKind
from farscope.wire.batch import Batch
from farscope.wire.codec import Decoder
from farscope.wire.envelope import Header
from farscope.wire.seal import Opener

MAX_PROBES = 4_096
"""Probes whose numbers are tracked at a time. At the limit the one unheard for longest is forgotten: its
counts stay in the totals, and if it is heard again it is treated as a new probe."""

MAX_ALL_REASONS = 256
"""Drop reasons counted separately over all probes; further ones are counted as ``OTHER_REASON``."""

MAX_ALL_SECTIONS = 64
"""Unknown sections counted by name; further ones are counted as ``OTHER_REASON``."""

REPLAY_DISTANCE = 1_024
"""A repeated batch this far behind the newest of its probe is refused as replayed: a probe that resends
unconfirmed batches never goes back that far."""

MAX_FINGERPRINTS = 256
"""Foreign keys reported individually; batches sealed with further ones are only counted."""


@unique
class Refusal(StrEnum):
    """Why bytes from a log were rejected."""

    WRONG_KEY = "wrong key"
    TAMPERED = "tampered"
    MALFORMED = "malformed"
    UNSUPPORTED_VERSION = "unsupported version"
    UNSUPPORTED_SUITE = "unsupported suite"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch seen for the first time."""

    header: Header
    batch: Batch
    posted: Posted
    """The new content of the batch."""
    account: ReceivedAccount
    """The live account of its probe; later batches change it."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A batch received before; nothing of it is passed on."""

    header: Header
    steps: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Rejected bytes; ``detail`` is a one-line explanation for users."""

    reason: Refusal
    detail: str
    fingerprint: str = ""
    """Fingerprint of the key it was sealed with, if the key is the reason."""


Outcome = Accepted | Repeated | Refused


@dataclass(slots=True)
class _ProbeRecord:
    account: ReceivedAccount
    batches: GapTracker


@dataclass(slots=True)
class Totals:
    """Sums over all probes, including those forgotten at the limit."""

    received: int = 0
    duplicated: int = 0
    missing: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, account: ReceivedAccount) -> None:
        """Add the account of one probe."""
        self.received += account.received
        self.duplicated += account.duplicated
        self.missing += account.missing
        for reason, count in account.dropped.items():
            known = reason in self.dropped or len(self.dropped) < MAX_ALL_REASONS
            self.dropped[reason if known else OTHER_REASON] += count


class EntryIntake(Protocol):
    """Turns the entries of a log into steps and accounts for them. Used by one thread at a time."""

    numbered: bool
    """Whether what is read carries numbers, so that what is missing shows."""
    accepted: int
    """Entries or steps accepted."""
    repeated: int
    """Entries received before."""
    refused: Counter[Refusal]
    """Entries rejected, by reason."""
    skipped: Counter[str]
    """Parts of accepted entries that this release cannot read, by name."""

    @property
    def probes(self) -> int:
        """Probes heard so far."""

    def totals(self) -> Totals:
        """Return the sums over all probes heard so far."""

    def receive(self, data: bytes, now_ns: int) -> Outcome | None:
        """Process an entry; return None if it completes nothing.

        Bytes that cannot be taken are an outcome, never an exception.
        """


class Intake:
    """Opens, decodes and accounts for batches of any number of probes. Used by one thread at a time."""

    numbered = True
    """Whether what is read carries numbers, so that what is missing shows."""

    def __init__(self, opener: Opener, *, since_ns: int | None = None, host: str = "") -> None:
        """``since_ns`` and ``host`` decide whether a probe's first steps could be seen, and so be missing.

        Args:
            opener: holds the keys.
            since_ns: where reading of the log starts; 0 is its oldest batch; None is unknown, so that a
                probe's numbers count from the first of its batches to arrive.
            host: this machine's name. Only probes on the same machine use the clock of ``since_ns``, so only
                they can be known to have started after it.
        """
        self.accepted = 0
        """Batches accepted."""
        self.repeated = 0
        """Batches received before."""
        self.refused: Counter[Refusal] = Counter()
        """Batches rejected, by reason."""
        self.skipped: Counter[str] = Counter()
        """Sections of later releases, which were not read, by name."""
        self._opener = opener
        self._decoder = Decoder()
        self._since_ns = since_ns
        self._host = host
        self._room = GapBudget()
        self._probes: dict[bytes, _ProbeRecord] = {}
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
            totals.add(known.account)
        return totals

    def receive(self, data: bytes, now_ns: int) -> Outcome:
        """Process an entry of a log; ``now_ns`` may be from any monotonic clock.

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
        if not known.batches.add(header.number, header.number).new:
            return self._repeat(known, header, batch)
        self.accepted += 1
        for name in batch.skipped:
            known_name = name in self.skipped or len(self.skipped) < MAX_ALL_SECTIONS
            self.skipped[name if known_name else OTHER_REASON] += 1
        goodbye = header.is_goodbye
        self._mute += goodbye and header.number == batch.next_number == len(batch.charts) == 0
        posted = known.account.post(batch, now_ns, goodbye=goodbye)
        return Accepted(header, batch, posted, known.account)

    def _new_probe(self, header: Header, batch: Batch) -> _ProbeRecord:
        if len(self._probes) >= MAX_PROBES:
            unheard = next(iter(self._probes))
            forgotten = self._probes.pop(unheard)
            self._forgotten.add(forgotten.account)
            forgotten.account.forget()
            forgotten.batches.forget()
            self._forgotten_probes += 1
        from_start = header.number == 0 or self._since_ns == 0
        if self._since_ns is not None and batch.host == self._host:
            from_start = from_start or batch.started_ns >= self._since_ns
        return _ProbeRecord(
            ReceivedAccount(from_start=from_start, room=self._room),
            GapTracker(0 if from_start else None, self._room),
        )

    def _repeat(self, known: _ProbeRecord, header: Header, batch: Batch) -> Outcome:
        if header.number + REPLAY_DISTANCE < known.batches.end:
            detail = f"batch {header.number} of a probe that has reached {known.batches.end - 1} came again"
            self.refused[Refusal.REPLAYED] += 1
            return Refused(Refusal.REPLAYED, detail)
        self.repeated += 1
        known.account.repeat(len(batch.steps))
        return Repeated(header, len(batch.steps))

    def _refuse(self, error: WireError) -> Refused:
        reason = _reason(error)
        self.refused[reason] += 1
        fingerprint = error.fingerprint if isinstance(error, WrongKey) else ""
        return Refused(reason, error.message, fingerprint)


class RejectionReporter:
    """Reports each foreign key once, any other reason the 1st, 10th, 100th time; not thread-safe."""

    def __init__(self) -> None:
        self._fingerprints: set[str] = set()

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the foreign keys, sorted."""
        return sorted(self._fingerprints)

    def report(self, refused: Refused, count: int) -> list[Notice]:
        """Return the notices for a refused batch, the ``count``-th for its reason."""
        if refused.fingerprint:
            if refused.fingerprint in self._fingerprints or len(self._fingerprints) >= MAX_FINGERPRINTS:
                return []
            self._fingerprints.add(refused.fingerprint)
        elif str(count).strip("0") != "1":
            return []
        return [Notice(kind=NoticeKind.REFUSED, detail=refused.detail, count=count)]


def _reason(error: WireError) -> Refusal:
    if isinstance(error, WrongKey):
        return Refusal.WRONG_KEY
    if isinstance(error, UnsupportedVersion):
        return Refusal.UNSUPPORTED_VERSION
    if isinstance(error, UnsupportedSuite):
        return Refusal.UNSUPPORTED_SUITE
    if isinstance(error, Malformed):
        return Refusal.MALFORMED
    return Refusal.TAMPERED
