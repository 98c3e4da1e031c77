"""Receiving lines from RabbitMQ through two exclusive queues that are deleted with the connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from farscope.errors import LogError, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.rabbitmq.connection import Connection, Dialogue
from farscope.logs.rabbitmq.consumer import ReceivingChannel
from farscope.logs.rabbitmq.reader import RabbitReader
from farscope.logs.rabbitmq.receive_buffer import Delivery, ReceiveBuffer, StartPoint
from farscope.logs.rabbitmq.settings import Settings
from farscope.miros_lines.tokens import SPY, TRACE, Line, marked
from farscope.miros_lines.topology import declare

MAX_WAITING: Final = 1_000_000
"""Lines the broker keeps for a reader that falls behind; beyond it the oldest are lost."""

PREFETCH: Final = 4_096
"""Lines the broker sends ahead; up to this many are held in memory for a slow reader."""


class LineConsumer:
    """A consumer of both exchanges; runs on its connection's thread and ends with the connection."""

    channel: ReceivingChannel

    def __init__(self, settings: Settings, buffer: ReceiveBuffer) -> None:
        del settings
        self._buffer = buffer

    def set_up(self, connection: Connection) -> Dialogue:
        """Declare two exclusive queues, bind them, and consume."""
        self._connection = connection
        channel = yield from declare(connection)
        channel.add_on_cancel_callback(self._cancelled)
        self.channel = ReceivingChannel(channel, self._buffer, PREFETCH)
        yield self.channel.round_trip
        queues: list[tuple[str, str]] = []
        for exchange in (TRACE, SPY):
            made: Method[Queue.DeclareOk] = yield lambda answer: channel.queue_declare(
                "", exclusive=True, arguments={"x-max-length": MAX_WAITING}, callback=answer
            )
            queue = made.method.queue
            yield partial(_bind, channel, queue, exchange)
            queues.append((exchange, queue))
        if self._buffer.next_offset is None:
            self._buffer.begin_at(0)
        for exchange, queue in queues:
            yield partial(_consume, channel, queue, partial(self._received, exchange))

    def opened(self) -> None:
        """Notify the reader."""
        self._buffer.attach()

    def lost(self, error: LogError) -> None:
        """Notify the reader, with the reason."""
        self._buffer.detach(error)

    def _received(
        self, exchange: str, _: Channel, method: Basic.Deliver, __: BasicProperties, body: bytes
    ) -> None:
        entry = Entry(marked(Line(exchange, body)), time.time_ns())
        self._buffer.put(Delivery(self._buffer.next_offset or 0, entry, method.delivery_tag, self))

    def _cancelled(self, _: object) -> None:
        self._connection.fail(LogUnavailable("a queue of this reader was deleted", "it will be retried"))


def _bind(channel: Channel, queue: str, exchange: str, answer: Any) -> object:
    return channel.queue_bind(queue, exchange, "", callback=answer)


def _consume(channel: Channel, queue: str, deliver: Callable[..., None], answer: Any) -> object:
    return channel.basic_consume(queue, deliver, callback=answer)


def line_reader(settings: Settings) -> RabbitReader:
    """Return a reader of lines from now on; it reconnects after a loss, but lines sent meanwhile are lost.

    Raises:
        LogUnavailable: the broker cannot be reached.
        LogRefused: the broker refuses.
    """
    return RabbitReader(settings, StartPoint(), LineConsumer, "line reader")
