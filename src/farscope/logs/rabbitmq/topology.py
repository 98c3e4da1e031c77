"""Finds the exchange, the stream and their binding, and creates them if the user has permission."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import Any, Final

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from farscope.logs.rabbitmq.connection import Connection, Request
from farscope.logs.rabbitmq.errors import (
    ACCESS_REFUSED,
    PRECONDITION_FAILED,
    RESOURCE_LOCKED,
    absent,
    explain,
    missing,
    one_line,
)
from farscope.logs.rabbitmq.settings import Settings

RETRY_S: Final = 0.3
"""Maximum random delay, in seconds, before looking again for a log that another client is setting up."""

MakeRequest = Callable[[Channel, Settings], Request]
ChannelDialogue = Generator[Request, Any, Channel]


def ensure_log(connection: Connection, *, rebind: bool) -> ChannelDialogue:
    """Make sure that the log exists, and return an open channel.

    Existing objects are left unchanged. A user without permission to create objects can use a log made by an
    administrator, and causes no access errors in the broker's log while everything is in place.

    Args:
        connection: an open connection.
        thorough: bind the stream even if it already exists.

    Raises:
        LogRefused: something is missing and may not be created, or exists with other settings.
    """
    channel: Channel = yield connection.open_channel
    channel, there = yield from _find_log(connection, channel)
    if not there:
        return (yield from _set_up_locked(connection, channel))
    if connection.settings.retention_asked:
        # Declaring again is how the broker compares the settings.
        channel, failure = yield from _try(connection, channel, _make_stream)
        if failure is not None and failure.reply_code != ACCESS_REFUSED:
            raise failure
    if rebind:
        channel, _ = yield from bind(connection, channel)
    return channel


def bind(connection: Connection, channel: Channel) -> Generator[Request, Any, tuple[Channel, bool]]:
    """Bind the stream to the exchange; return a usable channel, and whether the user has permission."""
    channel, failure = yield from _try(connection, channel, _bind)
    if failure is not None and failure.reply_code != ACCESS_REFUSED:
        raise failure
    return channel, failure is None


def compare(connection: Connection, channel: Channel) -> Generator[Request, Any, str | None]:
    """Return how the stream's settings differ from ours, as described by the broker; empty if they do not.

    None if this user has no permission to compare them.
    """
    _, failure = yield from _try(connection, channel, _make_stream)
    if failure is None:
        return ""
    if failure.reply_code == ACCESS_REFUSED:
        return None
    if failure.reply_code != PRECONDITION_FAILED or "x-queue-type" in failure.reply_text:
        raise failure
    return one_line(failure.reply_text.partition(" - ")[2])


def _find_log(connection: Connection, channel: Channel) -> Generator[Request, Any, tuple[Channel, bool]]:
    """Check whether the log exists; the exchange is created last, so it is checked first."""
    for find in (_find_exchange, _find_stream):
        channel, failure = yield from _try(connection, channel, find)
        if failure is not None:
            if not absent(failure):
                raise failure
            return channel, False
    return channel, True


def _set_up_locked(connection: Connection, channel: Channel) -> ChannelDialogue:
    """Create the log under a lock: RabbitMQ 3.10 breaks a stream that several clients create at once.

    An exclusive queue serves as the lock. A user without permission to create it proceeds without.
    """
    channel, failure = yield from _try(connection, channel, _lock)
    while failure is not None and failure.reply_code == RESOURCE_LOCKED:
        yield lambda answer: connection.call_later(random.uniform(0.0, RETRY_S), answer)  # noqa: S311 - no secret
        channel, there = yield from _find_log(connection, channel)
        if there:
            return channel
        channel, failure = yield from _try(connection, channel, _lock)
    channel, there = yield from _find_log(connection, channel)
    if not there:
        channel = yield from _set_up(connection, channel)
    if failure is None:
        channel, _ = yield from _try(connection, channel, _unlock)
    return channel


def _set_up(connection: Connection, channel: Channel) -> ChannelDialogue:
    settings = connection.settings
    for make in (_make_stream, _make_exchange):
        channel, failure = yield from _try(connection, channel, make)
        if failure is None:
            continue
        if failure.reply_code == ACCESS_REFUSED:
            channel, unseen = yield from _try(connection, channel, _find_stream)
            gone = unseen is not None and absent(unseen)
            raise missing(settings, one_line(failure.reply_text), stream=gone) from failure
        exists = failure.reply_code == PRECONDITION_FAILED and "x-queue-type" not in failure.reply_text
        if not exists or settings.retention_asked:
            raise explain(failure, settings) from failure
    channel, _ = yield from bind(connection, channel)
    return channel


def _try(
    connection: Connection, channel: Channel, ask: MakeRequest
) -> Generator[Request, Any, tuple[Channel, ChannelClosedByBroker | None]]:
    """Send a request; a broker that refuses closes the channel, so return a usable one."""
    try:
        yield ask(channel, connection.settings)
    except ChannelClosedByBroker as failure:
        channel = yield connection.open_channel
        return channel, failure
    return channel, None


def _find_exchange(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.exchange_declare(settings.exchange, passive=True, callback=answer)


def _make_exchange(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.exchange_declare(settings.exchange, "fanout", durable=True, callback=answer)


def _find_stream(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.queue_declare(settings.stream, passive=True, callback=answer)


def _make_stream(channel: Channel, settings: Settings) -> Request:
    arguments = settings.stream_arguments
    return lambda answer: channel.queue_declare(
        settings.stream, durable=True, arguments=arguments, callback=answer
    )


def _bind(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.queue_bind(settings.stream, settings.exchange, "", callback=answer)


def _lock(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.queue_declare(f"{settings.stream}.setup", exclusive=True, callback=answer)


def _unlock(channel: Channel, settings: Settings) -> Request:
    return lambda answer: channel.queue_delete(f"{settings.stream}.setup", callback=answer)
