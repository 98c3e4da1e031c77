"""The proxy passes everything on, and does each fault to both ends."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.testing.waiting import eventually
from support.held_port import HeldPort
from support.tcp_proxy import TcpProxy

QUIET_S = 0.2


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    server = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    accepting.join()
    for thread in threads:
        thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[TcpProxy]:
    with TcpProxy("127.0.0.1", echo) as made:
        yield made


def call(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def echoed(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    had = b""
    while len(had) < len(data):
        had += connection.recv(65536)
    return had


def silent(connection: socket.socket, data: bytes) -> bool:
    connection.sendall(data)
    connection.settimeout(QUIET_S)
    try:
        connection.recv(65536)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)
    return False


@settings(max_examples=20)
@given(data=st.binary(min_size=1, max_size=200_000))
def test_what_goes_in_comes_out_and_back(echo: int, data: bytes):
    with TcpProxy("127.0.0.1", echo, record=True) as proxy, call(proxy) as connection:
        assert echoed(connection, data) == data
        assert len(proxy.recorded) == 2 * len(data)


def test_an_orderly_end_is_passed_on(proxy: TcpProxy):
    with call(proxy) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    eventually(lambda: proxy.connections == 0)


def test_refusing_resets_and_refuses_until_passing_on_again(proxy: TcpProxy):
    port = proxy.port
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        call(proxy)
    proxy.pass_on()
    assert proxy.port == port
    with call(proxy) as connection:
        assert echoed(connection, b"y") == b"y"


def test_hanging_accepts_and_says_nothing(proxy: TcpProxy):
    proxy.hang()
    with call(proxy) as connection:
        assert silent(connection, b"x")
        proxy.pass_on()
        assert connection.recv(1) == b"x"


def test_stalling_keeps_what_is_sent_until_it_ends(proxy: TcpProxy):
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"
        proxy.stall()
        assert silent(connection, b"y")
        proxy.pass_on()
        assert connection.recv(1) == b"y"


def test_it_can_stall_in_the_middle(proxy: TcpProxy):
    proxy.stall_after(3)
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"
        assert not proxy.stalled
        assert silent(connection, b"y")
        assert proxy.stalled
        proxy.pass_on()
        assert connection.recv(1) == b"y"


def test_a_slow_line_keeps_its_rate(proxy: TcpProxy):
    proxy.slow(100_000)
    with call(proxy) as connection:
        begun = time.monotonic()
        assert echoed(connection, bytes(20_000)) == bytes(20_000)
        assert time.monotonic() - begun > 0.15


def test_a_delay_holds_everything_back(proxy: TcpProxy):
    proxy.delay(0.1)
    with call(proxy) as connection:
        begun = time.monotonic()
        assert echoed(connection, b"x") == b"x"
        assert time.monotonic() - begun >= 0.2


def test_resetting_ends_present_connections_only(proxy: TcpProxy):
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with call(proxy) as connection:
        assert echoed(connection, b"y") == b"y"
    assert proxy.accepted == 2


def test_a_target_that_refuses_resets_the_caller():
    # The reset may come while the caller is still connecting.
    with (
        HeldPort() as gone,
        TcpProxy("127.0.0.1", gone.number) as proxy,
        pytest.raises(ConnectionResetError),
        call(proxy) as connection,
    ):
        connection.recv(1)


def test_while_it_refuses_nobody_else_gets_its_port(proxy: TcpProxy):
    proxy.refuse()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", proxy.port))
    proxy.pass_on()
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"


def test_closing_ends_every_connection_and_twice_is_once(proxy: TcpProxy):
    with call(proxy) as connection:
        assert echoed(connection, b"x") == b"x"
        proxy.close()
        proxy.close()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
