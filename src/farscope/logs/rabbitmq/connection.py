"""One connection to RabbitMQ and the thread that owns it.

No other thread touches the connection: other threads hand over work with ``Connection.post``, which runs it
on the connection's thread. A ``Connection`` connects once and ends when it is lost; to reconnect, create
another one. See ``docs/decisions/0006-one-thread-per-rabbitmq-connection.md``.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByClient, ConnectionClosedByClient

from farscope.errors import Invariant, LogError, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.errors import explain, no_answer, one_line
from farscope.logs.rabbitmq.pika_logging import THREAD_PREFIX, Services
from farscope.logs.rabbitmq.settings import Settings

BLOCKED_TIMEOUT_S: Final = 120.0
"""A connection blocked by the broker for longer is replaced; callers waiting on it time out earlier."""

JOIN_TIMEOUT_S: Final = 0.5
"""How long to wait for the thread of an ended connection, in seconds, before leaving it to end by itself."""

Request = Callable[[Callable[..., None]], object]
"""Sends a request to the broker or a timer; the answer is passed to the given callback."""

Dialogue = Generator[Request, Any, None]
"""Requests to the broker and their answers, in order: yields the former and receives the latter."""


class Handler(Protocol):
    """Receives the events of a connection; all methods are called on the connection's thread."""

    def set_up(self, connection: Connection) -> Dialogue:
        """Set up the connection for its purpose; when this returns, the connection is open."""

    def opened(self) -> None:
        """Called when ``set_up`` has returned and work can begin."""

    def lost(self, error: LogError) -> None:
        """Called once when the connection ends, for whatever reason."""


class _PikaConnection(pika.SelectConnection):  # type: ignore[misc] # pika ships no types
    """A connection that can also be aborted."""

    def abort(self) -> None:
        """End now, without a closing handshake, which a dead peer would never answer."""
        if not self.is_closed:
            self._terminate_stream(ConnectionClosedByClient(320, "given up"))


