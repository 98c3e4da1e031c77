"""Opens the reader and intake of a scope for lines."""

from __future__ import annotations

import socket
import time

from farscope.errors import UsageError
from farscope.logs.base import Entry, Log, LogReader
from farscope.miros_lines.exchange import open_lines
from farscope.miros_lines.intake import TICK, LinesIntake
from farscope.miros_lines.tokens import LineOpener
from farscope.scope.feed import AnyKey, Feed, ReaderWrapper
from farscope.wire.keys import resolve_keyring

TICK_S = 0.1
"""Interval, in seconds, at which lines waiting for others are checked while none arrive."""


def open_feed(url: str | Log | None, key: AnyKey, start_ns: int | None) -> Feed:
    """Open the exchanges and start reading from now on.

    Raises:
        BadUrl, LogUnavailable, LogRefused: they cannot be read.
        KeyringError: there is no key to open the lines with.
        UsageError: ``start_ns`` names a past, or ``url`` is a log.
    """
    if start_ns is not None:
        raise UsageError("the lines format keeps nothing, so there is no past to read", "leave since out")
    if url is not None and not isinstance(url, str):
        raise UsageError("the lines format is read from an address", "give an amqp:// address, not a log")
    exchanges = open_lines(url)
    intake = LinesIntake(LineOpener(resolve_keyring(key, shared=True)))
    return Feed(_TickingReader(exchanges.reader(), intake), intake, socket.gethostname(), from_now=True)


class _TickingReader(ReaderWrapper):
    """A reader that regularly makes an intake check its waiting lines."""

    def __init__(self, reader: LogReader, intake: LinesIntake) -> None:
        super().__init__(reader)
        self._intake = intake

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        """Return the next lines, and one tick for each line that waits for another."""
        waiting = self._intake.waiting
        entries = super().read(min(timeout_s, TICK_S) if waiting else timeout_s, limit)
        return entries + [Entry(TICK, time.time_ns())] * waiting
