"""Every fault of a broker is reported in one clear line, with the remedy."""

import contextlib
import shlex
import socket
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from farscope.errors import LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.errors import explain, permissions
from farscope.logs.rabbitmq.log import RabbitLog
from farscope.logs.rabbitmq.log import open as open_rabbitmq
from farscope.logs.rabbitmq.reader import RabbitReader
from farscope.logs.rabbitmq.settings import Settings
from farscope.testing.waiting import eventually
from support.broker import Broker
from support.certificates import make_certificates
from support.held_port import HeldPort

pytestmark = pytest.mark.broker

PRODUCER, WATCHER, STRANGER = "producer", "watcher", "stranger"
PASSWORD = "not shown anywhere"  # noqa: S105 - of users that live as long as this module's tests


@pytest.fixture(scope="module")
def users(broker: Broker) -> Iterator[Broker]:
    """A producer who may only write, a watcher who may only read, and one who may nothing."""
    rights = {
        PRODUCER: ("^$", r"^farscope-test-.*$", "^$"),
        WATCHER: ("^$", "^$", r"^farscope-test-.*\.stream$"),
        STRANGER: ("^$", "^$", "^$"),
    }
    broker.add_users(rights, PASSWORD)
    yield broker
    broker.delete_users(*rights)


@pytest.fixture
def ready(fresh_log_url: Callable[..., str]) -> str:
    """The address of a log that an administrator has set up and that holds one batch."""
    url = fresh_log_url()
    writer = open_rabbitmq(url).writer("00")
    writer.append([b"first"], 10)
    writer.close()
    return url


def as_user(broker: Broker, url: str, name: str, password: str = PASSWORD) -> RabbitLog:
    return open_rabbitmq(broker.url(name, password) + "?" + url.partition("?")[2])


def append_error(log: RabbitLog, timeout_s: float = 10) -> LogError:
    writer = log.writer("00")
    try:
        with pytest.raises(LogError) as caught:
            writer.append([b"x"], timeout_s)
    finally:
        writer.close()
    one_clear_line(caught.value)
    return caught.value


def reader_error(log: RabbitLog) -> LogError:
    with pytest.raises(LogError) as caught:
        log.reader()
    one_clear_line(caught.value)
    return caught.value


def one_clear_line(error: LogError) -> None:
    assert "\n" not in error.message
    assert error.hint
    assert PASSWORD not in str(error)
    assert not error.message.endswith(".")


def test_a_wrong_password_is_refused_with_the_user_named(users: Broker):
    log = open_rabbitmq(users.url(PRODUCER, "wrong"))
    for error in (append_error(log), reader_error(log)):
        assert isinstance(error, LogRefused)
        assert "refuses the login of user 'producer'" in error.message
        assert "password" in error.hint


def test_an_unknown_virtual_host_is_named(users: Broker):
    error = append_error(open_rabbitmq(users.url(vhost="nowhere")))
    assert isinstance(error, LogRefused)
    assert "virtual host 'nowhere'" in error.message
    assert "add_vhost nowhere" in error.hint


def test_a_virtual_host_closed_to_the_user_is_named(users: Broker):
    users.control("add_vhost", "closed")
    try:
        error = append_error(open_rabbitmq(users.url(PRODUCER, PASSWORD, vhost="closed")))
    finally:
        users.control("delete_vhost", "closed")
    assert isinstance(error, LogRefused)
    assert "set_permissions -p closed producer" in error.hint
    assert "add_vhost" not in error.hint  # it is there


def test_who_names_no_virtual_host_is_told_which_one_that_is(users: Broker):
    users.control("add_user", "elsewhere", PASSWORD)
    try:
        error = append_error(open_rabbitmq(users.url("elsewhere", PASSWORD)))
    finally:
        users.control("delete_user", "elsewhere")
    assert isinstance(error, LogRefused)
    assert "without, it is '/'" in error.hint
    assert "add_vhost" not in error.hint


def test_a_refused_port_is_unavailable_and_named():
    with HeldPort() as port:
        log = open_rabbitmq(f"amqp://127.0.0.1:{port.number}")
        errors = append_error(log), reader_error(log)
    for error in errors:
        assert isinstance(error, LogUnavailable)
        assert f"nothing listens on 127.0.0.1:{port.number}" in error.message
        assert "amqp:// without a port is 5672" in error.hint


def test_a_name_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = append_error(open_rabbitmq("amqp://no-such-host.invalid"))
    assert isinstance(error, LogUnavailable)
    assert "no-such-host.invalid does not resolve" in error.message


def test_something_that_is_no_broker_is_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}"
        writer = open_rabbitmq(url).writer("00")
        with pytest.raises(LogUnavailable, match="did not confirm in time"):
            writer.append([b"x"], 0.1)
        connection, _ = server.accept()
        with connection:
            connection.recv(8)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(LogError) as caught:
            writer.append([b"x"], 5)
        writer.close()
    one_clear_line(caught.value)


def test_a_producer_may_write_and_not_read(users: Broker, ready: str):
    log = as_user(users, ready, PRODUCER)
    writer = log.writer("00")
    writer.append([b"second"], 10)
    writer.close()
    error = reader_error(log)
    assert isinstance(error, LogRefused)
    assert "'producer' may not do this" in error.message
    assert "farscope-test" in error.message


