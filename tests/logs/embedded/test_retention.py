import fcntl
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.logs.embedded import retention as folder_retention
from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.log import FolderLog
from farscope.logs.embedded.retention import HEADROOM, MIN_MAX_BYTES, STRAY_NS, FoundFile, Limits, plan
from farscope.logs.embedded.writer import FolderWriter

DAY_NS = 86_400 * 10**9
SMALL = Limits(max_bytes=1_000_000)


@pytest.fixture
def log(tmp_path: Path) -> FolderLog:
    return FolderLog(tmp_path / "log", max_bytes=SMALL.max_bytes)


def on_disk(log: FolderLog) -> int:
    return sum(path.stat().st_size for path in log.folder.iterdir())


def everything(log: FolderLog) -> list[bytes]:
    reader = log.reader(since_ns=0)
    had = []
    while found := reader.read(0.0):
        had += [entry.data for entry in found]
    reader.close()
    return had


def test_a_long_running_writer_stays_within_the_bound(log):
    writer = log.writer("a")
    largest = 0
    for number in range(600):
        writer.append([b"%d " % number + bytes(number * 37 % 20_000)], 1.0)
        largest = max(largest, on_disk(log))
    assert largest <= SMALL.max_bytes
    had = [int(batch.partition(b" ")[0]) for batch in everything(log)]
    assert had == list(range(had[0], 600))
    assert len(had) > 30
    writer.close()


def test_a_batch_larger_than_the_bound_is_stored_all_the_same(log):
    writer = log.writer("a")
    for letter in (b"x", b"y"):
        writer.append([letter * 2_000_000], 1.0)
    assert everything(log)[-1] == b"y" * 2_000_000
    writer.close()


def test_many_living_writers_share_the_bound(log):
    writers = [log.writer(f"{number}") for number in range(4)]
    for number in range(150):
        for writer in writers:
            writer.append([b"%d " % number + bytes(10_000)], 1.0)
    assert on_disk(log) <= SMALL.max_bytes * 1.1
    newest = everything(log)[-4:]
    assert [batch.partition(b" ")[0] for batch in newest] == [b"149"] * 4
    for writer in writers:
        writer.close()


def test_files_of_gone_writers_go_oldest_first(log):
    for number in range(12):
        writer = log.writer(f"{number:02}")
        writer.append([b"%02d" % number + bytes(100_000)], 1.0)
        writer.close()
    last = log.writer("last")
    last.append([b"99" + bytes(100_000)], 1.0)
    had = [int(batch[:2]) for batch in everything(log)]
    assert had == [*range(12 - len(had) + 1, 12), 99]
    assert 3 < len(had) < 9
    last.close()


def test_a_recent_short_run_outlives_the_old_rows_of_a_long_one(log):
    long = log.writer("long")
    for number in range(70):
        long.append([b"long %d " % number + bytes(10_000)], 1.0)
    short = log.writer("short")
    short.append([b"short"], 1.0)
    short.close()
    for number in range(70, 100):
        long.append([b"long %d " % number + bytes(10_000)], 1.0)
    assert b"short" in everything(log)
    long.close()


def test_a_writer_that_is_suspended_is_not_taken_for_gone(log):
    now = [10**18]
    suspended = FolderWriter(log.folder, "suspended", SMALL, clock=lambda: now[0], steady=lambda: now[0])
    suspended.append([b"kept"], 1.0)
    other = FolderWriter(log.folder, "other", SMALL, clock=lambda: now[0], steady=lambda: now[0])
    for _ in range(200):
        now[0] += DAY_NS
        other.append([bytes(10_000)], 1.0)
    assert b"kept" in everything(log)
    suspended.append([b"awake"], 1.0)
    assert b"awake" in everything(log)
    suspended.close()
    other.close()


def test_what_is_too_old_goes_from_gone_and_from_own_files(log):
    limits = Limits(max_age_ns=3 * DAY_NS)
    now = [10**18]
    orphaned = FolderWriter(log.folder, "gone", limits, clock=lambda: now[0], steady=lambda: now[0])
    orphaned.append([b"gone"], 1.0)
    orphaned.close()
    (path,) = log.folder.glob("*.fslog")
    os.utime(path, ns=(now[0], now[0]))
    own = FolderWriter(log.folder, "own", limits, clock=lambda: now[0], steady=lambda: now[0])
    for day in range(8):
        now[0] = 10**18 + day * DAY_NS
        own.append([b"%d" % day], 1.0)
    assert not path.exists()
    assert everything(log) == [b"4", b"5", b"6", b"7"]
    own.close()


def test_what_writers_killed_in_the_making_left_is_removed(log):
    log.folder.mkdir(mode=0o700)
    base = log.folder / "x-00000000-0000000000000000.fslog"
    left = [base.with_name(base.name + end) for end in (".alive", ".new", "-wal", "-shm")]
    made_now = log.folder / "y-00000000-0000000000000000.fslog.new"
    for path in (*left, made_now):
        path.touch()
        os.utime(path, ns=(0, time.time_ns() - 2 * STRAY_NS))
    not_locked_yet = log.folder / "z-00000000-0000000000000000.fslog.new"
    not_locked_yet.touch()
    (log.folder / "notes.txt").touch()
    with made_now.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = log.writer("a")
        writer.append([b"x"], 1.0)
    assert not any(path.exists() for path in left)
    assert made_now.exists()
    assert not_locked_yet.exists()
    assert (log.folder / "notes.txt").exists()
    writer.close()


