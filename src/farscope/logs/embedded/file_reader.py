"""Reads one file of the embedded log from a given batch, while it is being written."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

from farscope.logs.base import Entry, Unread
from farscope.logs.embedded.file import (
    Identity,
    identity_of,
    next_data,
    open_regular,
    read_at,
    writer_is_alive,
)
from farscope.logs.embedded.format import (
    END_MARK,
    FRAME_HEAD_BYTES,
    HEAD_BYTES,
    MAX_BATCH_BYTES,
    FileName,
    ForeignFormat,
    FrameHead,
    find_frame_head,
    is_sound,
    parse_frame_head,
    parse_head,
    sound_run,
)
from farscope.logs.embedded.open_files import OpenFiles

ALL_READ: Final = -1
"""Position value: the writer is done with this file, and everything in it was read or skipped."""

CHUNK_ROWS: Final = 256
CHUNK_BYTES: Final = 64 * 1024
"""Limits on the batches fetched from a file at a time; a reader of many files holds one chunk for each."""

WALK_CHUNKS: Final = 64
"""Maximum number of chunks searched in one read without finding a batch to return, in a damaged file or
before the starting point; after that, other files get their turn."""

END_REACH: Final = 2 * (FRAME_HEAD_BYTES + MAX_BATCH_BYTES)
"""How far back from the end of a file its last complete frame is searched for: a frame that is still being
written may follow it. A file without one in this range is damaged, and is searched from its start instead."""

FIRST_RETRY_S: Final = 0.25
MAX_RETRY_S: Final = 5.0
"""Reading an unreadable file is retried indefinitely, at intervals that double up to this many seconds."""


class NumberedEntry(NamedTuple):
    """A stored batch with its number."""

    number: int
    entry: Entry


class FileStart(NamedTuple):
    """Where to start in a file: after batch ``after``, at time ``since_ns``, or else at its current end."""

    after: int | None = None
    since_ns: int | None = None

    @property
    def position(self) -> int:
        """The value stored in a reader's position: the batch number, or the time as a negative number."""
        return self.after if self.after is not None else ALL_READ - 1 - (self.since_ns or 0)

    @classmethod
    def at(cls, position: int) -> FileStart:
        """Return the start that ``position`` encodes."""
        return cls(after=position) if position >= 0 else cls(since_ns=ALL_READ - 1 - position)


BEGINNING: Final = FileStart(after=0)
"""Start at the first batch ever written: batches that retention has already removed count as cut."""
FIRST_IN_FILE: Final = FileStart(since_ns=0)
"""Start at the first batch in the file."""
END: Final = FileStart()


