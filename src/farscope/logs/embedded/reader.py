"""Reads the embedded log: all files of a folder as one sequence, while files are added and removed."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.base import Entry, Position, Unread
from farscope.logs.embedded.errors import error_from_os
from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.file_reader import (
    ALL_READ,
    BEGINNING,
    END,
    FIRST_IN_FILE,
    FileReader,
    FileStart,
    first_number,
)
from farscope.logs.embedded.format import FileName, ForeignFormat
from farscope.logs.embedded.open_files import OpenFiles

_log = logging.getLogger("farscope")

FIRST_PAUSE_S: Final = 0.002
IDLE_PAUSE_S: Final = 0.05
PAUSE_GROWTH: Final = 1.3
"""Files are polled 2 ms after the last successful read, then at growing intervals of up to 50 ms."""

READ_BYTES: Final = 8 * 1024 * 1024
"""A read stops at this many bytes even below its batch limit, so that large batches do not accumulate."""

WRITER_CHECK_S: Final = 2.0
"""How often, in seconds, an idle file is checked for a live writer; without one, the file is closed."""

COARSE_NS: Final = 2 * 10**9
"""The coarsest file system time stamps (FAT): further changes within this span can go unnoticed."""

SINCE_SLACK_NS: Final = COARSE_NS
"""A file last changed this long before the starting time contains nothing to read."""

MAX_FORMER: Final = 1024
"""Number of writers without any remaining file whose last batch number is remembered in case they return:
their folder may have been removed while they ran. Beyond this limit, their losses are not counted as cut."""

MAX_FORMER_UNREAD: Final = 64
"""Maximum number of removed files with unreadable parts to remember; the oldest are forgotten first."""


class Candidate(NamedTuple):
    """A file's position in the merge order."""

    next_ns: int
    order: int
    """Unique tie-breaker: the files themselves cannot be ordered."""
    file: FileReader


