"""During an outage a program's log has our lines, and pika's only for its own connections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from farscope.logs.rabbitmq.pika_logging import _Lookup
from farscope.testing.waiting import eventually
from farscope.wire.keyring import new_key_text
from support.held_port import HeldPort

PROGRAM = """
import logging, socket, sys, time
import pika
from farscope import Factory, broadcast

url, port, level = sys.argv[1], int(sys.argv[2]), sys.argv[3]
genuine = socket.getaddrinfo

def getaddrinfo(host, *others, **named):
    if host == "no-such-host.invalid":  # no question to a name service, which may take its time
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return genuine(host, *others, **named)

socket.getaddrinfo = getaddrinfo
logging.basicConfig(level=logging.WARNING, format="%(name)s|%(threadName)s|%(message)s")
logging.getLogger("farscope").setLevel(level)
chart = Factory("lamp", threaded=False)
chart.create("off")
chart.nest("off", parent=None)
with broadcast(chart, url=url) as probe:
    chart.start_at("off")
    while probe.stats.retries < 3:
        time.sleep(0.01)
    try:
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    except pika.exceptions.AMQPConnectionError:
        pass
"""


def records(tmp_path: Path, host: str, port: int, level: str = "WARNING") -> list[tuple[str, str]]:
    """Run the program to its end; return the logger and the thread of each record it has shown."""
    (tmp_path / "key").write_text(new_key_text() + "\n")
    (tmp_path / "key").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"amqp://{host}:{port}", str(port), level],
        env={"FARSCOPE_KEY_FILE": str(tmp_path / "key"), "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [(line.split("|")[0], line.split("|")[1]) for line in done.stderr.splitlines() if "|" in line]


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_while_the_broker_is_away_pika_tells_of_the_programs_own_connections_only(tmp_path, host):
    with HeldPort() as port:
        found = records(tmp_path, host, port.number)
    ours = [record for record in found if record[0] == "farscope"]
    assert len(ours) == 2  # steps wait in the spool; and so many were left in it
    pikas = {thread for logger, thread in found if logger.startswith("pika")}
    assert pikas == {"MainThread"}


def test_who_sets_our_logger_to_debug_gets_what_pika_says_about_our_connections(tmp_path):
    with HeldPort() as port:
        found = records(tmp_path, "127.0.0.1", port.number, "DEBUG")
    threads = {thread for logger, thread in found if logger.startswith("pika")}
    assert "MainThread" in threads
    assert any(thread.startswith("farscope-amqp-") for thread in threads)


class Loop:
    """Keeps what it is to call."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def add_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)


def test_a_look_up_that_was_cancelled_tells_nothing_and_any_other_tells_once():
    loop, told = Loop(), []
    cancelled, other = (_Lookup(loop, lambda: "found", told.append) for _ in range(2))
    eventually(lambda: len(loop.callbacks) == 2)
    assert cancelled.cancel()
    assert not cancelled.cancel()
    for callback in loop.callbacks:
        callback()
    assert told == ["found"]
    assert not other.cancel()
