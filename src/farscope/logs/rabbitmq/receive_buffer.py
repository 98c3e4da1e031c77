"""Buffer of the batches that a RabbitMQ reader has received but not yet returned."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

from farscope.errors import LogError, LogMissing, LogRefused
from farscope.logs.base import Entry, Position
from farscope.logs.rabbitmq.errors import as_temporary

BOOKKEEPING: Final = 1
"""Offsets that RabbitMQ occasionally uses for an internal record, mostly at the start of a segment."""


class StartPoint(NamedTuple):
    """A reader's starting point: an offset, a time, or (with neither) now."""

    offset: int | None = None
    since_ns: int | None = None

    @classmethod
    def of(cls, since_ns: int | None, position: Position | None) -> StartPoint:
        """Create a starting point from the arguments of ``Log.reader``.

        Raises:
            LogRefused: ``position`` is not from a RabbitMQ log.
        """
        if position is None:
            return cls(since_ns=since_ns)
        if isinstance(offset := position.get("offset"), int) and offset >= -1:
            return cls(offset=offset + 1)
        if isinstance(since := position.get("since_ns"), int):
            return cls(since_ns=since)
        raise LogRefused("this position was not reached in a RabbitMQ log", "start with since= instead")


class Delivery(NamedTuple):
    """A received batch with the data needed to acknowledge it."""

    offset: int
    entry: Entry
    tag: int
    source: object
    """The subscription that received it."""


class ReceiveBuffer:
    """Received but unread batches: filled by the connection's thread, emptied by the reader's thread.

    ``changed`` guards all attributes and is notified whenever a waiting reader should check again.
    """

    def __init__(self, start: StartPoint) -> None:
        self.changed = threading.Condition()
        self.deliveries: deque[Delivery] = deque()
        self.start = start
        self.next_offset = start.offset
        """Offset of the next batch to receive; None until it is known."""
        self._suspect = False
        self._newest: bytes | None = None
        self.cut = 0
        self.attached = False
        self.found = False
        """Whether a subscription ever started, which proves that the log existed."""
        self.error: LogError | None = None
        self._end = -1
        self.arrivals = 0
        """Number of deliveries so far, including those the reader does not want."""
        self.checked = False
        """Whether the broker had nothing more at the last query and nothing has arrived since."""
        self.interrupted = False

    def put(self, delivery: Delivery) -> bool:
        """Add a delivery; return False if the reader does not want it."""
        with self.changed:
            self.arrivals += 1
            self.checked = False
            expected = self.next_offset
            if self._suspect and expected is not None and delivery.offset < expected:
                expected = 0
            self._suspect = False
            if expected is not None and delivery.offset < expected:
                return False
            if expected is not None and delivery.offset - expected > BOOKKEEPING:
                self.cut += delivery.offset - expected - BOOKKEEPING
            self.next_offset = delivery.offset + 1
            self._newest = delivery.entry.data
            if delivery.entry.stored_ns < (self.start.since_ns or 0):
                self.changed.notify_all()
                return False
            self.deliveries.append(delivery)
            self.changed.notify_all()
            return True

    def begin_at(self, offset: int) -> None:
        """Set the offset of the next batch to receive."""
        with self.changed:
            self.next_offset = offset
            self._newest = None

    @property
    def remembers(self) -> int:
        """Number of remembered batches before the next one: 1, or 0 if none has been received yet."""
        return int(self._newest is not None)

    def is_of_another_stream(self, delivery: Delivery) -> bool:
        """Return whether ``delivery`` differs from the newest batch at the same offset.

        A rebuilt broker has a new stream with the same name. By the time a client that was locked out
        reconnects, it may be longer than the old one.
        """
        with self.changed:
            known = self._newest is not None and delivery.offset + 1 == self.next_offset
            return known and delivery.entry.data != self._newest

    def end_at(self, offset: int) -> None:
        """Set the offset up to which everything must have arrived before the end counts as reached."""
        with self.changed:
            self._end = offset

    @property
    def may_be_at_end(self) -> bool:
        """Return whether everything that existed when the subscription started was received and returned."""
        return self.attached and not self.deliveries and (self.next_offset or 0) > self._end

    def has_answer(self, arrivals: int) -> bool:
        """Return whether the query made after ``arrivals`` deliveries is answered or no longer needed."""
        return self.checked or self.arrivals != arrivals or not self.attached

    def nothing_since(self, arrivals: int) -> None:
        """Record the broker's answer that it had nothing more after ``arrivals`` deliveries.

        If more have arrived since, the answer is inconclusive: the window may have been full.
        """
        with self.changed:
            self.checked = self.checked or arrivals == self.arrivals
            self.changed.notify_all()

    def suspect_recreated(self) -> None:
        """Record that the stream ends before the expected offset: a lower one means it was recreated."""
        with self.changed:
            self._suspect = True

    def attach(self) -> None:
        """Record that a consumer started."""
        with self.changed:
            self.attached = self.found = True
            self.error = None
            self.checked = False
            self.changed.notify_all()

    def detach(self, error: LogError | None = None) -> None:
        """Record that there is no consumer, and why.

        A reader that was admitted before keeps trying if it is refused later.
        """
        with self.changed:
            if isinstance(error, LogRefused) and self.found:
                if isinstance(error, LogMissing) and error.begins_anew:
                    self.begin_at(0)
                error = as_temporary(error)
            self.attached = False
            self.error = error
            self.checked = False
            self.changed.notify_all()
