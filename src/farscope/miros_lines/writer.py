"""Publishing lines to RabbitMQ: each at most once, confirmed by the broker."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.connection import Connection, Dialogue
from farscope.logs.rabbitmq.errors import blocked
from farscope.logs.rabbitmq.publisher import Call, Unconfirmed, WriterConnection
from farscope.logs.rabbitmq.settings import Settings
from farscope.miros_lines.tokens import Line
from farscope.miros_lines.topology import declare

WINDOW_LINES: Final = 4_096
"""Most lines published but not yet confirmed; the rest of a call waits for confirms."""

STOP_SENDING_S: Final = 1.0
"""How long an ended call waits for the connection's thread, which never blocks for long."""


NOT_ACCEPTED: Final = ("the broker could not accept a line", "the next ones are tried")
"""Message and hint of the error for a line that the broker rejected."""


class _Publication(Call):
    """One call of ``publish``."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self.waiting = deque(lines)
        self.unconfirmed = 0
        self.begun = False
        """Whether any of its lines was sent."""


class _Publisher:
    """The part of a writer that runs on its connection's thread."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._unconfirmed: Unconfirmed[_Publication] | None = None
        self._ready = False
        self._error: LogError | None = None
        self._current: _Publication | None = None

    def set_up(self, connection: Connection) -> Dialogue:
        """Declare the exchanges and enable publisher confirms."""
        self._connection = connection
        channel = yield from declare(connection)
        self._unconfirmed = Unconfirmed(connection, channel, self._confirmed, NOT_ACCEPTED)
        yield self._unconfirmed.enable

    def opened(self) -> None:
        """Publish the waiting lines."""
        self._ready = True
        self._publish()

    def lost(self, error: LogError) -> None:
        """Fail all waiting and future calls."""
        self._error = error
        self._ready = False
        if self._current is not None:
            self._current.finish(error)
            self._current = None

    def begin(self, publication: _Publication) -> None:
        """Start publishing the lines of a call."""
        if self._error is not None:
            publication.finish(self._error)
        elif self._connection is not None and self._connection.blocked:
            publication.finish(blocked(self._connection.settings))
        else:
            self._current = publication
            self._publish()

    def abandon(self, publication: _Publication) -> None:
        """Stop publishing the lines of a call whose caller no longer waits."""
        if self._current is publication:
            self._current = None

    def _publish(self) -> None:
        current, unconfirmed = self._current, self._unconfirmed
        if current is None or unconfirmed is None or not self._ready:
            return
        while current.waiting and len(unconfirmed) < WINDOW_LINES:
            line = current.waiting.popleft()
            current.begun = True
            current.unconfirmed += 1
            unconfirmed.publish(current, line.exchange, line.token)
        if not current.waiting and not current.unconfirmed:
            self._current = None
            current.finish()

    def _confirmed(self, publications: list[_Publication]) -> None:
        for publication in publications:
            publication.unconfirmed -= 1
        self._publish()


class RabbitLineWriter:
    """A ``LineWriter``; the first ``publish`` connects, and the first after a connection loss reconnects."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._connection: WriterConnection[_Publisher] = WriterConnection(settings, f"lines {name[:8]}")
        self._publication: _Publication | None = None
        self._closed = False

    def publish(self, lines: Sequence[Line], timeout_s: float) -> bool:
        """Publish all lines in order; see ``LineWriter.publish``."""
        if self._closed:
            raise LogRefused("this writer was closed", "make another with writer(name)")
        if not lines:
            return True
        publication = self._publication = _Publication(lines)
        deadline = time.monotonic() + timeout_s
        post = self._connection.post(partial(_Publisher.begin, publication=publication), _Publisher)
        try:
            if not publication.wait(max(0.0, deadline - time.monotonic())):
                publication.finish(LogUnavailable(f"{self._settings.place} did not confirm in time"))
        finally:
            self._publication = None
            if publication.error is not None:
                _stop_sending(post, publication)
        if publication.error is not None and not publication.begun:
            raise publication.error
        return publication.error is None

    def close(self, timeout_s: float = 2.0) -> None:
        """Close the connection within ``timeout_s`` seconds, whatever the broker does."""
        self._closed = True
        self._connection.drop(timeout_s)

    def interrupt(self) -> None:
        """Make a waiting ``publish`` return or raise soon."""
        publication = self._publication
        if publication is not None:
            publication.finish(LogUnavailable("publishing was interrupted", "publish again"))


def _stop_sending(post: Callable[[Callable[[_Publisher], None]], bool], publication: _Publication) -> None:
    """Make sure that no more lines of a call are sent, so that ``begun`` is final."""
    stopped = threading.Event()

    def abandon(publisher: _Publisher) -> None:
        publisher.abandon(publication)
        stopped.set()

    if post(abandon):
        stopped.wait(STOP_SENDING_S)
