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

    def __init__(self, log: RecordingLog, time_index: TimeIndex) -> None:
        """``time_index`` must be for the same recording."""
        self._log = log
        self._time_index = time_index
        self.url = log.url
        self.shared = log.shared
        self.writer = log.writer
        self.end_ns = log.end_ns
        self.exists = log.exists
        self.examine = log.examine

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> LogReader:
        """Return a reader; see ``RecordingLog.reader``."""
        return _Reader(self._log.reader(since_ns, position), self._time_index)


class _Reader(ReaderWrapper):
    """A reader that yields to queries."""

    def __init__(self, reader: LogReader, time_index: TimeIndex) -> None:
        super().__init__(reader)
        self._time_index = time_index

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next batches; none during a query."""
        if not self._time_index.lock.acquire(timeout=WAIT_S):
            return []
        self._time_index.lock.release()
        return super().read(timeout_s, min(limit, AT_ONCE))
