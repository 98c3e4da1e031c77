"""Timeout for commands that read to the end of a log while the log is unavailable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container
from typing import Final

from farscope.cli.style import report, report_now
from farscope.errors import LogUnavailable
from farscope.scope.notice import NoticeKind
from farscope.scope.scope import Scope
from farscope.views.text import dated_line, escape

GIVE_UP_S: Final = 30.0
"""A command that reads to the end of a log fails after the log was unavailable for this many seconds."""

NEVER_S: Final = math.inf
"""For commands that run until they are stopped."""

_HINT = "what was read is not all there is; farscope doctor tells what is wrong with a log"


class OutageTimer:
    """Reports when a log becomes unavailable or available; gives up after a timeout. Used by one thread."""

    def __init__(self, wait_s: float = GIVE_UP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._wait_s = wait_s
        self._clock = clock
        self._since_s = 0.0
        self._lost = ""
        self._reported: set[str] = set()

    def lost(self, message: str, *, refused: bool = False) -> None:
        """Record that the log cannot be read and why; ``refused``: until somebody changes something."""
        if not self._lost:
            self._since_s = self._clock()
        if not self._lost or (refused and message not in self._reported):
            self._reported.add(message)
            report_now(f"log unavailable: {escape(message)}", alarming=True)
        self._lost = message

    def found(self) -> None:
        """Record that the log can be read."""
        if self._lost:
            self._lost = ""
            self._reported.clear()
            report_now("log available")

    def check(self) -> None:
        """Raise ``LogUnavailable`` if the log has been unavailable for too long."""
        if self._lost and self._clock() - self._since_s >= self._wait_s:
            raise LogUnavailable(f"the log was not read to its end: {self._lost}", _HINT)


class NoticeListener:
    """Prints a scope's notices and tracks whether its log can be read. Used by one thread."""

    def __init__(self, scope: Scope, printed: Container[NoticeKind] = ()) -> None:
        """``printed``: the kinds of notices to print, besides those about the log."""
        self._scope = scope
        self._printed = printed
        self._outage = OutageTimer()

    def listen(self) -> None:
        """Process the scope's pending notices."""
        for notice in self._scope.notices():
            if notice.kind is NoticeKind.LOG_UNAVAILABLE:
                # The scope reports it once, and again if somebody has to change something.
                self._outage.lost(notice.detail, refused=True)
            elif notice.kind is NoticeKind.LOG_AVAILABLE:
                self._outage.found()
            elif notice.kind in self._printed:
                report(dated_line(notice), alarming=True)

    def check(self) -> None:
        """Raise ``LogUnavailable`` if the log has been unreadable for too long."""
        self.listen()
        self._outage.check()
