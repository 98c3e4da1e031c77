"""The embedded log: a folder in which every writer has separate files, read by any number of readers.

It needs no server and is limited to one machine. Files only ever grow, and are read, never memory-mapped.
``docs/embedded-log.md`` describes the benefits and costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from farscope.logs.base import Position, Presence
from farscope.logs.diagnostics import Check
from farscope.logs.embedded.access import OWNER, Access
from farscope.logs.embedded.errors import error_from_os
from farscope.logs.embedded.format import SUFFIX
from farscope.logs.embedded.reader import FolderReader
from farscope.logs.embedded.retention import (
    DEFAULT_MAX_AGE_NS,
    DEFAULT_MAX_BYTES,
    MIN_MAX_BYTES,
    Limits,
)
from farscope.logs.embedded.writer import FolderWriter


class FolderLog:
    """The embedded log in ``folder``; safe to use from several threads.

    Writers keep the folder within ``max_bytes`` and remove batches stored more than ``max_age_ns``
    ago. The first append creates the folder; ``readers`` sets which other users may read it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_ns: int = DEFAULT_MAX_AGE_NS,
        readers: str = OWNER,
    ) -> None:
        # A later change of the working directory must not move the log.
        self._folder = folder.absolute()
        self._limits = Limits(max(max_bytes, MIN_MAX_BYTES), max_age_ns)
        self._access = Access(readers)

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._folder

    @property
    def url(self) -> str:
        """The address, with an absolute path and all settings that differ from the defaults."""
        settings: dict[str, str] = {}
        if self._limits.max_bytes != DEFAULT_MAX_BYTES:
            settings["max_bytes"] = str(self._limits.max_bytes)
        if self._limits.max_age_ns != DEFAULT_MAX_AGE_NS:
            settings["max_age"] = f"{self._limits.max_age_ns}ns"
        if self._access.readers != OWNER:
            settings["readers"] = self._access.readers
        query = f"?{urlencode(settings)}" if settings else ""
        return "sqlite:" + quote(self._folder.as_posix(), safe="/:~ ") + query

    @property
    def shared(self) -> bool:
        """Always false: it is a local folder."""
        return False

    def writer(self, name: str) -> FolderWriter:
        """Return a writer, which writes separate files; see ``Log.writer``."""
        return FolderWriter(self._folder, name, self._limits, self._access)

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> FolderReader:
        """Return a reader; see ``Log.reader``."""
        return FolderReader(self._folder, since_ns, position)

    def exists(self) -> Presence:
        """Look for files that hold batches; see ``Log.exists``."""
        where = str(self._folder)
        try:
            files = sum(path.name.endswith(SUFFIX) for path in self._folder.iterdir())
        except FileNotFoundError:
            return Presence(there=False, where=where, what="the folder does not exist")
        except OSError as error:
            raise error_from_os(error, self._folder, reading=True) from error
        if not files:
            what = "no program has broadcast there, or what it left was removed"
            return Presence(there=False, where=where, what=what)
        count = f"{files:,} {'file' if files == 1 else 'files'}"
        what = f"the folder holds {count} of programs that broadcast there"
        return Presence(there=True, where=where, what=what)

    def examine(self) -> Iterator[Check]:
        """Check the folder, the free disk space and the files; see ``Log.examine``."""
        from farscope.logs.embedded.checks import examine  # noqa: PLC0415 - no program that broadcasts needs it

        return examine(self._folder)
