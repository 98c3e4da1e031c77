"""The promise every log makes.

* ``append`` returns when the log has *stored* the batches, not when it has sent them. If it raises,
  any of them may or may not have been stored: the caller appends them again, readers drop what they
  have had (by probe and batch number, which the log does not know). A log in trouble may do so itself.
* Batches of one writer are read in the order they were appended. Between writers there is no order.
* Every reader sees every batch from its starting point on; readers do not disturb each other or
  the writers. Readers and writers come and go in any order: a reader may wait for a log nobody has
  written yet.
* ``LogUnavailable`` means "try again later", ``LogRefused`` "somebody has to change something".
* Writers and readers are used by one thread at a time; ``interrupt`` alone may be called from another.
* After ``close`` a writer or reader refuses to append or read, with ``LogRefused``.
* Times of storing do not fall within a writer, and a position survives a round trip through JSON.
* A log speaks for itself: ``exists`` and ``examine`` say in words what a command shows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from farscope.logs.diagnostics import Check

Position = Mapping[str, int]
"""Where a reader stands: an opaque, JSON-able mapping that another reader of the same log can start from."""


class Unread(NamedTuple):
    """A part of a log, such as a file, that a reader could not read."""

    name: str
    """What it is called, without its folder."""
    detail: str
    """Why, as one line for people."""
    opened: bool = False
    """Whether it was read up to some place; otherwise nothing of it was."""


class Entry(NamedTuple):
    """One stored batch."""

    data: bytes
    stored_ns: int
    """When the log stored it, in nanoseconds since the epoch, by the clock of the writer or the broker."""


class Presence(NamedTuple):
    """Whether there is a log at an address; true where there is one."""

    there: bool
    where: str
    """Where it was looked for, as messages name it: a folder, a file, a host and port."""
    what: str = ""
    """What was found, as a clause for people: why there is no log, or what is there; possibly empty."""

    def __bool__(self) -> bool:
        return self.there


class LogWriter(Protocol):
    """Appends batches."""

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches`` in order; return when all are stored. Nothing to store is stored at once.

        Raises:
            LogUnavailable: not now; nothing may be assumed about the batches.
            LogRefused: not like this.
        """

    def close(self, timeout_s: float = 2.0) -> None:
        """Give the log's resources back within ``timeout_s``; closing twice changes nothing."""

    def interrupt(self) -> None:
        """Make a waiting ``append`` raise ``LogUnavailable`` soon; callable from any thread."""


class LogReader(Protocol):
    """Reads batches from a starting point on."""

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next stored batches, at most ``limit``.

        Waits up to ``timeout_s`` for the first one and returns an empty list when none came.
        Reconnects by itself after a loss and goes on behind the last entry it returned.

        Raises:
            LogUnavailable: the log cannot be reached at the moment; reading again may help.
            LogRefused: not like this.
        """

    @property
    def position(self) -> Position:
        """Behind the last entry returned; before the first one, where the reader starts.

        Another reader of the same log goes on from here, also in another process and much later. Batches
        that retention removed meanwhile count as cut for it where the log can tell.
        """

    @property
    def caught_up(self) -> bool:
        """Whether the last read left nothing behind.

        True only when everything has been returned that had been stored when the reader was made, as far as
        its starting point wants it. That is known and never guessed from silence: while the log cannot
        be asked, or does not answer, it is false. False also before the first read, and when a read
        stopped at its limit with more at hand.
        """

    @property
    def cut(self) -> int:
        """Batches this reader knows retention to have removed before it could read them."""

    def close(self) -> None:
        """Give the log's resources back; closing twice changes nothing."""

    def interrupt(self) -> None:
        """Make a waiting ``read`` return soon; callable from any thread.

        When none waits, the next read that would wait returns at once: an interrupt is never lost.
        """


@runtime_checkable
class PartedReader(Protocol):
    """What a ``LogReader`` has besides where its log is in parts, some of which may be unreadable."""

    @property
    def unread(self) -> Sequence[Unread]:
        """The parts that could not be read at the last attempt, or never will be; what is whole is not here.

        What they hold is unknown: a reader whose other parts are all read is ``caught_up`` all the same.
        """


class Log(Protocol):
    """A log at an address; making one touches nothing."""

    @property
    def url(self) -> str:
        """The address, without any password."""

    @property
    def shared(self) -> bool:
        """Whether it reaches beyond this machine, so that a key must have been made on purpose."""

    def writer(self, name: str) -> LogWriter:
        """Return a writer; ``name`` (hex of the probe id) tells it from other writers of the log.

        Making one does not connect: the first ``append`` does.
        """

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> LogReader:
        """Return a reader.

        Args:
            since_ns: start at batches stored at this time or later, in nanoseconds since the epoch;
                0 is the oldest batch there is; None is from now on: nothing stored before this call.
            position: start behind where another reader stood; takes precedence.

        "From now on" is settled before this call returns, so that what is appended after it is read;
        it therefore connects.

        Raises:
            LogUnavailable: the log cannot be reached.
            LogRefused: not like this.
        """

    def exists(self) -> Presence:
        """Look whether there is a log at the address, and why not if there is none; changes nothing.

        Connects to nothing: a log on another machine counts as there, and making a reader tells the rest.

        Raises:
            LogUnavailable, LogRefused: nobody may or can look there.
        """

    def examine(self) -> Iterator[Check]:
        """Examine what the use of the log depends on, such as its folder or its broker; ``doctor`` shows it.

        What is missing on a broker is made, where the user may. If a check fails, the log cannot be used.
        A log that depends on nothing yields nothing.
        """


@runtime_checkable
class NetworkLog(Log, Protocol):
    """A log that may be out of reach, so that batches for it may have to wait."""

    @property
    def destination(self) -> str:
        """Where batches go, whoever logs in and however: two logs of one destination are one log."""


@runtime_checkable
class FiniteLog(Log, Protocol):
    """A log of the past, such as a recording: who has caught up with it has read all there will be."""

    def end_ns(self) -> int:
        """Return when the newest batch in it was stored, in nanoseconds since the epoch; 0 if there is none.

        Raises:
            LogRefused: the log cannot be read.
        """


def end_of(log: Log) -> int | None:
    """Return the ``end_ns`` of a ``FiniteLog``; None for a log that goes on.

    Raises:
        LogRefused: the log cannot be read.
    """
    return log.end_ns() if isinstance(log, FiniteLog) else None


def unread_of(reader: object) -> tuple[Unread, ...]:
    """Return the parts that a ``LogReader`` could not read; none where its log has no parts."""
    return tuple(reader.unread) if isinstance(reader, PartedReader) else ()
