"""Messages of commands when there is no log, or nothing to see in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from farscope.cli.style import report
from farscope.errors import LogError, LogRefused
from farscope.logs.base import Log, Presence
from farscope.records.heartbeat import QUIET_S
from farscope.scope.scope import Scope
from farscope.views.text import escape

_NOBODY = "no program speaks at the moment"
_HINT = "check the address; a log is made by the first program that calls broadcast(chart, url=...) with it"


def check_log_exists(log: Log) -> None:
    """Check that there is a log, for commands that read to its present end.

    A mistyped address then does not look like an empty log.

    Raises:
        LogRefused: no program has broadcast there, or the log was removed.
        LogUnavailable: the log cannot be reached.
    """
    if not (found := log.exists()):
        raise LogRefused(_none(found), _HINT)
    if log.shared:
        # Only a reader from now on reports a broker that is away; one from a time on waits for it.
        log.reader().close()


def report_no_log(log: Log | None) -> None:
    """Report that there is no log, for commands that waited for one until their time limit.

    Raises:
        LogRefused, LogUnavailable: it cannot be checked.
    """
    if log is not None and not (found := log.exists()):
        report(escape(_none(found)), alarming=True)


def _none(found: Presence) -> str:
    return f"there is no log in {found.where}: {found.what}"


class Waiting:
    """Reports once if nothing was seen, with advice on what to check."""

    def __init__(
        self,
        scope: Scope,
        log: Log | None,
        address: str,
        say: Callable[[str], None],
        *,
        from_now: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to wait.

        Args:
            scope: whose account shows whether anything was seen.
            log: the log it reads; None for exchanges of lines, which store nothing.
            address: of the log or the exchanges, without a password.
            say: is called with each line of the message.
            from_now: whether earlier batches are left out.
            clock: returns monotonic seconds.
        """
        self._scope = scope
        self._log = log
        self._address = address
        self._say = say
        self._from_now = from_now
        self._clock = clock
        self._since_s = clock()
        self._over = False

    def check(self) -> None:
        """Report if it is time; costs nothing once something was seen or reported."""
        if self._over:
            return
        stats = self._scope.stats
        if stats.batches or stats.received or stats.refused:
            self._over = True
        elif self._clock() - self._since_s >= QUIET_S:
            self._over = True
            self._say(f"nothing seen yet in {escape(self._address)}: {escape(self._found())}")
            self._say(f"check that this is the address of the program, and that it runs and {self._calls()}")

    def _found(self) -> str:
        if self._log is None:
            return _NOBODY
        try:
            found = self._log.exists()
        except LogError as error:
            return error.message
        if not found:
            return found.what
        return f"{found.what}, and {_NOBODY}" if found.what else _NOBODY

    def _calls(self) -> str:
        if self._log is None:
            return 'calls broadcast(chart, url=..., wire="lines")'
        past = "--since start shows what was there before; " if self._from_now else ""
        return f"calls broadcast(chart, url=...); {past}farscope doctor examines an address"
