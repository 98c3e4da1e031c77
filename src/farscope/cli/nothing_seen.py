"""What a watcher says when there is nothing to see."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from farscope.logs.base import Log
from farscope.logs.embedded.file_name import SUFFIX
from farscope.logs.embedded.log import FolderLog
from farscope.scope.scope import Scope
from farscope.views.humanize import number
from farscope.views.text import escape

QUIET_S = 2.5
"""After so long without anything, it is told; a program that broadcasts speaks every second."""

_NOBODY = "no program speaks at the moment"


class Waiting:
    """Tells once, if it is so, that nothing was seen, and what to look at then."""

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
            scope: what may have seen something.
            log: what it reads; None for exchanges of lines, which keep nothing.
            address: of the log or the exchanges, without a password.
            say: is called with each line that is to be told.
            from_now: whether what was stored before is left out.
            clock: seconds that only ever grow.
        """
        self._scope = scope
        self._log = log
        self._address = address
        self._say = say
        self._from_now = from_now
        self._clock = clock
        self._since_s = clock()
        self._over = False

    def look(self) -> None:
        """Look whether it is time; costs nothing once something was seen, or this was told."""
        if self._over:
            return
        stats = self._scope.stats
        if stats.batches or stats.received or stats.refused:
            self._over = True
        elif self._clock() - self._since_s >= QUIET_S:
            self._over = True
            found = folder_in_words(self._log.folder) if isinstance(self._log, FolderLog) else _NOBODY
            self._say(f"nothing seen yet in {escape(self._address)}: {escape(found)}")
            self._say(f"check that this is the address of the program, and that it runs and {self._calls()}")

    def _calls(self) -> str:
        if self._log is None:
            return 'calls broadcast(chart, url=..., wire="lines")'
        past = "--since start shows what was there before; " if self._from_now else ""
        return f"calls broadcast(chart, url=...); {past}farscope doctor examines an address"


def folder_in_words(folder: Path) -> str:
    """Return what is to be found in the folder of an embedded log."""
    try:
        files = [path for path in folder.iterdir() if path.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return "the folder does not exist; the first program that broadcasts there creates it"
    except OSError as error:
        return f"the folder cannot be looked at: {error.strerror or error}"
    if not files:
        return "the folder holds no log: no program has broadcast there, or what it left was removed"
    return f"the folder holds {number(len(files), 'file')} of programs that broadcast there, and {_NOBODY}"
