"""Reads the embedded log: all files of a folder as one sequence, while files are added and removed."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.base import Entry, Position, Unread
from farscope.logs.embedded.errors import from_os
from farscope.logs.embedded.file import writer_lives
from farscope.logs.embedded.file_name import FileName
from farscope.logs.embedded.file_reader import ALL_READ, BEGINNING, END, WHAT_IS_THERE, Start, Tail
from farscope.logs.embedded.format import ForeignFormat
from farscope.logs.embedded.open_files import Shelf

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


class Turn(NamedTuple):
    """A file's position in the merge order."""

    next_ns: int
    order: int
    """Unique tie-breaker: the files themselves cannot be ordered."""
    tail: Tail


class FolderReader:
    """Reads the embedded log; see ``LogReader`` and ``PartedReader``."""

    def __init__(self, folder: Path, since_ns: int | None, position: Position | None) -> None:
        self._folder = folder
        self._since_ns = since_ns
        self._position = position
        self._shelf = Shelf()
        self._tails: dict[str, Tail] = {}
        self._streams: dict[str, set[Tail]] = {}
        self._last: OrderedDict[str, int | None] = OrderedDict()
        self._owed: set[str] = set()
        self._former_unread: deque[Unread] = deque(maxlen=MAX_FORMER_UNREAD)
        self._active: list[Tail] = []
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
        self._settling = True
        try:
            self._scan()
        except BaseException:
            self._shelf.close()
            raise
        self._settling = False

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
            found = self._gather(limit)
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
        files = {name: tail.position for name, tail in self._tails.items()}
        between = {
            stream: last
            for stream, tails in self._streams.items()
            if (last := self._last.get(stream)) is not None and all(tail.finished for tail in tails)
        }
        return files | between

    @property
    def caught_up(self) -> bool:
        """Whether the last read found nothing more to return."""
        return self._caught_up

    @property
    def cut(self) -> int:
        """Number of batches known to have been removed before this reader could read them.

        If a writer has no file after the removed one, the number is unknown and counts as one.
        """
        return self._cut + len(self._owed) + sum(tail.cut for tail in self._tails.values())

    @property
    def unread(self) -> Sequence[Unread]:
        """Files that could not be read completely; see ``PartedReader``."""
        present = (tail.unread for tail in self._tails.values())
        return [*self._former_unread, *(unread for unread in present if unread is not None)]

    def close(self) -> None:
        """Close all files."""
        self._closed = True
        self._shelf.close()

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
            raise from_os(error, self._folder, reading=True) from error
        if mtime == self._folder_mtime and mtime + COARSE_NS < self._scanned_ns:
            return
        self._folder_mtime, self._scanned_ns = mtime, time.time_ns()
        self._scan()

    def _scan(self) -> None:
        """Add new files and drop removed ones."""
        try:
            present = set(self._shelf.make_room(lambda: os.listdir(self._folder)))  # noqa: PTH208 - names only
        except FileNotFoundError:
            present = set()
        except OSError as error:
            raise from_os(error, self._folder, reading=True) from error
        names = (FileName.parse(text) for text in present if text not in self._tails)
        for name in sorted((name for name in names if name is not None), key=lambda name: name.created_ns):
            self._take_up(name)
        for text in [text for text in self._tails if text not in present]:
            self._let_go(self._tails[text])
        unfinished = (tail for tail in self._tails.values() if not tail.finished)
        self._active = sorted(unfinished, key=lambda tail: (tail.name.created_ns, tail.name.stream))

    def _take_up(self, name: FileName) -> None:
        path = self._folder / str(name)
        tail = Tail(path, name, self._start_of(name), self._shelf)
        for other in self._streams.setdefault(name.stream, set()):
            if other.name.created_ns < name.created_ns:
                other.no_more()
        if self._passed_over(name, path):
            tail.pass_over()
            if self._position is None:
                # Should its writer have gone on just now, nobody knows with which number.
                self._last[name.stream] = None
        elif self._settling and self._position is None and self._since_ns is None:
            # "From now on" is settled here; any later and we would pass over what comes meanwhile.
            tail = self._settled(tail)
        self._tails[str(name)] = tail
        self._streams[name.stream].add(tail)

    def _settled(self, tail: Tail) -> Tail:
        """Return ``tail`` with its end found; an unreadable file will start at this reader's start time."""
        self._fill(tail)
        if tail.begun or tail.finished:
            return tail
        later = Tail(tail.path, tail.name, Start(since_ns=self._begun_ns), self._shelf)
        self._fill(later)
        return later

    def _start_of(self, name: FileName) -> Start:
        if self._position is not None:
            after = self._position.get(str(name))
            return self._new_start(name, self._position) if after is None else Start.at(after)
        if self._settling:
            return END if self._since_ns is None else Start(since_ns=self._since_ns)
        # Made after this reader: all of it is due, also what retention was quicker to remove.
        return BEGINNING if name.created_ns >= (self._since_ns or 0) else Start(since_ns=self._since_ns)

    @staticmethod
    def _new_start(name: FileName, position: Position) -> Start:
        """Return where to start in a file created after ``position`` was taken."""
        if name.stream in position:
            return Start(after=position[name.stream])
        before = [
            after
            for text, after in position.items()
            if (other := FileName.parse(text)) is not None and other.stream == name.stream
        ]
        if not before:
            return BEGINNING
        numbers = [after for after in before if after >= 0]
        return Start(after=max(numbers)) if numbers else WHAT_IS_THERE

    def _passed_over(self, name: FileName, path: Path) -> bool:
        """Return whether a file contains nothing to read, as far as is known without opening it."""
        if self._position is not None:
            return self._position.get(str(name)) == ALL_READ
        if not self._settling or writer_lives(path):
            return False
        return self._since_ns is None or self._untouched_since(path, self._since_ns - SINCE_SLACK_NS)

    @staticmethod
    def _untouched_since(path: Path, since_ns: int) -> bool:
        try:
            return path.lstat().st_mtime_ns < since_ns
        except OSError:
            return False

    def _let_go(self, tail: Tail) -> None:
        tail.no_more()
        if not tail.finished:
            self._fill(tail)
        if not tail.finished:
            return
        stream = tail.name.stream
        self._cut += tail.cut
        if tail.unread is not None:
            self._former_unread.append(tail.unread)
        elif tail.owes:
            self._owed.add(stream)
        del self._tails[str(tail.name)]
        self._streams[stream].discard(tail)
        if not self._streams[stream]:
            del self._streams[stream]
            while len(self._last) > MAX_FORMER + len(self._streams):
                self._last.popitem(last=False)

    # -- the files -----------------------------------------------------------------------------

    def _fill(self, tail: Tail) -> bool:
        """Fill ``tail``; a file that cannot be read is reported once and will be retried."""
        filled = False
        was_whole = tail.unread is None
        try:
            filled = tail.fill()
        except (ForeignFormat, OSError) as error:
            tail.fail(error)
        if was_whole and (unread := tail.unread) is not None:
            _log.warning("cannot read all of the log file %s: %s", tail.path, unread.detail)
        if tail.finished:
            self._note_end(tail)
        return filled

    def _note_end(self, tail: Tail) -> None:
        """Remember how far a writer's files were read, to detect cut batches when its next file appears."""
        stream = tail.name.stream
        if not tail.goes_on:
            self._last.pop(stream, None)
        elif tail.begun or not tail.owes:
            self._last[stream] = tail.last
            self._last.move_to_end(stream)

    def _gather(self, limit: int) -> list[Entry]:
        """Return the available entries, by storage time across files and in order within each file."""
        self._check_writers()
        found: list[Entry] = []
        heap, waiting = self._ready()
        self._merge(heap, waiting, found, limit)
        self._caught_up = not heap and not waiting and not any(tail.busy for tail in self._active)
        return found

    def _merge(
        self, heap: list[Turn], waiting: dict[str, deque[Turn]], found: list[Entry], limit: int
    ) -> None:
        """Move entries from the files in ``heap`` to ``found``; an exhausted file leaves the heap.

        Once a file has been read to its end, the next file of its writer takes its place.
        """
        size = 0
        while heap and len(found) < limit and size < READ_BYTES:
            _, order, tail = heap[0]
            if tail.at_hand:
                entry = tail.take()
                found.append(entry)
                size += len(entry.data)
            if self._fill(tail):
                heapq.heapreplace(heap, Turn(tail.next_ns, order, tail))
            elif tail.finished and (behind := waiting.get(tail.name.stream)):
                following = behind.popleft()
                if not behind:
                    del waiting[tail.name.stream]
                self._follow(following.tail)
                heapq.heapreplace(heap, following)
            else:
                heapq.heappop(heap)

    def _ready(self) -> tuple[list[Turn], dict[str, deque[Turn]]]:
        """Return a heap of the files with entries to read, and per stream the files that wait for these."""
        self._active = [tail for tail in self._active if not tail.finished]
        heap: list[Turn] = []
        unfinished: set[str] = set()
        waiting: dict[str, deque[Turn]] = {}
        for order, tail in enumerate(self._active):
            # A writer's next file waits for the previous one, to preserve the writer's order.
            stream = tail.name.stream
            if stream in unfinished:
                waiting.setdefault(stream, deque()).append(Turn(tail.next_ns, order, tail))
                continue
            if not tail.begun:
                self._follow(tail)
            # A file not opened yet stands in for its first row: old files are opened when their time comes.
            if not tail.begun or self._fill(tail):
                heap.append(Turn(tail.next_ns, order, tail))
            if tail.stuck:
                # What comes behind a file that cannot be read is not held up by it for ever.
                self._last[stream] = None
            elif not tail.finished:
                unfinished.add(stream)
        heapq.heapify(heap)
        return heap, waiting

    def _follow(self, tail: Tail) -> None:
        stream = tail.name.stream
        if stream in self._last:
            tail.follow(self._last[stream])
            self._owed.discard(stream)

    def _check_writers(self) -> None:
        now_s = time.monotonic()
        if now_s - self._writers_checked_s >= WRITER_CHECK_S:
            self._writers_checked_s = now_s
            for tail in self._active:
                tail.check_writer()
