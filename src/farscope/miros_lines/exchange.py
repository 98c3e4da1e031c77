"""The two RabbitMQ exchanges that lines travel through, ``spy`` and ``trace``.

They are not a log: nothing is stored, so there is no past, and what is published while nobody listens is
gone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol

from farscope.errors import BadUrl, LogRefused, install_hint
from farscope.logs.base import LogReader
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.url import default_url, redacted
from farscope.miros_lines.tokens import Line


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


class LineExchanges:
    """The two exchanges on one broker; making one touches nothing. May be used from several threads."""

    def __init__(
        self,
        settings: Settings,
        make_writer: Callable[[Settings, str], LineWriter],
        make_reader: Callable[[Settings], LogReader],
    ) -> None:
        self._settings = settings
        self._make_writer = make_writer
        self._make_reader = make_reader

    def __repr__(self) -> str:
        return f"LineExchanges({self.url!r})"

    @property
    def url(self) -> str:
        """The address, without any password."""
        return self._settings.url

    def writer(self, name: str) -> LineWriter:
        """Return a writer; ``name`` shows in the broker's list of connections."""
        return self._make_writer(self._settings, name)

    def reader(self) -> LogReader:
        """Return a reader of all lines from now on, as ``marked`` makes entries of them.

        Raises:
            LogUnavailable: the broker cannot be reached.
            LogRefused: not like this.
        """
        return self._make_reader(self._settings)


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
        writer = importlib.import_module("farscope.miros_lines.writer")
        reader = importlib.import_module("farscope.miros_lines.reader")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pika":
            raise
        raise LogRefused(
            f"lines to {redacted(address)} need the package pika", install_hint("rabbitmq")
        ) from error
    return LineExchanges(Settings.from_url(address), writer.RabbitLineWriter, reader.RabbitLineReader)
