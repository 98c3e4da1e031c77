import errno
import fcntl
import logging
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.embedded import file_reader as folder_tail
from farscope.logs.embedded import open_files as folder_shelf
from farscope.logs.embedded.age_clock import NOTE
from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.file_reader import ALL_READ, CHUNK_BYTES, FileReader
from farscope.logs.embedded.format import (
    FRAME_HEAD_BYTES,
    HEAD_BYTES,
    MAX_BATCH_BYTES,
    FileName,
    pack_frame,
    pack_head,
)
from farscope.logs.embedded.log import FolderLog
from farscope.logs.embedded.reader import FolderReader
from farscope.logs.embedded.retention import Limits
from farscope.logs.embedded.writer import FolderWriter


@pytest.fixture
def log(tmp_path: Path) -> FolderLog:
    return FolderLog(tmp_path / "log")


def data(reader: FolderReader) -> list[bytes]:
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    return had


def write(log: FolderLog, name: str, *batches: bytes) -> Path:
    before = set(log.folder.glob("*.fslog"))
    writer = log.writer(name)
    writer.append(batches, 1.0)
    writer.close()
    (path,) = set(log.folder.glob("*.fslog")) - before
    return path


@pytest.fixture
def a_living_file(log: FolderLog) -> Iterator[Callable[..., Path]]:
    """Makes a file whose writer lives, by hand."""
    with ExitStack() as stack:

        def make(batches: list[bytes], rest: bytes) -> Path:
            log.folder.mkdir()
            path = log.folder / str(FileName("a-00000000", 1))
            file = stack.enter_context(path.open("wb"))
            fcntl.flock(file, fcntl.LOCK_EX)
            frames = [pack_frame(batch, number, 1) for number, batch in enumerate(batches, 1)]
            file.write(pack_head(1) + b"".join(frames) + rest)
            file.flush()
            return path

        yield make


def append(path: Path, what: bytes) -> None:
    with path.open("ab") as file:
        file.write(what)


def test_files_are_merged_by_time_of_storing(log):
    now = [0]
    writers = [FolderWriter(log.folder, name, Limits(), clock=lambda: now[0]) for name in ("a", "b", "c")]
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
        taken_away.setattr(os, "listdir", _not_permitted)
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
    fetch, last = FileReader._fetch, [b"last"]

    def then_the_writer_ends(tail: FileReader) -> bool:
        found = fetch(tail)
        if not found and last:
            writer.append([last.pop()], 1.0)
            writer.close()
        return found

    monkeypatch.setattr(FileReader, "_fetch", then_the_writer_ends)
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
        opened = max(opened, len(reader._open_files))
    assert had == [b"%d" % number for number in range(30)]
    assert opened <= 2
    assert set(reader.position.values()) == {ALL_READ}
    reader.close()


def test_a_reader_from_now_on_leaves_the_files_of_gone_writers_closed(log):
    write(log, "gone", b"old")
    reader = log.reader()
    assert [tail.finished for tail in reader._files.values()] == [True]
    write(log, "later", b"new")
    assert data(reader) == [b"new"]
    reader.close()


