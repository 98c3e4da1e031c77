"""A writer's batches are stored when ``append`` returns, and it never waits longer than its timeout."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pika
import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.rabbitmq.log import open as open_rabbitmq
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.writer import WINDOW_BYTES, RabbitWriter, _Append, _Publisher
from farscope.testing.waiting import eventually
from support.broker import Broker
from support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.broker


@pytest.fixture
def proxy(amqp_url: str) -> Iterator[TcpProxy]:
    settings = Settings.from_url(amqp_url)
    with TcpProxy(settings.host, settings.port) as made:
        yield made


@pytest.fixture
def url(fresh_log_url: Callable[..., str]) -> str:
    return fresh_log_url()


def through(proxy: TcpProxy, url: str) -> str:
    settings = Settings.from_url(url)
    return url.replace(f"@{settings.host}:{settings.port}", f"@127.0.0.1:{proxy.port}")


@pytest.fixture
def writer(proxy: TcpProxy, url: str) -> Iterator[RabbitWriter]:
    made = open_rabbitmq(through(proxy, url)).writer("00")
    yield made
    proxy.pass_on()
    made.close()


def stored(url: str) -> list[bytes]:
    reader = open_rabbitmq(url).reader(since_ns=0)
    had = []
    while entries := reader.read(5 if not had else 0.3):
        had += [entry.data for entry in entries]
    reader.close()
    return had


def admin(url: str) -> pika.BlockingConnection:
    settings = Settings.from_url(url)
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            settings.host,
            settings.port,
            settings.vhost,
            pika.PlainCredentials(settings.user, settings.password()),
        )
    )


def test_what_was_appended_is_stored_persistently_and_carries_its_time(writer: RabbitWriter, url: str):
    before = time.time_ns()
    writer.append([b"x"], 10)
    settings = Settings.from_url(url)
    with admin(url) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        deliveries = channel.consume(
            settings.stream, arguments={"x-stream-offset": "first"}, inactivity_timeout=5
        )
        _, properties, _ = next(deliveries)
    assert properties.delivery_mode == 2
    assert before <= properties.headers["x-farscope-stored-ns"] <= time.time_ns()


def test_more_than_the_window_is_stored_in_order(writer: RabbitWriter, url: str):
    batch = os.urandom(WINDOW_BYTES // 10)
    sent = [batch + bytes([number]) for number in range(25)]
    writer.append(sent, 60)
    assert stored(url) == sent


def test_a_batch_larger_than_the_window_is_stored(writer: RabbitWriter, url: str):
    large = bytes(WINDOW_BYTES + 1)
    writer.append([b"a", large, b"z"], 60)
    assert stored(url) == [b"a", large, b"z"]


def test_a_reset_fails_the_append_under_way_and_the_next_one_connects_again(
    writer: RabbitWriter, proxy: TcpProxy, url: str
):
    writer.append([b"1"], 10)
    proxy.reset_all()
    sent = [b"2"]
    while True:
        try:
            writer.append(sent, 10)
            break
        except LogUnavailable:
            continue
    assert proxy.accepted == 2
    assert sorted(set(stored(url))) == [b"1", b"2"]


def test_a_stalled_line_ends_the_append_in_time_and_nothing_is_sent_twice(
    writer: RabbitWriter, proxy: TcpProxy, url: str
):
    writer.append([b"1"], 10)
    proxy.stall()
    for _ in range(3):
        with pytest.raises(LogUnavailable, match="did not confirm in time"):
            writer.append([b"2", b"3"], 0.2)
    proxy.pass_on()
    writer.append([b"2", b"3", b"4"], 10)
    assert stored(url) == [b"1", b"2", b"3", b"4"]


def test_confirms_that_come_between_two_appends_count(writer: RabbitWriter, proxy: TcpProxy, url: str):
    writer.append([b"1"], 10)
    proxy.stall()
    with pytest.raises(LogUnavailable):
        writer.append([b"2"], 0.1)
    proxy.pass_on()
    eventually(lambda: stored(url) == [b"1", b"2"])
    writer.append([b"2"], 10)
    assert stored(url) == [b"1", b"2"]


def test_other_batches_than_those_of_a_failed_append_are_stored_behind_them(
    writer: RabbitWriter, proxy: TcpProxy, url: str
):
    writer.append([b"1"], 10)
    proxy.stall()
    with pytest.raises(LogUnavailable):
        writer.append([b"2"], 0.1)
    proxy.pass_on()
    writer.append([b"3"], 10)
    writer.append([b"2"], 10)
    assert stored(url) == [b"1", b"2", b"3", b"2"]


def test_a_slow_line_gets_on_however_short_each_append_waits(writer: RabbitWriter, proxy: TcpProxy, url: str):
    writer.append([b"1"], 10)
    proxy.slow(400_000)
    batch = os.urandom(300_000)
    attempts = 0
    while True:
        attempts += 1
        try:
            writer.append([batch], 0.2)
            break
        except LogUnavailable:
            assert attempts < 100
    assert attempts > 1
    assert proxy.accepted == 1
    assert stored(url) == [b"1", batch]


def test_an_append_to_nobody_who_answers_ends_in_time(writer: RabbitWriter, proxy: TcpProxy, url: str):
    proxy.hang()
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(LogUnavailable, match="did not confirm in time"):
            writer.append([b"1"], 0.2)
        assert time.monotonic() - begun < 5
    assert proxy.accepted == 1
    proxy.pass_on()
    writer.append([b"1"], 10)
    assert stored(url) == [b"1"]


def test_a_name_service_that_never_answers_holds_nothing_up(monkeypatch: pytest.MonkeyPatch):
    answer = threading.Event()

    def hang(*_: object, **__: object) -> None:
        answer.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    writer = open_rabbitmq("amqp://no-such-host.invalid").writer("00")
    with pytest.raises(LogUnavailable, match="did not confirm in time"):
        writer.append([b"x"], 0.1)
    begun = time.monotonic()
    writer.close(0.2)
    assert time.monotonic() - begun < 2
    answer.set()


def test_an_attempt_to_connect_is_given_up_after_its_time(proxy: TcpProxy, url: str):
    proxy.hang()
    writer = open_rabbitmq(through(proxy, url) + "&connect_timeout=1").writer("00")
    with pytest.raises(LogUnavailable, match="did not answer in time"):
        writer.append([b"x"], 30)
    proxy.pass_on()
    writer.append([b"x"], 30)
    writer.close()


def test_an_interrupt_ends_a_waiting_append(writer: RabbitWriter, proxy: TcpProxy):
    writer.append([b"1"], 10)
    proxy.stall()
    done = threading.Event()

    def interrupt() -> None:
        while not done.wait(0.05):
            writer.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(LogUnavailable, match="interrupted"):
        writer.append([b"2"], 60)
    done.set()
    thread.join()


@pytest.mark.parametrize("fault", [TcpProxy.stall, TcpProxy.hang, TcpProxy.refuse])
def test_closing_is_bounded_whatever_the_peer_does(proxy: TcpProxy, url: str, fault: Callable):
    writer = open_rabbitmq(through(proxy, url)).writer("00")
    writer.append([b"1"], 10)
    fault(proxy)
    begun = time.monotonic()
    writer.close(0.3)
    assert time.monotonic() - begun < 2
    with pytest.raises(LogRefused, match="closed"):
        writer.append([b"2"], 1)
    proxy.pass_on()


def test_a_stream_that_was_deleted_meanwhile_is_made_again(writer: RabbitWriter, url: str):
    writer.append([b"1"], 10)
    with admin(url) as connection:
        connection.channel().queue_delete(Settings.from_url(url).stream)
    writer.append([b"2"], 10)
    assert stored(url) == [b"2"]


def test_an_exchange_that_was_deleted_meanwhile_is_made_again(writer: RabbitWriter, url: str):
    writer.append([b"1"], 10)
    with admin(url) as connection:
        connection.channel().exchange_delete(Settings.from_url(url).exchange)
    with pytest.raises(LogUnavailable):
        writer.append([b"2"], 10)
    writer.append([b"2"], 10)
    assert stored(url) == [b"1", b"2"]


def test_a_stream_that_is_not_bound_is_bound_before_anything_is_lost(writer: RabbitWriter, url: str):
    settings = Settings.from_url(url)
    with admin(url) as connection:
        channel = connection.channel()
        channel.exchange_declare(settings.exchange, "fanout", durable=True)
        channel.queue_declare(settings.stream, durable=True, arguments=settings.stream_arguments)
    writer.append([b"1"], 10)
    assert stored(url) == [b"1"]


def test_a_stream_that_is_not_bound_and_must_not_be_is_refused(broker: Broker, url: str):
    settings = Settings.from_url(url)
    with admin(url) as connection:
        channel = connection.channel()
        channel.exchange_declare(settings.exchange, "fanout", durable=True)
        channel.queue_declare(settings.stream, durable=True, arguments=settings.stream_arguments)
    broker.add_user("unbinding", "secret", configure="^$", write=".*", read="^$")
    log = open_rabbitmq(broker.url("unbinding", "secret") + "?" + url.partition("?")[2])
    writer = log.writer("00")
    try:
        with pytest.raises(LogRefused, match="nothing would be kept") as caught:
            writer.append([b"1"], 10)
        assert "farscope doctor" in caught.value.hint
    finally:
        writer.close()
        broker.control("delete_user", "unbinding")


def test_an_idle_connection_lives_on_without_anybody_calling(writer: RabbitWriter, proxy: TcpProxy, url: str):
    log = open_rabbitmq(through(proxy, url) + "&heartbeat=1")
    idle = log.writer("01")
    idle.append([b"1"], 10)
    # Heartbeats are the only thing that can happen here: 1 s each, dead after two missed.
    threading.Event().wait(4.5)
    idle.append([b"2"], 10)
    assert proxy.accepted == 1
    idle.close()


def test_a_peer_that_falls_silent_is_noticed_by_its_missing_heartbeats(proxy: TcpProxy, url: str):
    writer = open_rabbitmq(through(proxy, url) + "&heartbeat=1").writer("00")
    writer.append([b"1"], 10)
    proxy.stall()
    with pytest.raises(LogUnavailable, match="fallen silent"):
        writer.append([b"2"], 60)
    proxy.pass_on()
    writer.append([b"2"], 10)
    writer.close()


def test_a_forked_child_writes_through_a_connection_of_its_own(
    writer: RabbitWriter, proxy: TcpProxy, url: str
):
    writer.append([b"parent"], 10)
    pid = os.fork()
    if not pid:
        try:
            writer.append([b"child"], 10)
            writer.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    writer.append([b"parent again"], 10)
    assert stored(url) == [b"parent", b"child", b"parent again"]
    assert proxy.accepted == 2


@pytest.mark.parametrize("round_", range(3))
def test_many_writers_that_find_no_log_make_one_together(url: str, round_: int):
    errors: list[BaseException] = []
    together = threading.Barrier(10)

    def write(name: str) -> None:
        made = open_rabbitmq(url).writer(name)
        together.wait()
        try:
            made.append([name.encode()], 30)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells it
            errors.append(error)
        made.close()

    names = [f"{number:02x}" for number in range(10)]
    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(stored(url)) == sorted(name.encode() for name in names)


def test_what_is_begun_while_the_broker_ends_the_conversation_hears_the_brokers_words(writer: RabbitWriter):
    writer.append([b"first"], 10)
    late = _Append([b"second"])

    def post(work: Callable[[_Publisher], None]) -> None:
        writer._connection.post(work, lambda: pytest.fail("the connection was lost"))

    def be_refused(publisher: _Publisher) -> None:
        channel = publisher._unconfirmed._channel
        channel.add_on_close_callback(lambda *_: post(partial(_Publisher.begin, append=late)))
        channel.basic_publish("no-such-exchange", "", b"")

    post(be_refused)
    assert late.wait(20)
    assert "no-such-exchange" in late.error.message
