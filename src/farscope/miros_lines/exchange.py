"""The two RabbitMQ exchanges that lines travel through, ``spy`` and ``trace``.

They are not a log: nothing is stored, so there is no past, and lines published while nobody listens are lost.
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
        """Publish all lines in order; return whether the broker confirmed all of them.

        False means that some were sent but their fate is unknown; publishing them again could show them
        twice. A confirm means that the broker accepted the line, not that anyone received it.

        Raises:
            LogUnavailable: the broker is unavailable for now; no line was sent.
            LogRefused: the broker refuses; no line was sent.
        """

    def close(self, timeout_s: float = 2.0) -> None:
        """Close the connection within ``timeout_s`` seconds."""

    def interrupt(self) -> None:
        """Make a waiting ``publish`` return or raise soon; callable from any thread."""


class LineExchanges:
    """The two exchanges on one broker; creating one does not connect. May be used from several threads."""

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
        """The address, without the password."""
        return self._settings.url

    def writer(self, name: str) -> LineWriter:
        """Return a writer; ``name`` appears in the broker's list of connections."""
        return self._make_writer(self._settings, name)

    def reader(self) -> LogReader:
        """Return a reader of all lines from now on, as entries encoded by ``marked``.

        Raises:
            LogUnavailable: the broker cannot be reached.
            LogRefused: the broker refuses.
        """
        return self._make_reader(self._settings)


def open_lines(url: str | None = None) -> LineExchanges:
    """Return the exchanges at an ``amqp://`` or ``amqps://`` address; None means ``FARSCOPE_URL``.

    Raises:
        BadUrl: the address is invalid, or not that of a RabbitMQ broker.
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
    return LineExchanges(Settings.from_url(address), writer.RabbitLineWriter, reader.line_reader)
