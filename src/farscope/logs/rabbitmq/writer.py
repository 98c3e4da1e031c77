"""The RabbitMQ writer: publishes persistent, mandatory messages and waits for the broker's confirms."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Final

import pika
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.connection import Connection, Dialogue
from farscope.logs.rabbitmq.errors import Collision, blocked
from farscope.logs.rabbitmq.permissions import unbound
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.topology import ensure_log

WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Maximum number of published but unconfirmed bytes; the rest of an append waits for confirms."""

STORED_AT: Final = "x-farscope-stored-ns"
"""Header with the publishing time by the publisher's clock: AMQP's own timestamp is in seconds."""


COLLISION_PAUSE_S: Final = 0.5
"""Maximum random delay, in seconds, before retrying after several clients created the log at once."""


class _InFlight:
    """A batch that has been published."""

    __slots__ = ("append", "confirmed", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.confirmed = False
        self.append: _Append | None = None


class _Append:
    """One call of ``append``; ``finish`` and ``wait`` may be called from any thread."""

    def __init__(self, batches: Sequence[bytes]) -> None:
        self.waiting = deque(batches)
        self.in_flight: list[_InFlight] = []
        self.open = 0
        self.error: LogError | None = None
        self._lock = threading.Lock()
        self._finished = threading.Event()

    def finish(self, error: LogError | None = None) -> None:
        """Release the caller; only the first call has an effect."""
        with self._lock:
            if not self._finished.is_set():
                self.error = error
                self._finished.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the append is finished; return False on timeout."""
        return self._finished.wait(timeout_s)


class _Publisher:
    """The part of a writer that runs on its connection's thread."""

    def __init__(self, settings: Settings, *, rebind: bool) -> None:
        self._settings = settings
        self._rebind = rebind
        self._channel: Channel | None = None
        self.ready = False
        self._error: LogError | None = None
        self._current: _Append | None = None
        self._unconfirmed: dict[int, _InFlight] = {}
        self._unconfirmed_bytes = 0
        self._next_tag = 1
        self._unconfirmed_before: deque[_InFlight] = deque()
        self.unbound = False

    def set_up(self, connection: Connection) -> Dialogue:
        """Prepare the log and enable publisher confirms."""
        self._connection = connection
        channel = self._channel = yield from ensure_log(connection, rebind=self._rebind)
        channel.add_on_return_callback(self._returned)
        yield lambda answer: channel.confirm_delivery(self._confirmed, callback=answer)

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
        append, channel = self._current, self._channel
        if append is None or channel is None or self._error is not None or not self.ready:
            return
        if not channel.is_open:
            # The broker has just closed it: waiting callers will receive the broker's reason.
            return
        while append.waiting and (
            not self._unconfirmed or self._unconfirmed_bytes + len(append.waiting[0]) <= WINDOW_BYTES
        ):
            message = _InFlight(append.waiting.popleft())
            self._adopt(append, message)
            self._unconfirmed[self._next_tag] = message
            self._unconfirmed_bytes += len(message.data)
            self._next_tag += 1
            channel.basic_publish(
                self._settings.exchange, "", message.data, _properties(time.time_ns()), mandatory=True
            )
        if not append.waiting and not append.open:
            self._current = None
            append.finish()

    def _confirmed(self, frame: Method[Basic.Ack] | Method[Basic.Nack]) -> None:
        method = frame.method
        if isinstance(method, Basic.Nack):
            # Abandon the connection: later messages on it would be stored out of order.
            self._connection.fail(
                LogUnavailable("the broker could not store what it was sent", "it will be retried")
            )
            return
        if method.multiple:
            tags = list(takewhile(lambda tag: tag <= method.delivery_tag, self._unconfirmed))
        else:
            tags = [method.delivery_tag]
        for tag in tags:
            message = self._unconfirmed.pop(tag)
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
        self._name = name
        self._connection: Connection | None = None
        self._publisher = _Publisher(settings, rebind=False)
        self._append: _Append | None = None
        self._pid = os.getpid()
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
        while isinstance(error, Collision) and not self._publisher.ready and time.monotonic() < deadline:
            time.sleep(random.uniform(0, COLLISION_PAUSE_S))  # noqa: S311 - spreads load, guards nothing
            error = self._attempt(batches, deadline)
        if error is not None and self._publisher.unbound:
            # The stream or its binding was removed: restore it if permitted, and send again.
            self._drop_connection(0.0)
            error = self._attempt(batches, deadline, rebind=True)
        if error is not None:
            raise error

    def close(self, timeout_s: float = 2.0) -> None:
        """Release the connection within ``timeout_s``, whatever the broker does."""
        self._closed = True
        self._drop_connection(timeout_s)

    def interrupt(self) -> None:
        """Make a waiting ``append`` raise ``LogUnavailable`` soon."""
        append = self._append
        if append is not None:
            append.finish(LogUnavailable("the append was interrupted", "append again"))

    def _attempt(self, batches: Sequence[bytes], deadline: float, *, rebind: bool = False) -> LogError | None:
        append = self._append = _Append(batches)
        connection = self._post(partial(_Publisher.begin, append=append), rebind=rebind)
        stored = False
        try:
            if not append.wait(max(0.0, deadline - time.monotonic())):
                append.finish(self._timeout_error(connection))
            stored = append.error is None
        finally:
            self._append = None
            if not stored:
                connection.post(partial(self._publisher.abandon, append))
        return append.error

    def _drop_connection(self, timeout_s: float) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close(timeout_s)

    def _post(self, work: Callable[[_Publisher], None], *, rebind: bool) -> Connection:
        if self._pid != os.getpid():
            # In a forked child: the connection and its thread belong to the parent.
            self._pid, self._connection = os.getpid(), None
        while self._connection is None or not self._connection.post(partial(work, self._publisher)):
            self._drop_connection(0.0)
            self._publisher = _Publisher(self._settings, rebind=rebind)
            self._connection = Connection(self._settings, f"writer {self._name[:8]}", self._publisher)
            self._connection.start()
        return self._connection

    def _timeout_error(self, connection: Connection) -> LogUnavailable:
        if connection.blocked:
            return blocked(self._settings)
        hint = "the network or the broker is slow or hangs; it will be retried"
        return LogUnavailable(f"{self._settings.place} did not confirm in time", hint)
