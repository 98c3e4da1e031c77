"""Writes a recording: frames are only appended, so that a recording that was cut off stays readable."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from farscope.errors import LogRefused, UsageError
from farscope.logs.base import Entry
from farscope.logs.recording.file import in_words
from farscope.logs.recording.format import (
    MAX_FRAME_BYTES,
    FrameHead,
    Frames,
    pack_frame,
    pack_head,
    pack_index,
)

SYNC_S: Final = 5.0
"""A power failure loses at most about this many seconds; a crash of the recorder loses nothing."""


class RecordingWriter:
    """Creates a recording and appends to it. Used by one thread at a time.

    Memory use grows by 16 bytes per batch, for the index.
    """

    def __init__(self, path: Path) -> None:
        """Create the file, readable only by its owner.

        Raises:
            UsageError: something with that name already exists.
            LogRefused, LogUnavailable: the file cannot be created.
        """
        self.path = path
        self.left_out = 0
        """Number of batches that were skipped because they exceed the maximum frame size."""
        self._frames = Frames()
        self._index_bytes = 0
        self._synced_s = time.monotonic()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise UsageError(
                f"{path} already exists", "choose another name: a recording is never overwritten"
            ) from error
        except OSError as error:
            raise in_words(error, path) from error
        try:
            self._write(pack_head(), 0)
        except BaseException:
            self._release()
            path.unlink(missing_ok=True)
            raise

    @property
    def size(self) -> int:
        """Size of the recording so far, in bytes; includes the index once the recording is closed."""
        return self._frames.end + self._index_bytes

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, entries: Sequence[Entry]) -> None:
        """Append batches in order; once this returns, they survive the end of this program.

        Raises:
            LogUnavailable: the disk is full or failed; none of ``entries`` is in the recording.
            LogRefused: the recording was closed.
        """
        self._check_open()
        packed: list[bytes] = []
        heads: list[FrameHead] = []
        for data, stored_ns in entries:
            if len(data) > MAX_FRAME_BYTES:
                self.left_out += 1
                continue
            packed.append(pack_frame(data, stored_ns))
            heads.append(FrameHead(b"", len(data), max(0, stored_ns), 0))
        self._write(b"".join(packed), self._frames.end)
        for head in heads:
            self._frames.add(self._frames.end, head)
        if time.monotonic() - self._synced_s >= SYNC_S:
            self._sync()

    def close(self) -> None:
        """Write the index and close the file; closing twice has no further effect.

        Raises:
            LogUnavailable: the disk is full or failed; the recording is complete but has no index.
        """
        if self._descriptor < 0:
            return
        try:
            index = pack_index(self._frames)
            self._write(index, self._frames.end)
            self._index_bytes = len(index)
            self._sync()
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, data: bytes, at: int) -> None:
        """Append ``data``; if that fails, truncate the file to remove what was written."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            os.ftruncate(self._descriptor, at)
            os.lseek(self._descriptor, at, os.SEEK_SET)
            raise in_words(error, self.path) from error

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise in_words(error, self.path) from error
        self._synced_s = time.monotonic()

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _check_open(self) -> None:
        if self._descriptor < 0:
            raise LogRefused("this recording was closed", "make another one")