class FolderReader:
    """Reads the embedded log; see ``LogReader`` and ``PartedReader``."""

    def __init__(self, folder: Path, since_ns: int | None, position: Position | None) -> None:
        self._folder = folder
        self._since_ns = since_ns
        self._position = position
        self._position_files = _files_by_stream(position or {})
        self._open_files = OpenFiles()
        self._files: dict[str, FileReader] = {}
        self._streams: dict[str, set[FileReader]] = {}
        self._last: OrderedDict[str, int | None] = OrderedDict()
        self._owed: set[str] = set()
        self._former_unread: deque[Unread] = deque(maxlen=MAX_FORMER_UNREAD)
        self._active: list[FileReader] = []
        self._pid = os.getpid()
        self._woken = threading.Event()
        self._pause_s = FIRST_PAUSE_S
        self._caught_up = False
        self._closed = False
        self._cut = 0
        self._folder_mtime = -1
        self._scanned_ns = 0
        self._writers_checked_s = time.monotonic()
        self._begun_ns = time.time_ns()
        self._starting = True
        try:
            self._scan()
        except BaseException:
            self._open_files.close()
            raise
        self._starting = False
        if position is not None:
            self._owed |= _streams_with_loss(position, self._files)

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next entries; see ``LogReader.read``."""
        if self._closed:
            raise LogRefused("this reader was closed", "make another with log.reader()")
        if self._pid != os.getpid():
            raise LogRefused(
                "this reader belongs to the process that was forked", "make another from its position"
            )
        deadline = time.monotonic() + timeout_s
        while True:
            self._scan_again()
            found = self._collect(limit)
            left = deadline - time.monotonic()
            if found:
                self._pause_s = FIRST_PAUSE_S
            if found or left <= 0:
                return found
            if self._woken.wait(min(self._pause_s, left)):
                self._woken.clear()
                return found
            self._pause_s = min(self._pause_s * PAUSE_GROWTH, IDLE_PAUSE_S)

    @property
    def position(self) -> Position:
        """The position after the last entry returned: each file's last batch, or -1 if all of it was read.

        For a writer that is between two files, its last batch.
        """
        files = {name: file.position for name, file in self._files.items()}
        between = {
            stream: last
            for stream, files in self._streams.items()
            if (last := self._last.get(stream)) is not None and all(file.finished for file in files)
        }
        return files | between

    @property
    def caught_up(self) -> bool:
        """Whether the last read found nothing more to return."""
        return self._caught_up

    @property
    def cut(self) -> int:
        """Number of batches known to have been removed before this reader could read them.

        Those of a removed file count as one if their number is unknown: no later file of its writer
        tells it, or not all of the removed file was to be read.
        """
        return self._cut + len(self._owed) + sum(file.cut for file in self._files.values())

    @property
    def unread(self) -> Sequence[Unread]:
        """Files that could not be read completely; see ``PartedReader``."""
        present = (file.unread for file in self._files.values())
        return [*self._former_unread, *(unread for unread in present if unread is not None)]

    def close(self) -> None:
        """Close all files."""
        self._closed = True
        self._open_files.close()

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        self._woken.set()

    # -- the folder ----------------------------------------------------------------------------

    def _scan_again(self) -> None:
        """Rescan a folder that was readable before; errors are tolerated because they may be temporary."""
        try:
            self._scan_if_changed()
        except LogError as error:
            self._caught_up, self._folder_mtime = False, -1
            if not isinstance(error, LogRefused):
                raise
            raise LogUnavailable(error.message, f"{error.hint}; it will be retried", refused=True) from error

    def _scan_if_changed(self) -> None:
        try:
            mtime = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            mtime = 0
        except OSError as error:
            raise error_from_os(error, self._folder, reading=True) from error
        if mtime == self._folder_mtime and mtime + COARSE_NS < self._scanned_ns:
            return
        self._folder_mtime, self._scanned_ns = mtime, time.time_ns()
        self._scan()

    def _scan(self) -> None:
        """Add new files and drop removed ones."""
        try:
            present = set(self._open_files.make_room(lambda: os.listdir(self._folder)))  # noqa: PTH208 - names only
        except FileNotFoundError:
            present = set()
        except OSError as error:
            raise error_from_os(error, self._folder, reading=True) from error
        names = (FileName.parse(text) for text in present if text not in self._files)
        for name in sorted((name for name in names if name is not None), key=lambda name: name.created_ns):
            self._add_file(name)
        for text in [text for text in self._files if text not in present]:
            self._remove_file(self._files[text])
        unfinished = (file for file in self._files.values() if not file.finished)
        self._active = sorted(unfinished, key=lambda file: (file.name.created_ns, file.name.stream))

    def _add_file(self, name: FileName) -> None:
        path = self._folder / str(name)
        file = FileReader(path, name, self._start_of(name), self._open_files)
        for other in self._streams.setdefault(name.stream, set()):
            if other.name.created_ns < name.created_ns:
                other.writer_is_done()
        if self._can_skip(name, path):
            file.skip()
            if self._position is None:
                # If its writer has just started another file, the first number of that file is unknown.
                self._last[name.stream] = None
        elif self._starting and self._position is None and self._since_ns is None:
            # "From now on" is fixed here: any later, and batches stored in the meantime would be skipped.
            file = self._with_end_found(file)
        self._files[str(name)] = file
        self._streams[name.stream].add(file)

    def _with_end_found(self, file: FileReader) -> FileReader:
        """Return ``file`` with its end found; an unreadable file will start at this reader's start time."""
        self._fill(file)
        if file.begun or file.finished:
            return file
        later = FileReader(file.path, file.name, FileStart(since_ns=self._begun_ns), self._open_files)
        self._fill(later)
        return later

    def _start_of(self, name: FileName) -> FileStart:
        if self._position is not None:
            after = self._position.get(str(name))
            if after is None:
                return self._new_start(name, self._position)
            return self._later_start(name, FileStart.at(after))
        if self._starting:
            return END if self._since_ns is None else self._start_by_time(name, self._since_ns)
        # Created after this reader: everything in it counts, including what retention has removed already.
        return BEGINNING if name.created_ns >= (self._since_ns or 0) else FileStart(since_ns=self._since_ns)

    def _start_by_time(self, name: FileName, since_ns: int) -> FileStart:
        """Return where to start in a file that was there before this reader.

        If all of a writer's oldest file is to be read, its first number is noted: should retention remove the
        file before it is opened, the next file tells how many batches were in it.
        """
        first = None
        if name.created_ns >= since_ns and name.stream not in self._streams:
            first = first_number(self._folder / str(name))
        return FileStart(None if first is None else first - 1, since_ns)

    def _later_start(self, name: FileName, start: FileStart) -> FileStart:
        """Return ``start``, but not before the last batch returned from the writer's earlier files.

        A file that was not opened when the position was taken follows them, and they may be gone by now.
        """
        files = self._position_files.get(name.stream, ())
        numbers = [after for other, after in files if after >= 0 and other.created_ns < name.created_ns]
        last = max(numbers, default=-1)
        return (
            FileStart(last, start.since_ns) if last > (-1 if start.after is None else start.after) else start
        )

    def _new_start(self, name: FileName, position: Position) -> FileStart:
        """Return where to start in a file created after ``position`` was taken."""
        if name.stream in position:
            return FileStart(after=position[name.stream])
        before = [after for _, after in self._position_files.get(name.stream, ())]
        if not before:
            return BEGINNING
        numbers = [after for after in before if after >= 0]
        return FileStart(after=max(numbers)) if numbers else FIRST_IN_FILE

    def _can_skip(self, name: FileName, path: Path) -> bool:
        """Return whether a file contains nothing to read, as far as is known without opening it."""
        if self._position is not None:
            return self._position.get(str(name)) == ALL_READ
        if not self._starting or writer_is_alive(path):
            return False
        return self._since_ns is None or self._untouched_since(path, self._since_ns - SINCE_SLACK_NS)

    @staticmethod
    def _untouched_since(path: Path, since_ns: int) -> bool:
        try:
            return path.lstat().st_mtime_ns < since_ns
        except OSError:
            return False

    def _remove_file(self, file: FileReader) -> None:
        file.writer_is_done()
        if not file.finished:
            self._fill(file)
        if not file.finished:
            return
        stream = file.name.stream
        self._cut += file.cut
        if file.unread is not None:
            self._former_unread.append(file.unread)
        elif file.has_unread:
            self._owed.add(stream)
        del self._files[str(file.name)]
        self._streams[stream].discard(file)
        if not self._streams[stream]:
            del self._streams[stream]
            while len(self._last) > MAX_FORMER + len(self._streams):
                self._last.popitem(last=False)

    # -- the files -----------------------------------------------------------------------------

    def _fill(self, file: FileReader) -> bool:
        """Fill ``file``; a file that cannot be read is reported once and will be retried."""
        filled = False
        was_whole = file.unread is None
        try:
            filled = file.fill()
        except (ForeignFormat, OSError) as error:
            file.fail(error)
        if was_whole and (unread := file.unread) is not None:
            _log.warning("cannot read all of the log file %s: %s", file.path, unread.detail)
        if file.finished:
            self._note_end(file)
        return filled

    def _note_end(self, file: FileReader) -> None:
        """Remember how far a writer's files were read, to detect cut batches when its next file appears."""
        stream = file.name.stream
        if not file.goes_on:
            self._last.pop(stream, None)
        elif file.begun or not file.has_unread:
            self._last[stream] = file.last
            self._last.move_to_end(stream)
        elif file.unread is None:
            # Removed before it was opened: the writer's next file continues where this one was to start.
            self._last.setdefault(stream, file.starts_after)

    def _collect(self, limit: int) -> list[Entry]:
        """Return the available entries, by storage time across files and in order within each file."""
        self._check_writers()
        found: list[Entry] = []
        heap, waiting = self._ready()
        self._merge(heap, waiting, found, limit)
        self._caught_up = not heap and not waiting and not any(file.busy for file in self._active)
        return found

    def _merge(
        self, heap: list[Candidate], waiting: dict[str, deque[Candidate]], found: list[Entry], limit: int
    ) -> None:
        """Move entries from the files in ``heap`` to ``found``; an exhausted file leaves the heap.

        Once a file has been read to its end, the next file of its writer takes its place.
        """
        size = 0
        while heap and len(found) < limit and size < READ_BYTES:
            _, order, file = heap[0]
            if file.has_next:
                entry = file.pop()
                found.append(entry)
                size += len(entry.data)
            if self._fill(file):
                heapq.heapreplace(heap, Candidate(file.next_ns, order, file))
            elif file.finished and (later := waiting.get(file.name.stream)):
                following = later.popleft()
                if not later:
                    del waiting[file.name.stream]
                self._follow(following.file)
                heapq.heapreplace(heap, following)
            else:
                heapq.heappop(heap)

    def _ready(self) -> tuple[list[Candidate], dict[str, deque[Candidate]]]:
        """Return a heap of the files with entries to read, and per stream the files that wait for these."""
        self._active = [file for file in self._active if not file.finished]
        heap: list[Candidate] = []
        unfinished: set[str] = set()
        waiting: dict[str, deque[Candidate]] = {}
        for order, file in enumerate(self._active):
            # A writer's next file waits for the previous one, to preserve the writer's order.
            stream = file.name.stream
            if stream in unfinished:
                waiting.setdefault(stream, deque()).append(Candidate(file.next_ns, order, file))
                continue
            if not file.begun:
                self._follow(file)
            # An unopened file is ordered by its creation time: old files are opened only when needed.
            if not file.begun or self._fill(file):
                heap.append(Candidate(file.next_ns, order, file))
            if file.stuck:
                # An unreadable file must not hold up the writer's next files forever.
                self._last[stream] = None
            elif not file.finished:
                unfinished.add(stream)
        heapq.heapify(heap)
        return heap, waiting

    def _follow(self, file: FileReader) -> None:
        stream = file.name.stream
        if stream in self._last:
            file.follow(self._last[stream])
        if stream in self._owed:
            # If it starts after a known batch, its first number tells how many were in the removed file.
            self._owed.discard(stream)
            self._cut += file.starts_after is None

    def _check_writers(self) -> None:
        now_s = time.monotonic()
        if now_s - self._writers_checked_s >= WRITER_CHECK_S:
            self._writers_checked_s = now_s
            for file in self._active:
                file.check_writer()


def _files_by_stream(position: Position) -> dict[str, list[tuple[FileName, int]]]:
    """Return the files in ``position`` with their values."""
    files: dict[str, list[tuple[FileName, int]]] = {}
    for text, after in position.items():
        if (name := FileName.parse(text)) is not None:
            files.setdefault(name.stream, []).append((name, after))
    return files


def _streams_with_loss(position: Position, present: Container[str]) -> set[str]:
    """Return the streams that lost a whole file: it was still to be read in ``position``, and is gone."""
    return {
        name.stream
        for text, after in position.items()
        if text not in present
        and after < ALL_READ
        and (name := FileName.parse(text)) is not None
        and name.created_ns >= (FileStart.at(after).since_ns or 0)
    }
