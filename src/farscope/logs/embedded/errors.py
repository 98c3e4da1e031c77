"""Converts operating system errors of a log's folder and files to log errors: unavailable or refused."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from farscope.errors import LogError, LogRefused, LogUnavailable

RIGHT_TO_WRITE: Final = "give this user the right to write in it, or choose another folder: sqlite:DIR"
RIGHT_TO_READ: Final = (
    "give this user the right to list and enter it (r-x), or choose another folder: sqlite:DIR"
)
FULL_HINT: Final = "free some space on its disk; it goes on by itself then"

_FOR_GOOD: Final = {
    errno.EACCES: RIGHT_TO_WRITE,
    errno.EPERM: RIGHT_TO_WRITE,
    errno.EROFS: "its file system is mounted read-only; choose another folder: sqlite:DIR",
    errno.ENOTDIR: "a file is in the way; remove it or choose another folder: sqlite:DIR",
    errno.EEXIST: "a file is in the way; remove it or choose another folder: sqlite:DIR",
    errno.ELOOP: "its symbolic links form a loop; choose another folder: sqlite:DIR",
    errno.ENAMETOOLONG: "choose a shorter path: sqlite:DIR",
    errno.EINVAL: "choose another folder: sqlite:DIR",
}
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_RIGHTS: Final = frozenset((errno.EACCES, errno.EPERM))


def error_from_os(error: OSError, folder: Path, *, reading: bool = False) -> LogError:
    """Convert ``error``, raised in ``folder``, to a log error; ``reading`` is true for readers."""
    what = f"cannot use the log folder {folder}: {error.strerror or error}"
    if reading and error.errno in _RIGHTS:
        return LogRefused(what, RIGHT_TO_READ)
    if error.errno in _FOR_GOOD:
        return LogRefused(what, _FOR_GOOD[error.errno])
    if error.errno in _FULL:
        return LogUnavailable(what, FULL_HINT)
    return LogUnavailable(what, "it will be retried")