@pytest.mark.parametrize("torn", [0, 10, FRAME_HEAD_BYTES + 10, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("size", [0, 100, *range(CHUNK_BYTES - 70, CHUNK_BYTES + 10, 10), 3 * CHUNK_BYTES])
def test_a_reader_from_now_on_finds_the_end_of_a_file_whatever_stands_last_in_it(
    log, a_living_file, size, torn
):
    path = a_living_file([b"first", b"x" * size], pack_frame(b"y" * 3 * CHUNK_BYTES, 3, 1)[:torn])
    reader = log.reader()
    assert data(reader) == []
    os.truncate(path, path.stat().st_size - torn)
    append(path, pack_frame(b"next", 3, 2))
    assert data(reader) == [b"next"]
    reader.close()


def test_a_reader_from_now_on_reads_little_of_a_file_that_is_huge_and_empty(log, a_living_file, monkeypatch):
    path = a_living_file([b"first"], b"")
    os.truncate(path, 2**40)
    sizes = []

    def read(descriptor: int, offset: int, count: int) -> bytes:
        sizes.append(count)
        return os.pread(descriptor, count, offset)

    monkeypatch.setattr(folder_tail, "read_at", read)
    monkeypatch.setattr(folder_tail, "END_REACH", 16 * CHUNK_BYTES)
    reader = log.reader()
    assert max(sizes) <= CHUNK_BYTES + FRAME_HEAD_BYTES
    assert sum(sizes) <= 32 * CHUNK_BYTES
    assert data(reader) == []
    assert [unread.name for unread in reader.unread] == [path.name]
    append(path, pack_frame(b"next", 2, time.time_ns()))
    assert data(reader) == [b"next"]
    reader.close()


def test_nothing_counts_as_cut_when_a_writer_goes_on_while_a_reader_from_now_on_begins(log, monkeypatch):
    monkeypatch.setattr(Limits, "file_bytes", lambda *_: 200)
    writer = log.writer("a")
    writer.append([b"x" * 300], 1.0)
    names = os.listdir

    def and_the_writer_goes_on(folder: Path) -> list[str]:
        found = names(folder)
        monkeypatch.setattr(os, "listdir", names)
        writer.append([b"y" * 300], 1.0)
        return found

    monkeypatch.setattr(os, "listdir", and_the_writer_goes_on)
    reader = log.reader()
    writer.append([b"z" * 300], 1.0)
    assert [batch[:1] for batch in data(reader)] == [b"y", b"z"]
    assert reader.cut == 0
    reader.close()
    writer.close()


@pytest.mark.parametrize("since_ns", [10**18, 2 * 10**18])
def test_the_position_of_a_reader_since_a_time_keeps_that_time(log, since_ns):
    now = [10**18 - 5]
    writer = FolderWriter(log.folder, "a", Limits(), clock=lambda: now[0])
    writer.append([b"before"], 1.0)
    now[0] = 10**18
    writer.append([b"after"], 1.0)
    first = log.reader(since_ns=since_ns)
    second = log.reader(position=first.position)
    assert data(second) == data(first) == ([b"after"] if since_ns == 10**18 else [])
    first.close()
    second.close()
    writer.close()


def details(reader: FolderReader) -> list[str]:
    return [unread.detail for unread in reader.unread]


def test_a_file_of_another_kind_is_skipped_and_reported_once(log, caplog):
    spoilt = write(log, "spoilt", b"x" * 10_000)
    spoilt.write_bytes(os.urandom(spoilt.stat().st_size))
    write(log, "good", b"good")
    reader = log.reader(since_ns=0)
    with caplog.at_level(logging.WARNING, "farscope"):
        assert data(reader) == [b"good"]
        write(log, "more", b"more")
        assert data(reader) == [b"more"]
    assert [(unread.name, unread.opened) for unread in reader.unread] == [(spoilt.name, False)]
    assert [spoilt.name in record.getMessage() for record in caplog.records] == [True]
    reader.close()


def frame_at(content: bytes, number: int) -> int:
    """Return where the frame of the batch ``number`` begins, all of which are of 3000 bytes."""
    return HEAD_BYTES + (number - 1) * (FRAME_HEAD_BYTES + 3000)


BATCHES = [bytes([number]) * 3000 for number in range(1, 61)]
DAMAGE = {
    "a batch": (lambda at: (at + 100, 50), [30]),
    "the head of a frame": (lambda at: (at + 5, 2), [30]),
    "a page": (lambda at: (at // 4096 * 4096, 4096), [29, 30]),
    "several frames": (lambda at: (at, 10_000), [30, 31, 32, 33]),
}


@pytest.mark.parametrize(("place", "expected"), DAMAGE.values(), ids=DAMAGE.keys())
def test_batches_that_are_damaged_are_counted_and_all_others_read(log, place, expected):
    path = write(log, "a", *BATCHES)
    content = bytearray(path.read_bytes())
    at, count = place(frame_at(content, 30))
    content[at : at + count] = bytes(255 - byte for byte in content[at : at + count])
    path.write_bytes(content)
    reader = log.reader(since_ns=0)
    assert data(reader) == [batch for batch in BATCHES if batch[0] not in expected]
    assert details(reader) == [f"batches of it that are damaged: {len(expected)}"]
    assert reader.unread[0].opened
    assert reader.cut == 0
    reader.close()


def test_damage_done_while_a_file_is_read_and_written_is_counted(log):
    writer = log.writer("a")
    writer.append(BATCHES[:10], 1.0)
    (path,) = log.folder.glob("*.fslog")
    reader = log.reader(since_ns=0)
    assert data(reader) == BATCHES[:10]
    writer.append(BATCHES[10:20], 1.0)
    with path.open("r+b") as file:
        file.seek(frame_at(b"", 20))
        file.write(bytes(100))
    assert data(reader) == BATCHES[10:19]
    assert details(reader) == ["it is damaged"]
    writer.append(BATCHES[20:], 1.0)
    assert data(reader) == BATCHES[20:]
    assert details(reader) == ["batches of it that are damaged: 1"]
    writer.close()
    reader.close()


@pytest.mark.parametrize("left", [0, 10, HEAD_BYTES, 10_000])
def test_a_file_cut_short_while_it_is_read_is_said_to_be(log, left):
    writer = log.writer("a")
    writer.append(BATCHES[:10], 1.0)
    (path,) = log.folder.glob("*.fslog")
    reader = log.reader(since_ns=0)
    assert data(reader) == BATCHES[:10]
    os.truncate(path, left)
    assert data(reader) == []
    assert len(reader.unread) == 1
    # Its writer notices, and leaves the file: what it stores then is there, and so is this batch, twice.
    writer.append([b"next"], 1.0)
    writer.close()
    assert set(data(reader)) <= {b"next"}
    fresh = log.reader(since_ns=0)
    assert b"next" in data(fresh)
    assert fresh.unread or fresh.cut
    fresh.close()
    reader.close()


def test_the_rest_of_a_file_cut_short_before_it_was_read_is_accounted_for(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.embedded.file_reader.CHUNK_BYTES", 10_000)
    path = write(log, "a", *BATCHES)
    reader = log.reader(since_ns=0)
    had = [entry.data for entry in reader.read(0.0, limit=3)]
    os.truncate(path, frame_at(b"", 40) + 100)
    had += data(reader)
    assert had == BATCHES[:39]
    assert details(reader) == ["its last batch is not whole"]
    reader.close()


def test_a_file_replaced_while_it_is_read_is_read_on_by_its_numbers(log):
    writer = log.writer("a")
    writer.append(BATCHES[:10], 1.0)
    (path,) = log.folder.glob("*.fslog")
    reader = log.reader(since_ns=0)
    assert data(reader) == BATCHES[:10]
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes() + pack_frame(b"more", 11, 10**18))
    copy.replace(path)
    assert data(reader) == [b"more"]
    assert details(reader) == ["it was replaced by another file"]
    writer.close()
    reader.close()


def test_a_file_that_may_not_be_read_is_named_and_read_once_it_may(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.embedded.file_reader.FIRST_RETRY_S", 0.0)
    path = write(log, "a", b"x")
    write(log, "b", b"y")
    opened = folder_shelf.open_regular
    failure = [PermissionError(errno.EACCES, "Permission denied")]

    def open_or_fail(each: Path) -> int:
        if each == path and failure:
            raise failure[0]
        return opened(each)

    monkeypatch.setattr(folder_shelf, "open_regular", open_or_fail)
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"y"]
    assert [(unread.name, unread.detail, unread.opened) for unread in reader.unread] == [
        (path.name, "Permission denied; readers= in its program's address says who may read it", False)
    ]
    failure.clear()
    assert data(reader) == [b"x"]
    assert not reader.unread
    reader.close()


def test_a_disk_that_fails_for_a_while_costs_nothing(log, monkeypatch, caplog):
    monkeypatch.setattr("farscope.logs.embedded.file_reader.FIRST_RETRY_S", 0.0)
    monkeypatch.setattr("farscope.logs.embedded.file_reader.CHUNK_BYTES", 10_000)
    write(log, "a", *BATCHES)
    reader = log.reader(since_ns=0)
    read, failures = folder_tail.read_at, [True]

    def fail_once(descriptor: int, offset: int, count: int) -> bytes:
        if offset > 50_000 and failures:
            failures.pop()
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, offset, count)

    monkeypatch.setattr(folder_tail, "read_at", fail_once)
    assert data(reader) == BATCHES
    assert "Input/output error" in caplog.text
    assert not reader.unread
    reader.close()


def make_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE batch (id)")


def make_sparse(path: Path) -> None:
    path.write_bytes(pack_head(1))
    os.truncate(path, 10 * 2**30)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        # Addresses of sockets are short.
        listener.bind(os.path.relpath(path, Path.cwd()))


FOREIGN = {
    "empty": lambda path: path.touch(),
    "text": lambda path: path.write_text("no log at all, but long enough to be one"),
    "sqlite": make_sqlite,
    "later version": lambda path: path.write_bytes(_head(version=99)),
    "damaged head": lambda path: path.write_bytes(pack_head(1)[:-1] + b"?"),
    "pipe": os.mkfifo,
    "socket": make_socket,
    "folder": lambda path: path.mkdir(),
    "link": lambda path: path.symlink_to("/dev/zero"),
    "broken link": lambda path: path.symlink_to("nowhere"),
    "sparse": make_sparse,
    "too large": lambda path: path.write_bytes(pack_head(1) + _frame_head(MAX_BATCH_BYTES + 1)),
}


def _head(version: int) -> bytes:
    head = pack_head(1)[:8] + version.to_bytes(2, "big") + bytes(2) + (1).to_bytes(8, "big")
    return head + crc32(head).to_bytes(4, "big")


def _frame_head(length: int) -> bytes:
    head = pack_frame(b"", 1, 1)[:4] + length.to_bytes(4, "big") + pack_frame(b"", 1, 1)[8:28]
    return head + crc32(head).to_bytes(4, "big")


@pytest.mark.parametrize("since_ns", [0, 1, None])
@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN.keys())
def test_whatever_lies_in_the_folder_nothing_hangs_and_the_rest_is_read(log, make, since_ns, monkeypatch):
    write(log, "good", b"good")
    monkeypatch.chdir(log.folder)
    make(log.folder / str(FileName("foreign-00000000", 0)))
    (log.folder / "notes.txt").write_text("not ours")
    (log.folder / "odd.fslog").write_text("not ours")
    reader = log.reader(since_ns=since_ns)
    write(log, "later", b"later")
    assert data(reader) == ([b"good", b"later"] if since_ns is not None else [b"later"])
    assert len(reader.unread) == (since_ns is not None)
    assert reader.caught_up
    reader.close()


def test_a_pipe_where_the_folders_note_should_be_does_not_hold_up_a_writer(log):
    log.folder.mkdir()
    os.mkfifo(log.folder / NOTE)
    write(log, "a", b"x")
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"x"]
    reader.close()


@pytest.mark.parametrize("descriptors", [1, 2])
def test_files_of_many_living_writers_are_read_with_few_descriptors(log, monkeypatch, descriptors):
    monkeypatch.setattr("farscope.logs.embedded.open_files.MAX_OPEN", descriptors)
    reader = log.reader()
    writers = [log.writer(f"{number:02}") for number in range(40)]
    had = []
    for turn in range(5):
        for number, writer in enumerate(writers):
            writer.append([b"%d %d" % (number, turn)], 1.0)
        had += data(reader)
        assert len(reader._open_files) <= descriptors
    assert sorted(had) == sorted(b"%d %d" % (number, turn) for number in range(40) for turn in range(5))
    assert not reader.unread
    assert reader.cut == 0
    for writer in writers:
        writer.close()
    reader.close()


def test_a_reader_that_runs_out_of_descriptors_reads_on_and_says_what_it_cannot_open(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.embedded.file_reader.FIRST_RETRY_S", 0.0)
    for name in ("a", "b"):
        write(log, name, b"x")
    reader = log.reader(since_ns=0)
    opened = folder_shelf.open_regular
    exhausted = [True]

    def none_left(path: Path) -> int:
        if exhausted:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path)

    monkeypatch.setattr(folder_shelf, "open_regular", none_left)
    assert data(reader) == []
    assert details(reader) == ["Too many open files"] * 2
    exhausted.clear()
    assert data(reader) == [b"x", b"x"]
    assert not reader.unread
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


def test_batches_removed_before_they_were_read_count_as_cut(log):
    writer = FolderWriter(log.folder, "a", Limits(max_bytes=256 * 1024))
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


def test_batches_removed_before_a_new_file_was_even_seen_count_as_cut(log):
    readers = [log.reader(), log.reader(since_ns=0), log.reader(position=log.reader().position)]
    writer = FolderWriter(log.folder, "a", Limits(max_bytes=256 * 1024))
    for number in range(100):
        writer.append([b"%d " % number + bytes(10_000)], 1.0)
    for reader in readers:
        had = data(reader)
        assert 0 < reader.cut == 100 - len(had)
        reader.close()
    writer.close()


def test_a_file_removed_before_it_was_read_counts_as_cut_though_nothing_follows(log, monkeypatch):
    monkeypatch.setattr("farscope.logs.embedded.open_files.MAX_OPEN", 1)
    reader = log.reader()
    paths = [write(log, name, *BATCHES) for name in ("a", "b")]
    assert len(reader.read(0.0, limit=10)) == 10
    for path in paths:
        path.unlink()
    write(log, "c", b"end")
    had = data(reader)
    assert had[-1] == b"end"
    assert len(had) < 111
    assert reader.cut > 0
    reader.close()


def test_a_file_nobody_writes_is_not_opened_to_see_so(log, monkeypatch):
    writer = log.writer("a")
    writer.append([b"1"], 1.0)
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"1"]
    (tail,) = reader._files.values()
    with monkeypatch.context() as patched:
        patched.setattr(tail, "_fetch", lambda: pytest.fail("it was read"))
        assert data(reader) == []
    writer.append([b"2"], 1.0)
    assert data(reader) == [b"2"]
    reader.close()
    writer.close()


