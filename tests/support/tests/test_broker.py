"""A private broker's ports are its own from the moment they are chosen."""

import socket

import pytest

from support.broker import LOOPBACK, Broker


def test_nobody_else_can_listen_on_a_brokers_ports_before_it_does(tmp_path):
    broker = Broker(tmp_path)
    try:
        for port in (broker.port, broker.tls_port):
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind((LOOPBACK, port))
    finally:
        broker.stop()
