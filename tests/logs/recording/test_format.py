from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import LogRefused
from farscope.logs.recording.format import (
    END_BYTES,
    FRAME_HEAD_BYTES,
    FRAME_MARK,
    HEAD_BYTES,
    SEARCH_BYTES,
    VERSION,
    Frames,
    check_head,
    pack_frame,
    pack_head,
    pack_index,
    parse_frame_head,
    read_index,
    scan,
)

batches = st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 2**64 - 1)), max_size=12)


def scanned(data: bytes) -> Frames:
    frames = Frames()
    scan(lambda at, count: data[at : at + count], len(data), frames)
    return frames


def indexed(data: bytes) -> Frames | None:
    return read_index(lambda at, count: data[at : at + count], len(data))


def recording(entries: list[tuple[bytes, int]]) -> bytes:
    return pack_head() + b"".join(pack_frame(data, stored_ns) for data, stored_ns in entries)


def contents(data: bytes, frames: Frames) -> list[tuple[bytes, int]]:
    found = []
    for offset, stored_ns in zip(frames.offsets, frames.stored_ns, strict=True):
        head = parse_frame_head(data[offset : offset + FRAME_HEAD_BYTES])
        start = offset + FRAME_HEAD_BYTES
        found.append((data[start : start + head.length], stored_ns))
        assert crc32(found[-1][0]) == head.crc
    return found


@given(batches)
def test_what_was_packed_is_found_by_a_scan(entries):
    data = recording(entries)
    frames = scanned(data)
    assert contents(data, frames) == entries
    assert (frames.damaged, frames.end) == (0, len(data))


@given(batches)
def test_the_index_tells_what_a_scan_finds(entries):
    data = recording(entries)
    frames = scanned(data)
    found = indexed(data + pack_index(frames))
    assert (found.offsets, found.stored_ns, found.end) == (frames.offsets, frames.stored_ns, len(data))


@given(batches, st.data())
def test_cut_off_anywhere_all_whole_frames_are_found_and_nothing_else(entries, draw):
    data = recording(entries)
    data += pack_index(scanned(data))
    cut = data[: draw.draw(st.integers(HEAD_BYTES, len(data) - 1))]
    found = contents(cut, scanned(cut))
    assert found == entries[: len(found)]
    assert indexed(cut) is None
    whole = len(recording(entries[: len(found) + 1]))
    assert len(found) == len(entries) or len(cut) < whole


@given(batches.filter(bool), st.data())
def test_a_changed_index_is_not_believed(entries, draw):
    data = recording(entries)
    index = bytearray(pack_index(scanned(data)))
    place = draw.draw(st.integers(0, len(index) - 1))
    index[place] ^= draw.draw(st.integers(1, 255))
    assert indexed(data + bytes(index)) is None


@pytest.mark.parametrize("size", [1, 23, SEARCH_BYTES - 30, SEARCH_BYTES + 5])
def test_frames_behind_spoilt_bytes_are_found_again(size):
    data = recording([(b"before", 1)]) + b"\xf5" * size + pack_frame(b"behind", 2)
    frames = scanned(data)
    assert contents(data, frames) == [(b"before", 1), (b"behind", 2)]
    assert frames.damaged == size


def test_a_mark_in_spoilt_bytes_is_no_frame():
    data = recording([]) + FRAME_MARK * 20 + pack_frame(b"x", 1)
    frames = scanned(data)
    assert contents(data, frames) == [(b"x", 1)]


def test_a_scan_goes_on_where_the_last_one_ended():
    data = recording([(b"one", 1), (b"two", 2)])
    frames = Frames()

    def read(at: int, count: int) -> bytes:
        return data[at : at + count]

    for size in range(HEAD_BYTES, len(data) + 1):
        scan(read, size, frames)
    assert contents(data, frames) == [(b"one", 1), (b"two", 2)]
    assert frames.damaged == 0


def test_a_length_no_file_has_is_refused_before_anything_is_read():
    reads = []
    data = recording([(b"x", 1)])
    data += pack_index(scanned(data))

    def read(at: int, count: int) -> bytes:
        reads.append(count)
        return data[at : at + count]

    assert read_index(read, len(data) + 5) is None
    assert max(reads) <= END_BYTES


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"", "is not a recording"),
        (b"[2026-01-10] [c] e->B() c1->c2\n", "is not a recording"),
        (pack_head()[:10], "head of the recording run is spoilt"),
        (pack_head()[:-1] + b"\0", "head of the recording run is spoilt"),
    ],
)
def test_what_does_not_begin_as_a_recording_is_refused_by_name(head, says):
    with pytest.raises(LogRefused, match=says):
        check_head(head, "run")


def test_a_recording_of_another_version_is_refused_with_the_remedy():
    head = bytearray(pack_head())
    head[8:10] = (VERSION + 1).to_bytes(2, "big")
    head[12:] = crc32(head[:12]).to_bytes(4, "big")
    with pytest.raises(LogRefused, match=r"of version 2; (.|\n)*use the release"):
        check_head(bytes(head), "run")
