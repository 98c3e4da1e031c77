"""Reads a log in RabbitMQ from a given offset, reconnecting as often as necessary."""

from __future__ import annotations

import os
import random
import time
from functools import partial
from typing import Final

from farscope.errors import LogError, LogRefused
from farscope.logs.base import Entry, Position
from farscope.logs.rabbitmq.connection import Link
from farscope.logs.rabbitmq.consumer import Subscription
from farscope.logs.rabbitmq.errors import Collision, silent
from farscope.logs.rabbitmq.receive_buffer import Shelf, Start
from farscope.logs.rabbitmq.settings import Settings

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
"""Pauses between connection attempts double up to this many seconds; jitter spreads out many readers."""

QUIET_CONNECT_S: Final = 4.0
"""A connection attempt that takes longer, in seconds, is reported instead of silently waited for."""

CLOSE_TIMEOUT_S: Final = 2.0
"""How long the broker may take to close the connection, in seconds, before it is aborted."""

CHECK_TIMEOUT_S: Final = 1.0
"""How long ``caught_up`` waits for the broker, in seconds; without an answer it is false."""


class RabbitReader:
    """Reads a RabbitMQ log; ``interrupt`` may be called from any thread, all else from one at a time.

    If it starts from now on, construction may raise ``LogUnavailable`` or ``LogRefused``.
    """

    def __init__(self, settings: Settings, start: Start) -> None:
        self._settings = settings
        self._shelf = Shelf(start)
        self._link: Link | None = None
        self._subscription: Subscription | None = None
        self._connect_since = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._returned: int | None = None
        self._pid = os.getpid()
        self._closed = False
        if start == Start():
            self._attach()

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next stored batches; see ``LogReader.read``.

        Raises:
            LogUnavailable: there is no connection, and all received batches have been returned.
            LogRefused: wrong password, missing permission, no such stream, closed reader.
        """
        if self._closed:
            raise LogRefused("this reader was closed", "make another with log.reader()")
        deadline = time.monotonic() + timeout_s
        while limit > 0 and not self._shelf.parcels:
            self._connect_if_due()
            if self._interrupted():
                return []
            if time.monotonic() >= deadline:
                break
            self._wait(deadline)
        entries = self._take(limit)
        if not entries:
            self._report_trouble()
        return entries

    @property
    def position(self) -> Position:
        """The position after the last entry returned."""
        start = self._shelf.start
        if self._returned is not None:
            return {"offset": self._returned}
        if start.since_ns is not None:
            return {"since_ns": start.since_ns}
        return {"offset": (self._shelf.next_offset or 0) - 1 - len(self._shelf.parcels)}

    @property
    def caught_up(self) -> bool:
        """Whether everything has been returned and nothing more is there; see ``LogReader.caught_up``.

        Queries the broker, for up to a second.
        """
        shelf, link, subscription = self._shelf, self._link, self._subscription
        if link is None or subscription is None:
            return False
        deadline = time.monotonic() + CHECK_TIMEOUT_S
        with shelf.changed:
            shelf.changed.wait_for(lambda: shelf.attached or shelf.parcels, CHECK_TIMEOUT_S)
            while shelf.may_be_at_end and not shelf.checked and time.monotonic() < deadline:
                asked = shelf.arrivals
                if not link.post(partial(subscription.check, asked)):
                    return False
                shelf.changed.wait_for(
                    partial(shelf.has_answer, asked), max(0.0, deadline - time.monotonic())
                )
            return shelf.may_be_at_end and shelf.checked

    @property
    def cut(self) -> int:
        """Batches that retention removed before this reader could read them."""
        return self._shelf.cut

    def close(self) -> None:
        """Release the connection within about two seconds, whatever the broker does."""
        self._closed = True
        self._drop_link(CLOSE_TIMEOUT_S)

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        with self._shelf.changed:
            self._shelf.interrupted = True
            self._shelf.changed.notify_all()

    def _attach(self) -> None:
        """Connect now, and return once the reader's starting point is fixed."""
        deadline = time.monotonic() + self._settings.connect_timeout_s
        error = self._attempt(deadline)
        while isinstance(error, Collision) and time.monotonic() < deadline:
            time.sleep(random.uniform(0, FIRST_PAUSE_S * 5))  # noqa: S311 - spreads load, guards nothing
            error = self._attempt(deadline)
        if error is not None:
            self.close()
            raise error

    def _attempt(self, deadline: float) -> LogError | None:
        shelf = self._shelf
        self._drop_link(0.0)
        shelf.tell(attached=False)
        self._connect()
        with shelf.changed:
            shelf.changed.wait_for(
                lambda: shelf.attached or shelf.error, max(0.0, deadline - time.monotonic())
            )
            return None if shelf.attached else shelf.error or silent(self._settings)

    def _connect_if_due(self) -> None:
        if self._pid != os.getpid():
            # A forked child: the connection is its parent's, and the thread stayed there.
            self._pid, self._link, self._subscription = os.getpid(), None, None
            self._shelf.attached = False
        if self._link is not None and self._link.ended:
            self._drop_link(0.0)
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
            self._retry_at = time.monotonic() + random.uniform(0, pause)  # noqa: S311 - spreads load, guards nothing
            self._failures += 1
        if self._link is None and time.monotonic() >= self._retry_at:
            self._connect()

    def _connect(self) -> None:
        self._connect_since = time.monotonic()
        self._subscription = Subscription(self._settings, self._shelf)
        self._link = Link(self._settings, "reader", self._subscription)
        self._link.start()

    def _drop_link(self, timeout_s: float) -> None:
        link, self._link, self._subscription = self._link, None, None
        if link is not None and self._pid == os.getpid():
            link.close(timeout_s)

    def _wait(self, deadline: float) -> None:
        """Wait until something changes, the deadline passes, or the next connection attempt is due."""
        shelf, link = self._shelf, self._link
        until = deadline if link is not None else min(deadline, self._retry_at)
        with shelf.changed:
            shelf.changed.wait_for(
                lambda: (
                    shelf.parcels
                    or shelf.interrupted
                    or (link is not None and not shelf.attached and shelf.error)
                ),
                max(0.0, until - time.monotonic()),
            )

    def _interrupted(self) -> bool:
        with self._shelf.changed:
            interrupted, self._shelf.interrupted = self._shelf.interrupted, False
            return interrupted

    def _take(self, limit: int) -> list[Entry]:
        shelf, link = self._shelf, self._link
        entries: list[Entry] = []
        last_tag = 0
        with shelf.changed:
            while shelf.parcels and len(entries) < limit:
                parcel = shelf.parcels.popleft()
                entries.append(parcel.entry)
                self._returned = parcel.offset
                if parcel.source is self._subscription:
                    last_tag = parcel.tag
            if shelf.attached:
                self._failures = 0
        if last_tag and link is not None and self._subscription is not None:
            link.post(partial(self._subscription.acknowledge, last_tag))
        return entries

    def _report_trouble(self) -> None:
        with self._shelf.changed:
            attached, error = self._shelf.attached, self._shelf.error
        if attached:
            return
        if error is not None:
            raise error
        if self._link is not None and time.monotonic() - self._connect_since > QUIET_CONNECT_S:
            raise silent(self._settings)