def test_a_quiet_file_is_read_to_its_end(log):
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


def test_reading_leaves_nothing_beside_a_file(log):
    write(log, "a", b"x")
    before = sorted(log.folder.iterdir())
    reader = log.reader(since_ns=0)
    assert data(reader) == [b"x"]
    reader.close()
    assert sorted(log.folder.iterdir()) == before


def test_a_reader_that_came_first_lets_go_of_a_writer_that_closed(log):
    reader = log.reader()
    path = write(log, "a", b"x")
    assert data(reader) == [b"x"]
    assert not writer_is_alive(path)
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


def test_batches_of_a_file_that_was_removed_unopened_are_counted_once_when_its_writer_goes_on(log):
    limits = Limits(max_bytes=256 * 1024)
    writer = FolderWriter(log.folder, "a", limits)
    writer.append([bytes(5_000), *(bytes(40_000) for _ in range(5))], 1.0)
    reader = log.reader(since_ns=0)
    others = [FolderWriter(log.folder, f"other {number}", limits) for number in range(4)]
    for other in others:
        other.append([bytes(1)], 1.0)
    writer.append([bytes(5_000)], 1.0)
    had = 0
    while found := reader.read(0.0):
        had += len(found)
    assert had + reader.cut == 6 + 1 + len(others)
    assert reader.cut == 6
    reader.close()
    for each in (writer, *others):
        each.close()


