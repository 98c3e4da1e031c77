"""One file of the embedded log: creating it, and finding out whether its writer is still alive.

A file belongs to the writer that created it; no other writer ever writes to it, not even after that writer is
gone. The writer holds an advisory lock on the file while it is alive: the operating system releases the lock
however the process ends, and a process that is merely suspended keeps it.

Files are read, never memory-mapped, and only regular files are opened: nothing that another process does to a
file, or puts in its place, may block or kill a reader or writer.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from farscope.logs.embedded.access import Access
from farscope.logs.embedded.format import (
    END_MARK,
    FileName,
    ForeignFormat,
    pack_frame,
    pack_head,
)
from farscope.records.fork_hooks import at_fork

DRAFT_SUFFIX: Final = ".new"
"""Suffix of the name of a file that is being created; readers ignore such files."""

SYNC_BYTES: Final = 4 * 1024 * 1024
SYNC_S: Final = 5.0
"""After this many bytes or seconds, whichever comes first, an append flushes the file to disk: a power
failure loses about that much. The end of the process, however sudden, loses nothing."""

_BINARY: Final = getattr(os, "O_BINARY", 0)
_CAREFUL: Final = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags that avoid blocking on pipes and following symbolic links."""

Identity = tuple[int, int]
"""Device and inode, which identify a file regardless of its name."""


def identity_of(found: os.stat_result) -> Identity:
    """Return the identity of the file described by ``found``."""
    return found.st_dev, found.st_ino


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open the regular file at ``path`` and return its descriptor; a file created by ``flags`` is private.

    Raises:
        OSError: it cannot be opened.
        ForeignFormat: something other than a regular file is there.
    """
    try:
        # Check the type first: merely opening a device may have side effects.
        with suppress(FileNotFoundError):
            _require_regular(os.lstat(path))
        descriptor = os.open(path, flags | _CAREFUL, 0o600)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise ForeignFormat("it is not a regular file", "remove it") from error
        raise
    try:
        _require_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ForeignFormat("it is not a regular file", "remove it")


def writer_is_alive(path: Path) -> bool:
    """Return whether the writer of the file at ``path`` is still alive; True if in doubt."""
    try:
        descriptor = open_regular(path)
    except (FileNotFoundError, NotADirectoryError, ForeignFormat):
        return False
    except OSError:
        return True
    try:
        _lock(descriptor, exclusive=False)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def read_at(descriptor: int, offset: int, count: int) -> bytes:
    """Return ``count`` bytes from ``offset`` on, fewer only at the end of the file; raises ``OSError``."""
    parts: list[bytes] = []
    while count > 0:
        part = _read_once(descriptor, offset, count)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def next_data(descriptor: int, offset: int) -> int:
    """Return the offset of the next bytes at or after ``offset`` outside a hole; ``offset`` if unknown."""
    seek = getattr(os, "SEEK_DATA", None)
    if seek is None:
        return offset
    try:
        return os.lseek(descriptor, offset, seek)
    except OSError as error:
        # Only a hole is left.
        return os.fstat(descriptor).st_size if error.errno == errno.ENXIO else offset


class OwnFile:
    """A file written by this process. Not thread-safe. Methods raise ``OSError`` if the disk fails."""

    def __init__(self, folder: Path, name: FileName, first: int, access: Access) -> None:
        """Create the file atomically, with ``first`` as the number of its first batch.

        Raises:
            OSError: it cannot be created in the folder; nothing is left behind.
            LogRefused: the requested readers cannot be given access.
        """
        self.path = folder / str(name)
        self.next_number = first
        self.size = 0
        self.newest_ns = 0
        """Storage time of the last batch."""
        self._clean_size = 0
        self._clean_s = time.monotonic()
        draft = self.path.with_name(self.path.name + DRAFT_SUFFIX)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | _CAREFUL
        self._fd = os.open(draft, flags, 0o600)
        _own_files.add(self)
        try:
            _lock(self._fd, exclusive=True)
            access.apply(self._fd)
            self._write(pack_head(first), [])
            self._publish(draft)
            self._identity = identity_of(os.fstat(self._fd))
        except BaseException:
            self.abandon()
            draft.unlink(missing_ok=True)
            raise

    def _publish(self, draft: Path) -> None:
        if sys.platform == "win32":
            # An open file cannot be renamed there.
            os.close(self._fd)
            draft.replace(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | _BINARY)
            _lock(self._fd, exclusive=True)
        else:
            draft.replace(self.path)

    def store(self, batches: Sequence[bytes], now_ns: int) -> None:
        """Append ``batches``; if that fails, only batches that were written completely remain."""
        first = self.next_number
        frames = [pack_frame(batch, first + offset, now_ns) for offset, batch in enumerate(batches)]
        self._write(b"".join(frames), [len(frame) for frame in frames])
        self.newest_ns = now_ns
        if self.size - self._clean_size >= SYNC_BYTES or time.monotonic() - self._clean_s >= SYNC_S:
            self._sync()

    def _write(self, data: bytes, frame_sizes: Sequence[int]) -> None:
        written = 0
        view = memoryview(data)
        try:
            while written < len(data):
                written += os.write(self._fd, view[written:])
        except OSError:
            self._keep_whole(written, frame_sizes)
            raise
        self.size += len(data)
        self.next_number += len(frame_sizes)

    def _keep_whole(self, written: int, frame_sizes: Sequence[int]) -> None:
        whole = 0
        for size in frame_sizes:
            if whole + size > written:
                break
            whole += size
            self.next_number += 1
        self.size += whole
        os.ftruncate(self._fd, self.size)

    def _sync(self) -> None:
        if sys.platform == "linux":
            os.fdatasync(self._fd)
        else:
            os.fsync(self._fd)
        self._clean_size, self._clean_s = self.size, time.monotonic()

    def is_intact(self) -> bool:
        """Return whether the file is still where readers look for it and has not been truncated."""
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 (once an append; a third of Path's time)
        except OSError:
            return False
        return identity_of(found) == self._identity and found.st_size == self.size

    def finish(self, mark: bytes = END_MARK) -> None:
        """Mark the file as complete and close it, even if marking it fails."""
        try:
            self._write(pack_frame(b"", self.next_number, self.newest_ns, mark), [])
            self._sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without marking it; closing twice has no further effect."""
        descriptor, self._fd = self._fd, -1
        _own_files.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


_own_files: weakref.WeakSet[OwnFile] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    # The lock is shared with the parent for as long as the child keeps its end open.
    for file in list(_own_files):
        file.abandon()


at_fork(in_child=_leave_all_to_parent)


if sys.platform == "win32":
    import msvcrt

    _LOCK_AT: Final = 1 << 40
    """Offset of the lock, beyond any data: Windows prevents other processes from reading locked bytes."""

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock without waiting or raise ``OSError``; on Windows, all locks are exclusive."""
        del exclusive
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)

else:
    import fcntl

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock without waiting or raise ``OSError``; liveness checks use shared locks, so never conflict."""
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        return os.pread(descriptor, count, offset)
