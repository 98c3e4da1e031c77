from __future__ import annotations

from pathlib import Path

import pytest

from farscope.errors import LogRefused
from farscope.logs.base import Entry
from farscope.logs.recording_file import RecordingFile, is_recording
from farscope.logs.recording_format import pack_frame, pack_head
from farscope.logs.recording_writer import RecordingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.farscope"


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
