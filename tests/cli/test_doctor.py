"""The doctor finds faults, names the remedy, and reports the result by its exit code."""

import os
import re
import socket
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pika
import pytest
from click.testing import CliRunner, Result

from farscope.cli.doctor import examine
from farscope.cli.main import farscope
from farscope.errors import LogUnavailable
from farscope.logs.base import Log, LogReader, LogWriter
from farscope.logs.diagnostics import Check, Severity, fail
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.url import open_log
from farscope.probe.spool.directory import SpoolFolder, default_spool_root
from farscope.probe.spool.queue import Spool
from farscope.wire.batch import Batch
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring, new_key_file
from farscope.wire.seal import Sealer
from support.broker import Broker
from support.broker_fixtures import amqp_url, broker, fresh_log_url
from support.held_port import HeldPort

__all__ = ["amqp_url", "broker", "fresh_log_url"]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


def doctor(*arguments: str | Path) -> Result:
    return CliRunner().invoke(
        farscope, ["doctor", *map(str, arguments), "--listen", "0.1s"], standalone_mode=False
    )


def lines(result: Result) -> dict[str, str]:
    """The verdict of each check, by its name."""
    found: dict[str, str] = {}
    for line in result.output.splitlines():
        severity, _, rest = line.partition(" ")
        if severity in ("ok", "warn", "fail"):
            found[rest.split()[0]] = severity
    return found


def remedied(result: Result) -> bool:
    """Whether a remedy, indented, follows each line that needs one."""
    output = result.output.splitlines()
    return all(
        output[at + 1].startswith(" " * 16)
        for at, line in enumerate(output)
        if line.startswith(("warn", "fail"))
    )


@pytest.fixture
def skewed(fresh_log_url: Callable[..., str], key: Path) -> Iterator[str]:
    """A log that a machine whose clock is 40 s ahead writes to all the time."""
    url = fresh_log_url()
    stop = threading.Event()

    def send() -> None:
        probe = os.urandom(16)
        sealer = Sealer(Keyring.load(key), probe)
        writer = open_log(url).writer(probe.hex())
        number = 0
        while not stop.wait(0.02):
            ahead_ns = time.time_ns() + 40_000_000_000
            batch = Batch(
                host="elsewhere",
                pid=1,
                started_ns=ahead_ns,
                sent_ns=ahead_ns,
                next_number=0,
                numbers=[],
                steps=[],
            )
            writer.append([sealer.seal(number, Flags.HEARTBEAT, encode_body(batch))], 10)
            number += 1
        writer.close()

    thread = threading.Thread(target=send)
    thread.start()
    yield url
    stop.set()
    thread.join()


def test_an_embedded_log_is_found_well(tmp_path: Path, key: Path):
    result = doctor(f"sqlite:{tmp_path}/log", "--key", key)
    assert result.return_value == 0, result.output
    assert set(lines(result).values()) == {"ok"}
    assert {"folder", "room", "key", "read", "write", "message", "clocks"} <= lines(result).keys()


def test_a_file_where_the_folder_should_be_is_found(tmp_path: Path, key: Path):
    (tmp_path / "log").write_text("no folder")
    result = doctor(f"sqlite:{tmp_path}/log", "--key", key)
    assert result.return_value == 1
    assert lines(result)["folder"] == "fail"
    assert remedied(result)


def test_a_key_that_others_can_read_is_found(tmp_path: Path, key: Path):
    key.chmod(0o644)
    result = doctor(f"sqlite:{tmp_path}/log", "--key", key)
    assert result.return_value == 1
    assert lines(result)["key"] == "fail"
    assert remedied(result)


class Overheard:
    """A log in which others store batches as soon as somebody listens."""

    shared = False

    def __init__(self, log: Log, batches: list[bytes]) -> None:
        self.log = log
        self.batches = batches
        self.url = log.url

    def examine(self) -> Iterator[Check]:
        return self.log.examine()

    def reader(self) -> LogReader:
        reader = self.log.reader()
        writer = self.writer("others")
        writer.append(self.batches, 10)
        writer.close()
        return reader

    def writer(self, name: str) -> LogWriter:
        return self.log.writer(name)


def test_those_who_seal_with_other_keys_are_told_of(key: Path):
    strangers = [Keyring.from_text(urlsafe_b64encode(os.urandom(32)).decode()) for _ in range(6)]
    batches = []
    for count, keyring in enumerate(strangers, 1):
        sealer = Sealer(keyring, os.urandom(16))
        batches += [sealer.seal(number, Flags.HEARTBEAT, b"not ours") for number in range(count)]
    checks = list(examine(Overheard(open_log(f"memory:{uuid4()}"), batches), key, 0.01))
    told = [check for check in checks if check.name == "foreign"]
    assert all(check.severity is Severity.WARN and check.remedy for check in told)
    assert len(told) == 5
    assert strangers[-1].fingerprints[0] in told[0].what
    assert "batches heard: 6" in told[0].what
    assert "2 more keys" in told[-1].what
    (clocks,) = [check for check in checks if check.name == "clocks"]
    assert "nobody sent anything this key opens" in clocks.what


