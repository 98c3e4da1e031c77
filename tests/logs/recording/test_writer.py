from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farscope.errors import LogRefused, LogUnavailable, UsageError
from farscope.logs.base import Entry
from farscope.logs.recording import writer as recording_writer
from farscope.logs.recording.file import RecordingFile
from farscope.logs.recording.format import MAX_FRAME_BYTES
from farscope.logs.recording.writer import RecordingWriter

KILLED = """
import os, signal, sys
from pathlib import Path
from farscope.logs.base import Entry
from farscope.logs.recording.writer import RecordingWriter

writer = RecordingWriter(Path(sys.argv[1]))
for number in range(1000):
    writer.append([Entry(b"%d" % number, number)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.farscope"


def entries_of(path: Path) -> list[Entry]:
    with RecordingFile(path) as file:
        return [file.entry(number) for number in range(len(file.frames))]


def test_what_was_appended_is_in_the_file_with_its_times(path):
    sent = [Entry(b"one", 5), Entry(b"", 7), Entry(b"three", 6)]
    with RecordingWriter(path) as writer:
        writer.append(sent[:1])
        writer.append([])
        writer.append(sent[1:])
        assert len(writer) == 3
    assert entries_of(path) == sent
    with RecordingFile(path) as file:
        assert (file.indexed, file.torn, file.end_ns) == (True, 0, 7)


def test_what_was_appended_is_there_before_the_recorder_closes(path):
    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1)])
        assert entries_of(path) == [Entry(b"one", 1)]
        assert writer.size == path.stat().st_size


def test_a_recorder_that_is_killed_loses_nothing(path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert entries_of(path) == [Entry(b"%d" % number, number) for number in range(1000)]


def test_a_recording_is_its_owners_only_and_never_overwritten(path):
    RecordingWriter(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        RecordingWriter(path)
    assert path.read_bytes() == before


def test_a_closed_recording_takes_nothing_more(path):
    writer = RecordingWriter(path)
    writer.close()
    writer.close()
    with pytest.raises(LogRefused):
        writer.append([Entry(b"x", 1)])


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LogRefused, match="the folder exists"):
        RecordingWriter(tmp_path / "none" / "run.farscope")


def test_what_is_longer_than_any_batch_is_left_out_and_counted(path):
    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1), Entry(bytes(MAX_FRAME_BYTES + 1), 2), Entry(b"three", 3)])
        assert writer.left_out == 1
    assert [entry.data for entry in entries_of(path)] == [b"one", b"three"]


def test_a_full_disk_leaves_whole_what_is_there_and_recording_can_go_on(path, monkeypatch):
    write = os.write

    def write_a_part(descriptor: int, data: memoryview) -> int:
        if len(data) > 100:
            return write(descriptor, data[:50])
        raise OSError(errno.ENOSPC, "no space left on device")

    with RecordingWriter(path) as writer:
        writer.append([Entry(b"one", 1)])
        with monkeypatch.context() as full:
            full.setattr(recording_writer.os, "write", write_a_part)
            with pytest.raises(LogUnavailable, match="free some space"):
                writer.append([Entry(b"x" * 100, 2)])
        assert writer.size == path.stat().st_size
        writer.append([Entry(b"three", 3)])
    assert [entry.data for entry in entries_of(path)] == [b"one", b"three"]


def test_a_disk_too_full_for_the_index_leaves_a_recording_without_one(path, monkeypatch):
    writer = RecordingWriter(path)
    writer.append([Entry(b"one", 1)])

    def no_room(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as full:
        full.setattr(recording_writer.os, "write", no_room)
        with pytest.raises(LogUnavailable):
            writer.close()
    with RecordingFile(path) as file:
        assert (file.indexed, len(file.frames), file.torn) == (False, 1, 0)
