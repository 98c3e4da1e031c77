"""What every log has to do, as checks anybody can run against their own.

::

    from farscope.testing.log_conformance import CHECKS, LogUnderTest, check_log

    check_log(make_log)                                    # all of them, or
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(LogUnderTest(make_log))

``make_log()`` returns a log at an address nobody has used yet. A check that fails raises ``PromiseBroken``
with the promise of ``farscope.logs.base`` in its words. No test framework is needed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from farscope.errors import FarscopeError, LogRefused
from farscope.logs.base import Log, LogReader, LogWriter, Position

APPEND_S: Final = 30.0
"""How long an append may take before a check fails; far beyond what any log needs."""


class PromiseBroken(AssertionError):
    """A log does not do what ``farscope.logs.base`` promises."""


@dataclass(frozen=True, slots=True)
class LogUnderTest:
    """A way to make fresh logs, and what to know of their kind."""

    make_log: Callable[[], Log]
    """Returns a log at an address of its own, still unwritten."""

    grain_ns: int = 1_000_000
    """How finely the log tells times apart: RabbitMQ knows whole seconds."""

    patience_s: float = 20.0
    """How long something already stored may take to be read."""

    large_bytes: int = 1024 * 1024
    """The largest batch the log is made for."""


def check_log(make_log: Callable[[], Log], *, grain_ns: int = 1_000_000, patience_s: float = 20.0) -> None:
    """Run every check; raises ``PromiseBroken`` at the first that fails, naming it."""
    subject = LogUnderTest(make_log, grain_ns=grain_ns, patience_s=patience_s)
    for check in CHECKS:
        try:
            check(subject)
        except PromiseBroken as broken:
            raise PromiseBroken(f"{check.__name__}: {broken}") from broken


def stored_batches_are_read_in_order(subject: LogUnderTest) -> None:
    """Batches of one writer are read in the order they were appended, whatever the appends' sizes."""
    with _reader(subject.make_log(), since_ns=0) as (log, reader), _writer(log) as writer:
        sent = [b"%d" % number for number in range(300)]
        for size, first in ((1, 0), (10, 1), (89, 11), (200, 100)):
            writer.append(sent[first : first + size], APPEND_S)
        _same(_take(subject, reader, len(sent)), sent, "batches of one writer in their order")


def every_reader_gets_everything(subject: LogUnderTest) -> None:
    """Every reader sees every batch; readers do not take batches from each other."""
    log = subject.make_log()
    with (
        _reader(log, since_ns=0) as (_, first),
        _reader(log, since_ns=0) as (_, second),
        _writer(log) as writer,
    ):
        writer.append([b"a", b"b"], APPEND_S)
        _same(_take(subject, first, 2), [b"a", b"b"], "everything to the first reader")
        writer.append([b"c"], APPEND_S)
        _same(_take(subject, second, 3), [b"a", b"b", b"c"], "everything to the second reader")
        _same(_take(subject, first, 1), [b"c"], "what came later to the first reader")


def a_reader_from_now_on_skips_what_was_stored(subject: LogUnderTest) -> None:
    """Without a starting point nothing stored before is read, and everything stored after."""
    log = subject.make_log()
    with _writer(log) as writer:
        writer.append([b"before"] * 3, APPEND_S)
        with _reader(log) as (_, reader):
            writer.append([b"after"], APPEND_S)
            with _writer(log, "b2") as late:
                late.append([b"after"], APPEND_S)
            _same(_take(subject, reader, 2), [b"after"] * 2, "from now on, and only that")
            _same(_rest(reader), [], "nothing stored before")


def a_reader_from_the_start_gets_all(subject: LogUnderTest) -> None:
    """``since_ns=0`` begins with the oldest batch, also of writers that are long gone."""
    log = subject.make_log()
    for number in range(3):
        with _writer(log, f"a{number}") as writer:
            writer.append([b"%d" % number], APPEND_S)
    with _reader(log, since_ns=0) as (_, reader):
        _same(_take(subject, reader, 3), [b"0", b"1", b"2"], "history in the order of its storing")


def a_reader_since_a_time_gets_what_was_stored_from_then_on(subject: LogUnderTest) -> None:
    """``since_ns`` begins with what was stored at that time or later, within the log's grain."""
    log = subject.make_log()
    with _writer(log) as writer:
        writer.append([b"before"] * 2, APPEND_S)
        _let_pass(2 * subject.grain_ns)
        since_ns = time.time_ns()
        writer.append([b"after"], APPEND_S)
        with _reader(log, since_ns=since_ns) as (_, reader):
            writer.append([b"later"], APPEND_S)
            _same(_take(subject, reader, 2), [b"after", b"later"], "what was stored since then")


