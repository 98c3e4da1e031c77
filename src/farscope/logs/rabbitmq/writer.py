"""The RabbitMQ writer: publishes persistent, mandatory messages and waits for the broker's confirms."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Final

import pika
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.connection import Link, Script
from farscope.logs.rabbitmq.errors import Collision, blocked
from farscope.logs.rabbitmq.permissions import unbound
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.topology import prepare

WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Maximum number of published but unconfirmed bytes; the rest of an append waits for confirms."""

STORED_AT: Final = "x-farscope-stored-ns"
"""Header with the publishing time by the publisher's clock: AMQP's own timestamp is in seconds."""


COLLISION_PAUSE_S: Final = 0.5
"""Maximum random delay, in seconds, before retrying after several clients created the log at once."""


class _Flight:
    """A batch that has been published."""

    __slots__ = ("append", "confirmed", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.confirmed = False
        self.append: _Append | None = None


class _Append:
    """One call of ``append``; ``finish`` and ``wait`` may be called from any thread."""

    def __init__(self, batches: Sequence[bytes]) -> None:
        self.waiting = deque(batches)
        self.flights: list[_Flight] = []
        self.open = 0
        self.error: LogError | None = None
        self._lock = threading.Lock()
        self._finished = threading.Event()

    def finish(self, error: LogError | None = None) -> None:
        """Release the caller; only the first call has an effect."""
        with self._lock:
            if not self._finished.is_set():
                self.error = error
                self._finished.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the append is finished; return False on timeout."""
        return self._finished.wait(timeout_s)


class _Publisher:
    """The part of a writer that runs on its link's thread."""

    def __init__(self, settings: Settings, *, thorough: bool) -> None:
        self._settings = settings
        self._thorough = thorough
        self._channel: Channel | None = None
        self.ready = False
        self._error: LogError | None = None
        self._current: _Append | None = None
        self._unconfirmed: dict[int, _Flight] = {}
        self._unconfirmed_bytes = 0
        self._next_tag = 1
        self._left: deque[_Flight] = deque()
        self.unbound = False

    def converse(self, link: Link) -> Script:
        """Prepare the log and enable publisher confirms."""
        self._link = link
        channel = self._channel = yield from prepare(link, thorough=self._thorough)
        channel.add_on_return_callback(self._returned)
        yield lambda answer: channel.confirm_delivery(self._confirmed, callback=answer)

    def opened(self) -> None:
        """Publish the waiting batches."""
        self.ready = True
        self._publish()

    def lost(self, error: LogError) -> None:
        """Fail the current append and all later ones."""
        self._error = error
        if self._current is not None:
            self._current.finish(error)
            self._current = None

    def begin(self, append: _Append) -> None:
        """Start an append; batches that an earlier append left unconfirmed are not sent again."""
        if self._error is not None:
            append.finish(self._error)
            return
        self._current = append
        while append.waiting and self._left and self._left[0].data == append.waiting[0]:
            append.waiting.popleft()
            self._adopt(append, self._left.popleft())
        self._left.clear()
        self._publish()

    def give_up(self, append: _Append) -> None:
        """Stop publishing an append whose caller no longer waits, but remember what was published."""
        if self._current is append:
            self._current = None
        # Even if the last confirm came too late for the caller: it will append the same batches again.
        self._left.extend(append.flights)

    def _adopt(self, append: _Append, flight: _Flight) -> None:
        flight.append = append
        append.flights.append(flight)
        append.open += not flight.confirmed

    def _publish(self) -> None:
        append, channel = self._current, self._channel
        if append is None or channel is None or self._error is not None or not self.ready:
            return
        if not channel.is_open:
            # The broker has just closed it: waiting callers will receive the broker's reason.
            return
        while append.waiting and (
            not self._unconfirmed or self._unconfirmed_bytes + len(append.waiting[0]) <= WINDOW_BYTES
        ):
            flight = _Flight(append.waiting.popleft())
            self._adopt(append, flight)
            self._unconfirmed[self._next_tag] = flight
            self._unconfirmed_bytes += len(flight.data)
            self._next_tag += 1
            channel.basic_publish(
                self._settings.exchange, "", flight.data, _properties(time.time_ns()), mandatory=True
            )
        if not append.waiting and not append.open:
            self._current = None
            append.finish()

    def _confirmed(self, frame: Method[Basic.Ack] | Method[Basic.Nack]) -> None:
        method = frame.method
        if isinstance(method, Basic.Nack):
            # Abandon the connection: later messages on it would be stored out of order.
            self._link.fail(
                LogUnavailable("the broker could not store what it was sent", "it will be retried")
            )
            return
        if method.multiple:
            tags = list(takewhile(lambda tag: tag <= method.delivery_tag, self._unconfirmed))
        else:
            tags = [method.delivery_tag]
        for tag in tags:
            flight = self._unconfirmed.pop(tag)
            self._unconfirmed_bytes -= len(flight.data)
            flight.confirmed = True
            if flight.append is not None:
                flight.append.open -= 1
        self._publish()

    def _returned(self, *_: object) -> None:
        self.unbound = True
        self._give_up_link(unbound(self._settings))

    def _give_up_link(self, error: LogError) -> None:
        # At once: a returned message is also confirmed, and that confirm may have arrived already.
        self.lost(error)
        self._link.fail(error)


def _properties(now_ns: int) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/octet-stream",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        timestamp=now_ns // 1_000_000_000,
        headers={STORED_AT: now_ns},
    )


