"""Reading the embedded log: all files of a folder as one sequence, as they come and go."""

from __future__ import annotations

import heapq
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.base import Entry, Position
from farscope.logs.sqlite_file import FileName, writer_lives
from farscope.logs.sqlite_tail import ALL_READ, BEGINNING, COARSE_NS, END, ForeignFormat, Start, Tail
from farscope.logs.sqlite_trouble import PASSING, code_of, from_os

_log = logging.getLogger("farscope")

FIRST_PAUSE_S: Final = 0.002
IDLE_PAUSE_S: Final = 0.05
PAUSE_GROWTH: Final = 1.3
"""Files are looked at 2 ms after something was read, then ever more seldom, at last 20 times a second."""

READ_BYTES: Final = 8 * 1024 * 1024
"""A read stops at this many bytes even below its limit of batches, so that large batches do not pile up."""

WRITER_CHECK_S: Final = 2.0
"""How often a file nobody adds to is asked whether its writer still lives; when not, it is closed."""

SINCE_SLACK_NS: Final = COARSE_NS
"""A file last changed so long before a starting time holds nothing for it."""


class SqliteReader:
    """Reads the embedded log; see ``LogReader``. ``skipped`` counts files that could not be read."""

    def __init__(self, folder: Path, since_ns: int | None, position: Position | None) -> None:
        self._folder = folder
        self._since_ns = since_ns
        self._position = position
        self._tails: dict[str, Tail] = {}
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
        self._settling = True
        self.skipped = 0
        self._scan()
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
        """Behind the last entry returned: for each file the last row, or -1 when all of it was read."""
        return {name: tail.position for name, tail in self._tails.items()}

    @property
    def caught_up(self) -> bool:
        """Whether the last read found nothing more to return."""
        return self._caught_up

    @property
    def cut(self) -> int:
        """Batches known to have been removed before this reader could read them."""
        return self._cut + sum(tail.cut for tail in self._tails.values())

    def close(self) -> None:
        """Close all files."""
        self._closed = True
        for tail in self._tails.values():
            tail.close()

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        self._woken.set()

    # -- the folder ----------------------------------------------------------------------------

    def _scan_again(self) -> None:
        """Look for changes in a folder that could be read before: whatever keeps us from it now may pass."""
        try:
            self._scan_if_changed()
        except LogError as error:
            self._caught_up, self._folder_mtime = False, -1
            if not isinstance(error, LogRefused):
                raise
            raise LogUnavailable(error.message, f"{error.hint}; it is tried again", refused=True) from error

    def _scan_if_changed(self) -> None:
        try:
            mtime = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            mtime = 0
        except OSError as error:
            raise from_os(error, self._folder) from error
        if mtime == self._folder_mtime and mtime + COARSE_NS < self._scanned_ns:
            return
        self._folder_mtime, self._scanned_ns = mtime, time.time_ns()
        self._scan()

    def _scan(self) -> None:
        """Take up new files and let go of removed ones."""
        try:
            present = {path.name: path for path in self._folder.iterdir()}
        except FileNotFoundError:
            present = {}
        except OSError as error:
            raise from_os(error, self._folder) from error
        names = ((FileName.parse(text), path) for text, path in present.items() if text not in self._tails)
        for name, path in sorted((name, path) for name, path in names if name is not None):
            self._take_up(name, path)
        for text in [text for text in self._tails if text not in present]:
            self._let_go(text)
        unfinished = (tail for tail in self._tails.values() if not tail.finished)
        self._active = sorted(unfinished, key=lambda tail: (tail.name.created_ns, tail.name.stream))

    def _take_up(self, name: FileName, path: Path) -> None:
        tail = self._tails[str(name)] = Tail(path, name, self._start_of(name))
        for other in self._tails.values():
            if other.name.stream == name.stream and other.name.created_ns < name.created_ns:
                other.no_more()
        if self._passed_over(tail, path):
            tail.skip()
        elif self._settling and self._position is None and self._since_ns is None:
            # "From now on" is settled here; any later and we would pass over what comes meanwhile.
            self._guarded_fill(tail)
            if not tail.opened and not tail.finished:
                raise LogUnavailable(f"the log file {path} cannot be opened at the moment", "try again")

    def _start_of(self, name: FileName) -> Start:
        if self._position is not None:
            after = self._position.get(str(name))
            return BEGINNING if after is None else Start.at(after)
        if self._settling:
            return END if self._since_ns is None else Start(since_ns=self._since_ns)
        # Made after this reader: all of it is due, also what retention was quicker to remove.
        return BEGINNING if name.created_ns >= (self._since_ns or 0) else Start(since_ns=self._since_ns)

    def _passed_over(self, tail: Tail, path: Path) -> bool:
        """Whether a file holds nothing for us, as far as can be told without opening it."""
        if self._position is not None:
            return self._position.get(str(tail.name)) == ALL_READ
        if not self._settling or writer_lives(path):
            return False
        return self._since_ns is None or self._untouched_since(path, self._since_ns - SINCE_SLACK_NS)

    @staticmethod
    def _untouched_since(path: Path, since_ns: int) -> bool:
        for each in (path, path.with_name(path.name + "-wal")):
            try:
                if each.stat().st_mtime_ns >= since_ns:
                    return False
            except FileNotFoundError:
                continue
        return True

    def _let_go(self, text: str) -> None:
        tail = self._tails[text]
        tail.no_more()
        if not tail.opened and not tail.finished:
            tail.skip()
        if tail.finished:
            self._cut += tail.cut
            del self._tails[text]

    # -- the files -----------------------------------------------------------------------------

    def _guarded_fill(self, tail: Tail) -> bool:
        """Fill ``tail``; a file that cannot be read is reported once and skipped."""
        try:
            filled = tail.fill()
        except sqlite3.Error as error:
            if not tail.path.exists() and not tail.opened:
                tail.skip()
                return False
            if code_of(error) in PASSING and os.access(tail.path, os.R_OK) and tail.may_pass():
                return False
            reason: Exception = error
        except (ForeignFormat, OSError) as error:
            reason = error
        else:
            return filled
        self.skipped += 1
        _log.warning("skipping the log file %s: %s", tail.path, reason)
        tail.skip()
        return False

    def _gather(self, limit: int) -> list[Entry]:
        """Return what is there, by time of storing over all files and in order within each."""
        self._check_writers()
        found: list[Entry] = []
        while True:
            heap, waiting = self._ready()
            self._merge(heap, found, limit)
            self._caught_up = not heap and not waiting
            # A file that turned out to have nothing more lets the one after it have its turn at once.
            if found or not waiting or not any(tail.finished for tail in self._active):
                return found

    def _merge(self, heap: list[tuple[int, int, Tail]], found: list[Entry], limit: int) -> None:
        """Move entries from the files in ``heap`` to ``found``; a file with no more leaves the heap."""
        size = 0
        while heap and len(found) < limit and size < READ_BYTES:
            _, order, tail = heap[0]
            if tail.opened:
                entry = tail.take()
                found.append(entry)
                size += len(entry.data)
            if self._guarded_fill(tail):
                heapq.heapreplace(heap, (tail.next_ns, order, tail))
            else:
                heapq.heappop(heap)

    def _ready(self) -> tuple[list[tuple[int, int, Tail]], bool]:
        """Return a heap of the files with something to read, and whether others wait for their turn."""
        self._active = [tail for tail in self._active if not tail.finished]
        heap: list[tuple[int, int, Tail]] = []
        unfinished: set[str] = set()
        waiting = False
        for order, tail in enumerate(self._active):
            # A writer's next file waits for the one before: their order is the writer's.
            if tail.name.stream in unfinished:
                waiting = True
                continue
            # A file not opened yet stands in for its first row: old files are opened when their time comes.
            if not tail.opened or self._guarded_fill(tail):
                heap.append((tail.next_ns, order, tail))
            if not tail.finished:
                unfinished.add(tail.name.stream)
        heapq.heapify(heap)
        return heap, waiting

    def _check_writers(self) -> None:
        now_s = time.monotonic()
        if now_s - self._writers_checked_s >= WRITER_CHECK_S:
            self._writers_checked_s = now_s
            for tail in self._active:
                tail.check_writer()
