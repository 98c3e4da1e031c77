"""The contract of every log.

* ``append`` returns when the log has *stored* the batches, not when it has sent them. If it raises,
  each batch may or may not have been stored: the caller appends the batches again, and readers drop
  duplicates (by probe and batch number, which the log cannot see). A failing log may also repeat batches.
* Batches from one writer are read in the order they were appended. Batches from different writers have no
  defined order.
* Every reader sees every batch after its starting point; readers do not affect each other or the writers.
  Readers and writers come and go in any order: a reader may wait for a log that has not been written yet.
* ``LogUnavailable`` means "try again later"; ``LogRefused`` means "somebody has to change something".
* A writer or reader is used by one thread at a time; only ``interrupt`` may be called from another thread.
* After ``close``, a writer or reader refuses to append or read and raises ``LogRefused``.
* Storage times never decrease within a writer, and a position survives a round trip through JSON.
* A log describes itself: ``exists`` and ``examine`` return the text that commands show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from farscope.logs.diagnostics import Check

Position = Mapping[str, int]
"""A reader's position: an opaque, JSON-serializable mapping that another reader of the log can start from."""


class Unread(NamedTuple):
    """A part of a log, such as a file, that a reader could not read."""

    name: str
    """Its name, without the folder."""
    detail: str
    """The reason, as one line of text for people."""
    opened: bool = False
    """True if part of it was read; false if none of it was."""


class Entry(NamedTuple):
    """One stored batch."""

    data: bytes
    stored_ns: int
    """Storage time in nanoseconds since the epoch, by the clock of the writer or the broker."""


class Presence(NamedTuple):
    """Whether there is a log at an address; truthy if there is."""

    there: bool
    where: str
    """The place that was searched, as messages name it: a folder, a file, or a host and port."""
    what: str = ""
    """What was found there, or why there is no log, as a clause for people; may be empty."""

    def __bool__(self) -> bool:
        return self.there


class LogWriter(Protocol):
    """Appends batches."""

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches`` in order and return when all are stored; an empty sequence returns at once.

        Raises:
            LogUnavailable: the log cannot store them now; any of the batches may or may not be stored.
            LogRefused: the log will not accept them until something is changed.
        """

    def close(self, timeout_s: float = 2.0) -> None:
        """Release the log's resources within ``timeout_s`` seconds; closing twice has no further effect."""

    def interrupt(self) -> None:
        """Make a waiting ``append`` raise ``LogUnavailable`` soon; callable from any thread."""


class LogReader(Protocol):
    """Reads batches, beginning at a starting point."""

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next stored batches, at most ``limit``.

        Waits up to ``timeout_s`` for the first batch and returns an empty list if none arrives.
        Reconnects automatically after a lost connection and continues after the last entry it returned.

        Raises:
            LogUnavailable: the log cannot be reached at the moment; reading again may help.
            LogRefused: the log cannot be read until something is changed.
        """

    @property
    def position(self) -> Position:
        """The position after the last entry returned, or the starting point if none has been.

        Another reader of the same log can continue from here, even in another process and much later. Batches
        that retention removes in the meantime count as cut for that reader, if the log can tell.
        """

    @property
    def caught_up(self) -> bool:
        """Whether the last read returned everything there was to read.

        True only when every batch after the starting point that had been stored when the reader was made has
        been returned. This is always confirmed, never inferred from silence: it is false while the log cannot
        be queried or does not answer. It is also false before the first read, and when a read
        stopped at its limit with more batches available.
        """

    @property
    def cut(self) -> int:
        """Number of batches known to have been removed by retention before this reader could read them."""

    def close(self) -> None:
        """Release the log's resources; closing twice has no further effect."""

    def interrupt(self) -> None:
        """Make a waiting ``read`` return soon; callable from any thread.

        If no read is waiting, the next one that would wait returns at once: an interrupt is never lost.
        """


@runtime_checkable
class PartedReader(Protocol):
    """The additional interface of a ``LogReader`` whose log consists of parts that may be unreadable."""

    @property
    def unread(self) -> Sequence[Unread]:
        """The parts that could not be read at the last attempt, or never can be.

        Their content is unknown: a reader that has read all other parts is ``caught_up`` regardless.
        """


class Log(Protocol):
    """A log at an address; creating the object accesses nothing."""

    @property
    def url(self) -> str:
        """The address, without any password."""

    @property
    def shared(self) -> bool:
        """Whether the log is accessible beyond this machine, so that a key must be created deliberately."""

    def writer(self, name: str) -> LogWriter:
        """Return a writer; ``name`` (the probe id in hex) distinguishes it from other writers of the log.

        This does not connect: the first ``append`` does.
        """

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> LogReader:
        """Return a reader.

        Args:
            since_ns: start with batches stored at this time or later, in nanoseconds since the epoch;
                0 starts at the oldest batch; None starts now and skips everything stored before this call.
            position: start at the position of another reader; takes precedence over ``since_ns``.

        The starting point "now" is fixed before this call returns, so that anything appended after it is
        read; the call therefore connects.

        Raises:
            LogUnavailable: the log cannot be reached.
            LogRefused: the log cannot be read until something is changed.
        """

    def exists(self) -> Presence:
        """Check whether there is a log at the address and, if not, why; changes nothing.

        Does not connect: a log on another machine counts as present, and only making a reader shows whether
        it is.

        Raises:
            LogUnavailable, LogRefused: the place cannot be accessed.
        """

    def examine(self) -> Iterator[Check]:
        """Check everything the log depends on, such as its folder or broker, for ``farscope doctor``.

        Anything missing on a broker is created if the user has permission. If a check fails, the log cannot
        be used. A log without dependencies yields nothing.
        """


@runtime_checkable
class NetworkLog(Log, Protocol):
    """A log that may be unreachable at times, so that batches for it may have to wait."""

    @property
    def destination(self) -> str:
        """Where batches go, regardless of login: two logs with the same destination are the same log."""


@runtime_checkable
class FiniteLog(Log, Protocol):
    """A log that is complete, such as a recording: a reader that has caught up has read everything."""

    def end_ns(self) -> int:
        """Return when the newest batch in it was stored, in nanoseconds since the epoch; 0 if there is none.

        Raises:
            LogRefused: the log cannot be read.
        """


def end_of(log: Log) -> int | None:
    """Return the ``end_ns`` of a ``FiniteLog``, or None for a log that continues to grow.

    Raises:
        LogRefused: the log cannot be read.
    """
    return log.end_ns() if isinstance(log, FiniteLog) else None


def unread_of(reader: object) -> tuple[Unread, ...]:
    """Return the parts that a ``LogReader`` could not read; empty if its log has no parts."""
    return tuple(reader.unread) if isinstance(reader, PartedReader) else ()
