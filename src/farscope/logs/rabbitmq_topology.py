"""The exchange, the stream and their binding: looked for, and made where the user may."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from farscope.logs.rabbitmq_errors import (
    ACCESS_REFUSED,
    PRECONDITION_FAILED,
    absent,
    explain,
    missing,
    plain,
)
from farscope.logs.rabbitmq_link import Link, Request
from farscope.logs.rabbitmq_settings import Settings

Ask = Callable[[Channel, Settings], Request]


def prepare(link: Link, *, thorough: bool) -> Generator[Request, Any, Channel]:
    """Make sure that the log exists, and return an open channel.

    What exists is left as it is. A user without the right to make things can use a log that an
    administrator made, and leaves no refusals in the broker's log while everything is in place.

    Args:
        link: an open one.
        thorough: bind the stream even if it was there already.

    Raises:
        LogRefused: something is missing and may not be made, or exists with other settings.
    """
    settings = link.settings
    channel: Channel = yield link.open_channel
    channel, made_exchange = yield from _ensure(link, channel, _find_exchange, _make_exchange)
    channel, made_stream = yield from _ensure(link, channel, _find_stream, _make_stream)
    if settings.retention_asked and not made_stream:
        # Declaring again is how the broker compares the settings.
        channel = yield from _tolerate(link, channel, _make_stream, (ACCESS_REFUSED,))
    if thorough or made_exchange or made_stream:
        channel = yield from _tolerate(link, channel, _bind, (ACCESS_REFUSED,))
    return channel


def _ensure(
    link: Link, channel: Channel, find: Ask, make: Ask
) -> Generator[Request, Any, tuple[Channel, bool]]:
    settings = link.settings
    try:
        yield find(channel, settings)
    except ChannelClosedByBroker as refusal:
        if not absent(refusal):
            raise
    else:
        return channel, False
    channel = yield link.open_channel
    try:
        yield make(channel, settings)
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code == ACCESS_REFUSED:
            raise missing(settings, plain(refusal.reply_text)) from refusal
        if refusal.reply_code == PRECONDITION_FAILED and not settings.retention_asked:
            if "x-queue-type" in refusal.reply_text:
                raise explain(refusal, settings) from refusal
            # Somebody else made it between our look and our attempt, with other settings.
            channel = yield link.open_channel
            return channel, True
        raise
    return channel, True


def _tolerate(
    link: Link, channel: Channel, ask: Ask, codes: tuple[int, ...]
) -> Generator[Request, Any, Channel]:
    try:
        yield ask(channel, link.settings)
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code not in codes:
            raise
        channel = yield link.open_channel
    return channel


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
