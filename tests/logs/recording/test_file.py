from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from farscope.errors import LogRefused
from farscope.logs.base import Entry
from farscope.logs.recording.file import RecordingFile, is_recording
from farscope.logs.recording.format import HEAD_BYTES, pack_frame, pack_head, pack_index
from farscope.logs.recording.writer import RecordingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.farscope"


def record(path: Path) -> None:
    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1), Entry(b"two", 2), Entry(b"three", 3)])


def test_a_torn_tail_is_dropped_and_told(path):
    path.write_bytes(pack_head() + pack_frame(b"one", 1) + pack_frame(b"two", 2)[:-1])
    with RecordingFile(path) as file:
        assert (len(file.frames), file.torn, file.indexed) == (1, len(pack_frame(b"two", 2)) - 1, False)
        assert file.entry(0) == Entry(b"one", 1)


def test_a_last_frame_whose_bytes_never_reached_the_disk_is_dropped(path):
    lost = bytearray(pack_frame(b"two", 2))
    lost[-3:] = b"\0\0\0"
    path.write_bytes(pack_head() + pack_frame(b"one", 1) + lost)
    with RecordingFile(path) as file:
        assert (len(file.frames), file.torn) == (1, len(lost))


def test_spoilt_bytes_in_the_middle_cost_only_themselves(path):
    path.write_bytes(pack_head() + pack_frame(b"one", 1) + b"\0" * 99 + pack_frame(b"two", 2))
    with RecordingFile(path) as file:
        assert [file.entry(number).data for number in range(2)] == [b"one", b"two"]
        assert (file.frames.damaged, file.torn) == (99, 0)


def test_a_changed_batch_is_handed_out_for_its_seal_to_tell_and_is_not_sound(path):
    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1), Entry(b"two", 2)])
    path.write_bytes(path.read_bytes().replace(b"one", b"0ne"))
    with RecordingFile(path) as file:
        assert file.entry(0) == Entry(b"0ne", 1)
        assert [file.is_sound(number) for number in range(2)] == [False, True]


def test_frames_added_meanwhile_are_found_when_asked_for(path):
    with RecordingWriter(path) as writer, RecordingFile(path) as file:
        assert not file.grow()
        writer.append([Entry(b"one", 1)])
        assert file.grow()
        assert file.entry(0) == Entry(b"one", 1)
        writer.close()
        assert not file.grow()
        assert (file.indexed, file.torn) == (True, 0)


def test_a_file_cut_off_while_it_is_open_has_fewer_batches_and_does_no_harm(path):
    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1), Entry(b"two", 2)])
    with RecordingFile(path) as file:
        path.write_bytes(path.read_bytes()[:50])
        assert [file.entry(number) for number in range(2)] == [Entry(b"one", 1), None]
        assert not file.is_sound(1)


@pytest.mark.parametrize("kind", ["missing", "text", "folder", "empty"])
def test_what_is_no_recording_is_refused_by_name(path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("[2026] lines" if kind == "text" else "")
    assert not is_recording(path)
    with pytest.raises(LogRefused, match=r"run\.farscope"):
        RecordingFile(path)


def test_a_recording_is_known_by_its_first_bytes_whatever_it_is_called(tmp_path):
    RecordingWriter(tmp_path / "noname").close()
    assert is_recording(tmp_path / "noname")
    assert not is_recording("no\0name")


def test_an_index_that_tells_of_places_outside_of_the_file_is_not_believed(path):
    record(path)
    data = path.read_bytes()
    with RecordingFile(path) as file:
        frames, end = file.frames, file.frames.end
    true = list(frames.offsets)
    for wrong in ((1 << 63) + 5, (1 << 64) - 1, end, 0):
        frames.offsets[1] = wrong
        path.write_bytes(data[:end] + pack_index(frames))
        with RecordingFile(path) as file:
            assert not file.indexed
            assert list(file.frames.offsets) == true
            assert all(file.entry(number) for number in range(len(true)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_at_once_though_nobody_writes_into_it(tmp_path):
    pipe = tmp_path / "pipe.farscope"
    os.mkfifo(pipe)
    assert not is_recording(pipe)
    with pytest.raises(LogRefused, match="is not a file"):
        RecordingFile(pipe)


@pytest.mark.skipif(sys.platform != "linux", reason="where holes are is asked as Linux tells it")
def test_holes_of_any_size_are_passed_over_unread(path):
    record(path)
    whole = path.read_bytes()
    with RecordingFile(path) as file:
        count, end = len(file.frames), file.frames.end
    path.write_bytes(whole[:end])
    with path.open("r+b") as file:
        file.seek(1 << 40)
        file.write(whole[HEAD_BYTES:end])
    with RecordingFile(path) as file:
        assert len(file.frames) == 2 * count
        assert all(file.is_sound(number) for number in range(2 * count))
    os.truncate(path, 1 << 42)
    with RecordingFile(path) as file:
        assert len(file.frames) == 2 * count
