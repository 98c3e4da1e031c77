"""Declares the exchanges that the miros format needs on the broker."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Final

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from farscope.errors import LogRefused
from farscope.logs.rabbitmq.connection import Connection, Request
from farscope.logs.rabbitmq.errors import ACCESS_REFUSED, PRECONDITION_FAILED, one_line
from farscope.logs.rabbitmq.settings import Settings
from farscope.miros_lines.tokens import SPY, TRACE

RIGHTS: Final = "'^(spy|trace|amq\\.gen.*)$'"


def declare(connection: Connection) -> Generator[Request, Any, Channel]:
    """Declare both exchanges as not durable, like the miros example, and return an open channel.

    Raises:
        LogRefused: the user lacks permission, or different exchanges with these names exist.
    """
    settings = connection.settings
    channel: Channel = yield connection.open_channel
    for exchange in (SPY, TRACE):
        try:
            yield partial(_declare, channel, exchange)
        except ChannelClosedByBroker as refusal:
            raise refused(refusal, settings, exchange) from refusal
    return channel


def _declare(channel: Channel, exchange: str, answer: Any) -> object:
    return channel.exchange_declare(exchange, "fanout", callback=answer)


def refused(error: ChannelClosedByBroker, settings: Settings, what: str) -> LogRefused:
    """Return an error that says why the broker refused, and the remedy."""
    if error.reply_code == PRECONDITION_FAILED:
        return LogRefused(
            f"{settings.place} has another exchange {what!r}: {one_line(error.reply_text)}",
            f"the miros programs need a fanout exchange that is not durable: delete {what!r} there, or use "
            "another virtual host",
        )
    if error.reply_code == ACCESS_REFUSED:
        return LogRefused(
            f"user {settings.user!r} may not use {what!r} on {settings.place}: {one_line(error.reply_text)}",
            f"rabbitmqctl set_permissions -p {settings.vhost} {settings.user} {RIGHTS} {RIGHTS} {RIGHTS}",
        )
    return LogRefused(
        f"{settings.place} refuses {what!r}: {one_line(error.reply_text)}", "see the broker's log"
    )
