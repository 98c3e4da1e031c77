"""Converts RabbitMQ errors to log errors: one line about the problem, and a hint on how to fix it."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
    AMQPConnectorStackTimeout,
)
from pika.exceptions import (
    AMQPConnectionError,
    AMQPHeartbeatTimeout,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from farscope.errors import LogError, LogMissing, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.settings import PORT, TLS_PORT, Settings

ACCESS_REFUSED: Final = 403
NOT_FOUND: Final = 404
RESOURCE_LOCKED: Final = 405
PRECONDITION_FAILED: Final = 406
RESOURCE_ERROR: Final = 506
NOT_ALLOWED: Final = 530
NOT_IMPLEMENTED: Final = 540
INTERNAL_ERROR: Final = 541

MAX_REASON: Final = 300
"""Text from a broker is truncated to this length: it comes from the network and may be anything."""

_NO_REPLICA_YET: Final = re.compile("does not have a (running )?replica")
"""Reported by RabbitMQ 3 and 4 (with "running") while a stream is being created or its node is starting."""

_WRONG_ARGUMENTS: Final = ("inequivalent arg", "x-queue-type", "x-stream-offset")
"""Any other failed precondition is not about our arguments, and may be temporary."""

AGAIN: Final = "it will be retried"

DOCTOR: Final = "farscope doctor tells what is missing"


class Collision(LogUnavailable):
    """The broker failed because several clients created the same log at once; reconnecting soon helps."""


def explain(error: BaseException, settings: Settings, *, established: bool = False) -> LogError:
    """Convert an exception raised by pika to a ``LogError``.

    ``established`` means that the connection had worked before: an error the broker then reports for a
    channel reflects a temporary state, not a refusal, so retrying is correct.
    """
    for cause in _causes(error):
        if isinstance(cause, LogError):
            return cause
        if (found := _connecting(cause, settings)) is not None:
            found.__cause__ = error
            return found
    if isinstance(error, ChannelClosedByBroker):
        return _channel(error, settings, established=established)
    if isinstance(error, ConnectionClosedByBroker):
        return _closed(error.reply_code, error.reply_text, settings)
    lost = LogUnavailable(f"the connection to {settings.place} was lost: {one_line(error)}", AGAIN)
    lost.__cause__ = error
    return lost


def one_line(error: BaseException | str) -> str:
    """Return an error's text on one line, truncated and without control characters."""
    text = error if isinstance(error, str) else str(error) or type(error).__name__
    return "".join(mark if mark.isprintable() else " " for mark in text)[:MAX_REASON]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over the exceptions that pika wrapped, outermost first."""
    yield error
    inner: list[object] = list(error.args)
    if isinstance(error, AMQPConnectionWorkflowFailed):
        inner += reversed(error.exceptions)
    if isinstance(error, AMQPConnectorPhaseErrorBase):
        inner.append(error.exception)
    for part in inner:
        if isinstance(part, BaseException):
            yield from _causes(part)


def _connecting(error: BaseException, settings: Settings) -> LogError | None:
    """Convert a connection error; return None if ``error`` is not one."""
    if isinstance(error, ssl.SSLError):
        return _tls(error, settings)
    if isinstance(error, OSError):
        return _network(error, settings)
    if isinstance(error, AMQPConnectorStackTimeout):
        return no_answer(settings)
    if isinstance(error, AMQPConnectionError):
        return _connection(error, settings)
    return None


def _network(error: OSError, settings: Settings) -> LogError | None:
    place = settings.place
    if isinstance(error, socket.gaierror):
        hint = "correct the host in the address, or mend the machine's name service"
        return LogUnavailable(
            f"the name {settings.host} does not resolve: {one_line(error.strerror or error)}", hint
        )
    if isinstance(error, ConnectionRefusedError):
        usual = f"{settings.scheme}:// without a port is {TLS_PORT if settings.tls else PORT}"
        hint = f"start the broker there, or correct host and port; {usual}"
        return LogUnavailable(f"nothing listens on {place}", hint)
    if isinstance(error, TimeoutError):
        return no_answer(settings)
    if error.strerror:
        return LogUnavailable(f"{place} cannot be reached: {one_line(error.strerror)}", AGAIN)
    return None


def _connection(error: AMQPConnectionError, settings: Settings) -> LogError | None:
    text = str(error)
    if isinstance(error, AMQPHeartbeatTimeout):
        hint = "the broker hangs or the network is broken; it will be retried"
        return LogUnavailable(f"{settings.place} has fallen silent", hint)
    if isinstance(error, ConnectionBlockedTimeout):
        return blocked(settings)
    if isinstance(error, AuthenticationError) or (
        isinstance(error, ProbableAuthenticationError) and "ACCESS_REFUSED" in text
    ):
        return LogRefused(
            f"{settings.place} refuses the login of user {settings.user!r}",
            "correct user and password; user guest is let in from the broker's own machine only",
        )
    if isinstance(error, ProbableAccessDeniedError) and "NOT_ALLOWED" in text:
        return _vhost(text, settings)
    if isinstance(error, IncompatibleProtocolError):
        return _no_greeting(text, settings)
    return None


def _no_greeting(text: str, settings: Settings) -> LogError:
    other = "amqp://" if settings.tls else "amqps://"
    hint = f"is it the right port, and the right scheme? TLS or no TLS: {other} is the other one"
    if "StreamLostError" in text:
        # So does a broker that is just starting or stopping.
        return LogUnavailable(f"{settings.place} hung up without a greeting", hint)
    return LogRefused(f"{settings.place} does not speak AMQP 0-9-1", hint)


def no_answer(settings: Settings) -> LogUnavailable:
    """Return the error for a broker that does not answer during connecting."""
    return LogUnavailable(
        f"{settings.place} did not answer in time",
        "is it the right host, and does a firewall let the port through? farscope doctor tells",
    )


def blocked(settings: Settings) -> LogUnavailable:
    """Return the error for a broker that is blocking publishers."""
    return LogUnavailable(
        f"{settings.place} is short of memory or disk and takes nothing from publishers",
        "free some on the broker, or raise its limits; rabbitmqctl list_connections state shows 'blocked'",
    )


def _tls(error: ssl.SSLError, settings: Settings) -> LogError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = one_line(error.verify_message).rstrip(".")
        if "self-signed" in reason or "issuer" in reason:
            hint = "name the authority's certificate with cafile=PATH"
        elif "match" in reason or "mismatch" in reason:
            hint = (
                "use the name the certificate was made for, or have the broker's certificate name this host"
            )
        elif "expired" in reason or "not yet valid" in reason:
            hint = "renew the broker's certificate, or set this machine's clock"
        else:
            hint = "have the broker's certificate mended"
        return LogRefused(f"the certificate of {settings.place} cannot be trusted: {reason}", hint)
    hint = "is it the TLS port? if the broker asks for a certificate, give certfile= and keyfile="
    return LogRefused(f"TLS with {settings.place} failed: {one_line(error.reason or error)}", hint)


def _vhost(text: str, settings: Settings) -> LogError:
    if "is down" in text:
        return LogUnavailable(f"the virtual host {settings.vhost!r} of {settings.place} is down", AGAIN)
    if settings.vhost == "/":
        remedy = "name the virtual host behind host and port: without, it is '/'; or "
    elif "not found" in text:
        remedy = f"make it with: rabbitmqctl add_vhost {settings.vhost}; "
    else:
        remedy = ""
    return LogRefused(
        f"{settings.place} does not let user {settings.user!r} into the virtual host {settings.vhost!r}",
        f"{remedy}let the user in with: "
        f"rabbitmqctl set_permissions -p {settings.vhost} {settings.user} CONFIGURE WRITE READ",
    )


def _closed(code: int, text: str, settings: Settings) -> LogError:
    if code == ACCESS_REFUSED:
        return LogRefused(f"{settings.place} refuses user {settings.user!r}: {one_line(text)}", DOCTOR)
    if code == NOT_ALLOWED:
        return _vhost(text, settings)
    if code == INTERNAL_ERROR and "feature flag" in text:
        return no_stream(settings, _after_dash(one_line(text)))
    kind = Collision if code in (INTERNAL_ERROR, RESOURCE_ERROR) else LogUnavailable
    return kind(f"{settings.place} closed the connection: {one_line(text)}", AGAIN)


def _channel(error: ChannelClosedByBroker, settings: Settings, *, established: bool) -> LogError:
    code, text = error.reply_code, one_line(error.reply_text)
    if code == ACCESS_REFUSED:
        return LogRefused(
            f"user {settings.user!r} may not do this: {_after_dash(text)}", permissions(settings)
        )
    if _NO_REPLICA_YET.search(text):
        return Collision(f"the stream {settings.stream!r} is not ready yet: {_after_dash(text)}", AGAIN)
    if established or not _lasts(error):
        return LogUnavailable(f"{settings.place} ended the conversation: {text}", AGAIN)
    if code == NOT_FOUND:
        return missing(settings, _after_dash(text))
    if code == NOT_IMPLEMENTED or "x-queue-type" in text or "x-stream-offset" in text:
        return no_stream(settings, _after_dash(text))
    return LogRefused(
        f"the stream {settings.stream!r} exists with other settings: {_after_dash(text)}",
        "leave max_bytes, max_age and segment_bytes out of the address, name another stream=, or delete it "
        f"with: rabbitmqctl -p {settings.vhost} delete_queue {settings.stream}",
    )


def _lasts(error: ChannelClosedByBroker) -> bool:
    """Return whether the broker would repeat this error until somebody changes something."""
    if error.reply_code == PRECONDITION_FAILED:
        return any(word in str(error.reply_text) for word in _WRONG_ARGUMENTS)
    return error.reply_code == NOT_IMPLEMENTED or (error.reply_code == NOT_FOUND and absent(error))


def absent(error: ChannelClosedByBroker) -> bool:
    """Return whether something does not exist; a starting broker says "down" for what it cannot find yet."""
    return str(error.reply_text).startswith(("NOT_FOUND - no exchange", "NOT_FOUND - no queue"))


def no_stream(settings: Settings, reason: str) -> LogRefused:
    """Return the error for a broker without streams, or a name used by a queue of another type."""
    return LogRefused(
        f"{settings.stream!r} on {settings.place} cannot be a stream: {reason}",
        "streams need RabbitMQ 3.9 or later with the feature flag stream_queue enabled; "
        "if a queue of that name exists, name another stream= in the address",
    )


def permissions(settings: Settings) -> str:
    """Return the administrator commands that grant a user write access, read access, or both."""
    start = f"rabbitmqctl set_permissions -p {shlex.quote(settings.vhost)} {shlex.quote(settings.user)} '^$'"
    write, read, nothing = _exactly(settings.exchange), _exactly(settings.stream), "^$"
    return (
        "set_permissions replaces all rights a user had, so give all that are needed; "
        f"to write and read: {start} '{write}' '{read}'; "
        f"to write only: {start} '{write}' '{nothing}'; to read only: {start} '{nothing}' '{read}'"
    )


def missing(settings: Settings, what: str, *, stream: bool = False) -> LogMissing:
    """Return the error for a missing exchange (or ``stream``) that this user may not create."""
    return LogMissing(
        f"the log is not set up on {settings.place}, and user {settings.user!r} may not do it: {what}",
        "run farscope doctor once with the address of a user who may configure, write and read",
        begins_anew=stream,
    )


def as_temporary(error: LogRefused) -> LogUnavailable:
    """Convert a refusal of a client that was admitted before to a temporary error, so that it keeps retrying.

    This happens while a broker is rebuilt: it comes up first without the user, then without the virtual host,
    then without the stream, or with another certificate. Clients need not be restarted after the repair.
    """
    waiting = LogUnavailable(error.message, f"{error.hint}; {AGAIN}", refused=True)
    waiting.__cause__ = error
    return waiting


def unbound(settings: Settings) -> LogMissing:
    """Return the error for a published batch that was not routed to any queue."""
    return LogMissing(
        f"the exchange {settings.exchange!r} has no stream {settings.stream!r}: nothing would be kept",
        "run farscope doctor once with the address of a user who may configure, write and read",
    )


def _exactly(name: str) -> str:
    return "^" + "".join(mark if mark.isalnum() or mark in "-_" else "\\" + mark for mark in name) + "$"


def _after_dash(text: str) -> str:
    """Strip the name of the reply code, as in ``ACCESS_REFUSED - access to ...``."""
    return text.partition(" - ")[2] or text