class FileReader:
    """One file and how far it has been read. Problems are ``OSError`` or ``ForeignFormat``."""

    def __init__(self, path: Path, name: FileName, start: FileStart, open_files: OpenFiles) -> None:
        self.path = path
        self.name = name
        self.cut = 0
        """Number of batches that were removed with their files before they could be read."""
        self.lost = 0
        """Number of batches of this file that are damaged or missing, as far as it is known."""
        self.finished = False
        """Whether everything has been read and nothing more will be written."""
        self.busy = False
        """Whether the last search stopped at its limit, so that more of the file must be searched."""
        self.stuck = False
        """Whether the file has been unreadable for a while."""
        self._start = start
        self._open_files = open_files
        self._alive = True
        self._begun = False
        self._number = self._fetched = start.after or 0
        self._since_ns = start.since_ns
        self._offset = self._size = 0
        self._identity: Identity | None = None
        self._seen: tuple[Identity | None, int] | None = None
        self._searching = False
        self._again = False
        self._end = b""
        self._skipped = False
        self._buffer: deque[NumberedEntry] = deque()
        self._error = ""
        self._damage = ""
        self._pause_s = FIRST_RETRY_S
        self._retry_s = 0.0

    # -- what is known -------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The batch after which reading continues, or ``ALL_READ``."""
        if self.finished and not self._error:
            return ALL_READ
        return self._number if self._begun and self._since_ns is None else self._start.position

    @property
    def last(self) -> int | None:
        """The number of the last batch known to have been in the file; None if unknown."""
        return None if self._error or not self._begun else self._fetched

    @property
    def goes_on(self) -> bool:
        """Whether the writer may have another file after this one."""
        return self._end != END_MARK

    @property
    def next_ns(self) -> int:
        """Storage time of the next batch; a lower bound of it while no batch has been fetched."""
        return self._buffer[0].entry.stored_ns if self._buffer else self.name.created_ns

    @property
    def starts_after(self) -> int | None:
        """The batch after which it starts, from which missing batches count as cut; None if unknown."""
        return self._start.after

    @property
    def begun(self) -> bool:
        """Whether reading of the file has started."""
        return self._begun

    @property
    def has_next(self) -> bool:
        """Whether ``pop`` has something to return."""
        return bool(self._buffer)

    @property
    def has_unread(self) -> bool:
        """Whether the file contains, or may contain, unread batches."""
        if self._skipped:
            return False
        return not self._begun or bool(self._buffer) or self._size > self._offset

    @property
    def unread(self) -> Unread | None:
        """The part of this file that could not be read; None if there is none."""
        if self._error:
            return Unread(self.path.name, self._error, opened=self._begun)
        if self.lost:
            return Unread(self.path.name, f"batches of it that are damaged: {self.lost:,}", opened=True)
        if self._searching or self._damage:
            return Unread(self.path.name, self._damage or "it is damaged", opened=True)
        return None

    # -- what others found out -----------------------------------------------------------------

    def follow(self, number: int | None) -> None:
        """Start after batch ``number``, the last one in the writer's previous file, if known."""
        if not self._begun:
            self._start = FileStart(
                number, self._start.since_ns if number is not None else self._start.since_ns or 0
            )

    def writer_is_done(self) -> None:
        """Record that the writer is done with the file, so that nothing more will be added to it."""
        self._alive = False

    def check_writer(self) -> None:
        """Check whether the writer is still alive; costs a few system calls."""
        if self._alive and self._begun and not self._error:
            self._alive = writer_is_alive(self.path)

    def fail(self, reason: ForeignFormat | OSError) -> None:
        """Record that the file cannot be read, and schedule a retry.

        A file that is not part of the log will not become one, so it is never retried.
        """
        self._error = reason_of(reason)
        self.stuck = self._pause_s >= MAX_RETRY_S
        self._retry_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, MAX_RETRY_S)
        if isinstance(reason, ForeignFormat):
            self._finish()
        else:
            self._open_files.drop(self.path)

    def skip(self) -> None:
        """Skip this file entirely."""
        self._skipped = True
        self._finish()

    # -- reading -------------------------------------------------------------------------------

    def pop(self) -> Entry:
        """Return the next batch; call only after ``fill`` returned True."""
        row = self._buffer.popleft()
        self._number = row.number
        return row.entry

    def fill(self) -> bool:
        """Fetch batches if none are available; return whether some are now."""
        if self._buffer or self.finished:
            return bool(self._buffer)
        if self._error and time.monotonic() < self._retry_s:
            return False
        found = self._poll()
        self._error, self._pause_s, self.stuck = "", FIRST_RETRY_S, False
        return found

    def _poll(self) -> bool:
        if not self._begun and self._alive:
            self._alive = writer_is_alive(self.path)
        # Asked before the file is: a writer stores its last batches, and only then lets go of it.
        alive = self._alive
        if not self._measure():
            return False
        seen = (self._identity, self._size)
        if alive and seen == self._seen:
            return False
        if self._fetch():
            return True
        if self._end:
            self._finish()
        elif not self.busy:
            self._seen = seen
            if not alive:
                self._finish_without_end()
        return False

    def _measure(self) -> bool:
        """Determine the file's identity and size; return False if it is gone and not open either."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            self._alive = False
            if self.path not in self._open_files:
                self._finish()
                return False
            found = os.fstat(self._open_files.get(self.path))
        if self._identity not in {None, identity_of(found)}:
            self._restart("it was replaced by another file")
        elif found.st_size < self._offset:
            self._restart("it was cut short")
        self._identity, self._size = identity_of(found), found.st_size
        return True

    def _restart(self, damage: str) -> None:
        """Restart at the head of a file that was replaced; batch numbers tell what was already read."""
        self._open_files.drop(self.path)
        self._damage = damage
        self._offset, self._searching, self._again, self._seen = 0, False, True, None

    def _fetch(self) -> bool:
        """Continue reading; return whether batches are available now."""
        descriptor = self._open_files.get(self.path)
        if not self._offset:
            self._read_head(descriptor)
        for _ in range(WALK_CHUNKS):
            self.busy = self._read_chunk(descriptor)
            if self._buffer or self._end or not self.busy:
                break
        return bool(self._buffer)

    def _read_head(self, descriptor: int) -> None:
        first = parse_head(read_at(descriptor, 0, HEAD_BYTES))
        self._offset = HEAD_BYTES
        if self._begun:
            return
        if self._start == END:
            end = _end_of(descriptor, self._size, first)
            if end is None:
                # It is looked through from its head on, a part at a time, for what comes from now on.
                self._since_ns = time.time_ns()
                self._start = FileStart(since_ns=self._since_ns)
            self._offset, self._number = end or (HEAD_BYTES, first - 1)
        elif self._start.after is None:
            self._number = first - 1
        else:
            self._number = self._start.after
            self.cut += max(0, first - 1 - self._number)
            self._number = max(self._number, first - 1)
        self._fetched = self._number
        self._begun = self._again = True

    def _read_chunk(self, descriptor: int) -> bool:
        """Read a chunk and advance the offset; return whether more may be available at once."""
        if self._searching:
            self._offset = next_data(descriptor, self._offset)
        data = read_at(descriptor, self._offset, CHUNK_BYTES)
        at = 0 if self._searching else self._buffer_run(data)
        while len(data) - at >= FRAME_HEAD_BYTES and len(self._buffer) < CHUNK_ROWS and not self._end:
            head = parse_frame_head(data, at)
            if head is None:
                self._searching = True
                found = find_frame_head(data, at + 1)
                if found < 0:
                    # At the end of a file that grows nothing is given up: it is looked at again.
                    at = at if self._alive and len(data) < CHUNK_BYTES else len(data) - FRAME_HEAD_BYTES + 1
                    break
                at = found
                continue
            end = at + head.bytes
            if end > len(data):
                if at and self._offset + end <= self._size:
                    break
                data = read_at(descriptor, self._offset, end) if not at else data
                if end > len(data):
                    if not self._searching or self._alive:
                        break
                    at += 1
                    continue
            at = end if self._accept(head, data[at + FRAME_HEAD_BYTES : end]) else at + 1
        self._offset += at
        return at > 0

    def _buffer_run(self, data: bytes) -> int:
        """Take the valid frames at the start of ``data``; return the offset where they end."""
        if self._since_ns is not None:
            return 0
        run, at = sound_run(data, 0, self._fetched + 1, CHUNK_ROWS - len(self._buffer))
        if run:
            self._buffer.extend(
                NumberedEntry(number, Entry(batch, stored_ns)) for number, batch, stored_ns in run
            )
            self._fetched = run[-1][0]
            self._again = False
        return at

    def _accept(self, head: FrameHead, batch: bytes) -> bool:
        """Take a frame; return False if it only looks like one, which can happen during a search."""
        sound = is_sound(head, batch)
        if self._searching and not sound:
            return False
        self._searching = False
        if head.number <= self._fetched and not head.is_end:
            self.lost += not self._again
            return True
        self._again = False
        self.lost += max(0, head.number - 1 - self._fetched)
        self._fetched = max(self._fetched, head.number - head.is_end)
        if head.is_end:
            self._end = head.mark
        elif not sound:
            self.lost += 1
        elif self._since_ns is not None and head.stored_ns < self._since_ns:
            self._number = head.number
        else:
            self._since_ns = None
            self._buffer.append(NumberedEntry(head.number, Entry(batch, head.stored_ns)))
        return True

    def _finish_without_end(self) -> None:
        if self._size > self._offset and not self._searching:
            self._damage = self._damage or "its last batch is not whole"
        self._finish()

    def _finish(self) -> None:
        self.finished = True
        self.busy = False
        self._open_files.drop(self.path)


def first_number(path: Path) -> int | None:
    """Return the number of the first batch of the file at ``path``; None if the file cannot be read."""
    try:
        descriptor = open_regular(path)
        try:
            return parse_head(read_at(descriptor, 0, HEAD_BYTES))
        finally:
            os.close(descriptor)
    except (ForeignFormat, OSError):
        return None  # A reader that opens the file reports the reason.


def reason_of(reason: ForeignFormat | OSError) -> str:
    """Return the reason why a file cannot be read, as one line of text."""
    if isinstance(reason, ForeignFormat):
        return reason.message
    if isinstance(reason, PermissionError):
        return f"{reason.strerror}; readers= in its program's address says who may read it"
    return reason.strerror or str(reason)


def _end_of(descriptor: int, size: int, first: int) -> tuple[int, int] | None:
    """Return the end offset of the last complete frame in a file of ``size`` bytes, and its batch number.

    The search runs backwards from the end, chunk by chunk, so that starting at the end of a large file is
    cheap. Returns None if there is no such frame within ``END_REACH``.
    """
    begin = size
    lowest = max(HEAD_BYTES, size - END_REACH)
    while begin > lowest:
        begin = max(lowest, begin - CHUNK_BYTES)
        # A header that starts in this chunk may end in the next one.
        found = _last_frame(read_at(descriptor, begin, CHUNK_BYTES + FRAME_HEAD_BYTES), begin, size)
        if found is not None:
            return found
    return (HEAD_BYTES, first - 1) if begin <= HEAD_BYTES else None


def _last_frame(data: bytes, begin: int, size: int) -> tuple[int, int] | None:
    """Return what ``_end_of`` does, for the frames that begin in ``data``, which stands at ``begin``."""
    found = None
    at = find_frame_head(data, 0)
    while at >= 0 and (head := parse_frame_head(data, at)) and begin + at + head.bytes <= size:
        # The mark of an end is left to be read.
        found = begin + (at if head.is_end else at + head.bytes), head.number - head.is_end
        at = find_frame_head(data, at + head.bytes)
    return found
