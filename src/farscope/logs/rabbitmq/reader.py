"""Reads a log in RabbitMQ from a given offset, reconnecting as often as necessary."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from farscope.errors import LogError, LogRefused
from farscope.logs.base import Entry, Position
from farscope.logs.rabbitmq.connection import Connection
from farscope.logs.rabbitmq.consumer import Consumer, StreamConsumer
from farscope.logs.rabbitmq.errors import Collision, no_answer
from farscope.logs.rabbitmq.receive_buffer import ReceiveBuffer, StartPoint
from farscope.logs.rabbitmq.settings import Settings

FIRST_BACKOFF_S: Final = 0.1
MAX_BACKOFF_S: Final = 2.0
"""Pauses between connection attempts double up to this many seconds; jitter spreads out many readers."""

QUIET_CONNECT_S: Final = 4.0
"""A connection attempt that takes longer, in seconds, is reported instead of silently waited for."""

CLOSE_TIMEOUT_S: Final = 2.0
"""How long the broker may take to close the connection, in seconds, before it is aborted."""

CHECK_TIMEOUT_S: Final = 1.0
"""How long ``caught_up`` waits for the broker, in seconds; without an answer it is false."""


class RabbitReader:
    """Reads a RabbitMQ log; ``interrupt`` may be called from any thread, all else from one at a time.

    If it starts from now on, construction may raise ``LogUnavailable`` or ``LogRefused``.

    Args:
        settings: where to connect.
        start: where to start.
        make_consumer: makes the consumer of each connection.
        role: the purpose of the connection, which appears in the broker's list.
    """

    def __init__(
        self,
        settings: Settings,
        start: StartPoint,
        make_consumer: Callable[[Settings, ReceiveBuffer], Consumer] = StreamConsumer,
        role: str = "reader",
    ) -> None:
        self._settings = settings
        self._make_consumer = make_consumer
        self._role = role
        self._buffer = ReceiveBuffer(start)
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._connect_since = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._returned: int | None = None
        self._pid = os.getpid()
        self._closed = False
        if start == StartPoint():
            self._attach()

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next stored batches; see ``LogReader.read``.

        Raises:
            LogUnavailable: there is no connection, and all received batches have been returned.
            LogRefused: wrong password, missing permission, no such stream, closed reader.
        """
        if self._closed:
            raise LogRefused("this reader was closed", "make another with log.reader()")
        deadline = time.monotonic() + timeout_s
        while limit > 0 and not self._buffer.deliveries:
            self._connect_if_due()
            if self._interrupted():
                return []
            if time.monotonic() >= deadline:
                break
            self._wait(deadline)
        entries = self._pop_entries(limit)
        if not entries:
            self._raise_if_down()
        return entries

    @property
    def position(self) -> Position:
        """The position after the last entry returned."""
        start = self._buffer.start
        if self._returned is not None:
            return {"offset": self._returned}
        if start.since_ns is not None:
            return {"since_ns": start.since_ns}
        return {"offset": (self._buffer.next_offset or 0) - 1 - len(self._buffer.deliveries)}

    @property
    def caught_up(self) -> bool:
        """Whether everything has been returned and nothing more is there; see ``LogReader.caught_up``.

        Queries the broker, for up to a second.
        """
        buffer, connection, consumer = self._buffer, self._connection, self._consumer
        if connection is None or consumer is None:
            return False
        deadline = time.monotonic() + CHECK_TIMEOUT_S
        with buffer.changed:
            buffer.changed.wait_for(lambda: buffer.attached or buffer.deliveries, CHECK_TIMEOUT_S)
            while buffer.may_be_at_end and not buffer.checked and time.monotonic() < deadline:
                asked = buffer.arrivals
                if not connection.post(partial(consumer.channel.check, asked)):
                    return False
                buffer.changed.wait_for(
                    partial(buffer.has_answer, asked), max(0.0, deadline - time.monotonic())
                )
            return buffer.may_be_at_end and buffer.checked

    @property
    def cut(self) -> int:
        """Batches that retention removed before this reader could read them."""
        return self._buffer.cut

    def close(self) -> None:
        """Release the connection within about two seconds, whatever the broker does."""
        self._closed = True
        self._drop_connection(CLOSE_TIMEOUT_S)

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        with self._buffer.changed:
            self._buffer.interrupted = True
            self._buffer.changed.notify_all()

    def _attach(self) -> None:
        """Connect now, and return once the reader's starting point is fixed."""
        deadline = time.monotonic() + self._settings.connect_timeout_s
        error = self._attempt(deadline)
        while isinstance(error, Collision) and time.monotonic() < deadline:
            time.sleep(random.uniform(0, FIRST_BACKOFF_S * 5))  # noqa: S311 - spreads load, guards nothing
            error = self._attempt(deadline)
        if error is not None:
            self.close()
            raise error

    def _attempt(self, deadline: float) -> LogError | None:
        buffer = self._buffer
        self._drop_connection(0.0)
        buffer.detach()
        self._connect()
        with buffer.changed:
            buffer.changed.wait_for(
                lambda: buffer.attached or buffer.error, max(0.0, deadline - time.monotonic())
            )
            return None if buffer.attached else buffer.error or no_answer(self._settings)

    def _connect_if_due(self) -> None:
        if self._pid != os.getpid():
            # A forked child: the connection is its parent's, and the thread stayed there.
            self._pid, self._connection, self._consumer = os.getpid(), None, None
            self._buffer.attached = False
        if self._connection is not None and self._connection.ended:
            self._drop_connection(0.0)
            pause = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(self._failures, 10))
            self._retry_at = time.monotonic() + random.uniform(0, pause)  # noqa: S311 - spreads load, guards nothing
            self._failures += 1
        if self._connection is None and time.monotonic() >= self._retry_at:
            self._connect()

    def _connect(self) -> None:
        self._connect_since = time.monotonic()
        self._consumer = self._make_consumer(self._settings, self._buffer)
        self._connection = Connection(self._settings, self._role, self._consumer)
        self._connection.start()

    def _drop_connection(self, timeout_s: float) -> None:
        connection, self._connection, self._consumer = self._connection, None, None
        if connection is not None and self._pid == os.getpid():
            connection.close(timeout_s)

    def _wait(self, deadline: float) -> None:
        """Wait until something changes, the deadline passes, or the next connection attempt is due."""
        buffer, connection = self._buffer, self._connection
        until = deadline if connection is not None else min(deadline, self._retry_at)
        with buffer.changed:
            buffer.changed.wait_for(
                lambda: (
                    buffer.deliveries
                    or buffer.interrupted
                    or (connection is not None and not buffer.attached and buffer.error)
                ),
                max(0.0, until - time.monotonic()),
            )

    def _interrupted(self) -> bool:
        with self._buffer.changed:
            interrupted, self._buffer.interrupted = self._buffer.interrupted, False
            return interrupted

    def _pop_entries(self, limit: int) -> list[Entry]:
        buffer, connection = self._buffer, self._connection
        entries: list[Entry] = []
        last_tag = 0
        with buffer.changed:
            while buffer.deliveries and len(entries) < limit:
                delivery = buffer.deliveries.popleft()
                entries.append(delivery.entry)
                self._returned = delivery.offset
                if delivery.source is self._consumer:
                    last_tag = delivery.tag
            if buffer.attached:
                self._failures = 0
        if last_tag and connection is not None and self._consumer is not None:
            connection.post(partial(self._consumer.channel.acknowledge, last_tag))
        return entries

    def _raise_if_down(self) -> None:
        with self._buffer.changed:
            attached, error = self._buffer.attached, self._buffer.error
        if attached:
            return
        if error is not None:
            raise error
        if self._connection is not None and time.monotonic() - self._connect_since > QUIET_CONNECT_S:
            raise no_answer(self._settings)
