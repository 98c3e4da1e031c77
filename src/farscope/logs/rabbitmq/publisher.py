"""Publishing with confirms: what the writers of streams and of miros lines have in common.

The thread that calls a writer waits in a ``Call``. The connection's thread publishes, and matches the
broker's confirms to the messages.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Generic, TypeVar

import pika
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from farscope.errors import LogError, LogUnavailable
from farscope.logs.rabbitmq.connection import Connection, Handler
from farscope.logs.rabbitmq.settings import Settings

Message = TypeVar("Message")
Publisher = TypeVar("Publisher", bound=Handler)


class Call:
    """One call of a writer's method; ``finish`` and ``wait`` may be called from any thread."""

    def __init__(self) -> None:
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
        """Wait until the call is finished; return False on timeout."""
        return self._finished.wait(timeout_s)


class Unconfirmed(Generic[Message]):
    """The messages published on a channel that the broker has not confirmed yet, oldest first.

    All methods run on the connection's thread. A negative confirm ends the connection: later messages on it
    would be stored out of order.

    Args:
        connection: the channel's connection.
        channel: where to publish.
        confirmed: called with the messages of each confirm.
        rejected: the message and the hint of the error for a negative confirm.
    """

    def __init__(
        self,
        connection: Connection,
        channel: Channel,
        confirmed: Callable[[list[Message]], None],
        rejected: tuple[str, str],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._confirmed = confirmed
        self._rejected = rejected
        self._messages: dict[int, Message] = {}
        self._next_tag = 1

    def __len__(self) -> int:
        return len(self._messages)

    def enable(self, answer: Callable[..., None]) -> object:
        """Request confirms from the broker (a ``Request``)."""
        return self._channel.confirm_delivery(self._answered, callback=answer)

    @property
    def can_publish(self) -> bool:
        """Whether the channel is open; if the broker has closed it, callers receive the broker's reason."""
        return bool(self._channel.is_open)

    def publish(
        self,
        message: Message,
        exchange: str,
        body: bytes,
        properties: pika.BasicProperties | None = None,
        *,
        mandatory: bool = False,
    ) -> None:
        """Publish ``body`` and remember ``message`` until it is confirmed."""
        self._messages[self._next_tag] = message
        self._next_tag += 1
        self._channel.basic_publish(exchange, "", body, properties, mandatory=mandatory)

    def _answered(self, frame: Method[Basic.Ack] | Method[Basic.Nack]) -> None:
        method = frame.method
        if isinstance(method, Basic.Nack):
            self._connection.fail(LogUnavailable(*self._rejected))
            return
        if method.multiple:
            tags = list(takewhile(lambda tag: tag <= method.delivery_tag, self._messages))
        else:
            tags = [method.delivery_tag]
        self._confirmed([self._messages.pop(tag) for tag in tags])


class WriterConnection(Generic[Publisher]):
    """The connection of a writer and its publisher: opened when needed, replaced when lost.

    Used by one thread at a time. A forked child leaves the connection and its thread to the parent.
    """

    def __init__(self, settings: Settings, role: str) -> None:
        self._settings = settings
        self._role = role
        self._connection: Connection | None = None
        self._publisher: Publisher | None = None
        self._pid = os.getpid()

    @property
    def publisher(self) -> Publisher | None:
        """The publisher of the newest connection; None before the first."""
        return self._publisher

    def post(
        self, work: Callable[[Publisher], None], make_publisher: Callable[[], Publisher]
    ) -> Callable[[Callable[[Publisher], None]], bool]:
        """Run ``work`` on the connection's thread, with its publisher; connect first if necessary.

        Returns a function that posts more work to the same connection, as ``Connection.post`` does.
        """
        if self._pid != os.getpid():
            self._pid, self._connection = os.getpid(), None
        while True:
            if self._connection is None:
                self._publisher = make_publisher()
                self._connection = Connection(self._settings, self._role, self._publisher)
                self._connection.start()
            connection, publisher = self._connection, self._publisher
            if publisher is not None and connection.post(partial(work, publisher)):
                return lambda more: connection.post(partial(more, publisher))
            self.drop(0.0)

    @property
    def blocked(self) -> bool:
        """Whether the broker blocks the connection, as it does while short of memory or disk."""
        return self._connection is not None and self._connection.blocked

    def drop(self, timeout_s: float) -> None:
        """Close the connection within ``timeout_s`` seconds, whatever the broker does."""
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close(timeout_s)
