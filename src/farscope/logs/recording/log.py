"""A recording as a log: one file of sealed batches, read like any other log, and written to by nobody.

``farscope.logs.recording.writer`` makes recordings; ``docs/recording-format.md`` tells their bytes.
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
"""How often a file that may still be growing is looked at by a reader that waits at its end."""

READ_BYTES: Final = 8 * 1024 * 1024
"""A read stops at this many bytes even below its limit of batches, so that large batches do not pile up."""

FOREVER_NS: Final = 1 << 64


class RecordingLog:
    """The recording in the file ``path``; safe to use from several threads. A ``FiniteLog``.

    ``from_ns`` and ``to_ns`` leave a part of it: batches stored at ``from_ns`` or later and before
    ``to_ns``, in nanoseconds since the epoch. What lies outside is passed over unread.
    """

    def __init__(self, path: Path, *, from_ns: int = 0, to_ns: int = FOREVER_NS) -> None:
        # A later change of the working directory must not move the file.
        self._path = path.absolute()
        self._from_ns = from_ns
        self._to_ns = to_ns

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    @property
    def url(self) -> str:
        """The address, with an absolute path."""
        return "file:" + quote(self._path.as_posix(), safe="/:~ ")

    @property
    def shared(self) -> bool:
        """Never: it is a file of this machine, and opens with whatever key it was sealed with."""
        return False

    def part(self, from_ns: int = 0, to_ns: int = FOREVER_NS) -> RecordingLog:
        """Return the part of it that was stored from ``from_ns`` on and before ``to_ns``."""
        return RecordingLog(self._path, from_ns=max(from_ns, self._from_ns), to_ns=min(to_ns, self._to_ns))

    def end_ns(self) -> int:
        """Return when the newest batch in it was stored, in nanoseconds since the epoch; 0 if there is none.

        Raises:
            LogRefused: the file is not there, cannot be read, or is no recording.
        """
        with RecordingFile(self._path) as file:
            return min(file.end_ns, self._to_ns)

    def span_ns(self) -> tuple[int, int]:
        """Return when its oldest and its newest batch were stored, in nanoseconds since the epoch; else 0, 0.

        The second is ``end_ns``; the file is read once for both.

        Raises:
            LogRefused: the file is not there, cannot be read, or is no recording.
        """
        with RecordingFile(self._path) as file:
            begin_ns = max(min(file.frames.stored_ns, default=0), self._from_ns)
            return begin_ns, min(file.end_ns, self._to_ns)

    def goes_on(self) -> bool:
        """Tell whether the recording holds batches that were stored behind the end of this part of it.

        Raises:
            LogRefused: the file is not there, cannot be read, or is no recording.
        """
        with RecordingFile(self._path) as file:
            return file.end_ns >= self._to_ns

    def writer(self, name: str) -> LogWriter:
        """Refuse: nothing is added to a recording.

        Raises:
            LogRefused: always.
        """
        del name
        raise LogRefused(
            f"{self._path} is a recording, and nothing is broadcast to one",
            "broadcast to a log and record that: farscope record FILE URL",
        )

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> RecordingReader:
        """Return a reader; see ``Log.reader``. It also reads what a recorder at work still adds.

        Raises:
            LogRefused: the file is not there, cannot be read, or is no recording.
        """
        return RecordingReader(RecordingFile(self._path), since_ns, position, self._from_ns, self._to_ns)

    def exists(self) -> Presence:
        """Look how the file begins; see ``Log.exists``.

        Raises:
            LogRefused: the file is not there, cannot be read, or is no recording.
        """
        if not is_recording(self._path):
            # It says why, in the words of a reader.
            RecordingFile(self._path).close()
        return Presence(there=True, where=str(self._path))

    def examine(self) -> Iterator[Check]:
        """Yield nothing: a recording is read as it is, and ``farscope inspect`` looks at every batch."""
        return iter(())


class RecordingReader:
    """Reads a recording, one frame at a time; see ``LogReader``.

    Batches stand in a recording as they were read from their log, so that those of different writers
    need not be in the order of their times: each is asked for its own.
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
        """Behind the last batch returned."""
        return {"frame": self._next, "since_ns": self._from_ns}

    @property
    def caught_up(self) -> bool:
        """Whether the last read left nothing behind that is in the recording at present."""
        return self._caught_up

    @property
    def unread(self) -> Sequence[Unread]:
        """The recording itself, where a part of it is no batch any more, or may be missing at its end."""
        faults = (
            (self._file.torn, "bytes at its end are not a whole batch"),
            (self._file.frames.damaged, "bytes between batches are damaged"),
            (self._gone, "batches are not there any more"),
        )
        told = [f"{count:,} {what}" for count, what in faults if count]
        if not (self._file.indexed or self._file.torn) and self._file.end_ns < self._to_ns:
            told.append("it was not closed: its recorder was cut off, or is at work")
        return (Unread(self._file.path.name, ", ".join(told), opened=True),) if told else ()

    @property
    def cut(self) -> int:
        """Never any: nothing is removed from a recording."""
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
        """Go to the next frame that is wanted; return whether there is one."""
        while True:
            stored_ns = self._file.frames.stored_ns
            for number in range(self._next, len(stored_ns)):
                if self._from_ns <= stored_ns[number] < self._to_ns:
                    self._next = number
                    return True
            self._next = max(self._next, len(stored_ns))
            if not self._file.grow():
                return False
