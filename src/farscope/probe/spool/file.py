"""One file of the spool: an embedded log's file whose rows are removed once sent.

Its format is that of the embedded log. The owner of a file is the holder of its lock: the probe that made it
or, after that has ended, a process that took the file over.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Final, NamedTuple

from farscope.logs.embedded.format import FileName, stream_name
from farscope.probe.spool.sqlite import (
    PAGE_BYTES,
    UNREADABLE,
    AliveLock,
    code_of,
    connect_writing,
    make_file,
    remove_file,
    take_over,
)
from farscope.records.folders import make_folder
from farscope.records.fork_hooks import at_fork

CHECKPOINT_PAGES: Final = 4 * 1024 * 1024 // PAGE_BYTES
"""A WAL of 4 MiB is checkpointed into the file."""

SALVAGED_KEYS: Final = 1_000_000
"""Maximum number of rows tried one by one between two readable ones of a damaged file; the rest are lost."""

_SPOILT: Final = UNREADABLE | {sqlite3.SQLITE_ERROR}
"""Error codes of a faulty file; the last means an empty file, or one without the expected tables."""

_LOGGER = logging.getLogger("farscope")


class Waiting(NamedTuple):
    """A waiting sealed batch and its key."""

    key: int
    data: bytes


class SpoolFile:
    """Batches on disk under ascending keys. Thread-safe.

    After ``leave`` or ``destroy`` it is empty. Methods raise ``OSError`` and ``sqlite3.Error`` if the disk
    fails; a damaged row is not an error but counts as ``lost``.
    """

    def __init__(
        self, path: Path, lock: AliveLock, connection: sqlite3.Connection, sizes: dict[int, int]
    ) -> None:
        """Called by ``make`` and ``take_over`` only."""
        self.path = path
        self.bytes = sum(sizes.values())
        self.lost = 0
        """Number of rows found unreadable, since the owner last read this number."""
        self.guard = RLock()
        self._lock = lock
        self._connection: sqlite3.Connection | None = connection
        self._sizes = sizes
        self._to_delete: list[int] = []
        """Keys of removed rows that are still on disk, for example because it was full."""
        stat = path.stat()
        self._identity = (stat.st_dev, stat.st_ino)
        _open_files.add(self)

    @classmethod
    def make(cls, folder: Path, name: str) -> SpoolFile:
        """Create an empty file, and ``folder`` if missing, both readable only by their owner."""
        make_folder(folder)
        path = folder / str(FileName(stream_name(name), time.time_ns()))
        lock = AliveLock(path)
        try:
            make_file(path)
            return cls(path, lock, connect_writing(path, CHECKPOINT_PAGES), {})
        except BaseException:
            remove_file(path)
            lock.drop()
            raise

    @classmethod
    def take_over(cls, path: Path) -> SpoolFile | None:
        """Take over the file of an ended owner; None if it has an owner.

        A file without a single readable row is treated as empty, with one row ``lost``.
        """
        lock = take_over(path)
        if lock is None:
            return None
        connection: sqlite3.Connection | None = None
        try:
            connection = connect_writing(path, CHECKPOINT_PAGES)
            sizes, lost = _rows(connection)
            file = cls(path, lock, connection, sizes)
            file.lost = lost
        except sqlite3.Error as error:
            if code_of(error) not in _SPOILT:
                _close(connection, lock)
                raise
            file = cls(path, lock, connection or sqlite3.connect(":memory:", check_same_thread=False), {})
            file.lost = 1
        except BaseException:
            _close(connection, lock)
            raise
        return file

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def in_place(self) -> bool:
        """Whether the file is still where the next process will look for it."""
        try:
            stat = self.path.stat()
        except OSError:
            return False
        return (stat.st_dev, stat.st_ino) == self._identity

    def store(self, first_key: int, batches: Sequence[bytes]) -> None:
        """Store all of ``batches`` or none, under consecutive keys from ``first_key`` on."""
        now_ns = time.time_ns()
        rows = [(first_key + offset, now_ns, batch) for offset, batch in enumerate(batches)]
        with self.guard:
            connection = self._connection
            if connection is None:
                raise sqlite3.ProgrammingError("the spool file was left")
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT INTO batch VALUES (?, ?, ?)", rows)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            for key, _, batch in rows:
                self._sizes[key] = len(batch)
                self.bytes += len(batch)

    def head(self, limit: int, max_bytes: int) -> tuple[list[Waiting], list[int]]:
        """Return the oldest rows, at most ``limit`` and about ``max_bytes``, and the keys of unreadable ones.

        Rows stay until ``remove`` is called; unreadable ones are removed at once.
        """
        found: list[Waiting] = []
        spoilt: list[int] = []
        size = 0
        with self.guard:
            for key in self._sizes:
                if self._connection is None or len(found) >= limit or (found and size >= max_bytes):
                    break
                data = _fetch(self._connection, key)
                if data is None:
                    spoilt.append(key)
                else:
                    found.append(Waiting(key, data))
                    size += len(data)
            self.lost += len(spoilt)
            self.remove(spoilt)
        return found, spoilt

    def remove(self, keys: Iterable[int]) -> list[int]:
        """Remove rows; return the keys of those that existed.

        If the disk does not allow deletion, for example because it is full, it is retried with the next
        rows. Rows still there at the end are sent again by the next owner, and scopes skip duplicates.
        """
        with self.guard:
            present = [key for key in keys if key in self._sizes]
            for key in present:
                self.bytes -= self._sizes.pop(key)
            self._to_delete += present
            self._delete()
            return present

    def _delete(self) -> None:
        if not self._to_delete or self._connection is None:
            return
        try:
            self._connection.executemany(
                "DELETE FROM batch WHERE id = ?", [(key,) for key in self._to_delete]
            )
        except sqlite3.Error as error:
            _LOGGER.debug("sent batches stay in the spool file %s for now: %s", self.path, error)
        else:
            self._to_delete = []

    def oldest(self, beyond: int) -> Iterator[tuple[int, int]]:
        """Yield key and size of all rows with keys above ``beyond``, oldest first."""
        with self.guard:
            yield from [(key, size) for key, size in self._sizes.items() if key > beyond]

    def leave(self) -> None:
        """Close the file and leave it to the next owner."""
        with self.guard:
            connection, self._connection = self._connection, None
            self._sizes = {}
            _open_files.discard(self)
            # The lock file stays: without it, processes waiting for it and later ones would use two locks.
            _close(connection, self._lock)

    def destroy(self) -> None:
        """Close and remove the file."""
        with self.guard:
            connection, self._connection = self._connection, None
            self._sizes = {}
            self.bytes = 0
            _open_files.discard(self)
            try:
                remove_file(self.path)
            finally:
                _close(connection, self._lock)

    def leave_to_parent(self) -> None:
        """In a forked child: let go of the file without touching what the parent writes."""
        self.guard = RLock()
        if self._connection is not None:
            _parents_connections.append(self._connection)
        self._connection = None
        self._lock.drop()


def _close(connection: sqlite3.Connection | None, lock: AliveLock) -> None:
    try:
        if connection is not None:
            connection.close()
    finally:
        lock.drop()


def _fetch(connection: sqlite3.Connection, key: int) -> bytes | None:
    """Return a row's batch; None if it is unreadable."""
    try:
        row = connection.execute("SELECT data FROM batch WHERE id = ?", (key,)).fetchone()
    except sqlite3.Error as error:
        if code_of(error) not in _SPOILT:
            raise
        return None
    return row[0] if row and isinstance(row[0], bytes) else None


