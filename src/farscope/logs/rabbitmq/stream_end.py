"""Finds the end of a RabbitMQ stream by querying the broker, never by inferring it from silence.

AMQP does not report the last offset of a stream. However, a consumer that starts at ``last`` receives the
last chunk and whatever follows it, and each message carries its offset. A channel sends all pending
deliveries before it answers the next request, so an answer marks their end, however slow the connection is.

Only the start of a new consumer is not known to the channel at once: it asks the stream's process, which
answers requests in order. The answer for a consumer created later therefore arrives later, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from farscope.logs.rabbitmq.connection import Connection, Dialogue, Request
from farscope.logs.rabbitmq.errors import no_stream
from farscope.logs.rabbitmq.writer import STORED_AT

OFFSET: Final = "x-stream-offset"
"""Argument for a consumer's starting point, and header with the offset of each message."""

WHOLE_CHUNK: Final = 65_535
"""Prefetch of the consumer that finds the end, which does not acknowledge: no chunk holds more messages."""

EMPTY_RETRY_S: Final = 0.1
"""A stream that reports no messages is queried again after this many seconds: its count may be outdated."""

MISSING_RETRY_S: Final = 2.0
"""A stream that reports messages but sends none is queried again after this many seconds. After that, it
counts as empty, as when retention has left only the broker's internal records."""


class End(NamedTuple):
    """The newest message of a stream."""

    offset: int = -1
    """-1 if there is none."""

    stored_ns: int = 0


class EndFinder:
    """A dedicated channel on a reader's connection, used to find the end of the stream.

    All methods are part of the connection's dialogue and run on the connection's thread.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel
        self._end = End()
        self._on_delivery: Callable[[], None] | None = None

    def open(self) -> Dialogue:
        """Open the channel; requires only the permissions needed for reading."""
        self._channel = yield self._connection.open_channel
        yield self._round_trip

    def close(self) -> None:
        """Close the channel."""
        if self._channel.is_open:
            self._channel.close()

    def find_end(self) -> Generator[Request, Any, End]:
        """Return the newest message at the time of the call, or one that arrived since."""
        self._end = End()
        yield self._consume("last", self._delivered)
        yield from self.barrier()
        if self._end.offset < 0:
            found: Method[Queue.DeclareOk] = yield self._ask_count
            delay_s = MISSING_RETRY_S if found.method.message_count else EMPTY_RETRY_S
            yield lambda answer: self._delivery_or_timeout(answer, delay_s)
            yield from self.barrier()
        return self._end

    def barrier(self) -> Dialogue:
        """Wait until the stream has reported the start of every consumer created before, on any channel."""
        yield self._consume("next", lambda *_: None)
        # Answered after everything that the stream's process sent to the channel and that may be queued ...
        yield self._round_trip
        # ... and this one after the channel has handled it.
        yield self._round_trip

    def _consume(self, offset: str, delivered: Callable[..., None]) -> Request:
        return lambda answer: self._channel.basic_consume(
            self._connection.settings.stream, delivered, arguments={OFFSET: offset}, callback=answer
        )

    def _round_trip(self, answer: Callable[..., None]) -> object:
        return self._channel.basic_qos(prefetch_count=WHOLE_CHUNK, callback=answer)

    def _ask_count(self, answer: Callable[..., None]) -> object:
        return self._channel.queue_declare(self._connection.settings.stream, passive=True, callback=answer)

    def _delivery_or_timeout(self, answer: Callable[[], None], delay_s: float) -> None:
        self._on_delivery = answer
        self._connection.call_later(delay_s, answer)

    def _delivered(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        del channel, method, body
        offset = offset_of(properties)
        if offset is None:
            self._connection.fail(no_stream(self._connection.settings, "it is a queue of another kind"))
            return
        self._end = End(offset, stored_ns_of(properties))
        if self._on_delivery is not None:
            self._on_delivery()


def offset_of(properties: BasicProperties) -> int | None:
    """Return a message's offset in its stream; None if it did not come from a stream."""
    offset = (properties.headers or {}).get(OFFSET)
    return int(offset) if isinstance(offset, int) else None  # pika has a class for 64-bit numbers


def stored_ns_of(properties: BasicProperties) -> int:
    """Return when a batch was published; foreign messages carry at most AMQP's own timestamp."""
    exact = (properties.headers or {}).get(STORED_AT)
    if isinstance(exact, int):
        return int(exact)
    return int(properties.timestamp) * 1_000_000_000 if properties.timestamp else time.time_ns()