@pytest.fixture
def store(log: FolderLog) -> Iterator[Callable[..., Path]]:
    """Stores numbered batches of one writer, each time in a new file."""
    writer = FolderWriter(log.folder, "a", Limits(max_bytes=256 * 1024))
    number = count(1)

    def store_file(batches: int = 2) -> Path:
        before = set(log.folder.glob("*.fslog"))
        writer.append([b"%d " % next(number) + bytes(20_000) for _ in range(batches)], 1.0)
        (path,) = set(log.folder.glob("*.fslog")) - before
        return path

    yield store_file
    writer.close()


def numbers(reader: FolderReader) -> list[int]:
    return [int(batch.partition(b" ")[0]) for batch in data(reader)]


def test_batches_of_a_file_removed_unopened_are_counted_though_later_files_were_there(log, store):
    store(1).unlink()
    oldest = store()
    store()
    reader = log.reader(since_ns=0)
    position = reader.position
    oldest.unlink()
    store()
    for each in (reader, log.reader(position=position)):
        assert numbers(each) == [4, 5, 6, 7]
        assert each.cut == 2
        each.close()


def test_what_was_removed_before_a_reader_from_the_start_began_is_not_cut(log, store):
    store().unlink()
    oldest = store()
    reader = log.reader(since_ns=0)
    oldest.unlink()
    store()
    late = log.reader(since_ns=0)
    assert (numbers(reader), reader.cut) == ([5, 6], 2)
    assert (numbers(late), late.cut) == ([5, 6], 0)
    reader.close()
    late.close()


