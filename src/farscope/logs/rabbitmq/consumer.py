"""The consumer through which a RabbitMQ reader receives batches."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, Final

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from farscope.errors import LogError, LogMissing, LogRefused, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.rabbitmq.connection import Connection, Dialogue, Request
from farscope.logs.rabbitmq.errors import no_stream
from farscope.logs.rabbitmq.permissions import as_temporary
from farscope.logs.rabbitmq.receive_buffer import Delivery, ReceiveBuffer
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.stream_end import MISSING_RETRY_S, OFFSET, End, EndFinder, offset_of, stored_ns_of
from farscope.logs.rabbitmq.topology import ensure_log

SINCE_SLACK_S: Final = 60
"""A reader with a starting time starts this many seconds earlier by the broker's clock, and drops batches
that are older by the writers' clocks: as long as the clocks differ by less, nothing is missed."""

LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 1
"""The latest representable date; later starting times are treated as this one."""


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
        channel = self._channel = yield from ensure_log(connection, rebind=False)
        channel.add_on_cancel_callback(self._cancelled)
        yield self._round_trip
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
        yield self._round_trip
        if since_ns is not None and buffer.next_offset is None and end.offset >= 0:
            yield from self._check_all_older(end_finder, end, since_ns)
        end_finder.close()

    def opened(self) -> None:
        """Notify the reader."""
        self._buffer.report(attached=True)

    def lost(self, error: LogError) -> None:
        """Notify the reader, with the reason."""
        if isinstance(error, LogRefused) and self._buffer.found:
            if isinstance(error, LogMissing) and error.begins_anew:
                self._buffer.begin_at(0)
            error = as_temporary(error)
        self._buffer.report(attached=False, error=error)

    def acknowledge(self, tag: int) -> None:
        """Acknowledge all deliveries up to ``tag``, so that the broker sends as many more."""
        if self._channel.is_open:
            self._channel.basic_ack(tag, multiple=True)

    def check(self, arrivals: int) -> None:
        """Ask the broker whether it has more at the moment; the result is the buffer's ``checked``.

        Call this after all due acknowledgements; ``arrivals`` is the number of deliveries at that time.
        """
        if self._channel.is_open:
            self._round_trip(lambda *_: self._buffer.nothing_since(arrivals))

    def _round_trip(self, answer: Callable[..., None]) -> object:
        # The broker answers this after everything it had to deliver, and it requires no permission.
        return self._channel.basic_qos(prefetch_count=self._settings.prefetch, callback=answer)

    def _consume(self, offset: int | str | datetime) -> Request:
        return lambda answer: self._channel.basic_consume(
            self._settings.stream, self._delivered, arguments={OFFSET: offset}, callback=answer
        )

    def _check_same_stream(
        self, end_finder: EndFinder, end: End, next_offset: int
    ) -> Generator[Request, Any, End]:
        """Tell the buffer if the stream is another one than that in which ``next_offset`` comes next."""
        if end.offset < next_offset - 1:
            # The node we have come to may be behind the one we knew.
            yield lambda answer: self._connection.call_later(MISSING_RETRY_S, answer)
            end = yield from end_finder.find_end()
        if end.offset < 0:
            # Retention has removed all there was, or somebody deleted the stream and made it anew.
            self._buffer.suspect_recreated()
        elif end.offset < next_offset - 1:
            self._buffer.begin_at(0)
        return end

    def _check_all_older(self, end_finder: EndFinder, end: End, since_ns: int) -> Dialogue:
        """Find out whether all there is is older than what is wanted: then nothing of it will come."""
        yield from end_finder.barrier()
        yield self._round_trip
        if not self._has_delivered and end.stored_ns >= since_ns:
            # By the writer's clock it is wanted. Only if that is far ahead of the broker's will it not come.
            yield lambda answer: self._connection.call_later(MISSING_RETRY_S, answer)
            yield self._round_trip
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
            # What was on its way behind the batch that showed it to be another stream.
            return
        if self._buffer.is_of_another_stream(delivery):
            self._replaced = True
            self._buffer.begin_at(0)
            self._connection.fail(
                LogUnavailable(
                    f"the stream {self._settings.stream!r} was made anew", "it is read from its begin"
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