def a_reader_since_a_time_to_come_waits_for_it(subject: LogUnderTest) -> None:
    """A log with nothing stored since that time yields nothing yet."""
    log = subject.make_log()
    with _writer(log) as writer:
        writer.append([b"before"], APPEND_S)
        _let_pass(2 * subject.grain_ns)
        with _reader(log, since_ns=time.time_ns()) as (_, reader):
            _same(_rest(reader), [], "nothing stored since then")


def times_of_storing_are_the_clocks(subject: LogUnderTest) -> None:
    """``stored_ns`` is when the log stored a batch, and does not fall within a writer."""
    log = subject.make_log()
    with _reader(log, since_ns=0) as (_, reader), _writer(log) as writer:
        begun_ns = time.time_ns()
        for _ in range(3):
            writer.append([b"x"], APPEND_S)
        ended_ns = time.time_ns()
        times: list[int] = []
        deadline = time.monotonic() + subject.patience_s
        while len(times) < 3 and time.monotonic() < deadline:
            times += [entry.stored_ns for entry in reader.read(0.2)]
        grain_ns = subject.grain_ns
        _require(len(times) == 3, "three batches read", len(times))
        _require(times == sorted(times), "times of storing that do not fall", times)
        _require(
            begun_ns - grain_ns <= times[0] and times[-1] <= ended_ns + grain_ns,
            "times of storing between the appends' begin and end",
            (begun_ns, times, ended_ns),
        )


def a_position_leads_another_reader_on(subject: LogUnderTest) -> None:
    """A reader given another's position goes on behind the last entry that one returned."""
    log = subject.make_log()
    sent = [b"%d" % number for number in range(20)]
    with _writer(log) as writer:
        writer.append(sent[:10], APPEND_S)
        with _reader(log, since_ns=0) as (_, reader):
            had = _take(subject, reader, 7, limit=7)
            position = _through_json(reader.position)
        writer.append(sent[10:], APPEND_S)
        with _writer(log, "b2") as other:
            other.append([b"other"], APPEND_S)
        with _reader(log, since_ns=time.time_ns(), position=position) as (_, reader):
            rest = _take(subject, reader, 14)
            _same(
                had + [data for data in rest if data != b"other"],
                sent,
                "a position without loss or repetition",
            )
            _require(b"other" in rest, "writers that came after the position", rest)
            end = _through_json(reader.position)
        with _reader(log, position=end) as (_, reader):
            _same(_rest(reader), [], "nothing behind the end's position")


def a_position_taken_before_reading_is_the_starting_point(subject: LogUnderTest) -> None:
    """The position of a reader that has returned nothing leads another one to the same entries."""
    log = subject.make_log()
    with _writer(log) as writer:
        writer.append([b"before"], APPEND_S)
        with _reader(log) as (_, reader):
            position = _through_json(reader.position)
        writer.append([b"after"], APPEND_S)
        with _reader(log, position=position) as (_, reader):
            _same(_take(subject, reader, 1), [b"after"], "the first reader's starting point")


def a_reader_may_come_before_any_writer(subject: LogUnderTest) -> None:
    """A reader may wait for a log nobody has written yet."""
    log = subject.make_log()
    with _reader(log) as (_, reader):
        _same(_rest(reader), [], "an empty log")
        with _writer(log) as writer:
            writer.append([b"first"], APPEND_S)
        _same(_take(subject, reader, 1), [b"first"], "the first batch ever")


def an_empty_read_ends_with_its_timeout(subject: LogUnderTest) -> None:
    """A read with nothing to return waits and then returns an empty list, caught up."""
    with _reader(subject.make_log(), since_ns=0) as (_, reader):
        begun = time.monotonic()
        _same(_data(reader, 0.2), [], "nothing to read")
        waited_s = time.monotonic() - begun
        _require(0.15 <= waited_s < subject.patience_s, "a wait of the given time", waited_s)
        _require(reader.caught_up, "a reader that found nothing to be caught up")


def a_read_returns_as_soon_as_something_is_stored(subject: LogUnderTest) -> None:
    """A waiting read does not sit out its timeout once there is something."""
    log = subject.make_log()
    with (
        _reader(log) as (_, reader),
        _writer(log) as writer,
        _thread(lambda: writer.append([b"x"], APPEND_S)),
    ):
        begun = time.monotonic()
        _same(_data(reader, 3 * subject.patience_s), [b"x"], "the batch")
        _require(time.monotonic() - begun < 2 * subject.patience_s, "a read that ends with the first batch")


