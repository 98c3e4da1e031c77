"""The spool: a bounded on-disk queue of one probe's sealed batches."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from farscope.errors import LogUnavailable
from farscope.logs.embedded.errors import error_from_os
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.file import SpoolFile, Waiting
from farscope.probe.spool.sqlite import UNREADABLE, code_of, from_sqlite
from farscope.probe.transport import DeliveryReport

MAX_BYTES: Final = 256 * 1024**2
"""Maximum size of a probe's spool; beyond this, the oldest batches are dropped, counted and declared."""
MAX_BATCHES: Final = 100_000
"""Maximum batches in a probe's spool, seven hours at four per second; beyond this, the oldest are dropped."""
LEAST_BATCHES: Final = 16
"""Minimum bound, used in place of a smaller one: the declaration of losses needs room, too."""
ROOM: Final = 0.9
"""A full spool is emptied to this fraction of its bound, so that not every new batch drops another."""

SPOOL_FULL: Final = "spool_full"
"""The log was unreachable for so long that the spool was full."""
SPOOL_SPOILT: Final = "spool_spoilt"
"""The disk did not return a batch as the spool had stored it."""

_LOGGER = logging.getLogger("farscope")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a spool."""

    max_bytes: int = MAX_BYTES
    max_batches: int = MAX_BATCHES


class Spool:
    """Batches in storage order, in a single file as long as the disk works. Thread-safe.

    Creates a file only when there is something to store, and removes it once all batches are sent.
    """

    def __init__(self, folder: SpoolFolder, name: str, bounds: Bounds | None = None) -> None:
        self._folder = folder
        self._name = name
        self._bounds = bounds or Bounds()
        self._lock = Lock()
        self._files: list[SpoolFile] = []
        self._next_key = 1
        self._in_flight = 0
        self._stored: list[int] = []
        self._lost: list[tuple[int, str]] = []
        self._failures = 0
        self._last_error: str | None = None
        self._left = False

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._files))

    def store(self, batches: Sequence[bytes]) -> int:
        """Append ``batches``; return the key of the first, the others have the keys that follow.

        Raises:
            LogUnavailable, LogRefused: the disk does not accept them; none was stored.
        """
        with self._lock:
            if self._left:
                raise LogUnavailable("the spool was left", "broadcast again")
            first = self._next_key
            try:
                self._store(first, batches)
            except OSError as error:
                raise error_from_os(error, self._folder.path) from error
            except sqlite3.Error as error:
                raise from_sqlite(error, self._folder.path) from error
            self._next_key += len(batches)
            self._keep_within()
            return first

    def _store(self, first: int, batches: Sequence[bytes]) -> None:
        if self._files and self._files[-1].in_place:
            try:
                self._files[-1].store(first, batches)
            except sqlite3.Error as error:
                if code_of(error) not in UNREADABLE:
                    raise
                _LOGGER.warning("the spool file %s is spoilt; going on in a new one", self._files[-1].path)
            else:
                return
        # Readable batches of an older file are sent first; nothing is added to it any more.
        file = self._folder.make_file(self._name)
        try:
            file.store(first, batches)
        except BaseException:
            file.destroy()
            raise
        self._files.append(file)

    def _keep_within(self) -> None:
        size, count = sum(file.bytes for file in self._files), sum(map(len, self._files))
        most, bound = max(LEAST_BATCHES, self._bounds.max_batches), self._bounds.max_bytes
        if size <= bound and count <= most:
            return
        for file in self._files:
            dropped: list[int] = []
            for key, bytes_ in file.oldest(self._in_flight):
                if (size <= bound * ROOM and count <= most * ROOM) or count <= 1:
                    break
                dropped.append(key)
                size -= bytes_
                count -= 1
            self._lost += [(key, SPOOL_FULL) for key in file.remove(dropped)]

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest batches; they stay until ``sent`` is called.

        Raises:
            LogUnavailable, LogRefused: the disk cannot be read at the moment.
        """
        with self._lock:
            try:
                for file in self._files:
                    found, spoilt = file.head(limit, max_bytes)
                    self._lost += [(key, SPOOL_SPOILT) for key in spoilt]
                    if found:
                        self._in_flight = found[-1].key
                        return found
            except OSError as error:
                raise error_from_os(error, self._folder.path) from error
            except sqlite3.Error as error:
                raise from_sqlite(error, self._folder.path) from error
            return []

    def sent(self, keys: Iterable[int]) -> None:
        """Remove batches that the log has stored."""
        with self._lock:
            wanted = list(keys)
            for file in self._files:
                self._stored += file.remove(wanted)

    def spoilt(self, keys: Iterable[int]) -> None:
        """Remove batches that are damaged since they were stored."""
        with self._lock:
            wanted = list(keys)
            for file in self._files:
                self._lost += [(key, SPOOL_SPOILT) for key in file.remove(wanted)]

    def failed(self, error: Exception) -> None:
        """Record a failed attempt to send."""
        with self._lock:
            self._failures += 1
            self._last_error = f"{type(error).__name__}: {error}"

    def delivery_report(self) -> DeliveryReport:
        """Return the outcome of batches since the last call; each key is reported once."""
        with self._lock:
            report = DeliveryReport(tuple(self._stored), tuple(self._lost), self._failures, self._last_error)
            self._stored, self._lost = [], []
            self._failures, self._last_error = 0, None
            return report

    def remove_if_empty(self) -> bool:
        """Remove the files if they hold no waiting batches; return whether that was the case."""
        with self._lock:
            if any(self._files):
                return False
            for file in self._files:
                try:
                    file.destroy()
                except (OSError, sqlite3.Error) as error:
                    _LOGGER.warning("the empty spool file %s could not be removed: %s", file.path, error)
            self._files = []
            self._in_flight = 0
            return True

    def leave(self) -> None:
        """Leave waiting batches to the next program; ``store`` is refused from now on."""
        if self.remove_if_empty():
            self._left = True
            return
        with self._lock:
            self._left = True
            for file in self._files:
                try:
                    if len(file):
                        file.leave()
                    else:
                        file.destroy()
                except (OSError, sqlite3.Error) as error:
                    _LOGGER.warning("the spool file %s could not be closed: %s", file.path, error)
            self._files = []
