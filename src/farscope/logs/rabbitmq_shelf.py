"""What a reader of RabbitMQ has received and not returned yet."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

from farscope.errors import LogError, LogRefused
from farscope.logs.base import Entry, Position

BOOKKEEPING: Final = 1
"""Offsets that RabbitMQ uses for a record of its own now and then, mostly one at the begin of a segment."""


class Start(NamedTuple):
    """Where a reader begins: at an offset, at a time, or (with neither) from now on."""

    offset: int | None = None
    since_ns: int | None = None

    @classmethod
    def of(cls, since_ns: int | None, position: Position | None) -> Start:
        """Understand the arguments of ``Log.reader``.

        Raises:
            LogRefused: ``position`` is none of a RabbitMQ log's.
        """
        if position is None:
            return cls(since_ns=since_ns)
        if isinstance(offset := position.get("offset"), int) and offset >= -1:
            return cls(offset=offset + 1)
        if isinstance(since := position.get("since_ns"), int):
            return cls(since_ns=since)
        raise LogRefused("this position was not reached in a RabbitMQ log", "start with since= instead")


class Parcel(NamedTuple):
    """A received batch with what its acknowledgement needs."""

    offset: int
    entry: Entry
    tag: int
    source: object
    """The subscription it came through."""


class Shelf:
    """Received and not yet read: filled by a link's thread, emptied by the reader's.

    ``changed`` guards all of it and is notified whenever a waiting reader should look again.
    """

    def __init__(self, start: Start) -> None:
        self.changed = threading.Condition()
        self.parcels: deque[Parcel] = deque()
        self.start = start
        self.next_offset = start.offset
        """Of the next batch to receive; None until it is known."""
        self._doubtful = False
        self.cut = 0
        self.attached = False
        self.error: LogError | None = None
        self.checked = False
        """Whether the broker had nothing more when it was last asked, and nothing came since."""
        self.interrupted = False

    def put(self, parcel: Parcel) -> bool:
        """Take a delivery; False if the reader does not want it."""
        with self.changed:
            expected = self.next_offset
            if self._doubtful and expected is not None and parcel.offset < expected:
                expected = 0
            self._doubtful = False
            if expected is not None and parcel.offset < expected:
                return False
            if expected is not None and parcel.offset - expected > BOOKKEEPING:
                self.cut += parcel.offset - expected - BOOKKEEPING
            self.next_offset = parcel.offset + 1
            if parcel.entry.stored_ns < (self.start.since_ns or 0):
                return False
            self.checked = False
            self.parcels.append(parcel)
            self.changed.notify_all()
            return True

    def begin_at(self, offset: int) -> None:
        """Settle what the next batch to receive is."""
        with self.changed:
            self.next_offset = offset

    def doubt(self) -> None:
        """The stream ended before what is expected next: if a lower offset comes, it was made anew."""
        with self.changed:
            self._doubtful = True

    def tell(self, *, attached: bool, error: LogError | None = None) -> None:
        """Note that a subscription began or ended."""
        with self.changed:
            self.attached = attached
            self.error = error
            self.checked = False
            self.changed.notify_all()
