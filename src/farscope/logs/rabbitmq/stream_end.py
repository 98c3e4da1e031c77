"""Where a stream in RabbitMQ ends: asked, and never guessed from silence.

Nothing in AMQP tells the last offset of a stream. But a consumer that begins at ``last`` is sent the last
chunk, and what follows it, and each message names its offset. A channel sends what it has to deliver before
it answers the next request, so an answer marks the end of it, however slow the line is.

The one thing a channel does not know at once is where a new consumer begins: it asks the stream's own
process, which answers in turn. Another consumer made behind it has its answer behind it, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from farscope.logs.rabbitmq.connection import Link, Request, Script
from farscope.logs.rabbitmq.errors import no_stream
from farscope.logs.rabbitmq.writer import STORED_AT

OFFSET: Final = "x-stream-offset"
"""Where a consumer begins, and the header in which each message has its place."""

WHOLE_CHUNK: Final = 65_535
"""Messages a looking consumer may be sent without acknowledging any: no chunk of a stream holds more."""

EMPTY_PATIENCE_S: Final = 0.1
"""A stream that says it holds nothing is asked once more after this: its own count is seconds old."""

LAST_PATIENCE_S: Final = 2.0
"""A stream that says it holds something, and sends nothing, is asked once more after this. It then holds no
message, such as when retention has left only the broker's own records."""


class End(NamedTuple):
    """The newest message of a stream."""

    offset: int = -1
    """-1 where there is none."""

    stored_ns: int = 0


class Lookout:
    """A channel of its own, on the link of a reader, through which it is looked where the stream ends.

    Everything is a part of the link's script, and runs on the link's thread.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: Channel
        self._end = End()
        self._on_delivery: Callable[[], None] | None = None

    def open(self) -> Script:
        """Open the channel; needs no other permission than reading does."""
        self._channel = yield self._link.open_channel
        yield self._round_trip

    def close(self) -> None:
        """Give the channel back."""
        if self._channel.is_open:
            self._channel.close()

    def find_end(self) -> Generator[Request, Any, End]:
        """Return the newest message there was when this began, or one that came since."""
        self._end = End()
        yield self._consume("last", self._delivered)
        yield from self.pass_by()
        if self._end.offset < 0:
            found: Method[Queue.DeclareOk] = yield self._ask_count
            patience_s = LAST_PATIENCE_S if found.method.message_count else EMPTY_PATIENCE_S
            yield lambda answer: self._delivery_or_late(answer, patience_s)
            yield from self.pass_by()
        return self._end

    def pass_by(self) -> Script:
        """Go on when the stream has told every consumer made before, on any channel, where it begins."""
        yield self._consume("next", lambda *_: None)
        # Answered behind what the stream's process had to say to us, which may still wait to be handled ...
        yield self._round_trip
        # ... and this one behind its handling.
        yield self._round_trip

    def _consume(self, offset: str, delivered: Callable[..., None]) -> Request:
        return lambda answer: self._channel.basic_consume(
            self._link.settings.stream, delivered, arguments={OFFSET: offset}, callback=answer
        )

    def _round_trip(self, answer: Callable[..., None]) -> object:
        return self._channel.basic_qos(prefetch_count=WHOLE_CHUNK, callback=answer)

    def _ask_count(self, answer: Callable[..., None]) -> object:
        return self._channel.queue_declare(self._link.settings.stream, passive=True, callback=answer)

    def _delivery_or_late(self, answer: Callable[[], None], patience_s: float) -> None:
        self._on_delivery = answer
        self._link.later(patience_s, answer)

    def _delivered(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        del channel, method, body
        offset = offset_of(properties)
        if offset is None:
            self._link.fail(no_stream(self._link.settings, "it is a queue of another kind"))
            return
        self._end = End(offset, stored_ns_of(properties))
        if self._on_delivery is not None:
            self._on_delivery()


def offset_of(properties: BasicProperties) -> int | None:
    """Return a message's place in its stream; None if it came from no stream."""
    offset = (properties.headers or {}).get(OFFSET)
    return int(offset) if isinstance(offset, int) else None  # pika marks 64-bit numbers by a class of its own


def stored_ns_of(properties: BasicProperties) -> int:
    """Return when a batch was published; what others published has at most AMQP's own timestamp."""
    exact = (properties.headers or {}).get(STORED_AT)
    if isinstance(exact, int):
        return int(exact)
    return int(properties.timestamp) * 1_000_000_000 if properties.timestamp else time.time_ns()
