"""The miros way through RabbitMQ: two fanout exchanges, ``spy`` and ``trace``, one message a line.

No log: nothing is stored, so there is no past, and what is published while nobody listens is gone. What
a message holds is opaque here.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from farscope.errors import BadUrl, LogRefused, install_hint
from farscope.logs.base import LogReader
from farscope.logs.url import default_url, redacted

SPY: Final = "spy"
TRACE: Final = "trace"
"""The exchanges; also what ``mark`` turns into a byte."""

_MARKS: Final = {SPY: b"S", TRACE: b"T"}
_EXCHANGES: Final = {mark: exchange for exchange, mark in _MARKS.items()}


class Line(NamedTuple):
    """A message and the exchange it goes to or comes from."""

    exchange: str
    token: bytes


def marked(line: Line) -> bytes:
    """Return a line as one entry of a reader: a byte for the exchange, then the message."""
    return _MARKS[line.exchange] + line.token


def unmarked(data: bytes) -> Line:
    """Return the line that ``marked`` made an entry of."""
    return Line(_EXCHANGES[data[:1]], data[1:])


class LineWriter(Protocol):
    """Publishes lines, each at most once. Used by one thread at a time, except ``interrupt``."""

    def publish(self, lines: Sequence[Line], timeout_s: float) -> bool:
        """Publish all lines in order; return whether the broker confirmed every one.

        False: some went out and nobody knows what became of them; publishing them again could show
        them twice. A confirm means that the broker took the line, not that anybody got it.

        Raises:
            LogUnavailable: not now; none of them went out.
            LogRefused: not like this; none of them went out.
        """

    def close(self, timeout_s: float = 2.0) -> None:
        """Give the connection back within ``timeout_s``."""

    def interrupt(self) -> None:
        """Make a waiting ``publish`` return or raise soon; callable from any thread."""


class LineExchanges(Protocol):
    """The two exchanges at an address; making one touches nothing."""

    @property
    def url(self) -> str:
        """The address, without any password."""

    def writer(self, name: str) -> LineWriter:
        """Return a writer; ``name`` shows in the broker's list of connections."""

    def reader(self) -> LogReader:
        """Return a reader of all lines from now on, as ``marked`` makes entries of them.

        Raises:
            LogUnavailable: the broker cannot be reached.
            LogRefused: not like this.
        """


def open_lines(url: str | None = None) -> LineExchanges:
    """Return the exchanges at an ``amqp://`` or ``amqps://`` address; None is ``FARSCOPE_URL``.

    Raises:
        BadUrl: the address cannot be understood, or is not RabbitMQ's.
        LogRefused: pika is not installed.
    """
    address = default_url() if url is None else url.strip()
    if not address.lower().startswith(("amqp://", "amqps://")):
        raise BadUrl(
            f"{redacted(address)} is no RabbitMQ address, and the lines format travels through RabbitMQ only",
            "write amqp://user@host:port/vhost",
        )
    try:
        rabbitmq = importlib.import_module("farscope.logs.lines_rabbitmq")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pika":
            raise
        raise LogRefused(
            f"lines to {redacted(address)} need the package pika", install_hint("rabbitmq")
        ) from error
    exchanges: LineExchanges = rabbitmq.open(address)
    return exchanges
