"""Addresses of RabbitMQ are understood or refused in clear words, and never show a password."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import BadUrl, LogRefused
from farscope.logs.rabbitmq.settings import MAX_AGE_S, MAX_BYTES, PASSWORD_VARIABLE, SEGMENT_BYTES, Settings
from farscope.logs.url import open_log


def test_an_address_with_nothing_but_a_host_takes_the_defaults():
    settings = Settings.from_url("amqp://somewhere")
    assert (settings.host, settings.port, settings.vhost, settings.user) == ("somewhere", 5672, "/", "guest")
    assert (settings.exchange, settings.stream) == ("farscope", "farscope.stream")
    assert settings.password() == "guest"
    assert settings.stream_arguments == {
        "x-queue-type": "stream",
        "x-max-length-bytes": MAX_BYTES,
        "x-max-age": f"{MAX_AGE_S}s",
        "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
    }
    assert not settings.retention_asked


def test_every_part_of_an_address_is_taken():
    settings = Settings.from_url(
        "amqps://me%40here:p%2Fw@[::1]:1234/my%2Fhost?exchange=e&stream=s&max_bytes=2GiB&max_age=12h"
        "&segment_bytes=1MiB&heartbeat=7&prefetch=9&connect_timeout=3&cafile=/ca&certfile=/c&keyfile=/k"
    )
    assert (settings.user, settings.password(), settings.host, settings.port) == (
        "me@here",
        "p/w",
        "::1",
        1234,
    )
    assert (settings.vhost, settings.tls, settings.place) == ("my/host", True, "[::1]:1234")
    assert (settings.exchange, settings.stream, settings.max_bytes) == ("e", "s", 2 * 1024**3)
    assert (settings.max_age_s, settings.segment_bytes, settings.heartbeat_s) == (43200, 1024**2, 7)
    assert (settings.prefetch, settings.connect_timeout_s) == (9, 3)
    assert (settings.cafile, settings.certfile, settings.keyfile) == ("/ca", "/c", "/k")
    assert settings.retention_asked


def test_tls_has_its_own_port():
    assert Settings.from_url("amqps://somewhere").port == 5671


@pytest.mark.parametrize("path", ["", "/", "/%2f", "/%2F"])
def test_the_default_virtual_host_can_be_written_in_every_usual_way(path: str):
    assert Settings.from_url(f"amqp://somewhere{path}").vhost == "/"


@given(
    user=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    vhost=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    exchange=st.from_regex(r"[a-z .&=?#%+-]{1,20}", fullmatch=True).filter(lambda name: name != "amq."),
)
def test_the_shown_address_leads_back_to_the_same_settings(user: str, vhost: str, exchange: str):
    settings = Settings(host="h", user=user, vhost=vhost, exchange=exchange, query=(("exchange", exchange),))
    assert Settings.from_url(settings.url) == settings


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("amqp://", "no host"),
        ("amqp://host:notaport/", "the port in the address is not a number"),
        ("amqp://host:99999/", "the port in the address is not a number"),
        ("amqp://user:sec#ret@host/", "'#'"),
        ("amqp://[broken", "cannot be understood"),
        ("amqp://host?colour=red", "unknown setting 'colour'"),
        ("amqp://host?stream=a&stream=b", "twice"),
        ("amqp://host?max_bytes=lots", "max_bytes"),
        ("amqp://host?max_age=never", "max_age"),
        ("amqp://host?max_age=1ms", "max_age"),
        ("amqp://host?segment_bytes=1", "segment_bytes"),
        ("amqp://host?segment_bytes=4GB", "segment_bytes"),
        ("amqp://host?heartbeat=0", "heartbeat"),
        ("amqp://host?heartbeat=-1", "heartbeat"),
        ("amqp://host?prefetch=½", "prefetch"),
        ("amqp://host?exchange=", "exchange"),
        ("amqp://host?stream=amq.mine", "stream"),
        ("amqp://host?cafile=/ca", "does not use TLS"),
        ("amqps://host?keyfile=/k", "keyfile"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_part_and_a_remedy(url: str, says: str):
    with pytest.raises(BadUrl, match=says) as caught:
        Settings.from_url(url)
    assert caught.value.hint
    assert "sec#ret" not in str(caught.value)
    assert "ret@" not in str(caught.value)


def test_no_password_is_ever_shown():
    log = open_log("amqp://me:topsecret@somewhere:1/v?stream=s")
    assert log.url == "amqp://me@somewhere:1/v?stream=s"
    assert log.shared
    for text in (repr(log), repr(log.settings), str(log.settings), repr(log.writer("00"))):
        assert "topsecret" not in text


def test_a_password_comes_from_address_file_or_environment_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "password"
    file.write_text("from file\n")
    file.chmod(0o600)
    monkeypatch.setenv(PASSWORD_VARIABLE, "from environment")
    assert Settings.from_url(f"amqp://me:x@h?password_file={file}").password() == "x"
    assert Settings.from_url(f"amqp://me@h?password_file={file}").password() == "from file"
    assert Settings.from_url("amqp://me@h").password() == "from environment"
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(LogRefused, match="no password for user 'me'"):
        Settings.from_url("amqp://me@h").password()


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ("secret", 0o644, "open to others"),
        ("secret", 0o640, "open to others"),
        ("", 0o600, "one password"),
        ("two\nlines\n", 0o600, "one password"),
        ("x" * 5000, 0o600, "one password"),
    ],
)
def test_a_password_file_that_is_unsafe_or_unclear_is_refused(
    tmp_path: Path, content: str, mode: int, says: str
):
    file = tmp_path / "password"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(LogRefused, match=says) as caught:
        Settings.from_url(f"amqp://me@h?password_file={file}").password()
    assert "secret" not in str(caught.value)


def test_a_password_that_could_be_read_only_once_is_refused():
    out, into = os.pipe()
    try:
        with pytest.raises(LogRefused, match="only once"):
            Settings.from_url(f"amqp://me@h?password_file=/dev/fd/{out}").password()
    finally:
        os.close(out)
        os.close(into)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(LogRefused, match="nowhere cannot be read"):
        Settings.from_url(f"amqp://me@h?password_file={tmp_path}/nowhere").password()


@pytest.mark.parametrize(
    "url",
    [
        "amqp://Broker.example",
        "amqp://me:secret@broker.example:5672/%2F",
        "amqps://other@broker.example/?cafile=/authority.pem",
        "amqp://broker.example?max_age=1d&heartbeat=7&password_file=/password",
        "amqp://broker.example?exchange=farscope&stream=farscope.stream",
    ],
)
def test_how_one_logs_in_or_tunes_does_not_change_where_batches_go(url: str):
    assert Settings.from_url(url).destination == "amqp://broker.example/"


@pytest.mark.parametrize(
    "url",
    [
        "amqp://elsewhere.example/",
        "amqp://broker.example:5671/",
        "amqp://broker.example/charts",
        "amqp://broker.example/?exchange=other",
        "amqp://broker.example/?stream=other&exchange=other",
        "amqp://[::1]:1/a%2Fb?exchange=a%26b",
    ],
)
def test_another_broker_virtual_host_exchange_or_stream_is_another_destination(url: str):
    destination = Settings.from_url(url).destination
    assert destination != "amqp://broker.example/"
    assert Settings.from_url(destination).destination == destination
