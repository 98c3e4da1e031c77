"""The bytes of a file of the embedded log: a head, then frames that each hold one sealed batch, then an end.

::

    head    magic 8, version 2, zero 2, number of the first batch 8, crc of these 4
    frame   mark 4, length 4, number 8, stored_ns 8, crc of the batch 4, crc of these 4, the batch
    end     a frame without a batch; its number is that of the batch that would follow

Numbers are unsigned and big-endian, a crc is the CRC-32 of zlib. Batches are numbered without gaps through
all files of a writer, so that a reader knows exactly how many are missing wherever some are. Everything here
works on bytes that somebody else reads and writes.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple
from zlib import crc32

from farscope.errors import LogRefused

MAGIC: Final = b"\x89FSLOG\r\n"
"""Not text, and spoilt by whatever changes line ends."""

VERSION: Final = 2

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024
"""A larger batch is refused by writers and readers alike: no file can make a reader fetch without bound."""

BATCH_MARK: Final = b"\xf5bat"
NEXT_MARK: Final = b"\xf5nxt"
"""The end of a file whose writer goes on in another one."""
END_MARK: Final = b"\xf5end"
"""The end of a file whose writer was closed."""

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


class FrameHead(NamedTuple):
    """What stands before a batch."""

    mark: bytes
    length: int
    number: int
    stored_ns: int
    crc: int
    """Of the batch."""

    @property
    def is_end(self) -> bool:
        """Whether no batch follows in this file."""
        return self.mark != BATCH_MARK

    @property
    def bytes(self) -> int:
        """How much the frame takes, its head included."""
        return FRAME_HEAD_BYTES + self.length


def pack_head(first: int) -> bytes:
    """Return the first bytes of a file whose first batch has the number ``first``."""
    return _with_crc(_HEAD.pack(MAGIC, VERSION, 0, first))


def parse_head(data: bytes) -> int:
    """Return the number of the first batch of the file that ``data`` begins.

    Raises:
        ForeignFormat: it is none of ours, its head is damaged, or it is one of another version.
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
    """Return the head of the frame at ``at`` in ``data``, or None if there is none."""
    if len(data) < at + FRAME_HEAD_BYTES:
        return None
    if _CRC.unpack_from(data, at + _FRAME.size)[0] != crc32(data[at : at + _FRAME.size]):
        return None
    head = FrameHead(*_FRAME.unpack_from(data, at))
    return head if head.mark in _MARKS and head.length <= MAX_BATCH_BYTES else None


def sound_run(data: bytes, at: int, number: int, limit: int) -> tuple[list[tuple[int, bytes, int]], int]:
    """Return number, batch and time of the sound frames from ``at`` on, and where they end.

    They are those that are whole in ``data`` and numbered from ``number`` on without gaps, at most ``limit``.
    Nearly every frame is one; what is special about a frame is left to ``parse_frame_head``.
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
    """Return where the first frame head at or after ``at`` in ``data`` begins; -1 if none does."""
    for match in _ANY_MARK.finditer(data, at):
        if parse_frame_head(data, match.start()) is not None:
            return match.start()
    return -1


def is_sound(head: FrameHead, batch: bytes) -> bool:
    """Whether ``batch`` is what stood there when ``head`` was written."""
    return len(batch) == head.length and crc32(batch) == head.crc


def _with_crc(data: bytes) -> bytes:
    return data + _CRC.pack(crc32(data))