def test_a_writer_gives_back_what_is_beyond_its_share_when_others_come(log):
    first = log.writer("first")
    for _ in range(100):
        first.append([bytes(10_000)], 1.0)
    alone = on_disk(log)
    others = [log.writer(f"{number}") for number in range(3)]
    for _ in range(30):
        for writer in (first, *others):
            writer.append([bytes(10_000)], 1.0)
    assert sum(path.stat().st_size for path in log.folder.glob("first*.fslog")) < alone / 2
    for writer in (first, *others):
        writer.close()


def test_a_clock_that_jumps_and_is_put_right_removes_nothing(log):
    limits = Limits(max_age_ns=7 * DAY_NS)
    wall, steady = [time.time_ns()], [10**12]
    running = FolderWriter(log.folder, "running", limits, clock=lambda: wall[0], steady=lambda: steady[0])

    def go_on(span_ns: int) -> None:
        wall[0] += span_ns
        steady[0] += span_ns
        running.append([b"running"], 1.0)

    for _ in range(3):
        go_on(3_600 * 10**9)
    finished = log.writer("finished")
    finished.append([b"finished"], 1.0)
    finished.close()
    wall[0] += 30 * DAY_NS
    go_on(3_600 * 10**9)
    wall[0] -= 30 * DAY_NS
    go_on(20 * 10**9)
    # A program that begins while the clock is wrong knows by the folder that it was set.
    wall[0] += 30 * DAY_NS
    late = FolderWriter(log.folder, "late", limits, clock=lambda: wall[0], steady=lambda: steady[0])
    late.append([b"late"], 1.0)
    late.close()
    assert b"finished" in everything(log)
    # What runs evenly for more than a day is believed again.
    for _ in range(30):
        go_on(3_600 * 10**9)
    assert b"finished" not in everything(log)
    running.close()


def test_a_program_that_begins_in_a_folder_of_many_files_leaves_them_to_who_looks_next(log, monkeypatch):
    listings = []
    list_files = folder_retention.list_files
    monkeypatch.setattr(
        folder_retention, "list_files", lambda folder: listings.append(folder) or list_files(folder)
    )
    for number in range(20):
        writer = FolderWriter(log.folder, f"{number}", Limits())
        writer.append([b"x"], 1.0)
        writer.close()
    assert len(listings) == 1


def test_who_looks_whether_a_writer_lives_does_not_hide_it_from_the_next(log):
    writer = log.writer("a")
    writer.append([b"x"], 1.0)
    writer.close()
    (path,) = log.folder.glob("*.fslog")
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    assert not writer_is_alive(path)
    os.close(fd)


gone_files = st.lists(
    st.builds(FoundFile, st.just(Path("x")), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20
)


@given(
    orphaned=gone_files,
    own_bytes=st.integers(0, 2 * 10**6),
    own_oldest_ns=st.integers(0, 10**6),
    others_bytes=st.lists(st.integers(0, 10**6), max_size=5),
    max_bytes=st.integers(MIN_MAX_BYTES, 2 * 10**6),
    max_age_ns=st.integers(1, 10**6),
)
def test_a_plan_removes_enough_and_oldest_first(
    *, orphaned, own_bytes, own_oldest_ns, others_bytes, max_bytes, max_age_ns
):
    limits = Limits(max_bytes, max_age_ns)
    now_ns = 10**6
    todo = plan(
        orphaned=orphaned,
        own_bytes=own_bytes,
        own_oldest_ns=own_oldest_ns,
        others_bytes=others_bytes,
        limits=limits,
        now_ns=now_ns,
    )
    left = sorted(orphaned)
    for file in todo.files:
        left.remove(file)
    allowed = int(max_bytes * HEADROOM)
    share = allowed // (1 + len(others_bytes))
    after = sum(file.bytes for file in left) + own_bytes - todo.own_excess + sum(others_bytes)
    assert 0 <= todo.own_excess <= own_bytes
    assert own_bytes - todo.own_excess >= min(own_bytes, share // 2)
    # Only others beyond their share, whose own business that is, can leave the folder too large.
    assert after <= allowed or (not left and own_bytes - todo.own_excess <= share < allowed)
    assert all(file.newest_ns >= now_ns - max_age_ns for file in left)
    if left and todo.files:
        assert max(file.newest_ns for file in todo.files) <= min(file.newest_ns for file in left)
    if sum(file.bytes for file in orphaned) + own_bytes + sum(others_bytes) <= allowed:
        assert todo.own_excess == 0
        assert all(file.newest_ns < now_ns - max_age_ns for file in todo.files)
