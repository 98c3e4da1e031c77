"""A held port is nobody else's, and a server that knows of it can listen there."""

import socket

import pytest

from support.held_port import LOOPBACK, HeldPort, HeldRow


def test_nothing_listens_on_a_held_port_and_nobody_else_can():
    with HeldPort() as port, socket.socket() as other, socket.socket() as client:
        with pytest.raises(ConnectionRefusedError):
            client.connect((LOOPBACK, port.number))
        with pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port.number))


def test_a_server_that_reuses_addresses_listens_on_a_held_port_and_comes_back_after_its_end():
    with HeldPort() as port:
        for _ in range(2):
            with (
                socket.create_server((LOOPBACK, port.number)) as server,
                socket.create_connection((LOOPBACK, port.number)) as client,
            ):
                accepted, _ = server.accept()
                accepted.close()
                assert client.recv(1) == b""


@pytest.mark.parametrize("reuse", [0, 1])
def test_who_asks_for_any_port_is_not_given_a_held_one(reuse: int):
    held = [HeldPort() for _ in range(200)]
    others = [socket.socket() for _ in range(200)]
    for other in others:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        other.bind((LOOPBACK, 0))
    given = {other.getsockname()[1] for other in others}
    for each in (*held, *others):
        each.release() if isinstance(each, HeldPort) else each.close()
    assert not given & {port.number for port in held}


def test_a_released_port_can_be_held_again():
    port = HeldPort()
    number = port.number
    port.release()
    port.release()
    port.hold()
    assert port.number == number
    port.release()


def test_rows_of_ports_do_not_meet_and_are_given_again_when_they_are_free():
    with HeldRow(6) as one, HeldRow(6) as other:
        assert not set(range(one.first, one.first + 6)) & set(range(other.first, other.first + 6))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((LOOPBACK, one.first + 5))
    with HeldRow(6) as again:
        assert again.first == one.first


def test_a_row_in_which_somebody_listens_is_passed_over():
    with HeldRow(6) as row:
        first = row.first
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, first + 3))
        with HeldRow(6) as row:
            assert row.first != first
