"""What programs that are gone have left in the spool, as one thing to forward."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from farscope.logs.embedded.errors import from_os
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.errors import from_sqlite
from farscope.probe.spool.file import SpoolFile, Waiting

_LOGGER = logging.getLogger("farscope")


class Inheritance:
    """The files in a folder whose owners are gone, one after the other; a forwarder's ``Source``.

    Each is taken over under its lock, so that of several heirs one sends it. Used by one thread, except
    that ``leave`` comes after that thread's end.
    """

    def __init__(self, folder: SpoolFolder) -> None:
        self._folder = folder
        self._paths: deque[Path] = deque()
        self._file: SpoolFile | None = None
        self._sent = 0

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest batches of the file at hand.

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
        """Take out what was stored."""
        if self._file is not None:
            self._sent += len(self._file.remove(keys))

    def spoilt(self, keys: Iterable[int]) -> None:
        """Take out what is not as it was sealed."""
        if self._file is not None:
            self._file.lost += len(self._file.remove(keys))

    def failed(self, error: Exception) -> None:
        """Nothing: the forwarder has logged it."""

    def begin(self, known: set[Path]) -> bool:
        """Look what was left besides ``known``; return whether there is anything. Reads only the folder.

        Afterwards ``known`` is what is there: a file that cannot be taken over is not tried at every look.
        """
        left = self._folder.left_behind()
        self._paths = deque(path for path in left if path not in known)
        known.clear()
        known.update(left)
        return bool(self._paths)

    def next(self) -> bool:
        """Be done with the file at hand and take over the next; False when there is none.

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
                raise from_os(error, self._folder.path) from error
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
        """Leave what was not sent to the next heir."""
        file = self._file
        if file is not None and not len(file):
            self._finish()
        elif file is not None:
            self._file = None
            file.leave()