class RabbitWriter:
    """Appends to a RabbitMQ log; ``interrupt`` may be called from any thread, all else from one at a time.

    The first ``append`` connects; after a lost connection, the next one reconnects. While nothing is
    appended, the link's thread keeps the connection alive.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._link: Link | None = None
        self._publisher = _Publisher(settings, thorough=False)
        self._append: _Append | None = None
        self._pid = os.getpid()
        self._closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches``; see ``LogWriter.append``.

        Batches published before a timeout remain in flight: appending the same batches again waits for
        their confirms instead of sending them twice, so that a slow connection still makes progress.

        Raises:
            LogUnavailable: no connection, no confirm in time, or the broker blocks publishers.
            LogRefused: wrong password, missing permission, no stream, or closed writer.
        """
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        if not batches:
            return
        deadline = time.monotonic() + timeout_s
        error = self._attempt(batches, deadline)
        while isinstance(error, Collision) and not self._publisher.ready and time.monotonic() < deadline:
            time.sleep(random.uniform(0, COLLISION_PAUSE_S))  # noqa: S311 - spreads load, guards nothing
            error = self._attempt(batches, deadline)
        if error is not None and self._publisher.unbound:
            # The stream or its binding was removed: restore it if permitted, and send again.
            self._drop_link(0.0)
            error = self._attempt(batches, deadline, thorough=True)
        if error is not None:
            raise error

    def close(self, timeout_s: float = 2.0) -> None:
        """Release the connection within ``timeout_s``, whatever the broker does."""
        self._closed = True
        self._drop_link(timeout_s)

    def interrupt(self) -> None:
        """Make a waiting ``append`` raise ``LogUnavailable`` soon."""
        append = self._append
        if append is not None:
            append.finish(LogUnavailable("the append was interrupted", "append again"))

    def _attempt(
        self, batches: Sequence[bytes], deadline: float, *, thorough: bool = False
    ) -> LogError | None:
        append = self._append = _Append(batches)
        link = self._post(partial(_Publisher.begin, append=append), thorough=thorough)
        stored = False
        try:
            if not append.wait(max(0.0, deadline - time.monotonic())):
                append.finish(self._too_late(link))
            stored = append.error is None
        finally:
            self._append = None
            if not stored:
                link.post(partial(self._publisher.give_up, append))
        return append.error

    def _drop_link(self, timeout_s: float) -> None:
        link, self._link = self._link, None
        if link is not None and self._pid == os.getpid():
            link.close(timeout_s)

    def _post(self, work: Callable[[_Publisher], None], *, thorough: bool) -> Link:
        if self._pid != os.getpid():
            # In a forked child: the connection and its thread belong to the parent.
            self._pid, self._link = os.getpid(), None
        while self._link is None or not self._link.post(partial(work, self._publisher)):
            self._drop_link(0.0)
            self._publisher = _Publisher(self._settings, thorough=thorough)
            self._link = Link(self._settings, f"writer {self._name[:8]}", self._publisher)
            self._link.start()
        return self._link

    def _too_late(self, link: Link) -> LogUnavailable:
        if link.blocked:
            return blocked(self._settings)
        hint = "the network or the broker is slow or hangs; it will be retried"
        return LogUnavailable(f"{self._settings.place} did not confirm in time", hint)
