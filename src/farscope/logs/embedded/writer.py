"""The writer of the embedded log, which writes one file at a time."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.embedded.access import Access
from farscope.logs.embedded.age_clock import AgeClock
from farscope.logs.embedded.errors import error_from_os
from farscope.logs.embedded.file import OwnFile
from farscope.logs.embedded.format import (
    END_MARK,
    HEAD_BYTES,
    MAX_BATCH_BYTES,
    NEXT_MARK,
    FileName,
    stream_name,
)
from farscope.logs.embedded.retention import CompleteFile, Limits, Retention
from farscope.records.boot_time import boot_time_ns

_log = logging.getLogger("farscope")

ATTEMPTS: Final = 3
"""Number of files an append may lose (to removal by others) before it fails."""

MAX_NAME: Final = 100
"""Maximum number of characters of a writer's name in a file name; longer names are rejected."""

Clock = Callable[[], int]


class FolderWriter:
    """Appends to the embedded log; see ``LogWriter``. Used by one thread at a time."""

    def __init__(
        self,
        folder: Path,
        name: str,
        limits: Limits,
        access: Access | None = None,
        *,
        clock: Clock = time.time_ns,
        steady: Clock = boot_time_ns,
    ) -> None:
        self._folder = folder
        self._name = name
        self._limits = limits
        self._access = access or Access()
        self._clock = clock
        self._steady = steady
        self._pid = os.getpid()
        self._closed = False
        self._begin()
        if len(self._stream) > MAX_NAME:
            raise LogRefused(
                f"the writer's name {name[:MAX_NAME]!r} is too long", "use the probe's id in hex"
            )

    def _begin(self) -> None:
        self._stream = stream_name(self._name)
        self._retention = Retention(
            self._folder, self._stream, self._limits, AgeClock(self._folder, self._clock, self._steady)
        )
        self._file: OwnFile | None = None
        self._complete: list[CompleteFile] = []
        self._next_number = 1
        self._created_ns = 0
        self._created_steady_ns = 0
        self._stored_ns = 0

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Store ``batches``; ``timeout_s`` is not used, because no other writer shares the file.

        Raises:
            LogUnavailable: the disk is full or failed; appending again may help.
            LogRefused: write permission is missing, a file is in the folder's place, or the writer is closed.
        """
        del timeout_s
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        if not batches:
            return
        if max(map(len, batches)) > MAX_BATCH_BYTES:
            raise LogRefused(
                f"cannot write to the log folder {self._folder}: a batch is too large",
                "a batch may have 64 MiB at most",
            )
        self._reset_after_fork()
        for _ in range(ATTEMPTS):
            if self._store(batches):
                self._enforce_retention(sum(map(len, batches)))
                return
        raise LogUnavailable(
            f"the files of the log folder {self._folder} vanish as soon as they are written",
            "see what removes them",
        )

    def _store(self, batches: Sequence[bytes]) -> bool:
        """Store ``batches`` and return True, or False if the file was removed or truncated."""
        # These times never decrease: readers merge files by them and search by them.
        self._stored_ns = max(self._stored_ns, self._clock())
        first = self._next_number
        try:
            file = self._current_file()
            first = file.next_number
            file.store(batches, self._stored_ns)
        except OSError as error:
            lost = self._drop_lost_file()
            if error.errno == errno.EFBIG and not lost and self._leave_full_file():
                return self._store(batches[self._next_number - first :])
            raise error_from_os(error, self._folder) from error
        self._next_number = file.next_number
        return not self._drop_lost_file()

    def _current_file(self) -> OwnFile:
        file = self._file
        if file is None:
            self._file = file = self._new_file()
        elif self._is_complete(file):
            try:
                self._file = self._new_file()
            except OSError as error:
                # The current file can still grow; a new one may be possible later.
                _log.debug("no new log file in %s: %s", self._folder, error)
                return file
            self._complete.append(CompleteFile(file.path, file.size, file.newest_ns))
            file.finish(NEXT_MARK)
            file = self._file
        return file

    def _is_complete(self, file: OwnFile) -> bool:
        """Return whether the next batch goes into a new file: retention removes only whole files."""
        age_ns = self._steady() - self._created_steady_ns
        return file.size >= self._retention.file_bytes or age_ns >= self._limits.file_age_ns

    def _new_file(self) -> OwnFile:
        self._created_ns = max(self._created_ns + 1, self._clock())
        self._created_steady_ns = self._steady()
        self._access.make_folder(self._folder)
        name = FileName(self._stream, self._created_ns)
        return OwnFile(self._folder, name, self._next_number, self._access)

    def _drop_lost_file(self) -> bool:
        """Abandon the current file if it was removed or truncated; return whether it was."""
        file = self._file
        if file is None or file.is_intact():
            return False
        _log.warning("the log file %s was removed or cut short; going on in a new one", file.path)
        self._next_number = file.next_number
        self._file = None
        file.abandon()
        return True

    def _leave_full_file(self) -> bool:
        """Abandon a file that the system does not let grow (a size limit); return False if it is empty."""
        file = self._file
        if file is None or file.size <= HEAD_BYTES:
            return False
        self._complete.append(CompleteFile(file.path, file.size, file.newest_ns))
        self._next_number = file.next_number
        self._file = None
        file.abandon()
        return True

    def _reset_after_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._begin()

    def _enforce_retention(self, stored: int) -> None:
        file = self._file
        if file is None or not self._retention.is_due(stored):
            return
        try:
            self._complete = self._retention.enforce(self._complete, file.path)
        except OSError as error:
            # The batches are stored; the next retention check may succeed.
            _log.warning("retention in the log folder %s failed: %s", self._folder, error)

    def close(self, timeout_s: float = 2.0) -> None:
        """Mark the file as complete and close it; later appends are refused.

        Raises:
            LogUnavailable: the mark could not be written; the file is closed regardless.
        """
        del timeout_s
        if self._closed:
            return
        self._reset_after_fork()
        self._closed = True
        file, self._file = self._file, None
        if file is None:
            return
        if not file.is_intact():
            file.abandon()
            return
        try:
            file.finish(END_MARK)
        except OSError as error:
            raise error_from_os(error, self._folder) from error

    def interrupt(self) -> None:
        """Do nothing: an append to this log never waits."""