def test_a_watcher_may_read_and_not_write(users: Broker, ready: str):
    log = as_user(users, ready, WATCHER)
    reader = log.reader(since_ns=0)
    assert [entry.data for entry in reader.read(10)] == [b"first"]
    reader.close()
    error = append_error(log)
    assert isinstance(error, LogRefused)
    assert "'watcher' may not do this" in error.message


def test_the_commands_for_least_privilege_in_a_hint_give_just_that(users: Broker, ready: str):
    log = as_user(users, ready, STRANGER)
    error = append_error(log)
    assert isinstance(error, LogRefused)
    assert error.hint == permissions(log.settings)
    write, read = log.settings.exchange, log.settings.stream.replace(".", r"\.")
    for rights in (f"'^$' '^{write}$' '^$'", f"'^$' '^$' '^{read}$'", f"'^$' '^{write}$' '^{read}$'"):
        assert rights in error.hint
    both, write_only, read_only = (
        shlex.split(part.rpartition("rabbitmqctl ")[2]) for part in error.hint.split("; ")[1:]
    )
    users.control(*write_only)
    writer = log.writer("00")
    writer.append([b"second"], 10)
    writer.close()
    reader_error(log)
    users.control(*read_only)
    reader = log.reader(since_ns=0)
    assert len(reader.read(10)) == 2
    reader.close()
    append_error(log)
    users.control(*both)
    writer = log.writer("00")
    writer.append([b"third"], 10)
    writer.close()
    reader = log.reader(since_ns=0)
    assert len(reader.read(10)) == 3
    reader.close()


def test_a_producer_who_asks_to_read_is_warned_that_a_new_command_replaces_its_rights(
    users: Broker, ready: str
):
    hint = reader_error(as_user(users, ready, PRODUCER)).hint
    assert "replaces all rights" in hint
    assert hint.index("to write and read:") < hint.index("to read only:")


@pytest.mark.parametrize("name", [PRODUCER, WATCHER])
def test_a_log_that_nobody_set_up_is_told_to_who_may_not(users: Broker, name: str):
    log = open_rabbitmq(users.url(name, PASSWORD, exchange="absent", stream="absent.stream"))
    for error in (append_error(log), reader_error(log)):
        assert isinstance(error, LogRefused)
        assert "is not set up" in error.message
        assert "farscope doctor" in error.hint


@pytest.fixture
def admin(broker: Broker) -> Iterator[BlockingChannel]:
    parameters = pika.ConnectionParameters(
        "127.0.0.1", broker.port, credentials=pika.PlainCredentials(broker.user, broker.password)
    )
    with pika.BlockingConnection(parameters) as connection:
        yield connection.channel()


def what_is_awaited(reader: RabbitReader) -> str:
    """What a reader says while it waits for a log; a refusal, which would end a watcher, fails the test."""

    def words() -> str:
        try:
            reader.read(0.1)
        except LogUnavailable as error:
            one_clear_line(error)
            return error.message if "not set up" in error.message else ""
        return ""

    return eventually(words, what="hearing that the log is not set up")


def batches(reader: RabbitReader, count: int) -> list[bytes]:
    had: list[bytes] = []

    def all_there() -> bool:
        with contextlib.suppress(LogUnavailable):
            had.extend(entry.data for entry in reader.read(0.1))
        return len(had) >= count

    eventually(all_there)
    return had


@pytest.mark.parametrize("from_now_on", [True, False])
def test_a_stream_deleted_under_a_watcher_is_waited_for_and_read_from_its_begin(
    users: Broker, ready: str, admin: BlockingChannel, *, from_now_on: bool
):
    log = as_user(users, ready, WATCHER)
    reader = log.reader(since_ns=None if from_now_on else 0)
    writer = open_rabbitmq(ready).writer("00")
    writer.append([b"second", b"third"], 20)
    expected = [b"second", b"third"] if from_now_on else [b"first", b"second", b"third"]
    assert batches(reader, len(expected)) == expected
    admin.queue_delete(log.settings.stream)
    assert "'watcher'" in what_is_awaited(reader)
    later = [b"%d" % number for number in range(9)]
    for batch in later:  # more than the deleted stream had: what is expected next is no sign of the new one
        writer.append([batch], 20)
    writer.close()
    assert batches(reader, len(later)) == later
    reader.close()


def test_an_exchange_deleted_under_a_watcher_is_waited_for_and_reading_goes_on_where_it_was(
    users: Broker, ready: str, admin: BlockingChannel
):
    log = as_user(users, ready, WATCHER)
    reader = log.reader(since_ns=0)
    assert batches(reader, 1) == [b"first"]
    admin.exchange_delete(log.settings.exchange)
    # A watcher that stays connected does not need the exchange.
    reader._connection.post(partial(reader._connection.fail, LogUnavailable("cut off", "connect again")))
    what_is_awaited(reader)
    writer = open_rabbitmq(ready).writer("00")
    writer.append([b"second"], 20)
    writer.close()
    assert batches(reader, 1) == [b"second"]
    reader.close()


