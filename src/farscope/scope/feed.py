"""Opens the reader and intake of a scope for a wire format."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from farscope.logs.base import Entry, Log, LogReader, Position, Unread, end_of, unread_of
from farscope.logs.recording.log import RecordingLog
from farscope.logs.url import open_log
from farscope.scope.intake import EntryIntake, Intake
from farscope.scope.since import Since, since_ns
from farscope.wire.keys import Keyring, resolve_keyring
from farscope.wire.registry import BATCHES, load
from farscope.wire.seal import Opener

AnyKey: TypeAlias = Keyring | str | bytes | os.PathLike[str] | None


class Feed(NamedTuple):
    """A reader of entries and the intake that turns them into steps."""

    reader: LogReader
    intake: EntryIntake
    host: str
    """This machine's name."""
    from_now: bool
    """Whether reading starts now, without the past."""
    until_ns: int | None = None
    """For a log that ends: when its newest batch was stored, in nanoseconds since the epoch."""
    goes_on: bool = False
    """For a log that ends: whether it is part of something that continues after it."""
    one_machine: bool = False
    """Whether everything read was made on this machine."""


def open_feed(
    url: str | Log | None,
    key: AnyKey,
    since: Since,
    wire: str,
) -> Feed:
    """Open the log or exchanges for ``wire``, one of ``WIRES``, and start reading.

    A log that ends, such as a recording, is read from its start unless ``since`` says otherwise; durations
    count back from its end.

    Raises:
        BadUrl, LogUnavailable, LogRefused: it cannot be read.
        KeyringError: there is no key to open the batches with.
        UsageError: ``since`` is invalid, or the wire format has no past.
    """
    if wire != BATCHES:
        feed: Feed = load(wire, "feed").open_feed(url, key, since_ns(since, time.time_ns()))
        return feed
    log = open_log(url) if url is None or isinstance(url, str) else url
    opener = Opener(resolve_keyring(key, shared=log.shared))
    host = socket.gethostname()
    until_ns = end_of(log)
    if until_ns is not None:
        reader = log.reader(since_ns(since, until_ns) or 0)
        # Steps from before the recorder started are not missing; only batch 0 proves that there were none.
        goes_on = isinstance(log, RecordingLog) and log.goes_on()
        intake = Intake(opener, host=host)
        return Feed(reader, intake, host, from_now=False, until_ns=until_ns, goes_on=goes_on)
    start_ns = since_ns(since, time.time_ns())
    reader = log.reader(start_ns)
    if start_ns is None:
        horizon: int | None = time.time_ns()
    else:
        # A broker stamps by its own clock, which does not show when a probe began by this machine's.
        horizon = None if start_ns and log.shared else start_ns
    intake = Intake(opener, since_ns=horizon, host=host)
    return Feed(reader, intake, host, start_ns is None, one_machine=not log.shared)


class ReaderWrapper:
    """A ``LogReader`` that delegates everything to another one; see ``LogReader``."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.close = reader.close
        self.interrupt = reader.interrupt

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next entries."""
        return self._reader.read(timeout_s, limit)

    @property
    def position(self) -> Position:
        """The position after the last entry returned."""
        return self._reader.position

    @property
    def caught_up(self) -> bool:
        """Whether the last read reached the end."""
        return self._reader.caught_up

    @property
    def unread(self) -> Sequence[Unread]:
        """The parts of the log that could not be read."""
        return unread_of(self._reader)

    @property
    def cut(self) -> int:
        """How many batches were removed before they could be read."""
        return self._reader.cut
