"""The bytes of a recording: a head, frames that each hold one sealed batch, and an index behind the last.

``docs/recording-format.md`` is normative. Everything here works on bytes somebody else reads and writes.
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
"""What the name of a recording ends in, so that every verb knows one when it sees it."""

MAGIC: Final = b"\x89FSREC\r\n"
"""Not text, and spoilt by whatever changes line ends."""

VERSION: Final = 1

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""Bytes a frame holds at most; batches have a megabyte, so a longer one is no frame at all."""

SEARCH_BYTES: Final = 1024 * 1024
"""How much is looked through at a time for the next frame behind a spoilt one."""

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
"""Returns so many bytes from an offset on; fewer where the file ends."""


AfterHole = Callable[[int], int]
"""Returns where the next bytes lie that were written, at an offset or behind it."""


class FrameHead(NamedTuple):
    """What stands before the bytes of a frame."""

    mark: bytes
    length: int
    """Of the bytes behind it."""
    stored_ns: int
    crc: int
    """Of the bytes behind it."""


class Frames:
    """Where the frames of a recording are, in their order; grows while the file does."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.stored_ns = array("Q")
        self.end = HEAD_BYTES
        """Behind the last frame."""
        self.damaged = 0
        """Bytes between frames that are none."""

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, offset: int, head: FrameHead) -> None:
        """Add a frame behind the others."""
        self.offsets.append(offset)
        self.stored_ns.append(head.stored_ns)
        self.end = offset + FRAME_HEAD_BYTES + head.length

    def drop_last(self) -> None:
        """Take the last frame away again."""
        self.end = self.offsets.pop()
        self.stored_ns.pop()


def pack_head() -> bytes:
    """Return the first bytes of a recording."""
    return _with_crc(_HEAD.pack(MAGIC, VERSION, 0))


def check_head(data: bytes, name: str) -> None:
    """Make sure that ``data``, the first bytes of the file ``name``, begin a recording.

    Raises:
        LogRefused: they do not, or one of another version.
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
    """Return the head of a frame, or None if this is none."""
    if len(data) < FRAME_HEAD_BYTES or not data.startswith(mark):
        return None
    if _CRC.unpack_from(data, _FRAME.size)[0] != crc32(data[: _FRAME.size]):
        return None
    head = FrameHead(*_FRAME.unpack_from(data))
    return head if mark == INDEX_MARK or head.length <= MAX_FRAME_BYTES else None


def pack_index(frames: Frames) -> bytes:
    """Return the index and the end that go behind the last frame."""
    index = pack_frame(_big_endian(frames.offsets) + _big_endian(frames.stored_ns), 0, INDEX_MARK)
    return index + _with_crc(_END.pack(END_MARK, frames.end))


def read_index(read: Read, size: int) -> Frames | None:
    """Return the frames as the index tells them, or None if no sound index ends the file."""
    end = read(size - END_BYTES, END_BYTES) if size >= HEAD_BYTES + END_BYTES else b""
    if not end.startswith(END_MARK) or _CRC.unpack_from(end, _END.size)[0] != crc32(end[: _END.size]):
        return None
    at = _END.unpack_from(end)[1]
    head = parse_frame_head(read(at, FRAME_HEAD_BYTES), INDEX_MARK) if HEAD_BYTES <= at < size else None
    # The length is compared with the file's before anything of that length is read.
    if head is None or head.length % 16 or at + FRAME_HEAD_BYTES + head.length + END_BYTES != size:
        return None
    data = read(at + FRAME_HEAD_BYTES, head.length)
    if crc32(data) != head.crc:
        return None
    frames = Frames()
    frames.offsets, frames.stored_ns = _numbers(data[: head.length // 2]), _numbers(data[head.length // 2 :])
    frames.end = at
    # An index that tells of places outside of the file was made up: the frames are looked for.
    return frames if all(HEAD_BYTES <= offset < at for offset in frames.offsets) else None


def scan(read: Read, size: int, frames: Frames, after_hole: AfterHole = lambda offset: offset) -> None:
    """Find the frames behind those known already, up to ``size``, passing over whatever is none.

    Bytes behind the last frame are left for the next time: they may be one that is being written.
    ``after_hole`` spares reading the holes of a file, which may be far larger than what it holds.
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
    """Yield where whole frames begin, from ``at`` on."""
    while (at := after_hole(at)) + FRAME_HEAD_BYTES <= size:
        # Windows overlap, so that a mark across two of them is found.
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