def test_the_services_heard_are_named_and_those_without_a_name_by_their_place(key: Path):
    keyring = Keyring.load(key)
    batches = []
    for pid, service in enumerate(["charger-7", "", *["pump"] * 8], 1):
        now_ns = time.time_ns()
        batch = Batch(
            host="here",
            pid=pid,
            service=service,
            started_ns=now_ns,
            sent_ns=now_ns,
            next_number=0,
            numbers=[],
            steps=[],
        )
        batches.append(Sealer(keyring, os.urandom(16)).seal(0, Flags.HEARTBEAT, encode_body(batch)))
    checks = list(examine(Overheard(open_log(f"memory:{uuid4()}"), batches), key, 0.5))
    (services,) = [check for check in checks if check.name == "services"]
    assert services.severity is Severity.OK
    assert services.what.startswith("heard charger-7 (here:1), here:2, pump (here:10), ")
    assert services.what.endswith(" and 2 more")


class Full:
    """A log, and its writer, that takes nothing at the moment."""

    shared = False
    url = "full:"

    def examine(self) -> Iterator[Check]:
        return iter(())

    def reader(self) -> LogReader:
        return open_log(f"memory:{uuid4()}").reader()

    def writer(self, name: str) -> LogWriter:
        del name
        return self

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        del batches, timeout_s
        raise LogUnavailable("it takes nothing", "make room")

    def interrupt(self) -> None: ...

    def close(self, timeout_s: float = 2.0) -> None: ...


def test_what_cannot_be_taken_for_a_batch_is_counted_and_told(key: Path):
    noise = [b"what is this", b"and this"]
    checks = list(examine(Overheard(open_log(f"memory:{uuid4()}"), noise), key, 0.01))
    (told,) = [check for check in checks if check.name == "foreign"]
    assert told.severity is Severity.WARN
    assert told.what.startswith("heard 2 that cannot be taken for a batch; the last one: ")


def test_a_log_that_takes_nothing_at_the_moment_is_no_question_of_rights(key: Path):
    (write,) = [check for check in examine(Full(), key, 0.01) if check.name == "write"]
    assert write == fail("write", "it takes nothing", "make room")


def test_a_port_nobody_listens_on_is_found(key: Path):
    with HeldPort() as port:
        result = doctor(f"amqp://127.0.0.1:{port.number}", "--key", key)
    assert result.return_value == 1
    assert lines(result) == {"host": "ok", "port": "fail", "key": "ok", "spool": "ok"}
    assert remedied(result)


def test_what_waits_in_a_spool_is_told_whatever_log_is_asked_about(tmp_path: Path, key: Path):
    for root in (tmp_path / "elsewhere", default_spool_root()):
        spool = Spool(SpoolFolder(root, f"amqp://{root.name}/"), "aa")
        spool.store([b"x"])
        spool.leave()
    result = doctor(f"sqlite:{tmp_path}/log", "--key", key)
    assert result.return_value == 0
    assert lines(result)["spool"] == "warn"
    assert "for amqp://spool/" in result.output
    assert remedied(result)
    elsewhere = doctor(f"sqlite:{tmp_path}/log", "--key", key, "--spool", tmp_path / "elsewhere")
    assert "for amqp://elsewhere/" in elsewhere.output
    assert "amqp://spool/" not in elsewhere.output


