"""The in-memory log, limited to one process. For tests, and as the reference implementation of a log."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from farscope.errors import LogRefused
from farscope.logs.base import Entry, Position, Presence
from farscope.logs.diagnostics import Check
from farscope.records.fork_hooks import at_fork

DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024
"""Above this size, the oldest batches are removed; readers that have not read them count them as cut."""

Clock = Callable[[], int]


class _Store:
    """The content of the log with one name; ``changed`` guards all of it."""

    def __init__(self, max_bytes: int, max_age_ns: int | None) -> None:
        self.token = uuid4().hex
        self.changed = threading.Condition()
        self.entries: deque[Entry] = deque()
        self.first = 0
        self._bytes = 0
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns
        self._newest_ns = 0

    @property
    def end(self) -> int:
        """The number the next entry will get."""
        return self.first + len(self.entries)

    def append(self, batches: Sequence[bytes], now_ns: int) -> None:
        with self.changed:
            # A clock set back must not break the order of times that ``index_of`` searches in.
            self._newest_ns = max(self._newest_ns, now_ns)
            for batch in batches:
                self.entries.append(Entry(bytes(batch), self._newest_ns))
                self._bytes += len(batch)
            self._retain()
            self.changed.notify_all()

    def _retain(self) -> None:
        oldest_ns = 0 if self._max_age_ns is None else self._newest_ns - self._max_age_ns
        while self.entries and (self._bytes > self._max_bytes or self.entries[0].stored_ns < oldest_ns):
            self._bytes -= len(self.entries.popleft().data)
            self.first += 1

    def index_of(self, since_ns: int) -> int:
        """Return the number of the first entry stored at ``since_ns`` or later."""
        with self.changed:
            for offset, entry in enumerate(self.entries):
                if entry.stored_ns >= since_ns:
                    return self.first + offset
            return self.end


_stores: dict[str, _Store] = {}
_registry = threading.Lock()


def forget(name: str) -> None:
    """Make the log with this name start empty for new users; existing users keep the old one."""
    with _registry:
        _stores.pop(name, None)


def _start_empty() -> None:
    """Give a forked child separate logs: the old ones' locks may have been held during the fork."""
    global _registry  # noqa: PLW0603 (the lock itself is what has to be replaced)
    _registry = threading.Lock()
    _stores.clear()


at_fork(in_child=_start_empty)


class MemoryLog:
    """A log that exists in this process under ``name``; safe to use from several threads.

    The first use of a name sets its ``max_bytes`` and ``max_age_ns``.
    """

    def __init__(
        self,
        name: str,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_ns: int | None = None,
        clock: Clock = time.time_ns,
    ) -> None:
        self._name = name
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns
        self._clock = clock

    @property
    def url(self) -> str:
        """The address."""
        return f"memory:{quote(self._name)}"

    @property
    def shared(self) -> bool:
        """Always false: the log is confined to this process."""
        return False

    def _store(self) -> _Store:
        with _registry:
            store = _stores.get(self._name)
            if store is None:
                store = _stores[self._name] = _Store(self._max_bytes, self._max_age_ns)
            return store

    def writer(self, name: str) -> MemoryWriter:
        """Return a writer; ``name`` is ignored."""
        del name
        return MemoryWriter(self._store, self._clock)

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> MemoryReader:
        """Return a reader; see ``Log.reader``."""
        store = self._store()
        with store.changed:
            end, first = store.end, store.first
        if position is not None:
            return MemoryReader(store, position.get(store.token, first))
        return MemoryReader(store, end if since_ns is None else store.index_of(since_ns))

    def exists(self) -> Presence:
        """Return a positive answer: any name denotes a log."""
        return Presence(there=True, where=self.url)

    def examine(self) -> Iterator[Check]:
        """Yield nothing: it depends on nothing."""
        return iter(())


class MemoryWriter:
    """Appends to a log in memory; never waits."""

    def __init__(self, find_store: Callable[[], _Store], clock: Clock) -> None:
        self._find_store = find_store
        self._clock = clock
        self._store: _Store | None = None
        self._pid = os.getpid()
        self._closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches``; raises ``LogRefused`` after ``close``."""
        del timeout_s
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        if self._store is None or self._pid != os.getpid():
            self._store, self._pid = self._find_store(), os.getpid()
        self._store.append(batches, self._clock())

    def close(self, timeout_s: float = 2.0) -> None:
        """Refuse further appends."""
        del timeout_s
        self._closed = True

    def interrupt(self) -> None:
        """Do nothing: an append here never waits."""


class MemoryReader:
    """Reads a log in memory."""

    def __init__(self, store: _Store, index: int) -> None:
        self._store = store
        self._next = index
        self._cut = 0
        self._caught_up = False
        self._interrupted = False
        self._closed = False

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next entries; see ``LogReader.read``."""
        store = self._store
        with store.changed:
            if self._closed:
                raise LogRefused("this reader was closed", "make another with log.reader()")
            store.changed.wait_for(
                lambda: store.end > self._next or self._interrupted,
                timeout_s if limit > 0 else 0,
            )
            if store.end == self._next:
                self._interrupted = False
            if store.first > self._next:
                self._cut += store.first - self._next
                self._next = store.first
            offset = self._next - store.first
            # A deque is slow to index in its middle, and a reader is usually near one of its ends.
            count = max(0, min(limit, len(store.entries) - offset))
            found = [store.entries[offset + step] for step in range(count)]
            self._next += count
            self._caught_up = self._next == store.end
            return found

    @property
    def position(self) -> Position:
        """The position after the last entry returned."""
        return {self._store.token: self._next}

    @property
    def caught_up(self) -> bool:
        """Whether the last read found nothing more to return."""
        return self._caught_up

    @property
    def cut(self) -> int:
        """Batches that retention removed before this reader could read them."""
        return self._cut

    def close(self) -> None:
        """Refuse further reads."""
        self._closed = True

    def interrupt(self) -> None:
        """End a waiting ``read``, or the wait of the next one."""
        with self._store.changed:
            self._interrupted = True
            self._store.changed.notify_all()