def a_read_keeps_its_limit(subject: LogUnderTest) -> None:
    """At most ``limit`` entries are returned, and ``caught_up`` tells that there are more."""
    log = subject.make_log()
    with _reader(log, since_ns=0) as (_, reader), _writer(log) as writer:
        sent = [b"%d" % number for number in range(25)]
        writer.append(sent, APPEND_S)
        had: list[bytes] = []
        deadline = time.monotonic() + subject.patience_s
        while len(had) < len(sent) and time.monotonic() < deadline:
            found = _data(reader, 0.2, limit=10)
            had += found
            _require(len(found) <= 10, "at most 10 entries", len(found))
            if len(found) == 10 and len(had) < len(sent):
                _require(not reader.caught_up, "a reader with more to return not to be caught up")
        _same(had, sent, "all entries over several reads")
        _same(_rest(reader), [], "the end")
        _require(reader.caught_up, "a reader at the end to be caught up")
        _require(reader.cut == 0, "no cut where nothing was removed", reader.cut)


def an_interrupt_ends_a_waiting_read(subject: LogUnderTest) -> None:
    """``interrupt``, from any thread, ends a waiting read, or the wait of the next one."""
    log = subject.make_log()
    with _reader(log) as (_, reader):
        begun = time.monotonic()
        with _thread(reader.interrupt):
            _same(_data(reader, 3 * subject.patience_s), [], "nothing")
        _require(time.monotonic() - begun < 2 * subject.patience_s, "a read that ends with the interrupt")
        with _writer(log) as writer:
            writer.append([b"x"], APPEND_S)
        _same(_take(subject, reader, 1), [b"x"], "a reader that goes on after an interrupt")


