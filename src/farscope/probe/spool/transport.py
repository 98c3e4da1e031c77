"""A carrier for unreliable logs: sends batches directly, or through the spool while the log fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from farscope.errors import LogError
from farscope.logs.base import LogWriter, NetworkLog
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.file import Waiting
from farscope.probe.spool.forwarder import Forwarder
from farscope.probe.spool.orphans import Inheritance
from farscope.probe.spool.queue import Bounds, Spool
from farscope.probe.transport import News, SealedCarrier
from farscope.wire.batch import Batch
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring

OVERDUE_S: Final = 2.0
"""A log that has not stored within this time counts as unreachable; from then on batches are spooled."""

LOOK_AGAIN_S: Final = 10.0
"""How often a program looks for orphaned files: the program it replaces may still be shutting down."""

HEIR: Final = "heir"

_LOGGER = logging.getLogger("farscope")


class SpoolCarrier:
    """A ``Carrier`` of sealed batches with a spool.

    While the log stores, nothing is written to disk. When an append fails or is overdue, those batches and
    all later ones go to disk, and a separate thread forwards them in order; once all are sent, batches are
    sent directly again. Batches left by ended processes are forwarded in parallel.
    """

    def __init__(
        self,
        sealed: SealedCarrier,
        spool: Spool,
        forwarder: Callable[[Source], Forwarder],
        heir: Callable[[set[Path]], Heir | None],
        who: str,
    ) -> None:
        """Initialise the carrier.

        Args:
            sealed: the carrier that seals batches and stores them in the log.
            spool: where batches wait while the log fails.
            forwarder: makes a forwarder that uses the same writer.
            heir: starts an heir if there are orphaned files that are not in the set, and adds these to it.
            who: the probe's name in the program's log messages.
        """
        self._sealed = sealed
        self._spool = spool
        self._make_forwarder = forwarder
        self._make_heir = heir
        self._who = who
        self._lock = Lock()
        self._spooling = False
        self._forwarder: Forwarder | None = None
        self._heir: Heir | None = None
        self._known: set[Path] = set()
        self._look_s = 0.0
        self._disk_fails = False
        self._closed = False

    def load(self, batch: Batch, flags: Flags) -> bytes:
        """Return the sealed batch, encoded."""
        return self._sealed.load(batch, flags)

    def size(self, cargo: bytes) -> int:
        """Return the size of a sealed batch."""
        return self._sealed.size(cargo)

    def carry(self, cargo: Sequence[bytes], timeout_s: float) -> int | None:
        """Store sealed batches in the log (returns None) or on disk (returns the key of the first)."""
        with self._lock:
            self._look_for_what_was_left()
            if self._spooling:
                return self._spool.store(cargo)
        try:
            self._sealed.carry(cargo, min(timeout_s, OVERDUE_S))
        except LogError as error:
            return self._divert(cargo, error)
        self._disk_fails = False
        return None

    def _look_for_what_was_left(self, *, also_again: bool = False) -> None:
        """Start an heir if one is needed; ``also_again`` retries files an earlier one could not take over."""
        now_s = time.monotonic()
        if self._closed or (now_s < self._look_s and not also_again):
            return
        self._look_s = now_s + LOOK_AGAIN_S
        if self._heir is None or not self._heir.running:
            if also_again:
                self._known.clear()
            self._heir = self._make_heir(self._known)

    def _divert(self, cargo: Sequence[bytes], error: LogError) -> int:
        with self._lock:
            try:
                key = self._spool.store(cargo)
            except LogError as trouble:
                if not self._disk_fails:
                    # Once per outage: the pump keeps retrying.
                    _LOGGER.warning("%s: nothing can be put into the spool: %s", self._who, trouble)
                self._disk_fails = True
                raise error from trouble
            self._disk_fails = False
            _LOGGER.warning("%s: cannot store at the moment, steps wait in the spool: %s", self._who, error)
            self._spool.failed(error)
            self._spooling = True
            self._forwarder = self._make_forwarder(Source(self._spool, self._drained))
            try:
                self._forwarder.start()
            except RuntimeError as ending:
                # The interpreter is shutting down: waiting batches stay for the next program.
                _LOGGER.debug("no thread to forward the spool: %s", ending)
            return key

    def _drained(self) -> bool:
        """Resume direct sending if nothing is waiting; return whether there is anything left to forward."""
        with self._lock:
            if not self._spool.give_back():
                return True
            self._spooling = False
            _LOGGER.warning("%s: stores again, and what waited in the spool was sent", self._who)
            # The log is back for everybody: other programs may have ended during the outage.
            self._look_for_what_was_left(also_again=True)
            return False

    def news(self) -> News:
        """Return the outcome of spooled batches."""
        return self._spool.news()

    def interrupt(self) -> None:
        """Make a waiting append raise soon."""
        self._sealed.interrupt()

    def close(self, timeout_s: float) -> None:
        """Leave waiting batches to the next program, and close the writer."""
        end_s = time.monotonic() + timeout_s
        with self._lock:
            self._closed = True
        forwarder, heir = self._forwarder, self._heir
        if forwarder is not None:
            forwarder.stop(timeout_s)
        self._spool.leave()
        if heir is not None:
            heir.stop(max(0.0, end_s - time.monotonic()))
        self._sealed.close(max(0.0, end_s - time.monotonic()))


class Source:
    """A spool as a forwarder's source."""

    def __init__(self, spool: Spool, drained: Callable[[], bool]) -> None:
        self._spool = spool
        self.next = drained

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest batches."""
        return self._spool.head(limit, max_bytes)

    def sent(self, keys: Iterable[int]) -> None:
        """Remove batches that were stored."""
        self._spool.sent(keys)

    def spoilt(self, keys: Iterable[int]) -> None:
        """Remove batches that are damaged since they were sealed."""
        self._spool.spoilt(keys)

    def failed(self, error: Exception) -> None:
        """Record a failed attempt."""
        self._spool.failed(error)


class Heir:
    """Forwards batches left by ended processes, on a separate connection."""

    def __init__(self, inheritance: Inheritance, writer: LogWriter, keyring: Keyring) -> None:
        self._inheritance = inheritance
        self._writer = writer
        self._forwarder = Forwarder(inheritance, writer, keyring, HEIR)
        self._forwarder.start(self._ended)

    @property
    def running(self) -> bool:
        """Whether it is still running."""
        return self._forwarder.running

    def stop(self, timeout_s: float) -> None:
        """Stop it, and leave unsent batches to the next heir."""
        self._forwarder.stop(timeout_s)

    def _ended(self) -> None:
        self._inheritance.leave()
        try:
            self._writer.close()
        except LogError as error:
            _LOGGER.debug("the heir's writer did not close in order: %s", error)


class SpoolCarriers:
    """Makes the carriers of one ``broadcast`` call: one for the probe, another after every fork."""

    def __init__(self, log: NetworkLog, keyring: Keyring, root: Path, bounds: Bounds | None = None) -> None:
        self._log = log
        self._keyring = keyring
        self._folder = SpoolFolder(root, log.destination)
        self._bounds = bounds

    def __call__(self, probe: bytes) -> SpoolCarrier:
        """Return a carrier for the probe with this id."""
        name = probe.hex()
        writer = self._log.writer(name)
        who = f"probe {name[:8]} to {self._log.url}"
        return SpoolCarrier(
            SealedCarrier(writer, self._keyring, probe),
            Spool(self._folder, name, self._bounds),
            lambda source: Forwarder(source, writer, self._keyring, who),
            self._heir,
            who,
        )

    def _heir(self, known: set[Path]) -> Heir | None:
        inheritance = Inheritance(self._folder)
        if not inheritance.begin(known):
            return None
        try:
            return Heir(inheritance, self._log.writer(HEIR), self._keyring)
        except RuntimeError as ending:
            _LOGGER.debug("no thread to forward what was left in the spool: %s", ending)
            return None
