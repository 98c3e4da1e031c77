"""The binary format of a recording: a header, frames that each hold one sealed batch, and a final index.

``docs/recording-format.md`` is normative. This module does no I/O: callers read and write the bytes.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from zlib import crc32

from farscope.errors import LogRefused

SUFFIX: Final = ".farscope"
"""File name extension of recordings, by which every command recognizes them."""

MAGIC: Final = b"\x89FSREC\r\n"
"""Not valid text, and corrupted by any tool that converts line endings."""

VERSION: Final = 1

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""Maximum number of bytes in a frame; batches have at most 1 MB, so anything longer is not a frame."""

SEARCH_BYTES: Final = 1024 * 1024
"""Bytes searched at a time for the next frame after a damaged one."""

FRAME_MARK: Final = b"\xf5frm"
INDEX_MARK: Final = b"\xf5idx"
END_MARK: Final = b"\xf5end"

_HEAD = struct.Struct(">8sHH")
_FRAME = struct.Struct(">4sIQI")
_END = struct.Struct(">4sQ")
_CRC = struct.Struct(">I")

HEAD_BYTES: Final = _HEAD.size + _CRC.size
FRAME_HEAD_BYTES: Final = _FRAME.size + _CRC.size
END_BYTES: Final = _END.size + _CRC.size

Read = Callable[[int, int], bytes]
"""Takes an offset and a count; returns that many bytes from the offset, fewer at the end of the file."""


AfterHole = Callable[[int], int]
"""Takes an offset; returns the offset of the next written bytes at or after it."""


class FrameHead(NamedTuple):
    """The header of a frame."""

    mark: bytes
    length: int
    """Length of the bytes after the header."""
    stored_ns: int
    crc: int
    """CRC-32 of the bytes after the header."""


class Frames:
    """The offsets of a recording's frames, in file order; grows with the file."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.stored_ns = array("Q")
        self.end = HEAD_BYTES
        """Offset after the last frame."""
        self.damaged = 0
        """Bytes between frames that do not belong to any frame."""

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, offset: int, head: FrameHead) -> None:
        """Add a frame at the end."""
        self.offsets.append(offset)
        self.stored_ns.append(head.stored_ns)
        self.end = offset + FRAME_HEAD_BYTES + head.length

    def drop_last(self) -> None:
        """Remove the last frame."""
        self.end = self.offsets.pop()
        self.stored_ns.pop()


def pack_head() -> bytes:
    """Return the first bytes of a recording."""
    return _with_crc(_HEAD.pack(MAGIC, VERSION, 0))


def check_head(data: bytes, name: str) -> None:
    """Check that ``data``, the first bytes of the file ``name``, are the header of a recording.

    Raises:
        LogRefused: they are not, or the recording has another version.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise LogRefused(f"{name} is not a recording", "`farscope record FILE` makes one")
    if len(data) < HEAD_BYTES or _CRC.unpack_from(data, _HEAD.size)[0] != crc32(data[: _HEAD.size]):
        raise LogRefused(
            f"the head of the recording {name} is spoilt", "fetch the file again where it came from"
        )
    version = _HEAD.unpack_from(data)[1]
    if version != VERSION:
        raise LogRefused(
            f"{name} is a recording of version {version}; this release reads version {VERSION}",
            "use the release of farscope that recorded it",
        )


def pack_frame(data: bytes, stored_ns: int, mark: bytes = FRAME_MARK) -> bytes:
    """Return a frame."""
    return _with_crc(_FRAME.pack(mark, len(data), max(0, stored_ns), crc32(data))) + data


def parse_frame_head(data: bytes, mark: bytes = FRAME_MARK) -> FrameHead | None:
    """Return the header of a frame, or None if ``data`` does not start with one."""
    if len(data) < FRAME_HEAD_BYTES or not data.startswith(mark):
        return None
    if _CRC.unpack_from(data, _FRAME.size)[0] != crc32(data[: _FRAME.size]):
        return None
    head = FrameHead(*_FRAME.unpack_from(data))
    return head if mark == INDEX_MARK or head.length <= MAX_FRAME_BYTES else None


def pack_index(frames: Frames) -> bytes:
    """Return the index and the end record that follow the last frame."""
    index = pack_frame(_big_endian(frames.offsets) + _big_endian(frames.stored_ns), 0, INDEX_MARK)
    return index + _with_crc(_END.pack(END_MARK, frames.end))


def read_index(read: Read, size: int) -> Frames | None:
    """Return the frames listed in the index, or None if the file does not end with a valid index."""
    end = read(size - END_BYTES, END_BYTES) if size >= HEAD_BYTES + END_BYTES else b""
    if not end.startswith(END_MARK) or _CRC.unpack_from(end, _END.size)[0] != crc32(end[: _END.size]):
        return None
    at = _END.unpack_from(end)[1]
    head = parse_frame_head(read(at, FRAME_HEAD_BYTES), INDEX_MARK) if HEAD_BYTES <= at < size else None
    # Compare the length with the file's size before reading that many bytes.
    if head is None or head.length % 16 or at + FRAME_HEAD_BYTES + head.length + END_BYTES != size:
        return None
    data = read(at + FRAME_HEAD_BYTES, head.length)
    if crc32(data) != head.crc:
        return None
    frames = Frames()
    frames.offsets, frames.stored_ns = _numbers(data[: head.length // 2]), _numbers(data[head.length // 2 :])
    frames.end = at
    # An index with offsets outside the file was forged: the caller scans for the frames instead.
    return frames if all(HEAD_BYTES <= offset < at for offset in frames.offsets) else None


def scan(read: Read, size: int, frames: Frames, after_hole: AfterHole = lambda offset: offset) -> None:
    """Find the frames after those already known, up to ``size``, skipping anything that is not a frame.

    Bytes after the last frame are left for the next scan: they may be a frame that is still being written.
    ``after_hole`` avoids reading the holes of a sparse file, which may be far larger than its content.
    """
    at = frames.end
    skipped = 0
    while at + FRAME_HEAD_BYTES <= size:
        head = parse_frame_head(read(at, FRAME_HEAD_BYTES))
        if head is not None and at + FRAME_HEAD_BYTES + head.length <= size:
            frames.add(at, head)
            frames.damaged += skipped
            skipped = 0
            at = frames.end
            continue
        found = next(_candidates(read, at + 1, size, after_hole), None)
        if found is None:
            return
        skipped += found - at
        at = found


def _candidates(read: Read, at: int, size: int, after_hole: AfterHole) -> Iterator[int]:
    """Yield the offsets of complete frames, starting at ``at``."""
    while (at := after_hole(at)) + FRAME_HEAD_BYTES <= size:
        # Windows overlap, so that a mark that spans two of them is found.
        window = read(at, SEARCH_BYTES + len(FRAME_MARK) - 1)
        place = -1
        while (place := window.find(FRAME_MARK, place + 1)) >= 0:
            head = parse_frame_head(read(at + place, FRAME_HEAD_BYTES))
            if head is not None and at + place + FRAME_HEAD_BYTES + head.length <= size:
                yield at + place
        at += SEARCH_BYTES


def _with_crc(data: bytes) -> bytes:
    return data + _CRC.pack(crc32(data))


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        return numbers.tobytes()
    swapped = array("Q", numbers)
    swapped.byteswap()
    return swapped.tobytes()


def _numbers(data: bytes) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
