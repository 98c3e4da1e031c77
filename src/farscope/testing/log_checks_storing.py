"""Independent checks of the log contract for stored batches and writers."""

from __future__ import annotations

import threading
import time

from farscope.logs.diagnostics import Severity
from farscope.testing.log_under_test import (
    APPEND_S,
    LogUnderTest,
    read_batches,
    read_rest,
    reading,
    require,
    require_refused,
    require_same,
    writing,
)


def making_things_touches_nothing(subject: LogUnderTest) -> None:
    """A log and a writer can be made, asked and dropped without use; an address shows no password."""
    log = subject.make_log()
    require(":" in log.url, "an address", log.url)
    log.writer("a1").close()
    with reading(log, since_ns=0) as (_, reader):
        require_same(read_rest(reader), [], "an untouched log")


def a_log_exists_once_something_was_stored(subject: LogUnderTest) -> None:
    """A log that was written to exists, and no check of it fails; asking whether it exists makes none."""
    log = subject.make_log()
    before, again = log.exists(), log.exists()
    require(before == again, "asking whether there is a log to change nothing", again)
    require(bool(before) or bool(before.what), "words for why there is no log", before)
    with writing(log) as writer:
        writer.append([b"x"], APPEND_S)
    require(bool(log.exists()), "a log that was written to to exist", log.exists())
    failed = [check for check in log.examine() if check.severity is Severity.FAIL]
    require(not failed, "an examination of a log in use to fail nothing", failed)


def stored_batches_are_read_in_order(subject: LogUnderTest) -> None:
    """Batches of one writer are read in the order they were appended, whatever the appends' sizes."""
    with reading(subject.make_log(), since_ns=0) as (log, reader), writing(log) as writer:
        sent = [b"%d" % number for number in range(300)]
        for size, first in ((1, 0), (10, 1), (89, 11), (200, 100)):
            writer.append(sent[first : first + size], APPEND_S)
        require_same(read_batches(subject, reader, len(sent)), sent, "batches of one writer in their order")


def every_reader_gets_everything(subject: LogUnderTest) -> None:
    """Every reader sees every batch; readers do not take batches from each other."""
    log = subject.make_log()
    with (
        reading(log, since_ns=0) as (_, first),
        reading(log, since_ns=0) as (_, second),
        writing(log) as writer,
    ):
        writer.append([b"a", b"b"], APPEND_S)
        require_same(read_batches(subject, first, 2), [b"a", b"b"], "everything to the first reader")
        writer.append([b"c"], APPEND_S)
        require_same(read_batches(subject, second, 3), [b"a", b"b", b"c"], "everything to the second reader")
        require_same(read_batches(subject, first, 1), [b"c"], "what came later to the first reader")


def times_of_storing_are_the_clocks(subject: LogUnderTest) -> None:
    """``stored_ns`` is when the log stored a batch, and does not fall within a writer."""
    log = subject.make_log()
    with reading(log, since_ns=0) as (_, reader), writing(log) as writer:
        begun_ns = time.time_ns()
        for _ in range(3):
            writer.append([b"x"], APPEND_S)
        ended_ns = time.time_ns()
        times: list[int] = []
        deadline = time.monotonic() + subject.patience_s
        while len(times) < 3 and time.monotonic() < deadline:
            times += [entry.stored_ns for entry in reader.read(0.2)]
        grain_ns = subject.grain_ns
        require(len(times) == 3, "three batches read", len(times))
        require(times == sorted(times), "times of storing that do not fall", times)
        require(
            begun_ns - grain_ns <= times[0] and times[-1] <= ended_ns + grain_ns,
            "times of storing between the appends' begin and end",
            (begun_ns, times, ended_ns),
        )


def bytes_come_back_as_they_were(subject: LogUnderTest) -> None:
    """Any bytes, none at all, and large batches come back unchanged."""
    log = subject.make_log()
    every_byte = bytes(range(256))
    large = every_byte * (subject.large_bytes // 256)
    sent = [every_byte, b"", b"\0", b"\0\0\xff", "é😀".encode(), large, large[::-1], b"end"]
    with reading(log, since_ns=0) as (_, reader), writing(log) as writer:
        writer.append(sent, APPEND_S)
        require_same(read_batches(subject, reader, len(sent)), sent, "the same bytes")


def an_append_of_nothing_stores_nothing(subject: LogUnderTest) -> None:
    """Appending no batches is allowed and has no effect."""
    log = subject.make_log()
    with reading(log, since_ns=0) as (_, reader), writing(log) as writer:
        writer.append([], APPEND_S)
        require_same(read_rest(reader), [], "nothing")
        writer.append([b"x"], APPEND_S)
        require_same(read_batches(subject, reader, 1), [b"x"], "one batch")


def many_writers_at_once_lose_nothing(subject: LogUnderTest) -> None:
    """Writers in threads of their own disturb neither each other's batches nor their order."""
    log = subject.make_log()
    names = [f"{number:02x}" for number in range(8)]

    def write(name: str) -> None:
        with writing(log, name) as writer:
            for number in range(25):
                writer.append([f"{name}:{number}".encode(), f"{name}:{number}+".encode()], APPEND_S)

    with reading(log, since_ns=0) as (_, reader):
        threads = [threading.Thread(target=write, args=(name,), name=f"writer-{name}") for name in names]
        for thread in threads:
            thread.start()
        received = read_batches(subject, reader, len(names) * 50)
        for thread in threads:
            thread.join()
    for name in names:
        mine = [data for data in received if data.startswith(f"{name}:".encode())]
        sent = [f"{name}:{number}{end}".encode() for number in range(25) for end in ("", "+")]
        require_same(mine, sent, f"the batches of writer {name} in their order")


def a_reader_behind_disturbs_nobody(subject: LogUnderTest) -> None:
    """A reader that does not read holds up neither writers nor other readers, and misses nothing."""
    log = subject.make_log()
    sent = [b"%d" % number for number in range(200)]
    with reading(log, since_ns=0) as (_, idle), reading(log, since_ns=0) as (_, busy), writing(log) as writer:
        for number in range(0, 200, 20):
            writer.append(sent[number : number + 20], APPEND_S)
            require_same(read_batches(subject, busy, 20), sent[number : number + 20], "what was just stored")
        require_same(
            read_batches(subject, idle, 200), sent, "all of it to the reader that came late to reading"
        )


def closing_twice_changes_nothing(subject: LogUnderTest) -> None:
    """``close`` may be called again, also on what was never used, and ends the use."""
    log = subject.make_log()
    unused = log.writer("00")
    unused.close()
    unused.close()
    writer = log.writer("a1")
    writer.append([b"x"], APPEND_S)
    writer.close()
    writer.close(timeout_s=0.1)
    reader = log.reader(since_ns=0)
    require_same(read_batches(subject, reader, 1), [b"x"], "what a closed writer had stored")
    reader.close()
    reader.close()
    for use, what in (
        (lambda: writer.append([b"y"], 1.0), "a closed writer to refuse an append"),
        (lambda: reader.read(0.0), "a closed reader to refuse a read"),
    ):
        require_refused(use, what)


def what_is_stored_outlives_its_writer(subject: LogUnderTest) -> None:
    """A later writer and reader of the same log find what was stored before."""
    log = subject.make_log()
    with writing(log) as writer:
        writer.append([b"1"], APPEND_S)
    with writing(log) as writer:
        writer.append([b"2"], APPEND_S)
    for _ in range(2):
        with reading(log, since_ns=0) as (_, reader):
            require_same(read_batches(subject, reader, 2), [b"1", b"2"], "both writers' batches")
