"""The RabbitMQ writer: publishes persistent, mandatory messages and waits for the broker's confirms."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

import pika

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.connection import Connection, Dialogue
from farscope.logs.rabbitmq.errors import Collision, blocked, unbound
from farscope.logs.rabbitmq.publisher import Call, Unconfirmed, WriterConnection
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.topology import ensure_log

WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Maximum number of published but unconfirmed bytes; the rest of an append waits for confirms."""

STORED_AT: Final = "x-farscope-stored-ns"
"""Header with the publishing time by the publisher's clock: AMQP's own timestamp is in seconds."""


COLLISION_PAUSE_S: Final = 0.5
"""Maximum random delay, in seconds, before retrying after several clients created the log at once."""


NOT_STORED: Final = ("the broker could not store what it was sent", "it will be retried")
"""Message and hint of the error for a batch that the broker rejected."""


class _InFlight:
    """A batch that has been published."""

    __slots__ = ("append", "confirmed", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.confirmed = False
        self.append: _Append | None = None


class _Append(Call):
    """One call of ``append``."""

    def __init__(self, batches: Sequence[bytes]) -> None:
        super().__init__()
        self.waiting = deque(batches)
        self.in_flight: list[_InFlight] = []
        self.open = 0
        """Number of its messages in flight that are not confirmed."""


class _Publisher:
    """The part of a writer that runs on its connection's thread."""

    def __init__(self, settings: Settings, *, rebind: bool) -> None:
        self._settings = settings
        self._rebind = rebind
        self._unconfirmed: Unconfirmed[_InFlight] | None = None
        self.ready = False
        self._error: LogError | None = None
        self._current: _Append | None = None
        self._unconfirmed_bytes = 0
        self._unconfirmed_before: deque[_InFlight] = deque()
        self.unbound = False

    def set_up(self, connection: Connection) -> Dialogue:
        """Make sure that the log exists, and enable publisher confirms."""
        self._connection = connection
        channel = yield from ensure_log(connection, rebind=self._rebind)
        channel.add_on_return_callback(self._returned)
        self._unconfirmed = Unconfirmed(connection, channel, self._confirmed, NOT_STORED)
        yield self._unconfirmed.enable

    def opened(self) -> None:
        """Publish the waiting batches."""
        self.ready = True
        self._publish()

    def lost(self, error: LogError) -> None:
        """Fail the current append and all later ones."""
        self._error = error
        if self._current is not None:
            self._current.finish(error)
            self._current = None

    def begin(self, append: _Append) -> None:
        """Start an append; batches that an earlier append left unconfirmed are not sent again."""
        if self._error is not None:
            append.finish(self._error)
            return
        self._current = append
        while (
            append.waiting
            and self._unconfirmed_before
            and self._unconfirmed_before[0].data == append.waiting[0]
        ):
            append.waiting.popleft()
            self._adopt(append, self._unconfirmed_before.popleft())
        self._unconfirmed_before.clear()
        self._publish()

    def abandon(self, append: _Append) -> None:
        """Stop publishing an append whose caller no longer waits, but remember what was published."""
        if self._current is append:
            self._current = None
        # Even if the last confirm came too late for the caller: it will append the same batches again.
        self._unconfirmed_before.extend(append.in_flight)

    def _adopt(self, append: _Append, message: _InFlight) -> None:
        message.append = append
        append.in_flight.append(message)
        append.open += not message.confirmed

    def _publish(self) -> None:
        append, unconfirmed = self._current, self._unconfirmed
        if append is None or unconfirmed is None or self._error is not None or not self.ready:
            return
        if not unconfirmed.can_publish:
            return
        while append.waiting and (
            not unconfirmed or self._unconfirmed_bytes + len(append.waiting[0]) <= WINDOW_BYTES
        ):
            message = _InFlight(append.waiting.popleft())
            self._adopt(append, message)
            self._unconfirmed_bytes += len(message.data)
            unconfirmed.publish(
                message, self._settings.exchange, message.data, _properties(time.time_ns()), mandatory=True
            )
        if not append.waiting and not append.open:
            self._current = None
            append.finish()

    def _confirmed(self, messages: list[_InFlight]) -> None:
        for message in messages:
            self._unconfirmed_bytes -= len(message.data)
            message.confirmed = True
            if message.append is not None:
                message.append.open -= 1
        self._publish()

    def _returned(self, *_: object) -> None:
        self.unbound = True
        self._fail_connection(unbound(self._settings))

    def _fail_connection(self, error: LogError) -> None:
        # At once: a returned message is also confirmed, and that confirm may have arrived already.
        self.lost(error)
        self._connection.fail(error)


def _properties(now_ns: int) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/octet-stream",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        timestamp=now_ns // 1_000_000_000,
        headers={STORED_AT: now_ns},
    )


class RabbitWriter:
    """Appends to a RabbitMQ log; ``interrupt`` may be called from any thread, all else from one at a time.

    The first ``append`` connects; after a lost connection, the next one reconnects. While nothing is
    appended, the connection's thread keeps the connection alive.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._connection: WriterConnection[_Publisher] = WriterConnection(settings, f"writer {name[:8]}")
        self._append: _Append | None = None
        self._closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches``; see ``LogWriter.append``.

        Batches published before a timeout remain in flight: appending the same batches again waits for
        their confirms instead of sending them twice, so that a slow connection still makes progress.

        Raises:
            LogUnavailable: no connection, no confirm in time, or the broker blocks publishers.
            LogRefused: wrong password, missing permission, no stream, or closed writer.
        """
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        if not batches:
            return
        deadline = time.monotonic() + timeout_s
        error = self._attempt(batches, deadline)
        while isinstance(error, Collision) and not self._is_ready and time.monotonic() < deadline:
            time.sleep(random.uniform(0, COLLISION_PAUSE_S))  # noqa: S311 - spreads load, guards nothing
            error = self._attempt(batches, deadline)
        if error is not None and (publisher := self._connection.publisher) is not None and publisher.unbound:
            # The stream or its binding was removed: restore it if permitted, and send again.
            self._connection.drop(0.0)
            error = self._attempt(batches, deadline, rebind=True)
        if error is not None:
            raise error

    def close(self, timeout_s: float = 2.0) -> None:
        """Release the connection within ``timeout_s``, whatever the broker does."""
        self._closed = True
        self._connection.drop(timeout_s)

    def interrupt(self) -> None:
        """Make a waiting ``append`` raise ``LogUnavailable`` soon."""
        append = self._append
        if append is not None:
            append.finish(LogUnavailable("the append was interrupted", "append again"))

    @property
    def _is_ready(self) -> bool:
        publisher = self._connection.publisher
        return publisher is not None and publisher.ready

    def _attempt(self, batches: Sequence[bytes], deadline: float, *, rebind: bool = False) -> LogError | None:
        append = self._append = _Append(batches)
        post = self._connection.post(
            partial(_Publisher.begin, append=append), lambda: _Publisher(self._settings, rebind=rebind)
        )
        stored = False
        try:
            if not append.wait(max(0.0, deadline - time.monotonic())):
                append.finish(self._timeout_error())
            stored = append.error is None
        finally:
            self._append = None
            if not stored:
                post(partial(_Publisher.abandon, append=append))
        return append.error

    def _timeout_error(self) -> LogUnavailable:
        if self._connection.blocked:
            return blocked(self._settings)
        hint = "the network or the broker is slow or hangs; it will be retried"
        return LogUnavailable(f"{self._settings.place} did not confirm in time", hint)
