"""Publishing lines to RabbitMQ: each at most once, confirmed by the broker."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from typing import Final

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.connection import Connection, Dialogue
from farscope.logs.rabbitmq.errors import blocked
from farscope.logs.rabbitmq.settings import Settings
from farscope.miros_lines.tokens import Line
from farscope.miros_lines.topology import declare

WINDOW_LINES: Final = 4_096
"""Most lines published but not yet confirmed; the rest of a call waits for confirms."""

STOP_SENDING_S: Final = 1.0
"""How long an ended call waits for the connection's thread, which never blocks for long."""


class _Call:
    """One call of ``publish``; ``finish`` and ``wait`` may be called from any thread."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.waiting = deque(lines)
        self.unconfirmed: set[int] = set()
        self.begun = False
        self.error: LogError | None = None
        self.finished = threading.Event()
        self._lock = threading.Lock()

    def finish(self, error: LogError | None = None) -> None:
        """Release the caller; only the first call counts."""
        with self._lock:
            if not self.finished.is_set():
                self.error = error
                self.finished.set()

    @property
    def complete(self) -> bool:
        return not self.waiting and not self.unconfirmed


class _Publisher:
    """The part of a writer that runs on its connection's thread."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._channel: Channel | None = None
        self._ready = False
        self._error: LogError | None = None
        self._call: _Call | None = None
        self._tags: deque[tuple[int, _Call]] = deque()
        self._next_tag = 1

    def set_up(self, connection: Connection) -> Dialogue:
        """Declare the exchanges and enable publisher confirms."""
        self._connection = connection
        channel = self._channel = yield from declare(connection)
        yield lambda answer: channel.confirm_delivery(self._confirmed, callback=answer)

    def opened(self) -> None:
        """Publish the waiting lines."""
        self._ready = True
        self._publish()

    def lost(self, error: LogError) -> None:
        """Fail all waiting and future calls."""
        self._error = error
        self._ready = False
        if self._call is not None:
            self._call.finish(error)
            self._call = None

    def begin(self, call: _Call) -> None:
        """Start processing a call."""
        if self._error is not None:
            call.finish(self._error)
        elif self._connection is not None and self._connection.blocked:
            call.finish(blocked(self._connection.settings))
        else:
            self._call = call
            self._publish()

    def abandon(self, call: _Call) -> None:
        """Stop publishing the lines of a call whose caller no longer waits."""
        if self._call is call:
            self._call = None

    def _publish(self) -> None:
        call, channel = self._call, self._channel
        if call is None or channel is None or not self._ready:
            return
        while call.waiting and len(self._tags) < WINDOW_LINES:
            line = call.waiting.popleft()
            call.begun = True
            call.unconfirmed.add(self._next_tag)
            self._tags.append((self._next_tag, call))
            self._next_tag += 1
            channel.basic_publish(line.exchange, "", line.token)
        if call.complete:
            self._call = None
            call.finish()

    def _confirmed(self, frame: Method[Basic.Ack] | Method[Basic.Nack]) -> None:
        method = frame.method
        if isinstance(method, Basic.Nack) and self._connection is not None:
            self._connection.fail(
                LogUnavailable("the broker could not take a line", "the next ones are tried")
            )
            return
        if method.multiple:
            known = list(takewhile(lambda tag: tag[0] <= method.delivery_tag, self._tags))
        else:
            known = [tag for tag in self._tags if tag[0] == method.delivery_tag]
        for tag, call in known:
            call.unconfirmed.discard(tag)
        while self._tags and self._tags[0][0] not in self._tags[0][1].unconfirmed:
            self._tags.popleft()
        self._publish()


class RabbitLineWriter:
    """A ``LineWriter``; the first ``publish`` connects, and the first after a connection loss reconnects."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._connection: Connection | None = None
        self._publisher = _Publisher()
        self._call: _Call | None = None
        self._pid = os.getpid()
        self._closed = False

    def publish(self, lines: Sequence[Line], timeout_s: float) -> bool:
        """Publish all lines in order; see ``LineWriter.publish``."""
        if self._closed:
            raise LogRefused("this writer was closed", "make another with writer(name)")
        if not lines:
            return True
        call = self._call = _Call(lines)
        deadline = time.monotonic() + timeout_s
        connection = self._post(call)
        try:
            if not call.finished.wait(max(0.0, deadline - time.monotonic())):
                call.finish(LogUnavailable(f"{self._settings.place} did not confirm in time"))
        finally:
            self._call = None
            if call.error is not None:
                self._stop_sending(connection, call)
        if call.error is not None and not call.begun:
            raise call.error
        return call.error is None

    def _stop_sending(self, connection: Connection, call: _Call) -> None:
        """Make sure that no more lines of a call are sent, so that ``begun`` is final."""
        settled = threading.Event()

        def abandon() -> None:
            self._publisher.abandon(call)
            settled.set()

        if connection.post(abandon):
            settled.wait(STOP_SENDING_S)

    def close(self, timeout_s: float = 2.0) -> None:
        """Close the connection within ``timeout_s`` seconds, whatever the broker does."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close(timeout_s)

    def interrupt(self) -> None:
        """Make a waiting ``publish`` return or raise soon."""
        call = self._call
        if call is not None:
            call.finish(LogUnavailable("publishing was interrupted", "publish again"))

    def _post(self, call: _Call) -> Connection:
        if self._pid != os.getpid():
            # In a forked child: the connection belongs to the parent, and so does the thread.
            self._pid, self._connection = os.getpid(), None
        while self._connection is None or not self._connection.post(partial(self._publisher.begin, call)):
            if self._connection is not None:
                self._connection.close(0.0)
            self._publisher = _Publisher()
            self._connection = Connection(self._settings, f"lines {self._name[:8]}", self._publisher)
            self._connection.start()
        return self._connection
