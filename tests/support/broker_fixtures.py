"""pytest fixtures with a real RabbitMQ; import those you need into a ``conftest.py``.

``amqp_url``: an administrator's address: that in ``FARSCOPE_TEST_AMQP_URL``, else a private node's.
``broker``: the private node itself, for tests that hurt it or look into it.
``fresh_log_url``: a function that returns addresses of logs nobody has used yet.

One private node serves a whole run. Where there can be none, the tests are skipped; give them the marker
``broker``, so that the run's last lines can say so.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from support.broker import Broker, available
from support.certificates import make_certificates

EXISTING = "FARSCOPE_TEST_AMQP_URL"
"""Names the variable with the address of a broker to use instead of a private one."""


class _Shared:
    """The one private node: started for the first who asks, stopped after the last."""

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._users = 0
        self._folder = Path()

    def borrow(self) -> Broker:
        if self._broker is None:
            self._folder = Path(tempfile.mkdtemp(prefix="farscope-broker-"))
            self._broker = Broker(self._folder / "node", tls=make_certificates(self._folder))
            self._broker.start()
        self._users += 1
        return self._broker

    def give_back(self) -> None:
        self._users -= 1
        if not self._users and self._broker is not None:
            self._broker.stop()
            self._broker = None
            shutil.rmtree(self._folder)


_shared = _Shared()


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A private RabbitMQ node with TLS; tests leave it running and without users or alarms of theirs."""
    if os.environ.get(EXISTING):
        pytest.skip(f"needs a broker of its own, and {EXISTING} names another")
    if not available():
        pytest.skip(f"install rabbitmq-server, or set {EXISTING}")
    yield _shared.borrow()
    _shared.give_back()


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of an administrator of a real broker, without settings."""
    if existing := os.environ.get(EXISTING):
        return existing
    private: Broker = request.getfixturevalue("broker")
    return private.url()


@pytest.fixture
def fresh_log_url(amqp_url: str) -> Iterator[Callable[..., str]]:
    """Return a function that makes addresses of new logs (settings by keyword); removes them after."""
    names: list[str] = []

    def make(**query: str | int) -> str:
        names.append(f"farscope-test-{uuid4().hex}")
        settings = "".join(f"&{key}={value}" for key, value in query.items())
        mark = "&" if urlsplit(amqp_url).query else "?"
        return f"{amqp_url}{mark}exchange={names[-1]}&stream={names[-1]}.stream{settings}"

    yield make
    _remove(amqp_url, names)


def _remove(url: str, names: list[str]) -> None:
    import pika

    from farscope.logs.rabbitmq.settings import Settings

    settings = Settings.from_url(url)
    parameters = pika.ConnectionParameters(
        settings.host,
        settings.port,
        settings.vhost,
        pika.PlainCredentials(settings.user, settings.password()),
    )
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for name in names:
            channel.queue_delete(f"{name}.stream")
            channel.exchange_delete(name)