def _rows(connection: sqlite3.Connection) -> tuple[dict[int, int], int]:
    """Return the sizes of all readable rows by key, and the number of unreadable rows."""
    sizes, whole = _scan(connection, "ASC")
    if whole:
        return sizes, 0
    from_end, _ = _scan(connection, "DESC")
    if not sizes and not from_end:
        return {}, 1
    # Keys are assigned without gaps, so rows missing between the two readable ends did exist.
    first = max(sizes, default=min(from_end, default=0) - 1)
    last = min((key for key in from_end if key > first), default=first + 1)
    for key in range(first + 1, min(last, first + SALVAGED_KEYS)):
        if (data := _fetch(connection, key)) is not None:
            sizes[key] = len(data)
    lost = last - first - 1 - sum(first < key < last for key in sizes)
    return dict(sorted((sizes | from_end).items())), max(1, lost)


def _scan(connection: sqlite3.Connection, order: str) -> tuple[dict[int, int], bool]:
    sizes: dict[int, int] = {}
    try:
        # Row by row: rows before the damage are good. A truncated row may have no data.
        for key, size in connection.execute(f"SELECT id, length(data) FROM batch ORDER BY id {order}"):  # noqa: S608 - ASC or DESC
            if size is None:
                return sizes, False
            sizes[key] = size
    except sqlite3.Error as error:
        if code_of(error) not in _SPOILT:
            raise
        return sizes, False
    return sizes, True


_open_files: weakref.WeakSet[SpoolFile] = weakref.WeakSet()
_held: list[SpoolFile] = []
_parents_connections: list[sqlite3.Connection] = []
"""Closing these in a child could write to the parent's files."""


def _before_fork() -> None:
    # No thread may be inside SQLite during a fork, or SQLite's locks would stay locked in the child.
    _held.extend(_open_files)
    for file in _held:
        file.guard.acquire()


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().guard.release()


def _after_fork_in_child() -> None:
    while _held:
        _held.pop().leave_to_parent()
    _open_files.clear()


at_fork(before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
