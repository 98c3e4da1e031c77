"""The format of embedded log files: their names, a header, frames with one sealed batch each, and an end.

::

    head    magic 8, version 2, zero 2, number of the first batch 8, crc of these 4
    frame   mark 4, length 4, number 8, stored_ns 8, crc of the batch 4, crc of these 4, the batch
    end     a frame without a batch; its number is that of the batch that would follow

Numbers are unsigned and big-endian; a crc is zlib's CRC-32. Batches are numbered without gaps across
all files of a writer, so that a reader always knows exactly how many are missing. This module does no I/O:
callers read and write the bytes.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Final, NamedTuple
from urllib.parse import quote
from zlib import crc32

from farscope.errors import LogRefused

SUFFIX: Final = ".fslog"
"""Extension of the names of files that hold batches."""

MAGIC: Final = b"\x89FSLOG\r\n"
"""Not valid text, and corrupted by any tool that converts line endings."""

VERSION: Final = 2

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024
"""Writers and readers reject larger batches, so that no file can make a reader use unbounded memory."""

BATCH_MARK: Final = b"\xf5bat"
NEXT_MARK: Final = b"\xf5nxt"
"""Marks the end of a file whose writer continues in another one."""
END_MARK: Final = b"\xf5end"
"""Marks the end of a file whose writer was closed."""

_NAME: Final = re.compile(r"(?P<stream>.+-[0-9a-f]{8})-(?P<created>[0-9a-f]{16})" + re.escape(SUFFIX))
_MARKS: Final = frozenset((BATCH_MARK, NEXT_MARK, END_MARK))
_ANY_MARK: Final = re.compile(b"\xf5(?:bat|nxt|end)")
_HEAD: Final = struct.Struct(">8sHHQ")
_FRAME: Final = struct.Struct(">4sIQQI")
_FRAME_AND_CRC: Final = struct.Struct(">4sIQQII")
_CRC: Final = struct.Struct(">I")

HEAD_BYTES: Final = _HEAD.size + _CRC.size
FRAME_HEAD_BYTES: Final = _FRAME.size + _CRC.size


class ForeignFormat(LogRefused):
    """A file of the log that this release cannot read."""


class FileName(NamedTuple):
    """The content of a file name: the writer and the creation time."""

    stream: str
    """The writer: its name and a random part; one writer may write several files in succession."""
    created_ns: int
    """Increases within a stream: a writer never returns to an earlier file."""

    def __str__(self) -> str:
        return f"{self.stream}-{self.created_ns:016x}{SUFFIX}"

    @classmethod
    def parse(cls, text: str) -> FileName | None:
        """Parse ``text``; return None if it is not the name of a file that holds batches."""
        match = _NAME.fullmatch(text)
        return cls(match["stream"], int(match["created"], 16)) if match else None


def stream_name(name: str) -> str:
    """Return a stream name for the writer ``name``; each call returns a different one."""
    return f"{quote(name, safe='').replace('.', '%2E')}-{os.urandom(4).hex()}"


class FrameHead(NamedTuple):
    """The header of a batch."""

    mark: bytes
    length: int
    number: int
    stored_ns: int
    crc: int
    """CRC-32 of the batch."""

    @property
    def is_end(self) -> bool:
        """Whether no batch follows in this file."""
        return self.mark != BATCH_MARK

    @property
    def bytes(self) -> int:
        """Size of the frame, including its header."""
        return FRAME_HEAD_BYTES + self.length


def pack_head(first: int) -> bytes:
    """Return the first bytes of a file whose first batch has the number ``first``."""
    return _with_crc(_HEAD.pack(MAGIC, VERSION, 0, first))


def parse_head(data: bytes) -> int:
    """Return the number of the first batch of the file whose first bytes are ``data``.

    Raises:
        ForeignFormat: it is not a log file, its header is damaged, or it has another version.
    """
    if data.startswith(b"SQLite format 3"):
        raise ForeignFormat("it is an SQLite database", "read it with the release that wrote it")
    if len(data) < HEAD_BYTES or not data.startswith(MAGIC):
        raise ForeignFormat("it does not begin like a file of the log", "remove it if it is not needed")
    if _CRC.unpack_from(data, _HEAD.size)[0] != crc32(data[: _HEAD.size]):
        raise ForeignFormat("its head is damaged", "remove it if it is not needed")
    _, version, _, first = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ForeignFormat(
            f"it has version {version}; this release reads version {VERSION}",
            "read it with the release that wrote it",
        )
    return int(first)


def pack_frame(data: bytes, number: int, stored_ns: int, mark: bytes = BATCH_MARK) -> bytes:
    """Return a frame."""
    return _with_crc(_FRAME.pack(mark, len(data), number, max(0, stored_ns), crc32(data))) + data


def parse_frame_head(data: bytes, at: int) -> FrameHead | None:
    """Return the header of the frame at ``at`` in ``data``, or None if there is none."""
    if len(data) < at + FRAME_HEAD_BYTES:
        return None
    if _CRC.unpack_from(data, at + _FRAME.size)[0] != crc32(data[at : at + _FRAME.size]):
        return None
    head = FrameHead(*_FRAME.unpack_from(data, at))
    return head if head.mark in _MARKS and head.length <= MAX_BATCH_BYTES else None


def sound_run(data: bytes, at: int, number: int, limit: int) -> tuple[list[tuple[int, bytes, int]], int]:
    """Return number, batch and time of the valid frames starting at ``at``, and the offset where they end.

    These are the frames that are complete in ``data`` and numbered consecutively from ``number``, at most
    ``limit``. Nearly all frames qualify; the exceptions are left to ``parse_frame_head``.
    """
    run: list[tuple[int, bytes, int]] = []
    size = len(data)
    while size - at >= FRAME_HEAD_BYTES and len(run) < limit:
        mark, length, found, stored_ns, crc, head_crc = _FRAME_AND_CRC.unpack_from(data, at)
        end = at + FRAME_HEAD_BYTES + length
        if mark != BATCH_MARK or found != number or end > size:
            break
        batch = data[at + FRAME_HEAD_BYTES : end]
        if crc32(batch) != crc or crc32(data[at : at + _FRAME.size]) != head_crc:
            break
        run.append((number, batch, stored_ns))
        number += 1
        at = end
    return run, at


def find_frame_head(data: bytes, at: int) -> int:
    """Return the offset of the first frame header at or after ``at`` in ``data``, or -1 if there is none."""
    for match in _ANY_MARK.finditer(data, at):
        if parse_frame_head(data, match.start()) is not None:
            return match.start()
    return -1


def is_sound(head: FrameHead, batch: bytes) -> bool:
    """Return whether ``batch`` matches the checksum in ``head``."""
    return len(batch) == head.length and crc32(batch) == head.crc


def _with_crc(data: bytes) -> bytes:
    return data + _CRC.pack(crc32(data))
