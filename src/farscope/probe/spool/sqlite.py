"""A spool file as an SQLite database: creation, connections, detection of live owners, and errors.

A file has one writer at a time. Next to ``X.fslog`` are SQLite's ``-wal`` and ``-shm`` files and
``X.fslog.alive``, on which the writer holds an advisory lock while it lives: the operating system releases
the lock however the process ends, and a process that is merely suspended keeps it.

Database files are opened only through SQLite: closing any descriptor of a file would drop the locks that
SQLite holds on it elsewhere in the process.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.embedded.errors import FULL_HINT, RIGHT_TO_WRITE
from farscope.logs.embedded.file import open_regular
from farscope.logs.embedded.format import MAX_BATCH_BYTES, ForeignFormat

ALIVE: Final = ".alive"
MAKING: Final = ".new"
"""Suffix of a file while it is being made; such files are ignored."""

COMPANIONS: Final = ("-wal", "-shm", "-journal", ALIVE)

FORMAT: Final = 1
APPLICATION_ID: Final = 0x4653_4C47
"""'FSLG' as SQLite's application id, so that ``file`` and farscope recognise the file."""

PAGE_BYTES: Final = 4096

BUSY_S: Final = 1.0
"""How long SQLite waits for a lock; others hold one only briefly, to repair the index of a WAL."""

_CODE_MASK: Final = 0xFF
"""SQLite's extended error codes carry the plain one in their low byte."""

UNREADABLE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
"""Error codes that mean the file itself is at fault."""

TABLES: Final = {
    "meta": "CREATE TABLE meta (format INTEGER NOT NULL, closed INTEGER NOT NULL)",
    "batch": "CREATE TABLE batch (id INTEGER PRIMARY KEY, stored_ns INTEGER NOT NULL, data BLOB NOT NULL)",
}


def make_file(path: Path) -> None:
    """Create a complete, empty file at ``path``, readable only by its owner; it is never visible half made.

    Raises:
        OSError: it cannot be created in the folder.
        sqlite3.Error: SQLite cannot write it.
    """
    draft = path.with_name(path.name + MAKING)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.executescript(
                f"PRAGMA page_size={PAGE_BYTES}; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=OFF;"
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA journal_mode=WAL;"
                f"{TABLES['meta']}; {TABLES['batch']};"
            )
            connection.execute("INSERT INTO meta VALUES (?, 0)", (FORMAT,))
        finally:
            connection.close()
        draft.replace(path)
    except BaseException:
        for name in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + name).unlink(missing_ok=True)
        raise


def connect_writing(path: Path, checkpoint_pages: int) -> sqlite3.Connection:
    """Open ``path`` as its only writer, which makes all checkpoints."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_S,
    )
    try:
        _limit(connection)
        connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            f"PRAGMA wal_autocheckpoint={checkpoint_pages};"
            f"PRAGMA journal_size_limit={checkpoint_pages * PAGE_BYTES};"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reading(path: Path, *, lives: bool) -> sqlite3.Connection:
    """Open ``path`` read-only; ``lives`` tells whether its writer may still write."""
    query = "mode=ro"
    if not lives and not wal_bytes(path):
        # The file no longer changes: without locks and index, SQLite creates no companion files, and
        # works in a read-only folder.
        query += "&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_S,
    )
    try:
        _limit(connection)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _limit(connection: sqlite3.Connection) -> None:
    # A row has a few bytes in addition to the batch.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BATCH_BYTES + 64)


def remove_file(path: Path) -> None:
    """Remove a file without a writer, and its companions; other processes may do so at the same time."""
    path.unlink(missing_ok=True)
    for companion in COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)


def wal_bytes(path: Path) -> int:
    """Return the size of the WAL of the file at ``path``, 0 if it has none."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


class AliveLock:
    """The lock held by a writer while it lives."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Take the lock of the file at ``path``; raises ``OSError``, also if the lock is held elsewhere.

        ``create``: neither file nor lock exists yet. Otherwise the lock is taken over from an ended writer.
        """
        self._path = path.with_name(path.name + ALIVE)
        self._fd = open_regular(self._path, os.O_CREAT | os.O_RDWR | (os.O_EXCL if create else 0))
        try:
            _lock(self._fd, exclusive=True)
        except BaseException:
            if create:
                self.release()
            self.drop()
            raise

    @property
    def in_place(self) -> bool:
        """Whether other processes would use this same lock: its file may have been removed."""
        try:
            found, held = self._path.stat(), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Release the lock and remove its file."""
        self.drop()
        self._path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Close only this process's descriptor, as in a forked child, whose parent still holds the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def take_over(path: Path) -> AliveLock | None:
    """Take over the lock of a file whose writer has ended; None if the writer lives or the file is gone.

    Raises:
        OSError: the folder does not allow it.
    """
    if writer_lives(path):
        return None
    try:
        lock = AliveLock(path, create=False)
    except (BlockingIOError, PermissionError, ForeignFormat):
        return None
    if lock.in_place and path.exists():
        return lock
    if lock.in_place:
        lock.release()
    lock.drop()
    return None


def writer_lives(path: Path) -> bool:
    """Return whether the writer of the file at ``path`` is alive; True if in doubt."""
    try:
        fd = open_regular(path.with_name(path.name + ALIVE))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ForeignFormat):
        return True
    try:
        _lock(fd, exclusive=False)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock without waiting or raise ``OSError``; Windows has exclusive locks only."""
        del exclusive
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock without waiting or raise ``OSError``; observers share it, so they do not detect each other."""
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's plain error code, or 0 if the error was raised by Python itself."""
    return getattr(error, "sqlite_errorcode", 0) & _CODE_MASK


def from_sqlite(error: sqlite3.Error, folder: Path) -> LogError:
    """Return the log error for ``error``, which was raised for a file in ``folder``."""
    what = f"cannot write to the log folder {folder}: {error}"
    match code_of(error):
        case sqlite3.SQLITE_FULL:
            return LogUnavailable(what, FULL_HINT)
        case sqlite3.SQLITE_IOERR:
            return LogUnavailable(what, "check its disk, and that it has free space; it will be retried")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return LogRefused(what, RIGHT_TO_WRITE)
        case sqlite3.SQLITE_TOOBIG:
            return LogRefused(what, "a batch may have 64 MiB at most")
        case _:
            return LogUnavailable(what, "it will be retried")
