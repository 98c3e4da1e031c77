"""Writing the embedded log: one writer, one file at a time."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.sqlite_file import (
    PAGE_BYTES,
    AliveLock,
    FileName,
    connect_writing,
    make_file,
    remove_file,
    stream_name,
    wal_bytes,
)
from farscope.logs.sqlite_retention import KeepWithin, Own, retain
from farscope.logs.sqlite_trouble import UNREADABLE, code_of, from_os, from_sqlite

_log = logging.getLogger("farscope")

ATTEMPTS: Final = 3
"""Files an append may lose (somebody removes them under it) before it gives up for now."""

MAX_CHECKPOINT_PAGES: Final = 1000
"""4 MiB of WAL, then it goes into the file; a smaller log does it sooner."""

MAX_WAL_BYTES: Final = 64 * 1024 * 1024
"""A reader frozen in the middle of a read keeps the WAL from starting over. At this size the writer
leaves the file to it and goes on in a new one."""

MAX_NAME: Final = 100
"""Characters of a writer's name as written in its file's; longer ones are refused."""

Clock = Callable[[], int]


class OwnFile:
    """A file this process writes. Not thread-safe."""

    def __init__(self, folder: Path, name: FileName, keep: KeepWithin) -> None:
        """Make it; raises ``OSError`` or ``sqlite3.Error`` and then leaves nothing behind."""
        self.path = folder / str(name)
        self._lock = AliveLock(self.path)
        try:
            make_file(self.path)
            checkpoint_pages = max(8, min(MAX_CHECKPOINT_PAGES, keep.max_bytes // (16 * PAGE_BYTES)))
            self.connection = connect_writing(self.path, checkpoint_pages)
            stat = self.path.stat()
        except BaseException:
            self._lock.release()
            remove_file(self.path)
            raise
        self._identity = (stat.st_dev, stat.st_ino)
        self._next_id = 1

    def store(self, batches: Sequence[bytes], now_ns: int) -> None:
        """Store all of ``batches`` or none; raises ``sqlite3.Error``."""
        first = self._next_id
        rows = [(first + offset, now_ns, batch) for offset, batch in enumerate(batches)]
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            self.connection.executemany("INSERT INTO batch VALUES (?, ?, ?)", rows)
            execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                execute("ROLLBACK")
            raise
        self._next_id = first + len(rows)

    def in_place(self) -> bool:
        """Whether the file still lies where readers look for it."""
        try:
            stat = os.stat(self.path)  # noqa: PTH116 (once an append; a third of Path.stat's time)
        except OSError:
            return False
        return (stat.st_dev, stat.st_ino) == self._identity

    def finish(self) -> None:
        """Mark the file as complete and close it; raises ``sqlite3.Error``, and is closed all the same."""
        try:
            self.connection.execute("UPDATE meta SET closed = 1")
            # With an empty WAL the file can be read where nothing may be written beside it.
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Close the file without another word in it; raises ``sqlite3.Error``."""
        try:
            self.connection.close()
        finally:
            self._lock.release()

    def leave_to_parent(self) -> None:
        """In a forked child: take our hands off, without touching what the parent writes."""
        # Closing the connection could check the parent's WAL in; it must stay open and unused.
        _parents_connections.append(self.connection)
        self._lock.drop()


_parents_connections: list[sqlite3.Connection] = []


class SqliteWriter:
    """Appends to the embedded log; see ``LogWriter``. Used by one thread at a time."""

    def __init__(self, folder: Path, name: str, keep: KeepWithin, clock: Clock = time.time_ns) -> None:
        self._folder = folder
        self._name = name
        self._keep = keep
        self._clock = clock
        self._pid = os.getpid()
        self._stream = stream_name(name)
        self._file: OwnFile | None = None
        self._created_ns = 0
        self._stored_ns = 0
        self._unretained = 0
        self._retained_ns = 0
        self._closed = False
        if len(self._stream) > MAX_NAME:
            raise LogRefused(
                f"the writer's name {name[:MAX_NAME]!r} is too long", "use the probe's id in hex"
            )

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches`` in one transaction; nobody else writes the file, so ``timeout_s`` is not needed.

        Raises:
            LogUnavailable: a full or failing disk; appending again may help.
            LogRefused: no right to write, a file where the folder should be, closed.
        """
        del timeout_s
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        if not batches:
            return
        self._mind_fork()
        for _ in range(ATTEMPTS):
            if self._store(batches):
                self._retain_if_due(sum(map(len, batches)))
                return
        raise LogUnavailable(
            f"the files of the log folder {self._folder} vanish as soon as they are written",
            "see what removes them",
        )

    def _store(self, batches: Sequence[bytes]) -> bool:
        """Store ``batches`` where readers will find them; False when the file is gone or spoilt."""
        file = self._file or self._new_file()
        # Readers merge files by these times, and search in them: they never fall.
        self._stored_ns = max(self._stored_ns, self._clock())
        try:
            file.store(batches, self._stored_ns)
        except sqlite3.Error as error:
            if file.in_place() and code_of(error) not in UNREADABLE:
                raise from_sqlite(error, self._folder) from error
            _log.warning("the log file %s was lost (%s); going on in a new one", file.path, error)
            self._drop_file(file)
            return False
        if file.in_place():
            return True
        _log.warning("the log file %s was removed while in use; going on in a new one", file.path)
        self._drop_file(file)
        return False

    def _new_file(self) -> OwnFile:
        self._created_ns = max(self._created_ns + 1, self._clock())
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = OwnFile(self._folder, FileName(self._stream, self._created_ns), self._keep)
        except OSError as error:
            raise from_os(error, self._folder) from error
        except sqlite3.Error as error:
            raise from_sqlite(error, self._folder) from error
        return self._file

    def _drop_file(self, file: OwnFile) -> None:
        self._file = None
        try:
            file.give_up()
        except (sqlite3.Error, OSError) as error:
            _log.debug("closing the lost log file %s: %s", file.path, error)

    def _mind_fork(self) -> None:
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._stream = stream_name(self._name)
        if self._file is not None:
            self._file.leave_to_parent()
            self._file = None

    def _retain_if_due(self, stored: int) -> None:
        self._unretained += stored
        due_bytes = self._unretained >= self._keep.check_bytes
        if not due_bytes and self._stored_ns - self._retained_ns < self._keep.check_ns:
            return
        file = self._file
        if file is None:
            return
        self._unretained, self._retained_ns = 0, self._stored_ns
        try:
            retain(self._folder, Own(file.path, file.connection), self._keep, self._stored_ns)
            if wal_bytes(file.path) > MAX_WAL_BYTES:
                self._file = None
                file.finish()
        except (OSError, sqlite3.Error) as error:
            # What was appended is stored; the next check may fare better.
            _log.warning("retention in the log folder %s failed: %s", self._folder, error)

    def close(self, timeout_s: float = 2.0) -> None:
        """Mark the file as complete and close it; later appends are refused.

        Raises:
            LogUnavailable: the mark could not be written; the file is closed all the same.
        """
        del timeout_s
        if self._closed:
            return
        self._mind_fork()
        self._closed = True
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.finish()
        except sqlite3.Error as error:
            if file.in_place():
                raise from_sqlite(error, self._folder) from error
        except OSError as error:
            raise from_os(error, self._folder) from error

    def interrupt(self) -> None:
        """Do nothing: an append here never waits for anybody."""
