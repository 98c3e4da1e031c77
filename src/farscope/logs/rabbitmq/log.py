"""The log in RabbitMQ: a durable fanout exchange with one durable stream bound to it.

A publisher confirm means "stored" because the stream is bound, and every reader reads the stream
from an offset of its own: live, late and after a disconnect are the same. ``docs/rabbitmq.md`` tells
how to set a broker up.
"""

from __future__ import annotations

from collections.abc import Iterator

from farscope.logs.base import Position, Presence
from farscope.logs.diagnostics import Check
from farscope.logs.rabbitmq.checks import examine
from farscope.logs.rabbitmq.reader import RabbitReader
from farscope.logs.rabbitmq.receive_buffer import Start
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.writer import RabbitWriter


def open(url: str) -> RabbitLog:  # noqa: A001 - the module is asked for by name: rabbitmq.open(url)
    """Return the log at an ``amqp://`` or ``amqps://`` address; connects to nothing.

    Raises:
        BadUrl: the address cannot be understood.
    """
    return RabbitLog(Settings.from_url(url))


class RabbitLog:
    """A log in RabbitMQ; may be used from several threads."""

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
        """Always: whoever may log in to the broker can read."""
        return True

    def writer(self, name: str) -> RabbitWriter:
        """Return a writer; ``name`` shows in the broker's list of connections."""
        return RabbitWriter(self.settings, name)

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> RabbitReader:
        """Return a reader; see ``Log.reader``.

        Raises:
            LogUnavailable: from now on, or ``position`` is not given, and the broker cannot be reached.
            LogRefused: not like this.
        """
        return RabbitReader(self.settings, Start.of(since_ns, position))

    def exists(self) -> Presence:
        """Take it to be there: only a connection could tell. See ``Log.exists``."""
        return Presence(there=True, where=self.settings.place)

    def examine(self) -> Iterator[Check]:
        """Examine the way to the broker and what is on it; see ``Log.examine``."""
        return examine(self.settings)
