import os

import pytest

from farscope.logs.memory import MemoryLog, forget

NAME = "tests/logs/test_memory"


@pytest.fixture(autouse=True)
def fresh_name():
    forget(NAME)
    yield
    forget(NAME)


def test_two_logs_of_one_name_are_one():
    MemoryLog(NAME).writer("a1").append([b"x"], 1.0)
    assert [entry.data for entry in MemoryLog(NAME).reader(since_ns=0).read(0.0)] == [b"x"]
    assert MemoryLog(NAME + "!").reader(since_ns=0).read(0.0) == []
    forget(NAME + "!")


def test_a_forgotten_name_starts_empty_and_its_old_readers_keep_what_they_had():
    log = MemoryLog(NAME)
    log.writer("a1").append([b"old"], 1.0)
    reader = log.reader(since_ns=0)
    position = reader.position
    forget(NAME)
    assert log.reader(since_ns=0).read(0.0) == []
    log.writer("a1").append([b"new"], 1.0)
    assert [entry.data for entry in reader.read(0.0)] == [b"old"]
    assert [entry.data for entry in log.reader(position=position).read(0.0)] == [b"new"]


def test_beyond_its_size_the_oldest_go_and_readers_count_them_as_cut():
    log = MemoryLog(NAME, max_bytes=30)
    reader = log.reader()
    writer = log.writer("a1")
    writer.append([bytes([number]) * 10 for number in range(5)], 1.0)
    assert [entry.data[0] for entry in reader.read(0.0)] == [2, 3, 4]
    assert reader.cut == 2
    assert log.reader(since_ns=0).cut == 0


def test_beyond_their_age_batches_go():
    now = [1_000]
    log = MemoryLog(NAME, max_age_ns=100, clock=lambda: now[0])
    reader = log.reader()
    writer = log.writer("a1")
    writer.append([b"old"], 1.0)
    now[0] = 1_101
    writer.append([b"new"], 1.0)
    assert [entry.data for entry in reader.read(0.0)] == [b"new"]
    assert reader.cut == 1


def test_a_clock_set_back_does_not_turn_times_of_storing_back():
    now = [1_000]
    log = MemoryLog(NAME, clock=lambda: now[0])
    writer = log.writer("a1")
    writer.append([b"1"], 1.0)
    now[0] = 500
    writer.append([b"2"], 1.0)
    assert [entry.stored_ns for entry in log.reader(since_ns=0).read(0.0)] == [1_000, 1_000]


def test_a_reader_starts_at_the_first_batch_of_its_time():
    now = [0]
    log = MemoryLog(NAME, clock=lambda: now[0])
    writer = log.writer("a1")
    for now[0] in (10, 20, 20, 30):
        writer.append([b"%d" % now[0]], 1.0)
    for since_ns, count in ((0, 4), (10, 4), (11, 3), (20, 3), (21, 1), (31, 0)):
        assert len(log.reader(since_ns=since_ns).read(0.0)) == count


def test_a_forked_child_has_a_log_of_its_own():
    log = MemoryLog(NAME)
    writer = log.writer("a1")
    writer.append([b"parent"], 1.0)
    child = os.fork()
    if child == 0:
        empty = log.reader(since_ns=0).read(0.0) == []
        writer.append([b"child"], 1.0)
        has_own = [entry.data for entry in log.reader(since_ns=0).read(0.0)] == [b"child"]
        os._exit(0 if empty and has_own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [entry.data for entry in log.reader(since_ns=0).read(0.0)] == [b"parent"]
