"""A reader continues exactly where it was after lost connections, retention and recreated streams."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator

import pika
import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.base import Entry
from farscope.logs.rabbitmq.log import RabbitLog
from farscope.logs.rabbitmq.log import open as open_rabbitmq
from farscope.logs.rabbitmq.reader import RabbitReader
from farscope.logs.rabbitmq.receive_buffer import BOOKKEEPING, Delivery, ReceiveBuffer, StartPoint
from farscope.logs.rabbitmq.settings import Settings
from farscope.testing.waiting import eventually
from support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.broker


@pytest.fixture
def proxy(amqp_url: str) -> Iterator[TcpProxy]:
    settings = Settings.from_url(amqp_url)
    with TcpProxy(settings.host, settings.port) as made:
        yield made


@pytest.fixture
def log(fresh_log_url: Callable[..., str]) -> RabbitLog:
    return open_rabbitmq(fresh_log_url())


@pytest.fixture
def far_log(log: RabbitLog, proxy: TcpProxy) -> RabbitLog:
    """The same log, seen through the proxy."""
    return through(log, proxy)


def through(log: RabbitLog, proxy: TcpProxy) -> RabbitLog:
    settings = log.settings
    secret = settings.password()
    return open_rabbitmq(
        log.url.replace(f"@{settings.host}:{settings.port}", f":{secret}@127.0.0.1:{proxy.port}")
    )


def append(log: RabbitLog, *batches: bytes) -> None:
    writer = log.writer("00")
    writer.append(batches, 20)
    writer.close()


def take(reader: RabbitReader, count: int) -> list[bytes]:
    had: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(had) < count and time.monotonic() < deadline:
        try:
            had += [entry.data for entry in reader.read(1, count - len(had))]
        except LogUnavailable:
            continue
    return had


def trouble(reader: RabbitReader) -> LogUnavailable:
    """Read until reading fails."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            reader.read(0.5)
        except LogUnavailable as error:
            return error
    raise AssertionError("reading went on as if nothing had happened")


def rest(reader: RabbitReader) -> list[bytes]:
    had: list[bytes] = []
    while entries := reader.read(0.3):
        had += [entry.data for entry in entries]
    return had


def delete_stream(log: RabbitLog) -> None:
    settings = log.settings
    parameters = pika.ConnectionParameters(
        settings.host,
        settings.port,
        settings.vhost,
        pika.PlainCredentials(settings.user, settings.password()),
    )
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().queue_delete(settings.stream)


def test_nothing_is_missed_or_seen_twice_over_resets(log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy):
    reader = far_log.reader()
    sent = [b"%d" % number for number in range(60)]
    had: list[bytes] = []
    for first in range(0, 60, 10):
        append(log, *sent[first : first + 10])
        had += take(reader, 7)
        proxy.reset_all()
    had += take(reader, len(sent) - len(had))
    assert had == sent
    assert rest(reader) == []
    assert reader.cut == 0
    reader.close()


@pytest.mark.parametrize("before", [0, 3])
def test_from_now_on_holds_even_if_the_connection_is_lost_before_anything_came(
    log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy, before: int
):
    if before:
        append(log, *[b"before"] * before)
    reader = far_log.reader()
    proxy.refuse()
    append(log, b"after")
    proxy.pass_on()
    assert take(reader, 1) == [b"after"]
    reader.close()


def test_from_now_on_is_settled_under_constant_writing(log: RabbitLog):
    stop = threading.Event()
    count = 0

    def write() -> None:
        nonlocal count
        writer = log.writer("00")
        while not stop.is_set():
            writer.append([b"%d" % count], 20)
            count += 1
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        eventually(lambda: count > 20)
        for _ in range(5):
            before = count
            reader = log.reader()
            after = count
            first = int(take(reader, 1)[0])
            assert before - 1 <= first <= after + 1
            reader.close()
    finally:
        stop.set()
        thread.join()


def to_the_end(reader: RabbitReader, limit: int) -> list[bytes]:
    """Read until the reader says that it is at the end."""
    had: list[bytes] = []
    deadline = time.monotonic() + 60
    while not reader.caught_up and time.monotonic() < deadline:
        had += read_or_nothing(reader, limit)
    assert reader.caught_up
    return had


def read_or_nothing(reader: RabbitReader, limit: int) -> list[bytes]:
    try:
        return [entry.data for entry in reader.read(0.05, limit)]
    except LogUnavailable:
        return []


@pytest.mark.parametrize("since_ns", [0, 1])
@pytest.mark.parametrize(("prefetch", "limit"), [(8, 256), (8, 3), (128, 64), (1, 1)])
def test_a_slow_broker_is_not_taken_for_the_end(
    fresh_log_url: Callable[..., str], proxy: TcpProxy, prefetch: int, limit: int, since_ns: int
):
    near = open_rabbitmq(fresh_log_url(prefetch=prefetch))
    sent = [b"%d" % number for number in range(20 if prefetch == 1 else 300)]
    append(near, *sent)
    proxy.delay(0.03)
    reader = through(near, proxy).reader(since_ns and time.time_ns() - since_ns * 10**12)
    assert to_the_end(reader, limit) == sent
    reader.close()


