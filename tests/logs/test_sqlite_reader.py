import errno
import logging
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.sqlite import SqliteLog
from farscope.logs.sqlite_file import TABLES, FileName, writer_lives
from farscope.logs.sqlite_reader import SqliteReader
from farscope.logs.sqlite_retention import KeepWithin
from farscope.logs.sqlite_tail import ALL_READ, Tail
from farscope.logs.sqlite_writer import SqliteWriter


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "log")


def data(reader: SqliteReader) -> list[bytes]:
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    return had


def write(log: SqliteLog, name: str, *batches: bytes) -> Path:
    before = set(log.folder.glob("*.fslog"))
    writer = log.writer(name)
    writer.append(batches, 1.0)
    writer.close()
    (path,) = set(log.folder.glob("*.fslog")) - before
    return path


def test_files_are_merged_by_time_of_storing(log):
    now = [0]
    writers = [SqliteWriter(log.folder, name, KeepWithin(), clock=lambda: now[0]) for name in ("a", "b", "c")]
    for turn in range(60):
        now[0] = 10**18 + turn
        writers[turn * 7 % 3].append([b"%d" % turn], 1.0)
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"%d" % turn for turn in range(60)]
    reader.close()
    middle = log.reader(since_ns=10**18 + 30)
    assert data(middle) == [b"%d" % turn for turn in range(30, 60)]
    middle.close()
    for writer in writers:
        writer.close()


def test_rights_to_a_folder_that_are_lost_for_a_while_are_waited_for_once_it_was_read(log, monkeypatch):
    write(log, "a", b"1")
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"1"]
    write(log, "b", b"2")
    # The tests may run as a user whom no rights keep out.
    with monkeypatch.context() as taken_away:
        taken_away.setattr(Path, "iterdir", _not_permitted)
        with pytest.raises(LogRefused, match="cannot use the log folder"):
            log.reader(since_ns=0)
        for _ in range(2):
            with pytest.raises(LogUnavailable, match="cannot use the log folder") as caught:
                reader.read(0.0)
            assert caught.value.refused
            assert not reader.caught_up
    assert data(reader) == [b"2"]
    assert reader.caught_up
    reader.close()


def _not_permitted(_: Path):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_what_a_writer_stores_and_closes_upon_while_one_looks_is_read(log, monkeypatch):
    writer = log.writer("a")
    writer.append([b"first"], 1.0)
    reader = log.reader(since_ns=0)
    fetch, last = Tail._fetch, [b"last"]

    def then_the_writer_ends(tail: Tail, connection: sqlite3.Connection) -> bool:
        found = fetch(tail, connection)
        if not found and last:
            writer.append([last.pop()], 1.0)
            writer.close()
        return found

    monkeypatch.setattr(Tail, "_fetch", then_the_writer_ends)
    assert data(reader) + data(reader) == [b"first", b"last"]
    reader.close()


def test_old_files_are_opened_only_when_their_time_comes(log):
    for number in range(30):
        write(log, f"{number:02}", b"%d" % number)
    reader = log.reader(since_ns=0)
    opened = 0
    had = []
    while found := reader.read(0.0, limit=1):
        had += [entry.data for entry in found]
        opened = max(opened, sum(tail.opened for tail in reader._tails.values()))
    assert had == [b"%d" % number for number in range(30)]
    assert opened <= 2
    assert set(reader.position.values()) == {ALL_READ}
    reader.close()


def test_a_reader_from_now_on_leaves_the_files_of_gone_writers_closed(log):
    write(log, "gone", b"old")
    reader = log.reader()
    assert [tail.finished for tail in reader._tails.values()] == [True]
    write(log, "later", b"new")
    assert data(reader) == [b"new"]
    reader.close()


@pytest.mark.parametrize("since_ns", [10**18, 2 * 10**18])
def test_the_position_of_a_reader_since_a_time_keeps_that_time(log, since_ns):
    now = [10**18 - 5]
    writer = SqliteWriter(log.folder, "a", KeepWithin(), clock=lambda: now[0])
    writer.append([b"before"], 1.0)
    now[0] = 10**18
    writer.append([b"after"], 1.0)
    first = log.reader(since_ns=since_ns)
    second = log.reader(position=first.position)
    assert data(second) == data(first) == ([b"after"] if since_ns == 10**18 else [])
    first.close()
    second.close()
    writer.close()


def test_a_spoilt_file_is_skipped_and_reported_once(log, caplog):
    spoilt = write(log, "spoilt", b"x" * 10_000)
    spoilt.write_bytes(b"SQLite format 3\0" + os.urandom(spoilt.stat().st_size - 16))
    write(log, "good", b"good")
    reader = log.reader(since_ns=0)
    with caplog.at_level(logging.WARNING, "farscope"):
        assert data(reader) == [b"good"]
        write(log, "more", b"more")
        assert data(reader) == [b"more"]
    assert reader.skipped == 1
    assert [spoilt.name in record.getMessage() for record in caplog.records] == [True]
    reader.close()


def test_what_comes_before_a_spoilt_place_is_read(log):
    batches = [bytes([number]) * 3000 for number in range(60)]
    path = write(log, "a", *batches)
    content = bytearray(path.read_bytes())
    at = content.rindex(bytes([50]) * 1000)
    content[at : at + 1000] = bytes(1000)
    page = at // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    reader = log.reader(since_ns=0)
    had = data(reader)
    assert 0 < len(had) < 60
    assert had == batches[: len(had)]
    assert reader.skipped == 1
    reader.close()


