"""Background reader of a recording that yields to queries for single moments."""

from __future__ import annotations

from typing import Final

from farscope.logs.base import Entry, LogReader, Position
from farscope.logs.recording.log import RecordingLog
from farscope.scope.feed import ReaderWrapper
from farscope.scope.playback.time_index import TimeIndex

AT_ONCE: Final = 4
"""Batches read at a time, some hundredths of a second; a query shares the processor for that long."""

WAIT_S: Final = 0.05
"""Longest wait of a read during a query, so that closing is not held up."""


class YieldingLog:
    """A recording whose readers pause while a ``TimeIndex`` answers a query. A ``FiniteLog``."""

    def __init__(self, log: RecordingLog, seek: TimeIndex) -> None:
        """``seek`` must be for the same recording."""
        self._log = log
        self._seek = seek
        self.url = log.url
        self.shared = log.shared
        self.writer = log.writer
        self.end_ns = log.end_ns
        self.exists = log.exists
        self.examine = log.examine

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> LogReader:
        """Return a reader; see ``RecordingLog.reader``."""
        return _Reader(self._log.reader(since_ns, position), self._seek)


class _Reader(ReaderWrapper):
    """A reader that yields to queries."""

    def __init__(self, reader: LogReader, seek: TimeIndex) -> None:
        super().__init__(reader)
        self._seek = seek

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next batches; none during a query."""
        if not self._seek.lock.acquire(timeout=WAIT_S):
            return []
        self._seek.lock.release()
        return super().read(timeout_s, min(limit, AT_ONCE))
