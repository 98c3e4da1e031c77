"""A transport for unreliable logs: sends batches directly, or through the spool while the log fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from farscope.errors import LogError
from farscope.logs.base import LogWriter, NetworkLog
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.forwarder import Forwarder
from farscope.probe.spool.orphans import OrphanedBatches
from farscope.probe.spool.queue import Bounds, Spool
from farscope.probe.transport import STORED, Delivery, DeliveryReport, Kept, SealedTransport
from farscope.wire.batch import Batch
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring

OVERDUE_S: Final = 2.0
"""A log that has not stored within this time counts as unreachable; from then on batches are spooled."""

ORPHANS_EVERY_S: Final = 10.0
"""How often a program looks for orphaned files: the program it replaces may still be shutting down."""

ORPHANS: Final = "orphans"
"""Name of the writer and the thread that send orphaned batches."""

_LOGGER = logging.getLogger("farscope")


class SpoolTransport:
    """A ``Transport`` of sealed batches with a spool.

    While the log stores, nothing is written to disk. When an append fails or is overdue, those batches and
    all later ones go to disk, and a separate thread forwards them in order; once all are sent, batches are
    sent directly again. Batches left by ended processes are forwarded in parallel.
    """

    def __init__(
        self,
        sealed: SealedTransport,
        spool: Spool,
        forwarder: Callable[[Spool, Callable[[], bool]], Forwarder],
        orphan_forwarder: Callable[[set[Path]], OrphanForwarder | None],
        who: str,
    ) -> None:
        """Initialise the transport.

        Args:
            sealed: the transport that seals batches and stores them in the log.
            spool: where batches wait while the log fails.
            forwarder: makes a forwarder that uses the same writer.
            orphan_forwarder: starts forwarding orphaned files, if there are any that are not in the
                set, and adds these to it.
            who: the probe's name in the program's log messages.
        """
        self._sealed = sealed
        self._spool = spool
        self._make_forwarder = forwarder
        self._make_orphan_forwarder = orphan_forwarder
        self._who = who
        self._lock = Lock()
        self._spooling = False
        self._forwarder: Forwarder | None = None
        self._orphan_forwarder: OrphanForwarder | None = None
        self._known: set[Path] = set()
        self._look_s = 0.0
        self._disk_fails = False
        self._closed = False

    def encode(self, batch: Batch, flags: Flags) -> bytes:
        """Return the sealed batch, encoded."""
        return self._sealed.encode(batch, flags)

    def size(self, payload: bytes) -> int:
        """Return the size of a sealed batch."""
        return self._sealed.size(payload)

    def send(self, payloads: Sequence[bytes], timeout_s: float) -> Delivery:
        """Store sealed batches in the log or, while it fails, on disk."""
        with self._lock:
            self._look_for_orphans()
            if self._spooling:
                return Kept(self._spool.store(payloads))
        try:
            self._sealed.send(payloads, min(timeout_s, OVERDUE_S))
        except LogError as error:
            return self._divert(payloads, error)
        self._disk_fails = False
        return STORED

    def _look_for_orphans(self, *, retry: bool = False) -> None:
        """Forward orphaned files, if there are any; ``retry`` retries those that could not be taken over."""
        now_s = time.monotonic()
        if self._closed or (now_s < self._look_s and not retry):
            return
        self._look_s = now_s + ORPHANS_EVERY_S
        if self._orphan_forwarder is None or not self._orphan_forwarder.running:
            if retry:
                self._known.clear()
            self._orphan_forwarder = self._make_orphan_forwarder(self._known)

    def _divert(self, payloads: Sequence[bytes], error: LogError) -> Kept:
        with self._lock:
            try:
                key = self._spool.store(payloads)
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
            self._forwarder = self._make_forwarder(self._spool, self._drained)
            try:
                self._forwarder.start()
            except RuntimeError as ending:
                # The interpreter is shutting down: waiting batches stay for the next program.
                _LOGGER.debug("no thread to forward the spool: %s", ending)
            return Kept(key)

    def _drained(self) -> bool:
        """Resume direct sending if nothing is waiting; return whether there is anything left to forward."""
        with self._lock:
            if not self._spool.remove_if_empty():
                return True
            self._spooling = False
            _LOGGER.warning("%s: stores again, and what waited in the spool was sent", self._who)
            # The log is back for everybody: other programs may have ended during the outage.
            self._look_for_orphans(retry=True)
            return False

    def delivery_report(self) -> DeliveryReport:
        """Return the outcome of spooled batches."""
        return self._spool.delivery_report()

    def interrupt(self) -> None:
        """Make a waiting append raise soon."""
        self._sealed.interrupt()

    def close(self, timeout_s: float) -> None:
        """Leave waiting batches to the next program, and close the writer."""
        end_s = time.monotonic() + timeout_s
        with self._lock:
            self._closed = True
        forwarder, orphan_forwarder = self._forwarder, self._orphan_forwarder
        if forwarder is not None:
            forwarder.stop(timeout_s)
        self._spool.leave()
        if orphan_forwarder is not None:
            orphan_forwarder.stop(max(0.0, end_s - time.monotonic()))
        self._sealed.close(max(0.0, end_s - time.monotonic()))


class OrphanForwarder:
    """Forwards batches left by ended processes, on a separate connection."""

    def __init__(self, orphaned: OrphanedBatches, writer: LogWriter, keyring: Keyring) -> None:
        self._orphaned = orphaned
        self._writer = writer
        self._forwarder = Forwarder(orphaned, orphaned.next, writer, keyring, ORPHANS)
        self._forwarder.start(self._ended)

    @property
    def running(self) -> bool:
        """Whether it is still running."""
        return self._forwarder.running

    def stop(self, timeout_s: float) -> None:
        """Stop it, and leave unsent batches to the next program."""
        self._forwarder.stop(timeout_s)

    def _ended(self) -> None:
        self._orphaned.leave()
        try:
            self._writer.close()
        except LogError as error:
            _LOGGER.debug("the writer for orphaned batches did not close in order: %s", error)


class SpoolTransports:
    """Makes the transports of one ``broadcast`` call: one for the probe, another after every fork."""

    def __init__(self, log: NetworkLog, keyring: Keyring, root: Path, bounds: Bounds | None = None) -> None:
        self._log = log
        self._keyring = keyring
        self._folder = SpoolFolder(root, log.destination)
        self._bounds = bounds

    def __call__(self, probe: bytes) -> SpoolTransport:
        """Return a transport for the probe with this id."""
        name = probe.hex()
        writer = self._log.writer(name)
        who = f"probe {name[:8]} to {self._log.url}"
        return SpoolTransport(
            SealedTransport(writer, self._keyring, probe),
            Spool(self._folder, name, self._bounds),
            lambda spool, drained: Forwarder(spool, drained, writer, self._keyring, who),
            self._orphan_forwarder,
            who,
        )

    def _orphan_forwarder(self, known: set[Path]) -> OrphanForwarder | None:
        orphaned = OrphanedBatches(self._folder)
        if not orphaned.begin(known):
            return None
        try:
            return OrphanForwarder(orphaned, self._log.writer(ORPHANS), self._keyring)
        except RuntimeError as ending:
            _LOGGER.debug("no thread to forward what was left in the spool: %s", ending)
            return None