@pytest.mark.parametrize("passed", [300, 1_500, 5_000, 20_000, 60_000])
def test_a_broker_that_stalls_in_the_middle_is_not_taken_for_the_end(
    fresh_log_url: Callable[..., str], proxy: TcpProxy, passed: int
):
    near = open_rabbitmq(fresh_log_url(prefetch=16))
    sent = [b"%d" % number * 50 for number in range(400)]
    append(near, *sent)
    proxy.stall_after(passed)
    reader = through(near, proxy).reader(0)
    had: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        # What is promised is that it never says so, however long it waits for the broker.
        patch.setattr("farscope.logs.rabbitmq.reader.CHECK_TIMEOUT_S", 0.3)
        eventually(lambda: had.extend(read_or_nothing(reader, 64)) or proxy.stalled)
        quiet = 0
        while quiet < 4:
            assert not reader.caught_up
            more = read_or_nothing(reader, 64)
            had += more
            quiet += not more
        assert len(had) < len(sent)
    proxy.pass_on()
    assert had + to_the_end(reader, 64) == sent
    reader.close()


def test_all_there_is_being_older_than_the_starting_time_is_the_end(log: RabbitLog):
    append(log, b"old")
    later_ns = time.time_ns() + 3600 * 10**9
    reader = log.reader(later_ns)
    assert to_the_end(reader, 64) == []
    reader.close()


def test_what_fills_the_window_before_the_answer_comes_leaves_the_end_unknown():
    buffer = ReceiveBuffer(StartPoint(offset=0))
    buffer.attach()
    asked = buffer.arrivals
    buffer.put(Delivery(0, Entry(b"x", 1), 1, None))
    buffer.deliveries.popleft()
    buffer.nothing_since(asked)
    assert not buffer.checked
    buffer.nothing_since(buffer.arrivals)
    assert buffer.checked


def test_a_position_is_plain_json_and_exact(log: RabbitLog):
    append(log, b"1", b"2", b"3")
    reader = log.reader(since_ns=0)
    assert take(reader, 2) == [b"1", b"2"]
    position = json.loads(json.dumps(dict(reader.position)))
    reader.close()
    assert position == {"offset": 1}
    again = log.reader(position=position)
    assert take(again, 1) == [b"3"]
    assert rest(again) == []
    again.close()


def test_a_position_of_another_kind_of_log_is_refused(log: RabbitLog):
    with pytest.raises(LogRefused, match="not reached in a RabbitMQ log"):
        log.reader(position={"file": 3})


def test_a_time_is_exact_beyond_the_brokers_seconds(log: RabbitLog):
    append(log, b"before")
    time.sleep(0.002)
    since_ns = time.time_ns()
    append(log, b"after")
    reader = log.reader(since_ns=since_ns)
    entries = reader.read(10)
    assert [entry.data for entry in entries] == [b"after"]
    assert entries[0].stored_ns >= since_ns
    assert rest(reader) == []
    reader.close()


def test_a_time_that_never_comes_is_waited_for(log: RabbitLog):
    append(log, b"x")
    reader = log.reader(since_ns=2**63 - 1)
    assert rest(reader) == []
    reader.close()


def test_a_lost_connection_is_told_and_then_mended(log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy):
    reader = far_log.reader()
    proxy.refuse()
    eventually(lambda: "nothing listens" in trouble(reader).message)
    assert not reader.caught_up
    proxy.pass_on()
    append(log, b"x")
    assert take(reader, 1) == [b"x"]
    assert reader.caught_up
    reader.close()


def test_a_reader_made_while_the_broker_is_away_says_so_or_waits(
    log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy
):
    append(log, b"x")
    proxy.refuse()
    with pytest.raises(LogUnavailable):
        far_log.reader()
    reader = far_log.reader(since_ns=0)
    with pytest.raises(LogUnavailable):
        reader.read(1)
    proxy.pass_on()
    assert take(reader, 1) == [b"x"]
    reader.close()


def test_what_was_received_is_returned_though_the_connection_is_gone(
    log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy
):
    append(log, *[b"%d" % number for number in range(20)])
    reader = far_log.reader(since_ns=0)
    assert take(reader, 1) == [b"0"]
    eventually(lambda: len(reader._buffer.deliveries) == 19)
    proxy.refuse()
    assert take(reader, 19) == [b"%d" % number for number in range(1, 20)]
    reader.close()


def test_a_reader_that_does_not_read_holds_a_bounded_number(fresh_log_url: Callable[..., str]):
    log = open_rabbitmq(fresh_log_url(prefetch=10))
    writer = log.writer("00")
    for number in range(100):
        # One append each: RabbitMQ sends whole chunks, and what is published together is one.
        writer.append([b"%d" % number], 20)
    writer.close()
    reader = log.reader(since_ns=0)
    assert take(reader, 1) == [b"0"]
    assert not reader.caught_up
    assert len(reader._buffer.deliveries) <= 10
    assert take(reader, 99) == [b"%d" % number for number in range(1, 100)]
    assert reader.caught_up
    reader.close()


