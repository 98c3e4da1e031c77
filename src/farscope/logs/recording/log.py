"""A recording as a read-only log: one file of sealed batches, read like any other log.

``farscope.logs.recording.writer`` makes recordings; ``docs/recording-format.md`` specifies their format.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from farscope.errors import LogRefused
from farscope.logs.base import Entry, LogWriter, Position, Presence, Unread
from farscope.logs.diagnostics import Check
from farscope.logs.recording.file import RecordingFile, is_recording

IDLE_PAUSE_S: Final = 0.05
"""How often a reader waiting at the end of the file checks whether it has grown, in seconds."""

READ_BYTES: Final = 8 * 1024 * 1024
"""A read stops at this many bytes even below its batch limit, so that large batches do not accumulate."""

FOREVER_NS: Final = 1 << 64


class RecordingLog:
    """The recording in the file ``path``; safe to use from several threads. A ``FiniteLog``.

    ``from_ns`` and ``to_ns`` select a part of it: batches stored at ``from_ns`` or later and before
    ``to_ns``, in nanoseconds since the epoch. Batches outside are skipped without being read.
    """

    def __init__(self, path: Path, *, from_ns: int = 0, to_ns: int = FOREVER_NS) -> None:
        # A later change of the working directory must not move the file.
        self._path = path.absolute()
        self._from_ns = from_ns
        self._to_ns = to_ns

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._path

    @property
    def url(self) -> str:
        """The address, with an absolute path."""
        return "file:" + quote(self._path.as_posix(), safe="/:~ ")

    @property
    def shared(self) -> bool:
        """Always false: a recording is a local file, and needs only the key it was sealed with."""
        return False

    def part(self, from_ns: int = 0, to_ns: int = FOREVER_NS) -> RecordingLog:
        """Return the part of the recording that was stored at ``from_ns`` or later and before ``to_ns``."""
        return RecordingLog(self._path, from_ns=max(from_ns, self._from_ns), to_ns=min(to_ns, self._to_ns))

    def end_ns(self) -> int:
        """Return the storage time of the newest batch, in nanoseconds since the epoch; 0 if there are none.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        with RecordingFile(self._path) as file:
            return min(file.end_ns, self._to_ns)

    def span_ns(self) -> tuple[int, int]:
        """Return the storage times of the oldest and the newest batch; 0 where there are none.

        In nanoseconds since the epoch. The second is ``end_ns``; the file is read once for both.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        with RecordingFile(self._path) as file:
            begin_ns = max(min(file.frames.stored_ns, default=0), self._from_ns)
            return begin_ns, min(file.end_ns, self._to_ns)

    def goes_on(self) -> bool:
        """Return whether the recording holds batches that were stored after the end of this part.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        with RecordingFile(self._path) as file:
            return file.end_ns >= self._to_ns

    def writer(self, name: str) -> LogWriter:
        """Raise ``LogRefused``: a recording cannot be written to.

        Raises:
            LogRefused: always.
        """
        del name
        raise LogRefused(
            f"{self._path} is a recording, and nothing is broadcast to one",
            "broadcast to a log and record that: farscope record FILE URL",
        )

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> RecordingReader:
        """Return a reader; see ``Log.reader``. It also reads batches that a running recorder adds.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        return RecordingReader(RecordingFile(self._path), since_ns, position, self._from_ns, self._to_ns)

    def exists(self) -> Presence:
        """Check that the file starts like a recording; see ``Log.exists``.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        if not is_recording(self._path):
            # Raises an error that says why, with the same text as for a reader.
            RecordingFile(self._path).close()
        return Presence(there=True, where=str(self._path))

    def examine(self) -> Iterator[Check]:
        """Yield nothing: a recording has no dependencies, and ``farscope inspect`` checks every batch."""
        return iter(())


class RecordingReader:
    """Reads a recording, one frame at a time; see ``LogReader``.

    A recording holds batches in the order they were read from their log, so those of different writers
    need not be in time order: each batch is selected by its own time.
    """

    def __init__(
        self,
        file: RecordingFile,
        since_ns: int | None,
        position: Position | None,
        from_ns: int,
        to_ns: int,
    ) -> None:
        self._file = file
        self._next = 0
        self._from_ns = from_ns
        self._to_ns = to_ns
        if position is not None:
            self._next = max(0, position.get("frame", 0))
            self._from_ns = max(from_ns, position.get("since_ns", 0))
        elif since_ns is None:
            self._next = len(file.frames)
        else:
            self._from_ns = max(from_ns, since_ns)
        self._gone = 0
        self._caught_up = False
        self._closed = False
        self._woken = threading.Event()

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next batches; see ``LogReader.read``."""
        if self._closed:
            raise LogRefused("this reader was closed", "make another with log.reader()")
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._gather(limit)
            left_s = deadline - time.monotonic()
            if found or left_s <= 0 or limit <= 0:
                return found
            if self._woken.wait(min(IDLE_PAUSE_S, left_s)):
                self._woken.clear()
                return found

    @property
    def position(self) -> Position:
        """The position after the last batch returned."""
        return {"frame": self._next, "since_ns": self._from_ns}

    @property
    def caught_up(self) -> bool:
        """Whether the last read returned everything that is in the recording at present."""
        return self._caught_up

    @property
    def unread(self) -> Sequence[Unread]:
        """The recording itself, if part of it is damaged or its end may be missing."""
        faults = (
            (self._file.torn, "bytes at its end are not a whole batch"),
            (self._file.frames.damaged, "bytes between batches are damaged"),
            (self._gone, "batches are not there any more"),
        )
        unread = [f"{count:,} {what}" for count, what in faults if count]
        if not (self._file.indexed or self._file.torn) and self._file.end_ns < self._to_ns:
            unread.append("it was not closed: its recorder was cut off, or is at work")
        return (Unread(self._file.path.name, ", ".join(unread), opened=True),) if unread else ()

    @property
    def cut(self) -> int:
        """Always 0: nothing is removed from a recording."""
        return 0

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._file.close()

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        self._woken.set()

    def _gather(self, limit: int) -> list[Entry]:
        found: list[Entry] = []
        size = 0
        while len(found) < limit and size < READ_BYTES and self._seek():
            entry = self._file.entry(self._next)
            self._next += 1
            if entry is None:
                self._gone += 1
            else:
                found.append(entry)
                size += len(entry.data)
        self._caught_up = not self._seek()
        return found

    def _seek(self) -> bool:
        """Move to the next frame in the selected part; return whether there is one."""
        while True:
            stored_ns = self._file.frames.stored_ns
            for number in range(self._next, len(stored_ns)):
                if self._from_ns <= stored_ns[number] < self._to_ns:
                    self._next = number
                    return True
            self._next = max(self._next, len(stored_ns))
            if not self._file.grow():
                return False
