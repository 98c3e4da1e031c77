"""Independent checks of the log contract for readers."""

from __future__ import annotations

import time

from farscope.testing.log_under_test import (
    APPEND_S,
    LogUnderTest,
    data_of_read,
    let_time_pass,
    meanwhile,
    reaches_end,
    read_batches,
    read_rest,
    reading,
    require,
    require_same,
    through_json,
    writing,
)


def a_reader_from_now_on_skips_what_was_stored(subject: LogUnderTest) -> None:
    """Without a starting point nothing stored before is read, and everything stored after."""
    log = subject.make_log()
    with writing(log) as writer:
        writer.append([b"before"] * 3, APPEND_S)
        with reading(log) as (_, reader):
            writer.append([b"after"], APPEND_S)
            with writing(log, "b2") as late:
                late.append([b"after"], APPEND_S)
            require_same(read_batches(subject, reader, 2), [b"after"] * 2, "from now on, and only that")
            require_same(read_rest(reader), [], "nothing stored before")


def a_reader_from_the_start_gets_all(subject: LogUnderTest) -> None:
    """``since_ns=0`` begins with the oldest batch, also of writers that are long gone."""
    log = subject.make_log()
    for number in range(3):
        with writing(log, f"a{number}") as writer:
            writer.append([b"%d" % number], APPEND_S)
    with reading(log, since_ns=0) as (_, reader):
        require_same(
            read_batches(subject, reader, 3), [b"0", b"1", b"2"], "history in the order of its storing"
        )


def a_reader_since_a_time_gets_what_was_stored_from_then_on(subject: LogUnderTest) -> None:
    """``since_ns`` begins with what was stored at that time or later, within the log's grain."""
    log = subject.make_log()
    with writing(log) as writer:
        writer.append([b"before"] * 2, APPEND_S)
        let_time_pass(2 * subject.grain_ns)
        since_ns = time.time_ns()
        writer.append([b"after"], APPEND_S)
        with reading(log, since_ns=since_ns) as (_, reader):
            writer.append([b"later"], APPEND_S)
            require_same(read_batches(subject, reader, 2), [b"after", b"later"], "what was stored since then")


def a_reader_since_a_time_to_come_waits_for_it(subject: LogUnderTest) -> None:
    """A log with nothing stored since that time yields nothing yet."""
    log = subject.make_log()
    with writing(log) as writer:
        writer.append([b"before"], APPEND_S)
        let_time_pass(2 * subject.grain_ns)
        with reading(log, since_ns=time.time_ns()) as (_, reader):
            require_same(read_rest(reader), [], "nothing stored since then")


def a_position_leads_another_reader_on(subject: LogUnderTest) -> None:
    """A reader given another's position continues after the last entry that one returned."""
    log = subject.make_log()
    sent = [b"%d" % number for number in range(20)]
    with writing(log) as writer:
        writer.append(sent[:10], APPEND_S)
        with reading(log, since_ns=0) as (_, reader):
            received = read_batches(subject, reader, 7, limit=7)
            position = through_json(reader.position)
        writer.append(sent[10:], APPEND_S)
        with writing(log, "b2") as other:
            other.append([b"other"], APPEND_S)
        with reading(log, since_ns=time.time_ns(), position=position) as (_, reader):
            later = read_batches(subject, reader, 14)
            require_same(
                received + [data for data in later if data != b"other"],
                sent,
                "a position without loss or repetition",
            )
            require(b"other" in later, "writers that came after the position", later)
            end = through_json(reader.position)
        with reading(log, position=end) as (_, reader):
            require_same(read_rest(reader), [], "nothing after the position at the end")


def a_position_taken_before_reading_is_the_starting_point(subject: LogUnderTest) -> None:
    """The position of a reader that has returned nothing leads another one to the same entries."""
    log = subject.make_log()
    with writing(log) as writer:
        writer.append([b"before"], APPEND_S)
        with reading(log) as (_, reader):
            position = through_json(reader.position)
        writer.append([b"after"], APPEND_S)
        with reading(log, position=position) as (_, reader):
            require_same(read_batches(subject, reader, 1), [b"after"], "the first reader's starting point")


