"""Layout of spools on disk: a folder per destination, with a file for each probe whose log fails."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from farscope.errors import BadUrl
from farscope.logs.embedded.format import FileName
from farscope.logs.url import state_folder
from farscope.probe.spool.file import SpoolFile
from farscope.probe.spool.sqlite import wal_bytes, writer_lives

MAX_LEFT_BYTES: Final = 1024**3
"""1 GiB left by ended programs per destination; beyond this, the oldest files are removed."""

_NAME_LENGTH: Final = 80
_HASH_LENGTH: Final = 12
_LOGGER = logging.getLogger("farscope")


def default_spool_root() -> Path | None:
    """Return the folder of a user's spools: next to the embedded log in the user's state folder.

    None if the user has no home folder, as in a container with an unnamed user: a spool was not requested
    explicitly, so its absence is not an error.
    """
    try:
        return state_folder(os.environ, sys.platform).parent / "spool"
    except BadUrl:
        return None


class SpoolFolder:
    """The spool folder of one destination. Thread-safe."""

    def __init__(self, root: Path, destination: str) -> None:
        # A later change of the working directory must not move the folder.
        name = f"{quote(destination, safe='@')[:_NAME_LENGTH]}-{_hash(destination)}"
        self.path = root.absolute() / name

    def make_file(self, name: str) -> SpoolFile:
        """Create a file owned by this process; raises ``OSError`` or ``sqlite3.Error``."""
        return SpoolFile.make(self.path, name)

    def left_behind(self) -> list[Path]:
        """Return the files whose owners have ended, oldest first."""
        found = sorted((name.created_ns, path) for name, path in spool_files(self.path))
        return [path for _, path in found if not writer_lives(path)]

    def keep_within(self, max_bytes: int = MAX_LEFT_BYTES) -> None:
        """Remove the oldest files of ended owners until the rest take no more than ``max_bytes``."""
        left = [(path, _size(path)) for path in self.left_behind()]
        excess = sum(size for _, size in left) - max_bytes
        for path, size in left:
            if excess <= 0:
                return
            try:
                file = SpoolFile.take_over(path)
                if file is not None:
                    _LOGGER.warning(
                        "%d batches in the spool file %s are dropped: what was left is over %d bytes",
                        *(len(file), path, max_bytes),
                    )
                    file.destroy()
            except (OSError, sqlite3.Error) as error:
                _LOGGER.warning("the spool file %s could not be removed: %s", path, error)
            excess -= size


def spool_files(folder: Path) -> list[tuple[FileName, Path]]:
    """Return the spool files in ``folder``; none if it does not exist or may not be read."""
    try:
        with os.scandir(folder) as entries:
            # A pipe or a device is never opened: it would block the reader.
            paths = [
                folder / entry.name
                for entry in entries
                if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    names = [(FileName.parse(path.name), path) for path in paths]
    return [(name, path) for name, path in names if name is not None]


def destination_of(folder: Path) -> str | None:
    """Return the destination of a spool folder; None if the folder's name does not contain all of it."""
    quoted, _, hashed = folder.name.rpartition("-")
    destination = unquote(quoted)
    return destination if _hash(destination) == hashed else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size + wal_bytes(path)
    except OSError:
        return 0