def test_the_rest_of_a_file_removed_after_a_position_was_taken_in_it_is_counted(log, store):
    oldest = store(3)
    store()
    reader = log.reader(since_ns=0)
    assert len(reader.read(0.0, limit=1)) == 1
    position = reader.position
    reader.close()
    oldest.unlink()
    late = log.reader(position=position)
    assert (numbers(late), late.cut) == ([4, 5], 2)
    late.close()


def test_a_file_removed_unopened_counts_as_one_if_only_its_later_batches_were_to_be_read(log, store):
    oldest, second = store(), store()
    begun_ns = FileName.parse(oldest.name).created_ns
    reader = log.reader(since_ns=begun_ns + 1)
    position = reader.position
    oldest.unlink()
    assert (numbers(reader), reader.cut) == ([3, 4], 1)
    reader.close()
    second.unlink()
    store()
    late = log.reader(position=position)
    assert (numbers(late), late.cut) == ([5, 6], 1)
    late.close()


def test_what_was_read_of_a_removed_file_is_not_cut_for_a_reader_from_a_position_after_it(log, store):
    reader = log.reader(since_ns=0)
    oldest = store(3)
    store()
    assert len(reader.read(0.0, limit=1)) == 1
    position = reader.position
    reader.close()
    oldest.unlink()
    late = log.reader(position=position)
    assert (numbers(late), late.cut) == ([4, 5], 2)
    late.close()
