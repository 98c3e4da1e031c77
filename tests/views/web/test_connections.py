"""A server that nobody can keep from answering by doing nothing."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from farscope.testing.waiting import eventually
from farscope.views.web.connections import MAX_CONNECTIONS, OutOfDescriptors, most_connections
from support.program import Program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are limited elsewhere only")

SERVER = """
import resource, sys
import farscope.views.web.connections as connections
resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
connections.REQUEST_S = float(sys.argv.pop(1))
sys.argv[0] = "farscope"
from farscope.__main__ import main
main()
"""
FOR_EVER_S = 1_000_000


@contextmanager
def server(tmp_path, request_s: float) -> Iterator[tuple[Program, str, int]]:
    with Program("-c", SERVER, str(request_s), "web", f"sqlite:{tmp_path}", "--port", "0") as program:
        program.wait_out("http://")
        address = program.out.strip()
        yield program, address, int(address.rstrip("/").rpartition(":")[2])
        program.interrupt()
        assert program.wait() == 0


def connected(stack: ExitStack, port: int) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
    connection.settimeout(20)
    return connection


def is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(65_536) == b""
    except ConnectionResetError:
        return True


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own server on loopback
            return answer.status == 200
    except OSError:
        return False


def test_connections_beyond_the_limit_are_cut_and_the_page_answers_again_when_there_are_fewer(tmp_path):
    with server(tmp_path, FOR_EVER_S) as (program, address, port):
        with ExitStack() as stack:
            held = [connected(stack, port) for _ in range(96 // 3)]
            for connection in held:
                connection.sendall(b"G")
            for _ in range(200):
                with ExitStack() as one:
                    assert is_cut(connected(one, port))
        assert eventually(lambda: answers(address))
        assert program.err == f"watching sqlite:{tmp_path}; Ctrl-C ends\n"


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"])
def test_who_sends_no_whole_request_is_cut(tmp_path, said: bytes):
    with server(tmp_path, 0.3) as (_, address, port), ExitStack() as stack:
        connection = connected(stack, port)
        connection.sendall(said)
        eventually(lambda: is_cut(connection))
        assert answers(address)


def test_who_sends_its_request_byte_by_byte_has_no_longer(tmp_path):
    with server(tmp_path, 0.3) as (_, _, port), ExitStack() as stack:
        connection = connected(stack, port)
        connection.settimeout(0.02)

        def is_cut_though_it_speaks() -> bool:
            try:
                connection.sendall(b"G")
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        eventually(is_cut_though_it_speaks)


def test_that_nothing_can_be_accepted_is_told_in_one_line(caplog):
    told: list[dict] = []

    class Loop:
        default_exception_handler = staticmethod(told.append)

    handler = OutOfDescriptors()
    full = {"exception": OSError(errno.EMFILE, "Too many open files"), "socket": object()}
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(1_000):
            handler(Loop(), full)
        handler(Loop(), {"exception": ValueError("other")})
    assert [record.getMessage() for record in caplog.records] == [
        "no connection can be accepted at the moment: Too many open files"
    ]
    assert len(told) == 1


def test_no_more_connections_than_the_process_has_descriptors_for(monkeypatch):
    import resource

    for soft, most in (
        (resource.RLIM_INFINITY, MAX_CONNECTIONS),
        (30, 10),
        (1, 1),
        (100_000, MAX_CONNECTIONS),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert most_connections() == most
