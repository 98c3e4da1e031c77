"""The log in RabbitMQ: a durable fanout exchange with one durable stream bound to it.

A publisher confirm means "stored" because the stream is bound. Every reader reads the stream
independently from a given offset: reading live, late or after a disconnect works the same way.
``docs/rabbitmq.md`` describes how to set up a broker.
"""

from __future__ import annotations

from collections.abc import Iterator

from farscope.logs.base import Position, Presence
from farscope.logs.diagnostics import Check
from farscope.logs.rabbitmq.checks import examine
from farscope.logs.rabbitmq.reader import RabbitReader
from farscope.logs.rabbitmq.receive_buffer import StartPoint
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.writer import RabbitWriter


def open(url: str) -> RabbitLog:  # noqa: A001 - the module is asked for by name: rabbitmq.open(url)
    """Return the log at an ``amqp://`` or ``amqps://`` address without connecting.

    Raises:
        BadUrl: the address is invalid.
    """
    return RabbitLog(Settings.from_url(url))


class RabbitLog:
    """A log in RabbitMQ; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __repr__(self) -> str:
        return f"RabbitLog({self.url!r})"

    @property
    def url(self) -> str:
        """The address, without any password."""
        return self.settings.url

    @property
    def destination(self) -> str:
        """Where batches go; see ``NetworkLog``."""
        return self.settings.destination

    @property
    def shared(self) -> bool:
        """Always true: anyone who can log in to the broker can read."""
        return True

    def writer(self, name: str) -> RabbitWriter:
        """Return a writer; ``name`` appears in the broker's list of connections."""
        return RabbitWriter(self.settings, name)

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> RabbitReader:
        """Return a reader; see ``Log.reader``.

        Raises:
            LogUnavailable: the reader starts from now on, and the broker cannot be reached.
            LogRefused: the log cannot be read until something is changed.
        """
        return RabbitReader(self.settings, StartPoint.of(since_ns, position))

    def exists(self) -> Presence:
        """Assume that the log is there: only connecting could tell. See ``Log.exists``."""
        return Presence(there=True, where=self.settings.place)

    def examine(self) -> Iterator[Check]:
        """Check the connection to the broker and the log on it; see ``Log.examine``."""
        return examine(self.settings)
