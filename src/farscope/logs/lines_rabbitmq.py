"""The exchanges ``spy`` and ``trace`` in RabbitMQ, declared as the miros programs declare them."""

from __future__ import annotations

from farscope.logs.lines_reader import RabbitLineReader
from farscope.logs.lines_writer import RabbitLineWriter
from farscope.logs.rabbitmq.settings import Settings


def open(url: str) -> RabbitLines:  # noqa: A001 - the module is asked for by name: lines_rabbitmq.open(url)
    """Return the exchanges at an address; connects to nothing.

    Raises:
        BadUrl: the address cannot be understood.
    """
    return RabbitLines(Settings.from_url(url))


class RabbitLines:
    """Both exchanges on one broker; may be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __repr__(self) -> str:
        return f"RabbitLines({self.url!r})"

    @property
    def url(self) -> str:
        """The address, without any password."""
        return self.settings.url

    def writer(self, name: str) -> RabbitLineWriter:
        """Return a writer."""
        return RabbitLineWriter(self.settings, name)

    def reader(self) -> RabbitLineReader:
        """Return a reader of all lines from now on; raises ``LogUnavailable`` or ``LogRefused``."""
        return RabbitLineReader(self.settings)