def test_a_stream_with_other_settings_is_used_unless_settings_are_asked_for(
    fresh_log_url: Callable[..., str],
):
    url = fresh_log_url(max_bytes="10MB", segment_bytes="1MB")
    writer = open_rabbitmq(url).writer("00")
    writer.append([b"x"], 10)
    writer.close()
    plain = url.partition("&max_bytes")[0]
    writer = open_rabbitmq(plain).writer("00")
    writer.append([b"x"], 10)
    writer.close()
    error = append_error(open_rabbitmq(plain + "&max_bytes=20MB"))
    assert isinstance(error, LogRefused)
    assert "exists with other settings" in error.message
    assert "x-max-length-bytes" in error.message
    assert "delete_queue" in error.hint


def test_a_queue_of_another_kind_is_not_read_as_a_log(broker: Broker, fresh_log_url: Callable[..., str]):
    settings = Settings.from_url(fresh_log_url())
    parameters = pika.ConnectionParameters(
        "127.0.0.1", broker.port, credentials=pika.PlainCredentials(broker.user, broker.password)
    )
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().queue_declare(settings.stream, durable=True)
    error = reader_error(RabbitLog(settings))
    assert isinstance(error, LogRefused)
    assert "cannot be a stream" in error.message
    assert "3.9" in error.hint


def test_a_broker_without_streams_is_told_so(broker: Broker):
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Path(folder) / "old", feature_flags=("quorum_queue",)) as old,
    ):
        if ["stream_queue", "enabled"] in map(str.split, old.control("list_feature_flags").splitlines()):
            pytest.skip("this RabbitMQ cannot be without streams")
        error = append_error(open_rabbitmq(old.url()))
    assert isinstance(error, LogRefused)
    assert "cannot be a stream" in error.message
    assert "3.9" in error.hint


def test_tls_with_the_right_authority_works(broker: Broker, ready: str):
    authority = broker.folder.parent / "authority.pem"
    url = broker.url(tls=True) + "?" + ready.partition("?")[2] + f"&cafile={authority}"
    reader = open_rabbitmq(url).reader(since_ns=0)
    assert [entry.data for entry in reader.read(10)] == [b"first"]
    reader.close()
    writer = open_rabbitmq(url).writer("00")
    writer.append([bytes(500_000)] * 3, 10)
    writer.close()


def test_a_broker_that_no_known_authority_vouches_for_is_refused(broker: Broker, tmp_path: Path):
    other = make_certificates(tmp_path)
    for url in (broker.url(tls=True), broker.url(tls=True, cafile=str(other.authority))):
        error = append_error(open_rabbitmq(url))
        assert isinstance(error, LogRefused)
        assert "cannot be trusted" in error.message
        assert "cafile" in error.hint


def test_a_certificate_for_another_name_is_refused(broker: Broker, monkeypatch: pytest.MonkeyPatch):
    genuine = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda **wanted: genuine(**(wanted | {"host": "127.0.0.1"})))
    url = broker.url(tls=True, cafile=str(broker.folder.parent / "authority.pem"))
    error = append_error(open_rabbitmq(url.replace("127.0.0.1", "elsewhere.example")))
    assert isinstance(error, LogRefused)
    assert "elsewhere.example" in error.message
    assert "name" in error.hint


def test_tls_to_a_port_without_it_is_refused_with_the_remedy(broker: Broker):
    url = broker.url(tls=True, port=broker.port)
    error = append_error(open_rabbitmq(url))
    assert "TLS" in error.message + error.hint


def test_no_tls_to_a_port_with_it_is_told(broker: Broker):
    error = append_error(open_rabbitmq(broker.url(port=broker.tls_port)))
    assert "amqps://" in error.hint


def test_certificates_that_cannot_be_read_are_named(broker: Broker):
    error = append_error(open_rabbitmq(broker.url(tls=True, cafile="/nowhere.pem")))
    assert isinstance(error, LogRefused)
    assert "/nowhere.pem" in error.message


@pytest.mark.parametrize(
    "words",
    [
        "stream queue 's' in vhost '/' does not have a replica on the local node",
        "stream queue 's' in vhost '/' does not have a running replica on the local node",
        "something of the broker's own that passes",
    ],
    ids=["RabbitMQ 3", "RabbitMQ 4", "words not known"],
)
def test_a_stream_that_is_not_ready_yet_is_tried_again(words: str):
    error = explain(
        pika.exceptions.ChannelClosedByBroker(406, f"PRECONDITION_FAILED - {words}"),
        Settings.from_url("amqp://h"),
    )
    assert isinstance(error, LogUnavailable)
    assert words in error.message
    assert error.hint == "it will be retried"


@pytest.mark.parametrize("words", ["x\x1b[31mred", "two\nlines", "y" * 10_000])
def test_a_brokers_own_words_are_cut_and_made_harmless(words: str):
    settings = Settings.from_url("amqp://h")
    error = explain(pika.exceptions.ConnectionClosedByBroker(320, words), settings)
    assert error.message.isprintable()
    assert len(error.message) < 500