def test_what_retention_removed_is_counted_and_reading_goes_on(fresh_log_url: Callable[..., str]):
    log = open_rabbitmq(fresh_log_url(segment_bytes="64KiB", max_bytes="256KiB"))
    append(log, b"first")
    reader = log.reader(since_ns=0)
    assert take(reader, 1) == [b"first"]
    position = reader.position
    reader.close()
    sent = [b"%d:" % number + os.urandom(8000) for number in range(300)]
    writer = log.writer("00")
    for batch in sent:
        writer.append([batch], 20)
    writer.close()
    late = log.reader(position=position)
    had = take(late, 1)
    had += rest(late)
    missing = len(sent) - len(had)
    assert missing > 0
    assert had == sent[missing:]
    # RabbitMQ counts a record of its own about once a segment, each of which held eight of these batches.
    assert missing <= late.cut <= missing * 1.2
    late.close()


def test_segments_that_follow_each_other_are_no_cut(fresh_log_url: Callable[..., str]):
    log = open_rabbitmq(fresh_log_url(segment_bytes="64KiB"))
    sent = [b"%d:" % number + os.urandom(8000) for number in range(200)]
    writer = log.writer("00")
    for first in range(0, 200, 20):
        writer.append(sent[first : first + 20], 20)
    writer.close()
    reader = log.reader(since_ns=0)
    assert take(reader, 200) == sent
    assert reader.position["offset"] > 200 - 1 + BOOKKEEPING
    assert reader.cut == 0
    reader.close()


def test_a_stream_deleted_under_a_reader_is_read_anew(log: RabbitLog):
    append(log, b"1", b"2")
    reader = log.reader(since_ns=0)
    assert take(reader, 2) == [b"1", b"2"]
    delete_stream(log)
    append(log, b"3")
    assert take(reader, 1) == [b"3"]
    reader.close()


def test_a_stream_made_anew_is_read_from_its_begin_also_if_it_is_longer_by_then(
    log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy
):
    append(log, b"1", b"2")
    reader = far_log.reader(since_ns=0)
    assert take(reader, 2) == [b"1", b"2"]
    proxy.refuse()
    eventually(lambda: trouble(reader))
    delete_stream(log)
    append(log, b"3", b"4", b"5", b"6")
    proxy.pass_on()
    assert take(reader, 4) == [b"3", b"4", b"5", b"6"]
    assert reader.cut == 0
    reader.close()


def test_a_position_behind_the_end_of_a_new_stream_leads_to_its_begin(log: RabbitLog):
    append(log, b"1")
    reader = log.reader(position={"offset": 1000})
    assert take(reader, 1) == [b"1"]
    append(log, b"2")
    assert take(reader, 1) == [b"2"]
    reader.close()


def test_messages_of_others_are_entries_like_any(log: RabbitLog):
    append(log, b"ours")
    settings = log.settings
    parameters = pika.ConnectionParameters(
        settings.host,
        settings.port,
        settings.vhost,
        pika.PlainCredentials(settings.user, settings.password()),
    )
    hostile = [
        pika.BasicProperties(),
        pika.BasicProperties(timestamp=1),
        pika.BasicProperties(headers={"x-farscope-stored-ns": "not a number", "x-stream-offset": -5}),
    ]
    with pika.BlockingConnection(parameters) as connection:
        for properties in hostile:
            connection.channel().basic_publish(settings.exchange, "any", b"theirs", properties)
    reader = log.reader(since_ns=0)
    assert take(reader, 4) == [b"ours"] + [b"theirs"] * 3
    reader.close()


@pytest.mark.parametrize("fault", [TcpProxy.stall, TcpProxy.hang, TcpProxy.refuse])
def test_closing_is_bounded_whatever_the_peer_does(far_log: RabbitLog, proxy: TcpProxy, fault: Callable):
    reader = far_log.reader()
    fault(proxy)
    begun = time.monotonic()
    reader.close()
    reader.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(LogRefused, match="closed"):
        reader.read(0)
    proxy.pass_on()


def test_a_silent_peer_is_noticed_and_reading_goes_on(log: RabbitLog, far_log: RabbitLog, proxy: TcpProxy):
    reader = open_rabbitmq(f"{far_log.url}&heartbeat=1".replace("@", f":{log.settings.password()}@")).reader()
    proxy.stall()
    append(log, b"x")
    assert "fallen silent" in trouble(reader).message
    proxy.pass_on()
    assert take(reader, 1) == [b"x"]
    reader.close()


def test_an_interrupt_ends_a_read_while_the_broker_is_away(far_log: RabbitLog, proxy: TcpProxy):
    reader = far_log.reader()
    proxy.hang()
    proxy.reset_all()
    reader.interrupt()
    begun = time.monotonic()
    assert reader.read(60) == []
    assert time.monotonic() - begun < 30
    proxy.pass_on()
    reader.close()
