from __future__ import annotations

from pathlib import Path

import pytest

from farscope.errors import BadUrl, LogRefused
from farscope.logs.base import Entry, FiniteLog
from farscope.logs.memory import MemoryLog
from farscope.logs.recording.format import FRAME_MARK, INDEX_MARK
from farscope.logs.recording.log import RecordingLog
from farscope.logs.recording.writer import RecordingWriter
from farscope.logs.url import open_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.farscope"
    with RecordingWriter(path) as writer:
        # Two writers' batches, each in its order: 30 came late.
        writer.append([Entry(b"%d" % time, time) for time in (10, 20, 40, 30, 50, 60)])
    return path


def data_of(log: RecordingLog, since_ns: int | None = 0, limit: int = 256) -> list[int]:
    reader = log.reader(since_ns)
    had: list[int] = []
    while found := reader.read(0.0, limit):
        had += [int(entry.data) for entry in found]
    assert reader.caught_up
    reader.close()
    return had


@pytest.mark.parametrize("limit", [1, 4, 256])
def test_it_is_read_from_the_start_or_a_time_on_whatever_the_order(path, limit):
    log = RecordingLog(path)
    assert data_of(log, 0, limit) == [10, 20, 40, 30, 50, 60]
    assert data_of(log, 35, limit) == [40, 50, 60]
    assert data_of(log, 61, limit) == []
    assert data_of(log, None, limit) == []


def test_a_part_of_it_has_what_was_stored_then(path):
    part = RecordingLog(path).part(20, 50)
    assert data_of(part) == [20, 40, 30]
    assert data_of(part, 30) == [40, 30]
    assert data_of(part.part(0, 40)) == [20, 30]
    assert part.end_ns() == 50


def test_a_batch_whose_time_was_made_the_last_there_can_be_is_not_passed_over(path):
    with RecordingWriter(path.with_name("altered.farscope")) as writer:
        writer.append([Entry(b"1", (1 << 64) - 1), Entry(b"2", 5)])
    altered = RecordingLog(path.with_name("altered.farscope"))
    assert data_of(altered) == [1, 2]
    assert not altered.goes_on()


def test_it_says_when_it_ends(path, tmp_path):
    assert RecordingLog(path).end_ns() == 60
    RecordingWriter(tmp_path / "empty.farscope").close()
    assert RecordingLog(tmp_path / "empty.farscope").end_ns() == 0


def test_a_position_keeps_the_part_and_the_starting_time(path):
    reader = RecordingLog(path).part(0, 60).reader(30)
    assert [entry.data for entry in reader.read(0.0, 1)] == [b"40"]
    position = dict(reader.position)
    reader.close()
    reader = RecordingLog(path).part(0, 60).reader(None, position)
    assert [entry.data for entry in reader.read(0.0)] == [b"30", b"50"]
    reader.close()


def test_it_is_a_log_that_ends_and_others_are_not(path):
    assert isinstance(RecordingLog(path), FiniteLog)
    assert not isinstance(MemoryLog("x"), FiniteLog)


def test_nothing_is_broadcast_to_it(path):
    with pytest.raises(LogRefused, match="farscope record FILE URL"):
        RecordingLog(path).writer("a1")


def test_making_one_touches_nothing_and_reading_one_that_is_not_there_is_refused(tmp_path):
    log = RecordingLog(tmp_path / "none.farscope")
    with pytest.raises(LogRefused, match="No such file"):
        log.reader(0)


@pytest.mark.parametrize(
    "address", ["{}", "file:{}", "file://{}", "file://localhost{}"], ids=["bare", "file", "file://", "host"]
)
def test_it_has_an_address(path, address):
    log = open_log(address.format(path))
    assert isinstance(log, RecordingLog)
    assert log.path == path
    assert log.url == f"file:{path}"
    assert not log.shared


def test_its_address_leads_back_to_it_whatever_it_is_called(tmp_path):
    odd = tmp_path / "a b?%41#.rec"
    assert open_log(RecordingLog(odd).url).path == odd


def test_a_relative_recording_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = open_log("run.farscope")
    monkeypatch.chdir("/")
    assert log.path == tmp_path / "run.farscope"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("file:", "names no file(.|\n)*file:~/run.farscope"),
        ("file://elsewhere/run.farscope", "names the host 'elsewhere'(.|\n)*a recording is a file"),
        ("run\0.farscope", "null character"),
        ("~nobody-of-that-name/run.farscope", "write an absolute path"),
    ],
)
def test_an_address_that_names_no_file_is_refused(address, says):
    with pytest.raises(BadUrl, match=says):
        open_log(address)


def test_a_recording_that_is_there_is_known_whatever_it_is_called(path, tmp_path):
    path.rename(tmp_path / "run.rec")
    assert open_log(str(tmp_path / "run.rec")).url == f"file:{tmp_path}/run.rec"
    with pytest.raises(BadUrl):
        open_log(str(tmp_path / "other.rec"))


def test_a_recording_of_which_a_part_is_spoilt_says_that_it_could_not_be_read(path):
    reader = RecordingLog(path).reader(0)
    assert reader.unread == ()
    reader.close()
    data = path.read_bytes()
    first, second = data.index(FRAME_MARK), data.index(FRAME_MARK, data.index(FRAME_MARK) + 1)
    path.write_bytes(data[:first] + b"x" * (second - first) + data[second : data.index(INDEX_MARK)] + b"torn")
    reader = RecordingLog(path).reader(0)
    assert len(reader.read(0.0)) == 5
    (unread,) = reader.unread
    assert (unread.name, unread.opened) == ("run.farscope", True)
    damaged = second - first
    assert (
        unread.detail
        == f"4 bytes at its end are not a whole batch, {damaged} bytes between batches are damaged"
    )
    reader.close()
