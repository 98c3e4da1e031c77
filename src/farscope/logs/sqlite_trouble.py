"""What goes wrong with files and SQLite, in the words of a log: unavailable now, or refused."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable

_FOR_GOOD: Final = {
    errno.EACCES: "give this user the right to write in it, or choose another folder: sqlite:DIR",
    errno.EPERM: "give this user the right to write in it, or choose another folder: sqlite:DIR",
    errno.EROFS: "its file system is mounted read-only; choose another folder: sqlite:DIR",
    errno.ENOTDIR: "a file is in the way; remove it or choose another folder: sqlite:DIR",
    errno.EEXIST: "a file is in the way; remove it or choose another folder: sqlite:DIR",
    errno.ELOOP: "its symbolic links form a loop; choose another folder: sqlite:DIR",
    errno.ENAMETOOLONG: "choose a shorter path: sqlite:DIR",
    errno.EINVAL: "choose another folder: sqlite:DIR",
}
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))

_FULL_HINT: Final = "free some space on its disk; it goes on by itself then"
_CODE_MASK: Final = 0xFF
"""SQLite's extended error codes carry the plain one in their low byte."""

UNREADABLE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
"""The file itself is at fault."""
PASSING: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
    )
)
"""For a reader: a lock held for a moment, a writer closing just now, too many open files; may pass."""


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's plain error code, or 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & _CODE_MASK


def from_os(error: OSError, folder: Path) -> LogError:
    """Return what ``error``, met in ``folder``, means for the log."""
    what = f"cannot use the log folder {folder}: {error.strerror or error}"
    if error.errno in _FOR_GOOD:
        return LogRefused(what, _FOR_GOOD[error.errno])
    if error.errno in _FULL:
        return LogUnavailable(what, _FULL_HINT)
    return LogUnavailable(what, "it is tried again")


def from_sqlite(error: sqlite3.Error, folder: Path) -> LogError:
    """Return what ``error``, met with a file in ``folder``, means for the log."""
    what = f"cannot write to the log folder {folder}: {error}"
    match code_of(error):
        case sqlite3.SQLITE_FULL:
            return LogUnavailable(what, _FULL_HINT)
        case sqlite3.SQLITE_IOERR:
            return LogUnavailable(what, "see that its disk is well and has room; it is tried again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return LogRefused(what, _FOR_GOOD[errno.EACCES])
        case sqlite3.SQLITE_TOOBIG:
            return LogRefused(what, "a batch may have 64 MiB at most")
        case _:
            return LogUnavailable(what, "it is tried again")
