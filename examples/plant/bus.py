"""Datagrams between the programs of the plant, on this machine: a signal and what comes with it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

FIRST_PORT = int(os.environ.get("PLANT_PORT", "19700"))
PROGRAMS = ("site", "meter", "gateway", "c1", "c2", "c3")
CHARGERS = PROGRAMS[3:]
PORTS = {name: FIRST_PORT + place for place, name in enumerate(PROGRAMS)}

Deliver = Callable[[str, dict[str, object]], None]

_out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
_log = logging.getLogger("plant")


def send(to: str, name: str, **payload: object) -> None:
    """Send a program a signal; like a real bus, it does not tell whether anybody listens."""
    _out.sendto(json.dumps([name, payload]).encode(), ("127.0.0.1", PORTS[to]))


def listen(me: str, deliver: Deliver) -> None:
    """Hand whatever comes for a program to ``deliver``, on a thread of its own."""
    inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbound.bind(("127.0.0.1", PORTS[me]))

    def receive() -> None:
        while True:
            name, payload = json.loads(inbound.recv(65_536))
            try:
                deliver(name, payload)
            except Exception:  # noqa: BLE001 - whatever a chart says of one event, the next one is delivered
                _log.exception("%s could not take %s", me, name)

    threading.Thread(target=receive, daemon=True).start()


def leave_in_order() -> None:
    """Let SIGTERM end this program as its own end would: its probe says goodbye."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
