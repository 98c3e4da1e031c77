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
        self._newest: bytes | None = None
        self.cut = 0
        self.attached = False
        self.found = False
        """Whether a subscription ever began, so that there was a log."""
        self.error: LogError | None = None
        self._end = -1
        self.arrivals = 0
        """Deliveries so far, also of what the reader does not want."""
        self.checked = False
        """Whether the broker had nothing more when it was last asked, and nothing came since."""
        self.interrupted = False

    def put(self, parcel: Parcel) -> bool:
        """Take a delivery; False if the reader does not want it."""
        with self.changed:
            self.arrivals += 1
            self.checked = False
            expected = self.next_offset
            if self._doubtful and expected is not None and parcel.offset < expected:
                expected = 0
            self._doubtful = False
            if expected is not None and parcel.offset < expected:
                return False
            if expected is not None and parcel.offset - expected > BOOKKEEPING:
                self.cut += parcel.offset - expected - BOOKKEEPING
            self.next_offset = parcel.offset + 1
            self._newest = parcel.entry.data
            if parcel.entry.stored_ns < (self.start.since_ns or 0):
                self.changed.notify_all()
                return False
            self.parcels.append(parcel)
            self.changed.notify_all()
            return True

    def begin_at(self, offset: int) -> None:
        """Settle what the next batch to receive is."""
        with self.changed:
            self.next_offset = offset
            self._newest = None

    @property
    def remembers(self) -> int:
        """How many batches before the next one are remembered: 1, or 0 where none was received yet."""
        return int(self._newest is not None)

    def is_of_another_stream(self, parcel: Parcel) -> bool:
        """Whether something else came at the offset of the newest batch than that batch.

        A broker that was rebuilt has a new stream of the same name, which may be longer than the old one was
        when somebody who was not let in for a while comes back.
        """
        with self.changed:
            known = self._newest is not None and parcel.offset + 1 == self.next_offset
            return known and parcel.entry.data != self._newest

    def end_at(self, offset: int) -> None:
        """Settle up to where everything must have come before the end can be said to be reached."""
        with self.changed:
            self._end = offset

    @property
    def may_be_at_end(self) -> bool:
        """Whether everything has come that was there when the subscription began, and was returned."""
        return self.attached and not self.parcels and (self.next_offset or 0) > self._end

    def has_answer(self, arrivals: int) -> bool:
        """Whether there is an answer to what was asked when so many had come, or none is needed any more."""
        return self.checked or self.arrivals != arrivals or not self.attached

    def nothing_since(self, arrivals: int) -> None:
        """Note the broker's answer that it has nothing more, given when so many had come.

        Where others have come meanwhile it says nothing: the window may have been full.
        """
        with self.changed:
            self.checked = self.checked or arrivals == self.arrivals
            self.changed.notify_all()

    def doubt(self) -> None:
        """The stream ended before what is expected next: if a lower offset comes, it was made anew."""
        with self.changed:
            self._doubtful = True

    def tell(self, *, attached: bool, error: LogError | None = None) -> None:
        """Note that a subscription began or ended."""
        with self.changed:
            self.attached = attached
            self.found = self.found or attached
            self.error = error
            self.checked = False
            self.changed.notify_all()
