"""Reading a recording through behind somebody who goes to moments of it: who asks comes first."""

from __future__ import annotations

from typing import Final

from farscope.logs.base import Entry, LogReader, Position
from farscope.logs.recording.log import RecordingLog
from farscope.scope.playback.reader_wrapper import ReaderAround
from farscope.scope.playback.time_index import Seek

AT_ONCE: Final = 4
"""Batches read at a time, some hundredths of a second: so long somebody who asks shares the processor."""

WAIT_S: Final = 0.05
"""How long a read waits at most while somebody asks, so that whoever closes is not kept waiting."""


class Behind:
    """A recording whose readers stand still while a ``Seek`` is asked. A ``FiniteLog``."""

    def __init__(self, log: RecordingLog, seek: Seek) -> None:
        """``seek`` is of the same recording."""
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


class _Reader(ReaderAround):
    """Gives way."""

    def __init__(self, reader: LogReader, seek: Seek) -> None:
        super().__init__(reader)
        self._seek = seek

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next batches; none while somebody asks."""
        if not self._seek.turn.acquire(timeout=WAIT_S):
            return []
        self._seek.turn.release()
        return super().read(timeout_s, min(limit, AT_ONCE))
