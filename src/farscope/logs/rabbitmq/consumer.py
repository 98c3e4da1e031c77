"""The consumer through which a RabbitMQ reader receives batches."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from farscope.errors import LogError, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.rabbitmq.connection import Connection, Dialogue, Handler, Request
from farscope.logs.rabbitmq.errors import no_stream
from farscope.logs.rabbitmq.receive_buffer import Delivery, ReceiveBuffer
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.stream_end import MISSING_RETRY_S, OFFSET, End, EndFinder, offset_of, stored_ns_of
from farscope.logs.rabbitmq.topology import ensure_log

SINCE_SLACK_S: Final = 60
"""A reader with a starting time starts this many seconds earlier by the broker's clock, and drops batches
that are older by the writers' clocks: as long as the clocks differ by less, nothing is missed."""

LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 1
"""The latest representable date; later starting times are treated as this one."""


class ReceivingChannel:
    """The channel through which a reader receives; used on the connection's thread."""

    def __init__(self, amqp: Channel, buffer: ReceiveBuffer, prefetch: int) -> None:
        self.amqp = amqp
        self._buffer = buffer
        self._prefetch = prefetch

    def acknowledge(self, tag: int) -> None:
        """Acknowledge all deliveries up to ``tag``, so that the broker sends as many more."""
        if self.amqp.is_open:
            self.amqp.basic_ack(tag, multiple=True)

    def check(self, arrivals: int) -> None:
        """Ask the broker whether it has more at the moment; the result is the buffer's ``checked``.

        Call this after all due acknowledgements; ``arrivals`` is the number of deliveries at that time.
        """
        if self.amqp.is_open:
            self.round_trip(lambda *_: self._buffer.nothing_since(arrivals))

    def round_trip(self, answer: Callable[..., None]) -> object:
        """Set the prefetch count (a ``Request``): answered after all pending deliveries, always permitted."""
        return self.amqp.basic_qos(prefetch_count=self._prefetch, callback=answer)


class Consumer(Handler, Protocol):
    """Receives for a reader: sets up ``channel`` and puts what arrives into the reader's buffer."""

    channel: ReceivingChannel


class StreamConsumer:
    """One consumer of the stream; runs on its connection's thread and ends with the connection."""

    def __init__(self, settings: Settings, buffer: ReceiveBuffer) -> None:
        self._settings = settings
        self._buffer = buffer
        self._has_delivered = False
        self._replaced = False

    def set_up(self, connection: Connection) -> Dialogue:
        """Find the end of the stream, and attach at the offset the buffer needs next."""
        self._connection = connection
        channel = yield from ensure_log(connection, rebind=False)
        channel.add_on_cancel_callback(self._cancelled)
        self.channel = ReceivingChannel(channel, self._buffer, self._settings.prefetch)
        yield self.channel.round_trip
        end_finder = EndFinder(connection)
        yield from end_finder.open()
        end = yield from end_finder.find_end()
        buffer, since_ns = self._buffer, self._buffer.start.since_ns
        if buffer.next_offset is None and since_ns is None:
            buffer.begin_at(end.offset + 1)
        if buffer.next_offset:
            end = yield from self._check_same_stream(end_finder, end, buffer.next_offset)
        buffer.end_at(end.offset)
        if buffer.next_offset and end.offset >= buffer.next_offset - 1:
            yield self._consume(buffer.next_offset - buffer.remembers)
        else:
            yield self._consume(_begin(since_ns or 0))
        # The broker says "consuming" before it looks for the offset; its next answer comes after.
        yield self.channel.round_trip
        if since_ns is not None and buffer.next_offset is None and end.offset >= 0:
            yield from self._check_all_older(end_finder, end, since_ns)
        end_finder.close()

    def opened(self) -> None:
        """Notify the reader."""
        self._buffer.attach()

    def lost(self, error: LogError) -> None:
        """Notify the reader, with the reason."""
        self._buffer.detach(error)

    def _consume(self, offset: int | str | datetime) -> Request:
        return lambda answer: self.channel.amqp.basic_consume(
            self._settings.stream, self._delivered, arguments={OFFSET: offset}, callback=answer
        )

    def _check_same_stream(
        self, end_finder: EndFinder, end: End, next_offset: int
    ) -> Generator[Request, Any, End]:
        """Notify the buffer if ``next_offset`` belongs to an earlier stream of the same name."""
        if end.offset < next_offset - 1:
            # This node may lag behind the one that was connected before.
            yield lambda answer: self._connection.call_later(MISSING_RETRY_S, answer)
            end = yield from end_finder.find_end()
        if end.offset < 0:
            # Retention has removed everything, or somebody has deleted and recreated the stream.
            self._buffer.suspect_recreated()
        elif end.offset < next_offset - 1:
            self._buffer.begin_at(0)
        return end

    def _check_all_older(self, end_finder: EndFinder, end: End, since_ns: int) -> Dialogue:
        """Find out whether the whole stream is older than the starting time: then none of it will arrive."""
        yield from end_finder.barrier()
        yield self.channel.round_trip
        if not self._has_delivered and end.stored_ns >= since_ns:
            # It is due by the writer's clock; it stays away only if that clock is far ahead of the broker's.
            yield lambda answer: self._connection.call_later(MISSING_RETRY_S, answer)
            yield self.channel.round_trip
        if not self._has_delivered:
            self._buffer.end_at(End().offset)

    def _delivered(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        offset = offset_of(properties)
        if offset is None:
            channel.basic_nack(method.delivery_tag, requeue=True)
            self._connection.fail(no_stream(self._settings, "it is a queue of another kind"))
            return
        self._has_delivered = True
        delivery = Delivery(offset, Entry(body, stored_ns_of(properties)), method.delivery_tag, self)
        if self._replaced:
            # Sent after the batch that revealed that this is another stream.
            return
        if self._buffer.is_of_another_stream(delivery):
            self._replaced = True
            self._buffer.begin_at(0)
            self._connection.fail(
                LogUnavailable(
                    f"the stream {self._settings.stream!r} was recreated", "it is read from its beginning"
                )
            )
        elif not self._buffer.put(delivery):
            channel.basic_ack(method.delivery_tag)

    def _cancelled(self, _: object) -> None:
        self._connection.fail(
            LogUnavailable(f"the stream {self._settings.stream!r} was deleted", "it will be retried")
        )


def _begin(since_ns: int) -> datetime | str:
    """Return the offset to request so that nothing stored at ``since_ns`` or later is missed."""
    seconds = since_ns // 1_000_000_000 - SINCE_SLACK_S
    return datetime.fromtimestamp(min(seconds, LAST_SECOND), UTC) if seconds > 0 else "first"
