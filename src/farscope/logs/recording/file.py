"""Opens a recording file, finds its frames and reads them one by one. Batches stay sealed."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.recording.format import (
    FRAME_HEAD_BYTES,
    HEAD_BYTES,
    MAGIC,
    Frames,
    check_head,
    parse_frame_head,
    read_index,
    scan,
)

_READING: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Non-blocking: opening a pipe would otherwise block until somebody writes to it."""

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Return whether a file starts like a recording, whatever its name; False if it cannot be read."""
    try:
        # Opening a pipe would wait for somebody who writes into it.
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


class RecordingFile:
    """An open recording. Used by one thread at a time.

    The file is read, not memory-mapped: if a mapped file is truncated, accessing it kills the program.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and find its frames, using the index if there is one.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, _READING)
        except OSError as error:
            raise in_words(error, path) from error
        try:
            _require_file(self._descriptor, path)
            check_head(self._read(0, HEAD_BYTES), str(path))
            self.size = self._measure()
            found = read_index(self._read, self.size)
            self.indexed = found is not None
            """Whether the recording was closed properly, so that the file did not have to be scanned."""
            self.frames = found or Frames()
            if found is None:
                self._look_for_frames()
        except BaseException:
            self.close()
            raise

    @property
    def torn(self) -> int:
        """Bytes after the last frame that do not form a complete frame."""
        return 0 if self.indexed else self.size - self.frames.end

    @property
    def end_ns(self) -> int:
        """Storage time of the newest batch, in nanoseconds since the epoch; 0 if there are none."""
        return max(self.frames.stored_ns, default=0)

    def grow(self) -> bool:
        """Look for frames added since; return whether there are any."""
        size = self._measure()
        if size == self.size:
            return False
        self.size, before = size, len(self.frames)
        self.indexed = read_index(self._read, size) is not None
        scan(self._read, size, self.frames, self._after_hole)
        return len(self.frames) > before

    def entry(self, number: int) -> Entry | None:
        """Return the batch in frame ``number``, or None if it is no longer there.

        The checksum is not verified: a holder of the key can tell whether the batch was changed.
        """
        offset = self.frames.offsets[number]
        head = parse_frame_head(self._read(offset, FRAME_HEAD_BYTES))
        if head is None:
            return None
        data = self._read(offset + FRAME_HEAD_BYTES, head.length)
        return Entry(data, head.stored_ns) if len(data) == head.length else None

    def beginning(self, number: int, count: int) -> bytes:
        """Return the first ``count`` bytes of the batch in frame ``number``, or all if there are fewer."""
        return self._read(self.frames.offsets[number] + FRAME_HEAD_BYTES, count)

    def is_sound(self, number: int) -> bool:
        """Return whether the batch in frame ``number`` is present and matches its checksum."""
        offset = self.frames.offsets[number]
        head = parse_frame_head(self._read(offset, FRAME_HEAD_BYTES))
        return head is not None and crc32(self._read(offset + FRAME_HEAD_BYTES, head.length)) == head.crc

    def close(self) -> None:
        """Close the file; closing twice has no further effect."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look_for_frames(self) -> None:
        scan(self._read, self.size, self.frames, self._after_hole)
        # After a power failure, the last frame may have a length but no content.
        while self.frames and not self.is_sound(len(self.frames) - 1):
            self.frames.drop_last()

    def _after_hole(self, offset: int) -> int:
        """Return the offset of the next bytes that were actually written: a file may have large holes."""
        if sys.platform != "linux":
            return offset
        else:  # noqa: RET505 - what is of one system only is checked for that one
            try:
                return os.lseek(self._descriptor, offset, os.SEEK_DATA)
            except OSError as error:
                # ENXIO: only a hole follows. With other errors, the file system cannot tell.
                return self.size if error.errno == errno.ENXIO else offset

    def _measure(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _read(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes, fewer only at the end of the file.

        Raises:
            LogUnavailable: the disk failed.
        """
        parts: list[bytes] = []
        try:
            while count > 0:
                part = self._read_once(offset, count)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                count -= len(part)
        except OSError as error:
            raise in_words(error, self.path) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_once(self, offset: int, count: int) -> bytes:
        if sys.platform != "win32":
            return os.pread(self._descriptor, count, offset)
        else:  # noqa: RET505 - what is of one system only is checked for that one
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)


def _require_file(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise LogRefused(f"{path} is not a file, and a recording is one", "copy it into a file first")


def in_words(error: OSError, path: Path) -> LogError:
    """Convert ``error``, raised while using the recording ``path``, to a ``LogError``."""
    what = f"cannot use the recording {path}: {error.strerror or error}"
    if isinstance(error, FileNotFoundError):
        return LogRefused(what, "check the spelling, and that the folder exists")
    if error.errno in _FULL:
        return LogUnavailable(what, "free some space on its disk; what it holds already is whole")
    if error.errno == errno.EIO:
        return LogUnavailable(what, "check its disk")
    return LogRefused(what, "check that it is a file, and that you have permission to use it")
