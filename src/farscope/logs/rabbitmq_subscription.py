"""The consumer through which a reader of RabbitMQ receives."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, Final

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from farscope.errors import LogError, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.rabbitmq_errors import no_stream
from farscope.logs.rabbitmq_link import Link, Request, Script
from farscope.logs.rabbitmq_settings import Settings
from farscope.logs.rabbitmq_shelf import Parcel, Shelf
from farscope.logs.rabbitmq_topology import prepare
from farscope.logs.rabbitmq_writer import STORED_AT

SINCE_SLACK_S: Final = 60
"""A reader with a starting time begins so much earlier by the broker's clock, and leaves out what is older
by the writers': while the clocks differ by less, nothing is missed."""

LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 1
"""The end of what a date can be; later starting times mean the same."""

EMPTY_PATIENCE_S: Final = 0.1
"""How long a stream that says it holds nothing is given to deliver something after all."""

LAST_PATIENCE_S: Final = 2.0
"""How long a stream that says it holds something is given to deliver its end."""

SETTLING_ROUNDS: Final = 100
"""Under constant load the end keeps moving; after so many exchanges with the broker it is taken as it is."""

OFFSET: Final = "x-stream-offset"


class Subscription:
    """One consumer of the stream; lives on its link's thread and ends with the link."""

    def __init__(self, settings: Settings, shelf: Shelf) -> None:
        self._settings = settings
        self._shelf = shelf
        self._last_seen = -1
        self._settling = False
        self._on_delivery: Callable[[], None] | None = None

    def converse(self, link: Link) -> Script:
        """Attach to the stream where the shelf needs it to go on."""
        self._link = link
        channel = self._channel = yield from prepare(link, thorough=False)
        channel.add_on_cancel_callback(self._cancelled)
        yield self._round_trip
        next_offset, since_ns = self._shelf.next_offset, self._shelf.start.since_ns
        if next_offset:
            yield from self._resume(next_offset)
        elif next_offset is None and since_ns is None:
            yield from self._find_end()
        else:
            yield self._consume(_begin(since_ns or 0))
        # The broker says "consuming" before it looks for the offset; its next answer comes after.
        yield self._round_trip

    def opened(self) -> None:
        """Let the reader know."""
        self._shelf.tell(attached=True)

    def lost(self, error: LogError) -> None:
        """Let the reader know, and why."""
        self._shelf.tell(attached=False, error=error)

    def acknowledge(self, tag: int) -> None:
        """Let the broker send as many more as were delivered up to ``tag``."""
        if self._channel.is_open:
            self._channel.basic_ack(tag, multiple=True)

    def check(self) -> None:
        """Find out whether the broker has more at the moment; the shelf's ``checked`` tells."""
        if self._channel.is_open:
            self._round_trip(lambda *_: self._checked())

    def _checked(self) -> None:
        with self._shelf.changed:
            self._shelf.checked = True
            self._shelf.changed.notify_all()

    def _round_trip(self, answer: Callable[..., None]) -> object:
        # The broker answers it behind everything it had to deliver; and it needs no permission.
        return self._channel.basic_qos(prefetch_count=self._settings.prefetch, callback=answer)

    def _consume(self, offset: int | str | datetime, tag: str = "") -> Request:
        return lambda answer: self._channel.basic_consume(
            self._settings.stream,
            self._delivered,
            consumer_tag=tag or None,
            arguments={OFFSET: offset},
            callback=answer,
        )

    def _find_end(self) -> Generator[Request, Any, None]:
        """Attach at the last chunk and see how far it goes, so that a lost connection can go on there."""
        found: Method[Queue.DeclareOk] = yield lambda answer: self._channel.queue_declare(
            self._settings.stream, passive=True, callback=answer
        )
        self._settling = True
        yield self._consume("last")
        yield self._round_trip
        yield from self._await_delivery(LAST_PATIENCE_S if found.method.message_count else EMPTY_PATIENCE_S)
        for _ in range(SETTLING_ROUNDS):
            before = self._last_seen
            yield self._round_trip
            if before == self._last_seen:
                break
        self._settling = False
        self._shelf.begin_at(self._last_seen + 1)

    def _resume(self, offset: int) -> Generator[Request, Any, None]:
        """Attach one before ``offset``: if that one comes again, the stream is still the one we know."""
        tag = f"from-{offset - 1}"
        yield self._consume(offset - 1, tag)
        yield self._round_trip
        yield from self._await_delivery(LAST_PATIENCE_S)
        if self._last_seen < 0:
            # Retention has removed all there was, or somebody deleted the stream and made it anew.
            yield lambda answer: self._channel.basic_cancel(tag, callback=answer)
            self._shelf.doubt()
            yield self._consume("first")

    def _await_delivery(self, patience_s: float) -> Generator[Request, Any, None]:
        if self._last_seen < 0:
            yield lambda answer: self._delivery_or_late(answer, patience_s)

    def _delivery_or_late(self, answer: Callable[[], None], patience_s: float) -> None:
        self._on_delivery = answer
        self._link.later(patience_s, answer)

    def _delivered(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        offset = (properties.headers or {}).get(OFFSET)
        if not isinstance(offset, int):
            channel.basic_nack(method.delivery_tag, requeue=True)
            self._link.fail(no_stream(self._settings, "it is a queue of another kind"))
            return
        self._last_seen = int(offset)
        parcel = Parcel(self._last_seen, Entry(body, _stored_ns(properties)), method.delivery_tag, self)
        if self._settling or not self._shelf.put(parcel):
            channel.basic_ack(method.delivery_tag)
        if self._on_delivery is not None:
            self._on_delivery()

    def _cancelled(self, _: object) -> None:
        self._link.fail(
            LogUnavailable(f"the stream {self._settings.stream!r} was deleted", "it is tried again")
        )


def _begin(since_ns: int) -> datetime | str:
    """Return the offset to ask for so that nothing stored at ``since_ns`` or later is missed."""
    seconds = since_ns // 1_000_000_000 - SINCE_SLACK_S
    return datetime.fromtimestamp(min(seconds, LAST_SECOND), UTC) if seconds > 0 else "first"


def _stored_ns(properties: BasicProperties) -> int:
    """Return when a batch was published; what others published has at most AMQP's own timestamp."""
    exact = (properties.headers or {}).get(STORED_AT)
    if isinstance(exact, int):
        return int(exact)  # pika marks 64-bit numbers by a class of its own
    return int(properties.timestamp) * 1_000_000_000 if properties.timestamp else time.time_ns()
