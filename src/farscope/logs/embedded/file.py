"""One file of the embedded log: its making, and whether its writer still lives.

A file belongs to the one writer that made it and is never written by another, nor again once that writer is
gone. The writer holds an advisory lock on it for as long as it lives: the operating system gives it back
however the process ends, and a process that is merely suspended keeps it.

Files are read and never mapped, and only regular files are opened: nothing that somebody else does to a file,
or puts in its place, may stop or kill who reads or writes here.
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
from farscope.logs.embedded.file_name import FileName
from farscope.logs.embedded.format import (
    END_MARK,
    ForeignFormat,
    pack_frame,
    pack_head,
)
from farscope.records.fork_hooks import at_fork

MAKING: Final = ".new"
"""Appended to the name of a file while it is made; nobody reads those."""

SYNC_BYTES: Final = 4 * 1024 * 1024
SYNC_S: Final = 5.0
"""After so much or so long, whichever comes first, an append makes sure that the disk has it: a power failure
loses about as much. The end of the process, however sudden, loses nothing."""

_BINARY: Final = getattr(os, "O_BINARY", 0)
_CAREFUL: Final = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe is not waited for, a link not followed."""

Identity = tuple[int, int]
"""Device and inode: which file this is, whatever it is called."""


def identity_of(found: os.stat_result) -> Identity:
    """Return which file was found."""
    return found.st_dev, found.st_ino


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Return a descriptor of the regular file at ``path``; made, if ``flags`` say so, for its owner only.

    Raises:
        OSError: it cannot be opened.
        ForeignFormat: something other than a regular file is there.
    """
    try:
        # Looked at first: to open a device may already do something.
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


def writer_lives(path: Path) -> bool:
    """Whether the writer of the file at ``path`` still lives; in doubt it does."""
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
    """Return ``count`` bytes from ``offset`` on, fewer only where the file ends; raises ``OSError``."""
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
    """Return where the next bytes from ``offset`` on are that are not a hole; ``offset`` if unknown."""
    seek = getattr(os, "SEEK_DATA", None)
    if seek is None:
        return offset
    try:
        return os.lseek(descriptor, offset, seek)
    except OSError as error:
        # Only a hole is left.
        return os.fstat(descriptor).st_size if error.errno == errno.ENXIO else offset


class OwnFile:
    """A file this process writes. Not thread-safe. Methods raise ``OSError`` where the disk fails."""

    def __init__(self, folder: Path, name: FileName, first: int, access: Access) -> None:
        """Make it, with ``first`` as the number of its first batch; nobody sees it half made.

        Raises:
            OSError: the folder does not take it; nothing is left behind.
            LogRefused: it cannot have the readers it should.
        """
        self.path = folder / str(name)
        self.next_number = first
        self.size = 0
        self.newest_ns = 0
        """When the last batch was stored."""
        self._clean_size = 0
        self._clean_s = time.monotonic()
        draft = self.path.with_name(self.path.name + MAKING)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | _CAREFUL
        self._fd = os.open(draft, flags, 0o600)
        _own_files.add(self)
        try:
            _lock(self._fd, exclusive=True)
            access.apply(self._fd)
            self._write(pack_head(first), [])
            self._put_in_place(draft)
            self._identity = identity_of(os.fstat(self._fd))
        except BaseException:
            self.give_up()
            draft.unlink(missing_ok=True)
            raise

    def _put_in_place(self, draft: Path) -> None:
        if sys.platform == "win32":
            # An open file cannot be renamed there.
            os.close(self._fd)
            draft.replace(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | _BINARY)
            _lock(self._fd, exclusive=True)
        else:
            draft.replace(self.path)

    def store(self, batches: Sequence[bytes], now_ns: int) -> None:
        """Append ``batches``; where that fails, those that were written whole stay, and no others."""
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

    def in_place(self) -> bool:
        """Whether the file still lies where readers look for it, with all that was written."""
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 (once an append; a third of Path's time)
        except OSError:
            return False
        return identity_of(found) == self._identity and found.st_size == self.size

    def finish(self, mark: bytes = END_MARK) -> None:
        """Mark the file as complete and close it, also where marking it fails."""
        try:
            self._write(pack_frame(b"", self.next_number, self.newest_ns, mark), [])
            self._sync()
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Close the file without another word in it; closing twice changes nothing."""
        descriptor, self._fd = self._fd, -1
        _own_files.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


_own_files: weakref.WeakSet[OwnFile] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    # The lock is shared with the parent for as long as the child keeps its end open.
    for file in list(_own_files):
        file.give_up()


at_fork(in_child=_leave_all_to_parent)


if sys.platform == "win32":
    import msvcrt

    _LOCK_AT: Final = 1 << 40
    """Windows keeps others from reading what is locked: a place where nothing ever is."""

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock at once or raise ``OSError``; Windows knows exclusive locks only."""
        del exclusive
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)

else:
    import fcntl

    def _lock(fd: int, *, exclusive: bool) -> None:
        """Lock at once or raise ``OSError``; lookers share, so that they never see one another."""
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        return os.pread(descriptor, count, offset)