OURS = [*TABLES.values(), "INSERT INTO meta VALUES (1, 0)"]
FOREIGN = {
    "empty": b"",
    "text": b"no database",
    "other-tables": ["CREATE TABLE other (x)"],
    "later-format": [*OURS, "UPDATE meta SET format = 99"],
    "no-format": [*OURS, "DELETE FROM meta"],
    "other-columns": ["CREATE TABLE meta (format, closed)", "CREATE TABLE batch (id, stored_ns, data)"],
    "a-view": [TABLES["meta"], "INSERT INTO meta VALUES (1, 0)", "CREATE VIEW batch AS SELECT 1 AS id"],
    "data-is-text": [*OURS, "INSERT INTO batch VALUES (1, 2, 'text')"],
    "time-is-text": [*OURS, "INSERT INTO batch VALUES (1, 'text', x'00')"],
    "too-large": [*OURS, "INSERT INTO batch VALUES (1, 2, zeroblob(100000000))"],
}


@pytest.mark.parametrize("since_ns", [0, 1])
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_files_are_skipped(log, content, since_ns):
    write(log, "good", b"good")
    path = log.folder / str(FileName("foreign-00000000", 0))
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        connection = sqlite3.connect(path)
        connection.executescript(";".join(content))
        connection.close()
    (log.folder / "notes.txt").write_text("not ours")
    (log.folder / "odd.fslog").write_text("not ours")
    reader = log.reader(since_ns=since_ns)
    assert data(reader) == [b"good"]
    assert reader.skipped == 1
    reader.close()


def test_a_file_removed_while_it_is_read_is_read_to_its_end(log):
    path = write(log, "a", *[b"%d" % number for number in range(200)])
    reader = log.reader(since_ns=0)
    had = [entry.data for entry in reader.read(0.0, limit=10)]
    path.unlink()
    write(log, "b", b"end")
    assert had + data(reader) == [b"%d" % number for number in range(200)] + [b"end"]
    assert reader.cut == 0
    reader.close()


def test_rows_removed_before_they_were_read_count_as_cut(log):
    writer = SqliteWriter(log.folder, "a", KeepWithin(max_bytes=256 * 1024))
    writer.append([b"first"], 1.0)
    reader = log.reader(since_ns=0)
    assert [entry.data for entry in reader.read(0.0)] == [b"first"]
    position = reader.position
    for number in range(100):
        writer.append([b"%d " % number + bytes(10_000)], 1.0)
    for each in (reader, log.reader(position=position)):
        had = data(each)
        assert had[-1].startswith(b"99 ")
        assert 0 < each.cut == 100 - len(had)
        each.close()
    late = log.reader(since_ns=0)
    assert data(late) == had
    assert late.cut == 0
    late.close()
    writer.close()


def test_rows_removed_before_a_new_file_was_even_seen_count_as_cut(log):
    readers = [log.reader(), log.reader(since_ns=0), log.reader(position=log.reader().position)]
    writer = SqliteWriter(log.folder, "a", KeepWithin(max_bytes=256 * 1024))
    for number in range(100):
        writer.append([b"%d " % number + bytes(10_000)], 1.0)
    for reader in readers:
        had = data(reader)
        assert 0 < reader.cut == 100 - len(had)
        reader.close()
    writer.close()


def test_a_file_nobody_writes_is_not_opened_to_see_so(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.sqlite_tail.COARSE_NS", -(10**18))
    writer = log.writer("a")
    writer.append([b"1"], 1.0)
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"1"]
    (tail,) = reader._tails.values()
    asked = []
    tail._connection.set_trace_callback(asked.append)
    assert data(reader) == []
    assert asked == []
    writer.append([b"2"], 1.0)
    assert data(reader) == [b"2"]
    reader.close()
    writer.close()


def test_a_quiet_file_is_read_to_its_end(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.sqlite_tail.COARSE_NS", -(10**18))
    writer = log.writer("a")
    writer.append([b"%d" % number for number in range(1000)], 1.0)
    reader = log.reader(since_ns=0)
    assert len(data(reader)) == 1000
    reader.close()
    writer.close()


def test_a_reader_waits_in_another_thread_until_it_is_interrupted(log):
    reader = log.reader()
    told = []
    thread = threading.Thread(target=lambda: told.append(reader.read(60.0)), name="reader")
    thread.start()
    reader.interrupt()
    thread.join(20.0)
    assert told == [[]]
    reader.close()


def test_an_interrupt_before_a_read_with_something_to_return_loses_nothing(log):
    reader = log.reader()
    write(log, "a", b"x")
    reader.interrupt()
    assert [entry.data for entry in reader.read(60.0)] == [b"x"]
    assert reader.read(60.0) == []
    reader.close()


def test_a_read_stops_at_its_bytes_and_goes_on_with_the_next(log):
    batches = [bytes([number]) * 1_000_000 for number in range(20)]
    write(log, "a", *batches)
    reader = log.reader(since_ns=0)
    assert len(reader.read(0.0)) < 20
    assert not reader.caught_up
    assert len(data(reader)) > 0
    assert reader.caught_up
    reader.close()


def test_reading_leaves_nothing_beside_a_file_whose_writer_is_gone(log):
    path = write(log, "a", b"x")
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"x"]
    reader.close()
    assert list(log.folder.iterdir()) == [path]


def test_a_reader_that_came_first_lets_go_of_a_writer_that_closed(log):
    reader = log.reader()
    path = write(log, "a", b"x")
    assert data(reader) == [b"x"]
    assert not writer_lives(path)
    assert reader.position == {path.name: ALL_READ}
    shutil.rmtree(log.folder)
    assert data(reader) == []
    assert reader.position == {}
    reader.close()


def test_a_reader_does_not_outlive_a_fork(log):
    reader = log.reader()
    child = os.fork()
    if child == 0:
        try:
            reader.read(0.0)
        except LogRefused:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    reader.close()
