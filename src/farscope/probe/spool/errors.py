"""SQLite errors translated to log errors: unavailable for now, or refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.embedded.errors import FULL_HINT, RIGHT_TO_WRITE

_CODE_MASK: Final = 0xFF
"""SQLite's extended error codes carry the plain one in their low byte."""

UNREADABLE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
"""Error codes that mean the file itself is at fault."""


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's plain error code, or 0 if the error was raised by Python itself."""
    return getattr(error, "sqlite_errorcode", 0) & _CODE_MASK


def from_sqlite(error: sqlite3.Error, folder: Path) -> LogError:
    """Return the log error for ``error``, which was raised for a file in ``folder``."""
    what = f"cannot write to the log folder {folder}: {error}"
    match code_of(error):
        case sqlite3.SQLITE_FULL:
            return LogUnavailable(what, FULL_HINT)
        case sqlite3.SQLITE_IOERR:
            return LogUnavailable(what, "check its disk, and that it has free space; it will be retried")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return LogRefused(what, RIGHT_TO_WRITE)
        case sqlite3.SQLITE_TOOBIG:
            return LogRefused(what, "a batch may have 64 MiB at most")
        case _:
            return LogUnavailable(what, "it will be retried")