class Connection:
    """A connection with a dedicated thread; ``start`` it, ``post`` work to it, ``close`` it.

    Args:
        settings: where to connect.
        role: the purpose, which appears in the names of the thread and the connection.
        handler: sets up the connection and is notified when it ends.
    """

    def __init__(self, settings: Settings, role: str, handler: Handler) -> None:
        self.settings = settings
        self.blocked = False
        self._handler = handler
        self._role = role
        self._lock = threading.Lock()
        self._posted: deque[Callable[[], None]] = deque()
        self._ended = False
        self._wake: Callable[[], None] | None = None
        self._pika: _PikaConnection | None = None
        self._dialogue: Dialogue | None = None
        self._request_number = 0
        self._closing = False
        self._error: LogError | None = None
        self._thread = threading.Thread(target=self._run, name=f"{THREAD_PREFIX}{role}", daemon=True)

    def start(self) -> None:
        """Start connecting; returns at once."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the connection was lost or could not be established."""
        return self._ended

    def post(self, work: Callable[[], None]) -> bool:
        """Run ``work`` on the connection's thread, in the order posted; callable from any thread.

        Once the connection has ended, returns False and drops ``work``. Work posted earlier always runs.
        """
        with self._lock:
            if self._ended:
                return False
            self._posted.append(work)
            wake = self._wake
        if wake is not None:
            wake()
        return True

    def close(self, timeout_s: float) -> None:
        """Close the connection cleanly, or abort it if that takes longer than ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        if self.post(self._close_cleanly):
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self.post(self.abort):
                self._thread.join(JOIN_TIMEOUT_S)
        else:
            self._thread.join(JOIN_TIMEOUT_S)

    # The methods below run only on the connection's thread.

    def open_channel(self, answer: Callable[..., None]) -> object:
        """Request a channel (a ``Request``)."""
        channel = self._live().channel(on_open_callback=answer)
        channel.add_on_close_callback(self._channel_closed)
        return channel

    @property
    def product(self) -> str:
        """The broker's product name and version, such as ``RabbitMQ 3.10.8``."""
        properties = self._live().server_properties or {}
        return one_line(f"{properties.get('product', 'a broker')} {properties.get('version', '')}".strip())

    def call_later(self, seconds: float, work: Callable[[], None]) -> None:
        """Run ``work`` after ``seconds``."""
        self._live().ioloop.call_later(seconds, work)

    def fail(self, error: LogError) -> None:
        """End the connection and report ``error`` to the handler."""
        self._error = self._error or error
        self.abort()

    def abort(self) -> None:
        """Abort the connection."""
        self._closing = True
        if self._pika is not None:
            self._pika.abort()

    def _live(self) -> _PikaConnection:
        if self._pika is None:
            raise Invariant("a connection was used before it was started")
        return self._pika

    def _run(self) -> None:
        try:
            self._connect_and_serve()
        except LogError as error:
            self._error = self._error or error
        except Exception as error:  # noqa: BLE001 - callers that wait must receive any error
            self._error = LogUnavailable(f"the connection failed: {error!r}", "please report this")
            self._error.__cause__ = error
        finally:
            with self._lock:
                self._ended = True
                self._wake = None
                left = list(self._posted)
                self._posted.clear()
            self._handler.lost(self._error or LogUnavailable("the connection was closed"))
            for work in left:
                work()

    def _connect_and_serve(self) -> None:
        connection = self._pika = _PikaConnection(
            self._parameters(),
            on_open_callback=lambda _: self._opened(),
            on_open_error_callback=lambda _, error: self._stopped(error),
            on_close_callback=lambda _, error: self._stopped(error),
            custom_ioloop=Services(pika.adapters.select_connection.IOLoop()),
        )
        ioloop = connection.ioloop
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        ioloop.call_later(self.settings.connect_timeout_s, self._connect_timed_out)
        with self._lock:
            self._wake = lambda: ioloop.add_callback_threadsafe(self._run_posted)
        self._run_posted()
        try:
            ioloop.start()
        finally:
            ioloop.close()

    def _parameters(self) -> pika.ConnectionParameters:
        settings = self.settings
        security = pika.SSLOptions(tls_context(settings), settings.host) if settings.tls else None
        return pika.ConnectionParameters(
            host=settings.host,
            port=settings.port,
            virtual_host=settings.vhost,
            credentials=pika.PlainCredentials(settings.user, settings.password()),
            heartbeat=settings.heartbeat_s,
            blocked_connection_timeout=BLOCKED_TIMEOUT_S,
            socket_timeout=settings.connect_timeout_s,
            stack_timeout=settings.connect_timeout_s,
            ssl_options=security,
            client_properties={"product": "farscope", "connection_name": f"farscope {self._role}"},
        )

    def _opened(self) -> None:
        self._dialogue = self._handler.set_up(self)
        self._advance(next)

    def _advance(self, resume: Callable[[Dialogue], Request]) -> None:
        dialogue = self._dialogue
        if dialogue is None:
            return
        try:
            request = resume(dialogue)
        except StopIteration:
            self._dialogue = None
            self._handler.opened()
        except LogError as error:
            self._dialogue = None
            self.fail(error)
        except AMQPError as error:
            self._dialogue = None
            self.fail(explain(error, self.settings))
        else:
            self._request_number += 1
            request_number = self._request_number
            request(lambda *answer: self._answered(request_number, answer))

    def _answered(self, request_number: int, answer: tuple[Any, ...]) -> None:
        # One request may be answered twice, for example by a delivery and a timer: the first answer counts.
        if request_number == self._request_number:
            self._request_number += 1
            value = answer[0] if answer else None
            self._advance(lambda dialogue: dialogue.send(value))

    def _channel_closed(self, channel: Channel, error: Exception) -> None:
        del channel
        if isinstance(error, ChannelClosedByClient) or self._closing or self._live().is_closed:
            return
        if self._dialogue is not None:
            self._request_number += 1
            self._advance(lambda dialogue: dialogue.throw(error))
        else:
            self.fail(explain(error, self.settings, established=True))

    def _set_blocked(self, blocked: bool) -> None:
        self.blocked = blocked

    def _connect_timed_out(self) -> None:
        if not self._live().is_open or self._dialogue is not None:
            self.fail(no_answer(self.settings))

    def _close_cleanly(self) -> None:
        connection = self._pika
        if connection is not None and connection.is_open and not self.blocked:
            self._closing = True
            connection.close()
        else:
            self.abort()

    def _stopped(self, error: BaseException) -> None:
        if self._error is None and not isinstance(error, ConnectionClosedByClient):
            self._error = explain(error, self.settings)
        self._live().ioloop.stop()

    def _run_posted(self) -> None:
        while self._posted:
            self._posted.popleft()()


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return the TLS context for the settings; the peer is always verified.

    Raises:
        LogRefused: the certificates cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.cafile or None)
        if settings.certfile:
            context.load_cert_chain(settings.certfile, settings.keyfile or None)
    except OSError as error:
        names = ", ".join(name for name in (settings.cafile, settings.certfile, settings.keyfile) if name)
        raise LogRefused(
            f"the certificates {names} cannot be used: {error.strerror or error}",
            "name PEM files that exist and that this user can read",
        ) from error
    return context
