"""The embedded log: a folder with one SQLite file per writer, read by any number of readers.

No server, one machine. Each file has one writer, whose connection does every checkpoint; readers open
files read-only. ``docs/embedded-log.md`` tells what that gives and costs.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

from farscope.logs.base import Position
from farscope.logs.sqlite_reader import SqliteReader
from farscope.logs.sqlite_retention import (
    DEFAULT_MAX_AGE_NS,
    DEFAULT_MAX_BYTES,
    MIN_MAX_BYTES,
    KeepWithin,
)
from farscope.logs.sqlite_writer import SqliteWriter


class SqliteLog:
    """The embedded log in ``folder``; safe to use from several threads.

    Writers keep the folder within ``max_bytes`` and remove what was stored longer than ``max_age_ns``
    ago. The folder is made by the first append, readable by its owner only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_ns: int = DEFAULT_MAX_AGE_NS,
    ) -> None:
        # A later change of the working directory must not move the log.
        self._folder = folder.absolute()
        self._keep = KeepWithin(max(max_bytes, MIN_MAX_BYTES), max_age_ns)

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self._folder

    @property
    def url(self) -> str:
        """The address, with an absolute path, and its bounds where they are not the usual ones."""
        bounds: dict[str, str] = {}
        if self._keep.max_bytes != DEFAULT_MAX_BYTES:
            bounds["max_bytes"] = str(self._keep.max_bytes)
        if self._keep.max_age_ns != DEFAULT_MAX_AGE_NS:
            bounds["max_age"] = f"{self._keep.max_age_ns}ns"
        query = f"?{urlencode(bounds)}" if bounds else ""
        return "sqlite:" + quote(self._folder.as_posix(), safe="/:~ ") + query

    @property
    def shared(self) -> bool:
        """Never: it is a folder of this machine."""
        return False

    def writer(self, name: str) -> SqliteWriter:
        """Return a writer with a file of its own; see ``Log.writer``."""
        return SqliteWriter(self._folder, name, self._keep)

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> SqliteReader:
        """Return a reader; see ``Log.reader``."""
        return SqliteReader(self._folder, since_ns, position)
