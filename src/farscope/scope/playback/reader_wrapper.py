"""Base class for readers that wrap another reader and change only how it reads."""

from __future__ import annotations

from collections.abc import Sequence

from farscope.logs.base import Entry, LogReader, Position, Unread, unread_of


class ReaderAround:
    """A ``LogReader`` that delegates everything to another one; see ``LogReader``."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.close = reader.close
        self.interrupt = reader.interrupt

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next entries."""
        return self._reader.read(timeout_s, limit)

    @property
    def position(self) -> Position:
        """The position after the last entry returned."""
        return self._reader.position

    @property
    def caught_up(self) -> bool:
        """Whether the last read reached the end."""
        return self._reader.caught_up

    @property
    def unread(self) -> Sequence[Unread]:
        """The parts of the log that could not be read."""
        return unread_of(self._reader)

    @property
    def cut(self) -> int:
        """How many batches were removed before they could be read."""
        return self._reader.cut
