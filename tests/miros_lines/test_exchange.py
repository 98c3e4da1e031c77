"""Lines through a real broker: in order, at most once, and clear words where it does not let us."""

from __future__ import annotations

import sys
from uuid import uuid4

import pytest

from farscope.errors import BadUrl, LogRefused, LogUnavailable
from farscope.miros_lines.exchange import open_lines
from farscope.miros_lines.tokens import SPY, TRACE, Line, marked, unmarked
from farscope.testing.waiting import eventually
from support.broker import Broker
from support.tcp_proxy import TcpProxy

LINES = [Line(exchange, b"%d" % number) for number in range(500) for exchange in (SPY, TRACE)]


def read(reader, count: int) -> list[Line]:
    found: list[Line] = []
    eventually(
        lambda: found.extend(unmarked(entry.data) for entry in reader.read(0.1)) or len(found) >= count
    )
    return found


@pytest.mark.broker
def test_every_reader_gets_every_line_in_the_order_of_its_exchange(amqp_url):
    exchanges = open_lines(amqp_url)
    readers = [exchanges.reader(), exchanges.reader()]
    writer = exchanges.writer("test")
    assert writer.publish(LINES, 10)
    for reader in readers:
        found = read(reader, len(LINES))
        for exchange in (SPY, TRACE):
            assert [line for line in found if line.exchange == exchange] == [
                line for line in LINES if line.exchange == exchange
            ]
        reader.close()
    writer.close()
    with pytest.raises(LogRefused):
        writer.publish(LINES, 1)


@pytest.mark.broker
def test_lines_on_a_connection_that_falls_silent_are_unconfirmed_and_later_ones_go_on(broker: Broker):
    with TcpProxy("127.0.0.1", broker.port) as proxy:
        writer = open_lines(broker.url(port=proxy.port)).writer("test")
        assert writer.publish(LINES[:2], 10)
        proxy.stall()
        assert writer.publish(LINES[:2], 0.2) is False
        proxy.pass_on()
        assert writer.publish(LINES[:2], 10)
        proxy.refuse()
        eventually(lambda: _refused(writer))
        proxy.pass_on()
        assert writer.publish(LINES[:2], 10)
        writer.close()


def _refused(writer) -> bool:
    try:
        writer.publish(LINES[:1], 1)
    except LogUnavailable:
        return True
    return False


@pytest.mark.broker
def test_a_reader_comes_back_after_a_loss(broker: Broker):
    exchanges = open_lines(broker.url())
    with TcpProxy("127.0.0.1", broker.port) as proxy:
        reader = open_lines(broker.url(port=proxy.port)).reader()
        writer = exchanges.writer("test")
        writer.publish(LINES[:1], 10)
        assert read(reader, 1) == LINES[:1]
        proxy.reset_all()

        def heard() -> bool:
            writer.publish(LINES[1:2], 10)
            try:
                return bool(reader.read(0.1))
            except LogUnavailable:
                return False

        eventually(heard)
        reader.close()
        writer.close()


@pytest.mark.broker
def test_other_exchanges_of_these_names_and_missing_rights_are_told_with_the_remedy(broker: Broker):
    import pika

    vhost, user = f"v{uuid4().hex[:8]}", f"u{uuid4().hex[:8]}"
    broker.control("add_vhost", vhost)
    broker.control("set_permissions", "-p", vhost, broker.user, ".*", ".*", ".*")
    broker.add_user(user, "secret", configure="^$", write="^$", read="^$")
    try:
        login = pika.PlainCredentials(broker.user, broker.password)
        where = pika.ConnectionParameters("127.0.0.1", broker.port, vhost, login)
        with pika.BlockingConnection(where) as connection:
            connection.channel().exchange_declare("spy", "direct", durable=True)
        with pytest.raises(LogRefused, match="another exchange 'spy'"):
            open_lines(broker.url(vhost=vhost)).reader()
        with pytest.raises(LogRefused, match="may not use 'spy'") as caught:
            open_lines(broker.url(user, "secret")).reader()
        assert f"set_permissions -p / {user}" in caught.value.hint
    finally:
        broker.control("delete_vhost", vhost)
        broker.control("delete_user", user)


@pytest.mark.parametrize("line", [Line(SPY, b""), Line(TRACE, b"token")])
def test_a_line_survives_as_an_entry(line):
    assert unmarked(marked(line)) == line


@pytest.mark.parametrize("url", ["", "memory:x", "sqlite:/tmp", "http://me:secret@there"])
def test_other_addresses_are_refused_without_showing_a_password(url):
    with pytest.raises(BadUrl) as caught:
        open_lines(url)
    assert "secret" not in str(caught.value)


class NoPika:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "pika":
            raise ModuleNotFoundError("No module named 'pika'", name=name)


def test_without_pika_the_message_says_how_to_get_it(monkeypatch):
    needs = ("farscope.miros_lines.", "farscope.logs.rabbitmq.", "pika.")
    for module in [name for name in sys.modules if f"{name}.".startswith(needs)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [NoPika(), *sys.meta_path])
    with pytest.raises(LogRefused, match=r"pip install .\.\[rabbitmq\]") as caught:
        open_lines("amqp://guest:secret@host/")
    assert "secret" not in str(caught.value)
