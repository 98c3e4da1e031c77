"""Reading one file of the embedded log from a row on, for as long as somebody writes it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from farscope.errors import LogRefused
from farscope.logs.base import Entry
from farscope.logs.sqlite_file import FORMAT, TABLES, FileName, connect_reading, writer_lives

ALL_READ: Final = -1
"""In a position: everything in this file, whose writer is gone, has been read or passed over."""

CHUNK_ROWS: Final = 64
CHUNK_BYTES: Final = 1024 * 1024
"""Rows fetched from a file at a time stop at either; a reader of many files holds one chunk for each."""


COARSE_NS: Final = 2 * 10**9
"""The coarsest times of change a file system keeps (FAT): within it things may change again unseen."""

PATIENCE_S: Final = 5.0
"""A file that cannot be read for so long, for a reason that might have passed, is skipped for good."""


ENDS: Final = "SELECT (SELECT min(id) FROM batch), (SELECT max(id) FROM batch)"
"""Each alone is a look at one end of the table; both in one query would read all of it."""


_NO_MARK: Final = (0, 0, 0, 0)


class Row(NamedTuple):
    """A stored batch with its number in its file."""

    id: int
    entry: Entry


class Start(NamedTuple):
    """Where to begin in a file: behind row ``after``, or at time ``since_ns``, or at its present end."""

    after: int | None = None
    since_ns: int | None = None

    @property
    def position(self) -> int:
        """As it stands in a position: the row, or the time as a negative number."""
        return self.after if self.after is not None else -(self.since_ns or 0)

    @classmethod
    def at(cls, position: int) -> Start:
        """Return the start that stands as ``position``."""
        return cls(after=position) if position >= 0 else cls(since_ns=-position)


BEGINNING: Final = Start(after=0)
"""From the first row ever: those that retention has removed already count as cut."""
END: Final = Start()


class ForeignFormat(LogRefused):
    """A file of the log that this release cannot read."""


class Tail:
    """One file and how far it has been read. Errors of its file come out as ``sqlite3.Error``."""

    def __init__(self, path: Path, name: FileName, start: Start) -> None:
        self.path = path
        self.name = name
        self.cut = 0
        """Rows that were removed before they could be read."""
        self.finished = False
        """Everything was read and no more will come."""
        self._start = start
        self._lives = True
        self._connection: sqlite3.Connection | None = None
        self._seen_version = -1
        self._wal = f"{path}-wal"
        self._mark = self._seen_mark = _NO_MARK
        self._buffer: deque[Row] = deque()
        self._returned = 0
        self._fetched = 0
        self._known_last = 0
        self._trouble_began_s: float | None = None

    @property
    def position(self) -> int:
        """The row behind which reading goes on, or ``ALL_READ``."""
        if self.finished:
            return ALL_READ
        if self._connection is None:
            return self._start.position
        return self._returned

    @property
    def next_ns(self) -> int:
        """When the next row was stored, or a time not later than that while the file was not opened."""
        return self._buffer[0].entry.stored_ns if self._buffer else self.name.created_ns

    @property
    def opened(self) -> bool:
        """Whether the file has been looked into."""
        return self._connection is not None

    def open(self) -> sqlite3.Connection:
        """Open the file and find the first row to read.

        Raises:
            sqlite3.Error: it cannot be opened or is no database.
            ForeignFormat: it is one of another format.
        """
        self._lives = self._lives and writer_lives(self.path)
        connection = connect_reading(self.path, lives=self._lives)
        try:
            _require_format(connection, self.path)
            first, last = connection.execute(ENDS).fetchone()
            self._known_last = last or 0
            self._returned = self._fetched = _behind(connection, self._start, first or 1, last or 0)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def fill(self) -> bool:
        """Fetch rows if none are at hand; whether some are now. Opens the file if need be."""
        if self._buffer or self.finished:
            return bool(self._buffer)
        connection = self._connection or self.open()
        return not (self._lives and self._quiet()) and self._look(connection)

    def _look(self, connection: sqlite3.Connection) -> bool:
        version: int = connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen_version and self._lives:
            self._seen_mark = self._mark
            return False
        self._trouble_began_s = None
        # Asked before the fetch: a writer stores its last batches, and only then says that it closed.
        ended = not self._lives or connection.execute("SELECT closed FROM meta").fetchone()[0]
        if self._fetch(connection):
            return True
        # Only now: what was stored between the version's reading and the fetch makes another version.
        self._seen_version, self._seen_mark = version, self._mark
        if ended:
            self._finish()
        return False

    def _quiet(self) -> bool:
        """Whether the WAL, which every append writes, is as it was when nothing more was found."""
        try:
            stat = os.stat(self._wal)  # noqa: PTH116 (20 times a second for every file)
        except OSError:
            self._mark = _NO_MARK
            return False
        self._mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns, time.time_ns())
        # A second write within the same tick of the file system's clock would not show.
        return self._mark[:3] == self._seen_mark[:3] and stat.st_mtime_ns + COARSE_NS < self._seen_mark[3]

    def _fetch(self, connection: sqlite3.Connection) -> bool:
        size = 0
        query = "SELECT id, stored_ns, data FROM batch WHERE id > ? ORDER BY id LIMIT ?"
        try:
            with closing(connection.execute(query, (self._fetched, CHUNK_ROWS))) as rows:
                for row_id, stored_ns, data in rows:
                    self._buffer.append(Row(row_id, _entry(data, stored_ns)))
                    size += len(data)
                    if size >= CHUNK_BYTES:
                        break
        except (sqlite3.Error, ForeignFormat):
            # What came before the spoilt place is good; the next fetch begins there and fails for itself.
            if not self._buffer:
                raise
        if not self._buffer:
            return False
        self._fetched = self._buffer[-1].id
        self._known_last = max(self._known_last, self._fetched)
        return True

    def take(self) -> Entry:
        """Return the next row's batch; ``fill`` said there is one."""
        row = self._buffer.popleft()
        self.cut += row.id - self._returned - 1
        self._returned = row.id
        return row.entry

    def no_more(self) -> None:
        """Take note that the writer has left the file: what is in it now is all there will be."""
        self._lives = False

    def check_writer(self) -> None:
        """Find out whether the writer still lives; costs a few system calls."""
        if self._lives and self.opened and not writer_lives(self.path):
            self._lives = False

    def may_pass(self) -> bool:
        """Note that the file cannot be read just now; whether that began so recently that it may pass."""
        now_s = time.monotonic()
        if self._trouble_began_s is None:
            self._trouble_began_s = now_s
        return now_s - self._trouble_began_s < PATIENCE_S

    def skip(self) -> None:
        """Read no more of this file: it is spoilt or gone; known rows not read count as cut."""
        self.cut += max(0, self._known_last - self._returned)
        self._buffer.clear()
        self._finish()

    def _finish(self) -> None:
        self.finished = True
        self.close()

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _entry(data: object, stored_ns: object) -> Entry:
    # SQLite columns take values of any type, and the file may be anybody's.
    if not isinstance(data, bytes) or not isinstance(stored_ns, int):
        raise ForeignFormat("it holds what no writer of ours stores")
    return Entry(data, stored_ns)


def _require_format(connection: sqlite3.Connection, path: Path) -> None:
    # Exactly our tables: a view, or columns of other types, could make a query run for ever.
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE name IN ('meta', 'batch')"))
    known = tables == TABLES
    found = connection.execute("SELECT format FROM meta").fetchone() if known else None
    if found is None or found[0] != FORMAT:
        raise ForeignFormat(
            f"{path} has a format this release does not read", "read it with the release that wrote it"
        )


def _behind(connection: sqlite3.Connection, start: Start, first: int, last: int) -> int:
    """Return the row behind which ``start`` is; rows are numbered without gaps from ``first`` to ``last``."""
    if start.after is not None:
        return start.after
    if start.since_ns is None:
        return last
    low, high = first, last + 1 if start.since_ns > 0 else first
    while low < high:
        middle = (low + high) // 2
        row = connection.execute("SELECT stored_ns FROM batch WHERE id >= ? LIMIT 1", (middle,)).fetchone()
        if row is not None and _entry(b"", row[0]).stored_ns < start.since_ns:
            low = middle + 1
        else:
            high = middle
    return low - 1