def bytes_come_back_as_they_were(subject: LogUnderTest) -> None:
    """Any bytes, none at all, and large batches come back unchanged."""
    log = subject.make_log()
    every_byte = bytes(range(256))
    large = every_byte * (subject.large_bytes // 256)
    sent = [every_byte, b"", b"\0", b"\0\0\xff", "é😀".encode(), large, large[::-1], b"end"]
    with _reader(log, since_ns=0) as (_, reader), _writer(log) as writer:
        writer.append(sent, APPEND_S)
        _same(_take(subject, reader, len(sent)), sent, "the same bytes")


def an_append_of_nothing_stores_nothing(subject: LogUnderTest) -> None:
    """Appending no batches is allowed and has no effect."""
    log = subject.make_log()
    with _reader(log, since_ns=0) as (_, reader), _writer(log) as writer:
        writer.append([], APPEND_S)
        _same(_rest(reader), [], "nothing")
        writer.append([b"x"], APPEND_S)
        _same(_take(subject, reader, 1), [b"x"], "one batch")


def many_writers_at_once_lose_nothing(subject: LogUnderTest) -> None:
    """Writers in threads of their own disturb neither each other's batches nor their order."""
    log = subject.make_log()
    names = [f"{number:02x}" for number in range(8)]

    def write(name: str) -> None:
        with _writer(log, name) as writer:
            for number in range(25):
                writer.append([f"{name}:{number}".encode(), f"{name}:{number}+".encode()], APPEND_S)

    with _reader(log, since_ns=0) as (_, reader):
        threads = [threading.Thread(target=write, args=(name,), name=f"writer-{name}") for name in names]
        for thread in threads:
            thread.start()
        had = _take(subject, reader, len(names) * 50)
        for thread in threads:
            thread.join()
    for name in names:
        mine = [data for data in had if data.startswith(f"{name}:".encode())]
        sent = [f"{name}:{number}{end}".encode() for number in range(25) for end in ("", "+")]
        _same(mine, sent, f"the batches of writer {name} in their order")


def a_reader_behind_disturbs_nobody(subject: LogUnderTest) -> None:
    """A reader that does not read holds up neither writers nor other readers, and misses nothing."""
    log = subject.make_log()
    sent = [b"%d" % number for number in range(200)]
    with _reader(log, since_ns=0) as (_, idle), _reader(log, since_ns=0) as (_, busy), _writer(log) as writer:
        for number in range(0, 200, 20):
            writer.append(sent[number : number + 20], APPEND_S)
            _same(_take(subject, busy, 20), sent[number : number + 20], "what was just stored")
        _same(_take(subject, idle, 200), sent, "all of it to the reader that came late to reading")


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
    _same(_take(subject, reader, 1), [b"x"], "what a closed writer had stored")
    reader.close()
    reader.close()
    for use, what in (
        (lambda: writer.append([b"y"], 1.0), "a closed writer to refuse an append"),
        (lambda: reader.read(0.0), "a closed reader to refuse a read"),
    ):
        _refused(use, what)


def what_is_stored_outlives_its_writer(subject: LogUnderTest) -> None:
    """A later writer and reader of the same log find what was stored before."""
    log = subject.make_log()
    with _writer(log) as writer:
        writer.append([b"1"], APPEND_S)
    with _writer(log) as writer:
        writer.append([b"2"], APPEND_S)
    for _ in range(2):
        with _reader(log, since_ns=0) as (_, reader):
            _same(_take(subject, reader, 2), [b"1", b"2"], "both writers' batches")


def making_things_touches_nothing(subject: LogUnderTest) -> None:
    """A log and a writer can be made, asked and dropped without use; an address shows no password."""
    log = subject.make_log()
    _require(isinstance(log.url, str) and ":" in log.url, "an address", log.url)
    _require(isinstance(log.shared, bool), "a yes or no", log.shared)
    log.writer("a1").close()
    with _reader(log, since_ns=0) as (_, reader):
        _same(_rest(reader), [], "an untouched log")


Check = Callable[[LogUnderTest], None]

CHECKS: Final[tuple[Check, ...]] = (
    making_things_touches_nothing,
    stored_batches_are_read_in_order,
    every_reader_gets_everything,
    a_reader_from_now_on_skips_what_was_stored,
    a_reader_from_the_start_gets_all,
    a_reader_since_a_time_gets_what_was_stored_from_then_on,
    a_reader_since_a_time_to_come_waits_for_it,
    times_of_storing_are_the_clocks,
    a_position_leads_another_reader_on,
    a_position_taken_before_reading_is_the_starting_point,
    a_reader_may_come_before_any_writer,
    an_empty_read_ends_with_its_timeout,
    a_read_returns_as_soon_as_something_is_stored,
    a_read_keeps_its_limit,
    an_interrupt_ends_a_waiting_read,
    bytes_come_back_as_they_were,
    an_append_of_nothing_stores_nothing,
    many_writers_at_once_lose_nothing,
    a_reader_behind_disturbs_nobody,
    closing_twice_changes_nothing,
    what_is_stored_outlives_its_writer,
)
"""Every check, each independent of the others."""


def _require(holds: bool, promise: str, seen: object = None) -> None:
    if not holds:
        raise PromiseBroken(f"expected {promise}" + ("" if seen is None else f", saw {seen!r}"))


def _same(seen: Sequence[bytes], expected: Sequence[bytes], promise: str) -> None:
    for at, (one, other) in enumerate(zip(seen, expected, strict=False)):
        _require(one == other, f"{promise}: {other[:60]!r} as batch {at}", one[:60])
    _require(len(seen) == len(expected), f"{promise}: {len(expected)} batches", len(seen))


def _refused(use: Callable[[], object], promise: str) -> None:
    try:
        use()
    except LogRefused:
        return
    except FarscopeError as error:
        raise PromiseBroken(f"expected {promise}, saw {type(error).__name__}") from error
    raise PromiseBroken(f"expected {promise}")


def _data(reader: LogReader, timeout_s: float, limit: int = 256) -> list[bytes]:
    return [entry.data for entry in reader.read(timeout_s, limit)]


def _take(subject: LogUnderTest, reader: LogReader, count: int, limit: int = 256) -> list[bytes]:
    """Read until there are ``count`` batches or patience ends; more than that is returned as it came."""
    had: list[bytes] = []
    deadline = time.monotonic() + subject.patience_s
    while len(had) < count and time.monotonic() < deadline:
        had += _data(reader, 0.2, min(limit, 256))
    return had


def _rest(reader: LogReader) -> list[bytes]:
    """Read until nothing comes any more."""
    had: list[bytes] = []
    while found := _data(reader, 0.3):
        had += found
    return had


def _through_json(position: Position) -> Position:
    """Return ``position`` as it comes back from a file."""
    copy: Position = json.loads(json.dumps(dict(position)))
    return copy


def _let_pass(span_ns: int) -> None:
    """Wait until the wall clock, by which logs stamp, has moved on by ``span_ns``."""
    end_ns = time.time_ns() + span_ns
    while (left_ns := end_ns - time.time_ns()) > 0:
        time.sleep(left_ns / 1e9)


@contextmanager
def _writer(log: Log, name: str = "a1") -> Iterator[LogWriter]:
    writer = log.writer(name)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def _reader(
    log: Log, since_ns: int | None = None, position: Position | None = None
) -> Iterator[tuple[Log, LogReader]]:
    reader = log.reader(since_ns, position)
    try:
        yield log, reader
    finally:
        reader.close()


@contextmanager
def _thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, name="log-conformance")
    thread.start()
    try:
        yield
    finally:
        thread.join()
