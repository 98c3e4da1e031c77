"""Batches left in the spool by ended programs, as a single source to forward from."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from farscope.logs.embedded.errors import error_from_os
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.file import SpoolFile, Waiting
from farscope.probe.spool.sqlite import from_sqlite

_LOGGER = logging.getLogger("farscope")


class OrphanedBatches:
    """A forwarder's ``Source`` that goes through the files in a folder whose owners have ended.

    Each file is taken over under its lock, so that only one of several programs sends it. Used by one
    thread, except that ``leave`` is called after that thread's end.
    """

    def __init__(self, folder: SpoolFolder) -> None:
        self._folder = folder
        self._paths: deque[Path] = deque()
        self._file: SpoolFile | None = None
        self._sent = 0

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest batches of the current file.

        Raises:
            LogUnavailable, LogRefused: the disk cannot be read at the moment.
        """
        if self._file is None:
            return []
        try:
            found, _ = self._file.head(limit, max_bytes)
        except sqlite3.Error as error:
            raise from_sqlite(error, self._folder.path) from error
        return found

    def sent(self, keys: Iterable[int]) -> None:
        """Remove batches that were stored."""
        if self._file is not None:
            self._sent += len(self._file.remove(keys))

    def spoilt(self, keys: Iterable[int]) -> None:
        """Remove batches that are damaged since they were sealed."""
        if self._file is not None:
            self._file.lost += len(self._file.remove(keys))

    def failed(self, error: Exception) -> None:
        """Do nothing: the forwarder has logged the error."""

    def begin(self, known: set[Path]) -> bool:
        """Look for files other than ``known``; return whether there are any. Reads only the folder.

        Updates ``known`` to the files found, so that one that cannot be taken over is not tried every time.
        """
        left = self._folder.left_behind()
        self._paths = deque(path for path in left if path not in known)
        known.clear()
        known.update(left)
        return bool(self._paths)

    def next(self) -> bool:
        """Finish the current file and take over the next; return False if there is none.

        Raises:
            LogUnavailable, LogRefused: the disk cannot be read at the moment; the file's turn is over.
        """
        self._finish()
        self._folder.keep_within()
        while self._paths:
            path = self._paths.popleft()
            try:
                self._file = SpoolFile.take_over(path)
            except OSError as error:
                raise error_from_os(error, self._folder.path) from error
            except sqlite3.Error as error:
                raise from_sqlite(error, self._folder.path) from error
            if self._file is not None:
                return True
        return False

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        if file.lost:
            _LOGGER.warning(
                "%d or more batches that an earlier program left in the spool file %s could not be read",
                file.lost,
                file.path,
            )
        _LOGGER.info("%d batches were sent that an earlier program had left in the spool", self._sent)
        self._sent = 0
        file.destroy()

    def leave(self) -> None:
        """Leave unsent batches to the next program."""
        file = self._file
        if file is not None and not len(file):
            self._finish()
        elif file is not None:
            self._file = None
            file.leave()