def a_reader_may_come_before_any_writer(subject: LogUnderTest) -> None:
    """A reader may wait for a log nobody has written yet."""
    log = subject.make_log()
    with reading(log) as (_, reader):
        require_same(read_rest(reader), [], "an empty log")
        with writing(log) as writer:
            writer.append([b"first"], APPEND_S)
        require_same(read_batches(subject, reader, 1), [b"first"], "the first batch ever")


def an_empty_read_ends_with_its_timeout(subject: LogUnderTest) -> None:
    """A read with nothing to return waits and then returns an empty list, caught up."""
    with reading(subject.make_log(), since_ns=0) as (_, reader):
        begun = time.monotonic()
        require_same(data_of_read(reader, 0.2), [], "nothing to read")
        waited_s = time.monotonic() - begun
        require(0.15 <= waited_s < subject.patience_s, "a wait of the given time", waited_s)
        require(reaches_end(subject, reader), "a reader that found nothing to be caught up")


def the_end_is_not_reached_before_all_that_was_there(subject: LogUnderTest) -> None:
    """``caught_up`` is never true before everything stored when the reader was made has been returned."""
    log = subject.make_log()
    sent = [b"%d" % number for number in range(700)]
    with writing(log) as writer:
        for first in range(0, len(sent), 100):
            writer.append(sent[first : first + 100], APPEND_S)
    let_time_pass(2 * subject.grain_ns)
    for timeout_s, limit, since_ns in ((0.0, 64, 0), (0.1, 256, 0), (0.1, 3, 0), (0.1, 64, time.time_ns())):
        expected = [] if since_ns else sent
        with reading(log, since_ns=since_ns) as (_, reader):
            received: list[bytes] = []
            deadline = time.monotonic() + subject.patience_s
            while not reader.caught_up and time.monotonic() < deadline:
                received += data_of_read(reader, timeout_s, limit)
            require_same(received, expected, "all there was before the end is said to be reached")
            require(reader.caught_up, "the end to be reached")


def a_read_returns_as_soon_as_something_is_stored(subject: LogUnderTest) -> None:
    """A waiting read does not sit out its timeout once there is something."""
    log = subject.make_log()
    with (
        reading(log) as (_, reader),
        writing(log) as writer,
        meanwhile(lambda: writer.append([b"x"], APPEND_S)),
    ):
        begun = time.monotonic()
        require_same(data_of_read(reader, 3 * subject.patience_s), [b"x"], "the batch")
        require(time.monotonic() - begun < 2 * subject.patience_s, "a read that ends with the first batch")


def a_read_keeps_its_limit(subject: LogUnderTest) -> None:
    """At most ``limit`` entries are returned, and ``caught_up`` tells that there are more."""
    log = subject.make_log()
    with reading(log, since_ns=0) as (_, reader), writing(log) as writer:
        sent = [b"%d" % number for number in range(25)]
        writer.append(sent, APPEND_S)
        received: list[bytes] = []
        deadline = time.monotonic() + subject.patience_s
        while len(received) < len(sent) and time.monotonic() < deadline:
            found = data_of_read(reader, 0.2, limit=10)
            received += found
            require(len(found) <= 10, "at most 10 entries", len(found))
            if len(found) == 10 and len(received) < len(sent):
                require(not reader.caught_up, "a reader with more to return not to be caught up")
        require_same(received, sent, "all entries over several reads")
        require_same(read_rest(reader), [], "the end")
        require(reaches_end(subject, reader), "a reader at the end to be caught up")
        require(reader.cut == 0, "no cut where nothing was removed", reader.cut)


def an_interrupt_ends_a_waiting_read(subject: LogUnderTest) -> None:
    """``interrupt``, from any thread, ends a waiting read, or the wait of the next one."""
    log = subject.make_log()
    with reading(log) as (_, reader):
        begun = time.monotonic()
        with meanwhile(reader.interrupt):
            require_same(data_of_read(reader, 3 * subject.patience_s), [], "nothing")
        require(time.monotonic() - begun < 2 * subject.patience_s, "a read that ends with the interrupt")
        with writing(log) as writer:
            writer.append([b"x"], APPEND_S)
        require_same(read_batches(subject, reader, 1), [b"x"], "a reader that goes on after an interrupt")
