"""Checks of a log in RabbitMQ, from the outside in: host name, port, TLS, login, streams, settings."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Final

from farscope.errors import LogError
from farscope.logs.diagnostics import Check, Severity, fail, ok, warn
from farscope.logs.rabbitmq.connection import Connection, Dialogue, tls_context
from farscope.logs.rabbitmq.errors import explain
from farscope.logs.rabbitmq.settings import Settings
from farscope.logs.rabbitmq.topology import bind, compare, ensure_log

WAIT_S: Final = 10.0
"""Time limit of each check, in seconds."""

ENOUGH_SEGMENTS: Final = 4
"""Retention removes whole segments: with fewer than this, it is much coarser than the requested limit."""


def examine(settings: Settings) -> Iterator[Check]:
    """Run the checks in order, and stop at a failure that makes the remaining ones pointless.

    An exchange, stream or binding missing on the broker is created if the user has permission.
    """
    for step in (_resolves, _listens, _speaks_tls):
        check = step(settings)
        if check is not None:
            yield check
            if check.severity is Severity.FAIL:
                return
    examination = _Examination(settings)
    yield from examination.run()
    if examination.differs == "":
        yield _retention(settings)
    elif examination.differs is None:
        yield ok("retention", "as the stream was made; a user who may configure it can compare")


def _resolves(settings: Settings) -> Check:
    found: list[str] = []
    errors: list[OSError] = []

    def look_up() -> None:
        try:
            addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        except OSError as error:
            errors.append(error)
        else:
            found.extend(dict.fromkeys(str(address[4][0]) for address in addresses))

    # A name lookup that never returns cannot be interrupted, only abandoned.
    thread = threading.Thread(target=look_up, name="farscope-doctor-lookup", daemon=True)
    thread.start()
    thread.join(WAIT_S)
    if found:
        return ok("host", f"{settings.host} is {', '.join(found)}")
    if errors:
        return _failed("host", explain(errors[0], settings))
    return fail("host", f"nobody answers what {settings.host} is", "mend this machine's name service")


def _listens(settings: Settings) -> Check:
    try:
        with socket.create_connection((settings.host, settings.port), timeout=WAIT_S):
            return ok("port", f"something listens on {settings.place}")
    except OSError as error:
        return _failed("port", explain(error, settings))


def _speaks_tls(settings: Settings) -> Check | None:
    if not settings.tls:
        return _warn_of_clear_text(settings)
    try:
        context = tls_context(settings)
        with (
            socket.create_connection((settings.host, settings.port), timeout=WAIT_S) as sock,
            context.wrap_socket(sock, server_hostname=settings.host) as secured,
        ):
            return ok("TLS", f"{secured.version()}, the broker's certificate is good")
    except LogError as error:
        return _failed("TLS", error)
    except (OSError, ssl.SSLError) as error:
        return _failed("TLS", explain(error, settings))


def _warn_of_clear_text(settings: Settings) -> Check | None:
    if settings.host in ("localhost", "127.0.0.1", "::1"):
        return None
    # Batches are sealed, but the password is sent in clear text: worth a warning, not a failure.
    return warn("TLS", "not used: the password can be read on the way", "write amqps://")


class _Examination:
    """Connection handler that logs in, sets up anything missing, and reports how far it got."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stage = "login"
        self._product = "a broker"
        self._error: LogError | None = None
        self._bound = False
        self.differs: str | None = "not looked at"
        """How the stream's settings differ from the address; None if this user has no permission to see."""
        self._done = threading.Event()

    def run(self) -> Iterator[Check]:
        connection = Connection(self._settings, "doctor", self)
        connection.start()
        in_time = self._done.wait(self._settings.connect_timeout_s + WAIT_S)
        connection.close(1.0)
        if self._stage != "login":
            yield ok("login", f"{self._product} lets {self._settings.user!r} into {self._settings.vhost!r}")
        if self._error is not None:
            yield _failed(self._stage, self._error)
        elif not in_time:
            yield fail(self._stage, "the broker does not answer", "look at the broker's own log")
        else:
            yield self._set_up()

    def set_up(self, connection: Connection) -> Dialogue:
        """Log in, then look for the log and set up anything missing."""
        self._product = connection.product
        self._stage = "log"
        channel = yield from ensure_log(connection, rebind=False)
        channel, self._bound = yield from bind(connection, channel)
        self.differs = yield from compare(connection, channel)

    def opened(self) -> None:
        """Record success."""
        self._done.set()

    def lost(self, error: LogError) -> None:
        """Record the first error."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    def _set_up(self) -> Check:
        exchange, stream = self._settings.exchange, self._settings.stream
        found = f"exchange {exchange!r} with the stream {stream!r} bound to it"
        if not self._bound:
            found = f"exchange {exchange!r} and stream {stream!r} exist; this user cannot tell whether bound"
        if self.differs:
            return warn("log", f"{found}; its settings differ: {self.differs}", "fine if that is meant")
        return ok("log", found)


def _retention(settings: Settings) -> Check:
    days = settings.max_age_s / 86_400
    kept = f"{settings.max_bytes:,} bytes or {days:g} days in segments of {settings.segment_bytes:,} bytes"
    if settings.max_bytes < ENOUGH_SEGMENTS * settings.segment_bytes:
        return warn(
            "retention",
            kept,
            "make segment_bytes= a quarter of max_bytes= or less; a stream keeps what it was made with, "
            f"so delete it first: rabbitmqctl -p {settings.vhost} delete_queue {settings.stream}",
        )
    return ok("retention", kept)


def _failed(name: str, error: LogError) -> Check:
    return fail(name, error.message, error.hint or "see docs/rabbitmq.md")