def test_a_name_that_does_not_resolve_is_found(key: Path, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = doctor("amqp://no-such-host.invalid", "--key", key)
    assert result.return_value == 1
    assert lines(result)["host"] == "fail"
    assert "no-such-host.invalid does not resolve" in result.output


@pytest.mark.broker
def test_a_healthy_broker_is_found_well_and_set_up(fresh_log_url: Callable[..., str], key: Path):
    url = fresh_log_url()
    result = doctor(url, "--key", key)
    assert result.return_value == 0, result.output
    assert {"host", "port", "login", "log", "retention", "key", "read", "write", "message"} <= lines(
        result
    ).keys()
    assert set(lines(result).values()) == {"ok"}
    assert "RabbitMQ" in result.output
    assert doctor(url, "--key", key).return_value == 0


@pytest.mark.broker
def test_no_password_is_shown(broker: Broker, fresh_log_url: Callable[..., str], key: Path):
    assert broker.password not in doctor(fresh_log_url(), "--key", key).output


@pytest.mark.broker
def test_a_wrong_password_is_found(broker: Broker, key: Path):
    result = doctor(broker.url(password="wrong"), "--key", key)  # noqa: S106 - wrong on purpose
    assert result.return_value == 1
    assert lines(result)["login"] == "fail"
    assert "retention" not in lines(result)  # nobody has looked
    assert remedied(result)


@pytest.mark.broker
def test_a_network_log_without_a_key_made_on_purpose_is_found(fresh_log_url: Callable[..., str]):
    result = doctor(fresh_log_url())
    assert result.return_value == 1
    assert lines(result)["key"] == "fail"
    assert "farscope key new" in result.output


@pytest.mark.broker
def test_tls_is_looked_at(broker: Broker, fresh_log_url: Callable[..., str], key: Path):
    query = fresh_log_url().partition("?")[2]
    good = f"{broker.url(tls=True)}?{query}&cafile={quote(str(broker.folder.parent / 'authority.pem'))}"
    result = doctor(good, "--key", key)
    assert result.return_value == 0, result.output
    assert lines(result)["TLS"] == "ok"
    unknown = doctor(f"{broker.url(tls=True)}?{query}", "--key", key)
    assert unknown.return_value == 1
    assert lines(unknown)["TLS"] == "fail"
    assert "cafile" in unknown.output


@pytest.mark.broker
def test_a_user_who_may_only_write_or_only_read_is_told_apart_from_one_who_may_nothing(
    broker: Broker, fresh_log_url: Callable[..., str], key: Path
):
    url = fresh_log_url()
    assert doctor(url, "--key", key).return_value == 0
    everything, nothing = ".*", "^$"
    expected = {
        (everything, nothing): (0, "warn", "ok"),
        (nothing, everything): (0, "ok", "warn"),
        (nothing, nothing): (1, "fail", "warn"),
    }
    broker.add_user("somebody", "secret", configure=nothing, write=nothing, read=nothing)
    try:
        for (write, read), (code, reads, writes) in expected.items():
            broker.control("set_permissions", "-p", "/", "somebody", nothing, write, read)
            result = doctor(f"{broker.url('somebody', 'secret')}?{url.partition('?')[2]}", "--key", key)
            assert result.return_value == code, result.output
            # What it may not see, it does not claim.
            assert "bound to it" not in result.output
            assert "bytes or" not in result.output
            assert (lines(result)["read"], lines(result)["write"]) == (reads, writes)
            assert remedied(result)
    finally:
        broker.control("delete_user", "somebody")


@pytest.mark.broker
def test_a_stream_that_is_not_bound_is_a_failure_for_whoever_may_not_bind_it(
    broker: Broker, fresh_log_url: Callable[..., str], key: Path
):
    url = fresh_log_url()
    assert doctor(url, "--key", key).return_value == 0
    settings = Settings.from_url(url)
    credentials = pika.PlainCredentials(broker.user, broker.password)
    with pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", broker.port, credentials=credentials)
    ) as connection:
        connection.channel().queue_unbind(settings.stream, settings.exchange, "")
    exchange = f"^{settings.exchange}$"
    broker.add_user("somebody", "secret", configure="^$", write=exchange, read=r"\.stream$")
    try:
        both = doctor(f"{broker.url('somebody', 'secret')}?{url.partition('?')[2]}", "--key", key)
        broker.control("set_permissions", "-p", "/", "somebody", "^$", exchange, "^$")
        one = doctor(f"{broker.url('somebody', 'secret')}?{url.partition('?')[2]}", "--key", key)
    finally:
        broker.control("delete_user", "somebody")
    assert (lines(both)["read"], lines(both)["write"]) == ("ok", "fail")
    assert (lines(one)["read"], lines(one)["write"]) == ("warn", "fail")
    for result in (both, one):
        assert result.return_value == 1
        assert "nothing would be kept" in result.output
        assert "only watches" not in result.output
        assert remedied(result)


@pytest.mark.broker
def test_a_stream_with_other_settings_is_remarked_upon(fresh_log_url: Callable[..., str], key: Path):
    url = fresh_log_url(max_bytes="100MB")
    assert doctor(url, "--key", key).return_value == 0
    result = doctor(url.replace("&max_bytes=100MB", ""), "--key", key)
    assert result.return_value == 0
    assert lines(result)["log"] == "warn"
    assert "x-max-length-bytes" in result.output
    assert "retention" not in lines(result)  # the address's is not the stream's


@pytest.mark.broker
def test_segments_too_large_for_what_is_kept_are_told_with_a_way_to_change_them(
    broker: Broker, fresh_log_url: Callable[..., str], key: Path
):
    url = fresh_log_url(max_bytes="4MB", segment_bytes="2MB")
    result = doctor(url, "--key", key)
    assert lines(result)["retention"] == "warn"
    (command,) = re.findall(r"rabbitmqctl (-p \S+ delete_queue \S+)", result.output)
    broker.control(*command.split())
    mended = doctor(url.replace("segment_bytes=2MB", "segment_bytes=1MB"), "--key", key)
    assert lines(mended)["retention"] == "ok"
    assert mended.return_value == 0


@pytest.mark.broker
def test_a_machine_whose_clock_is_off_is_named(skewed: str, key: Path):
    result = CliRunner().invoke(
        farscope, ["doctor", skewed, "--key", str(key), "--listen", "1s"], standalone_mode=False
    )
    assert result.return_value == 0
    assert lines(result)["clocks"] == "warn"
    assert "elsewhere is 40.0 s ahead" in result.output or "elsewhere is 39.9 s ahead" in result.output
