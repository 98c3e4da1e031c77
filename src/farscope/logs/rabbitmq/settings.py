"""The settings in an ``amqp://`` or ``amqps://`` address."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from farscope.errors import BadUrl, LogRefused, UsageError
from farscope.logs.units import parse_size, parse_span_ns
from farscope.logs.url import is_cut_in_password
from farscope.records.secret_file import SecretFile

PORT: Final = 5672
TLS_PORT: Final = 5671

EXCHANGE: Final = "farscope"
STREAM: Final = "farscope.stream"

MAX_BYTES: Final = 1024**3
"""Maximum size with which a stream is declared; above it, the broker removes the oldest segments."""

MAX_AGE_S: Final = 7 * 24 * 3600
"""Maximum age with which a stream is declared, in seconds; older segments are removed."""

SEGMENT_BYTES: Final = 16 * 1024**2
"""Retention removes whole segments and never the last one: small segments keep it close to the limit."""

SMALLEST_SEGMENT: Final = 4096
LARGEST_SEGMENT: Final = 3_000_000_000
"""RabbitMQ's limit for the segment size."""

HEARTBEAT_S: Final = 5
"""Seconds between heartbeats; a peer that is silent for twice as long plus ten seconds is considered dead."""

CONNECT_TIMEOUT_S: Final = 10.0
"""Time limit of a connection attempt, from the name lookup to the last declaration, in seconds."""

PREFETCH: Final = 128
"""Number of batches the broker sends ahead; a slow reader holds at most this many in memory."""

PASSWORD_VARIABLE: Final = "FARSCOPE_AMQP_PASSWORD"  # noqa: S105 - the variable's name, not a password

MAX_PASSWORD_FILE: Final = 4096
"""A larger file is not accepted as a password file, in bytes."""

_RETENTION: Final = ("max_bytes", "max_age", "segment_bytes")
_KEYS: Final = (
    "exchange",
    "stream",
    *_RETENTION,
    "heartbeat",
    "connect_timeout",
    "prefetch",
    "password_file",
    "cafile",
    "certfile",
    "keyfile",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """A parsed address; its ``repr`` does not show the password."""

    host: str
    port: int = PORT
    tls: bool = False
    vhost: str = "/"
    user: str = "guest"
    url_password: str | None = field(default=None, repr=False)
    password_file: str = ""
    exchange: str = EXCHANGE
    stream: str = STREAM
    max_bytes: int = MAX_BYTES
    max_age_s: int = MAX_AGE_S
    segment_bytes: int = SEGMENT_BYTES
    retention_asked: bool = False
    """Whether the address sets retention; if not, an existing stream with different retention is accepted."""
    heartbeat_s: int = HEARTBEAT_S
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    prefetch: int = PREFETCH
    cafile: str = ""
    certfile: str = ""
    keyfile: str = ""
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_url(cls, url: str) -> Settings:
        """Parse ``url`` without accessing anything.

        Raises:
            BadUrl: the address is invalid; the message names the invalid part, never the password.
        """
        parts = _split(url)
        tls = parts.scheme == "amqps"
        query = _query(parts)
        if not tls and any(query.get(key) for key in ("cafile", "certfile", "keyfile")):
            raise BadUrl("certificates were given, but amqp:// does not use TLS", "write amqps://")
        if query.get("keyfile") and not query.get("certfile"):
            raise BadUrl("keyfile= without certfile=", "give the certificate the key belongs to")
        return cls(
            host=_host(parts),
            port=_port(parts) or (TLS_PORT if tls else PORT),
            tls=tls,
            vhost=unquote(parts.path[1:]) or "/",
            user=unquote(parts.username or "guest"),
            url_password=None if parts.password is None else unquote(parts.password),
            password_file=query.get("password_file", ""),
            exchange=_name(query, "exchange", EXCHANGE),
            stream=_name(query, "stream", STREAM),
            max_bytes=_size(query, "max_bytes", MAX_BYTES, 1, 2**63 - 1),
            max_age_s=_age(query),
            segment_bytes=_size(query, "segment_bytes", SEGMENT_BYTES, SMALLEST_SEGMENT, LARGEST_SEGMENT),
            retention_asked=any(key in query for key in _RETENTION),
            heartbeat_s=_number(query, "heartbeat", HEARTBEAT_S, 1, 3600),
            connect_timeout_s=_number(query, "connect_timeout", int(CONNECT_TIMEOUT_S), 1, 300),
            prefetch=_number(query, "prefetch", PREFETCH, 1, 65535),
            cafile=query.get("cafile", ""),
            certfile=query.get("certfile", ""),
            keyfile=query.get("keyfile", ""),
            query=tuple(query.items()),
        )

    @property
    def url(self) -> str:
        """The address, without any password."""
        vhost = quote(self.vhost, safe="")
        return f"{self.scheme}://{quote(self.user, safe='')}@{self.place}/{vhost}{_written(self.query)}"

    @property
    def destination(self) -> str:
        """Where batches go: broker, virtual host, exchange and stream, regardless of login or tuning.

        The spelling is canonical. The broker's two default ports, with and without TLS, count as the same.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == (TLS_PORT if self.tls else PORT) else f":{self.port}"
        vhost = "" if self.vhost == "/" else quote(self.vhost, safe="")
        names = (("exchange", self.exchange, EXCHANGE), ("stream", self.stream, STREAM))
        asked = tuple((key, name) for key, name, usual in names if name != usual)
        return f"amqp://{host}{port}/{vhost}{_written(asked)}"

    @property
    def scheme(self) -> str:
        """``amqp`` or ``amqps``."""
        return "amqps" if self.tls else "amqp"

    @property
    def place(self) -> str:
        """Host and port, as messages name them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def stream_arguments(self) -> dict[str, str | int]:
        """The arguments with which the stream is declared."""
        return {
            "x-queue-type": "stream",
            "x-max-length-bytes": self.max_bytes,
            "x-max-age": f"{self.max_age_s}s",
            "x-stream-max-segment-size-bytes": self.segment_bytes,
        }

    def password(self) -> str:
        """Return the password from the address, the file or the environment, or guest's default password.

        The file is read on every call, so that the next connection uses a changed password.

        Raises:
            LogRefused: the file cannot be used, or there is no password at all.
        """
        if self.url_password is not None:
            return self.url_password
        if self.password_file:
            return _read_password(self.password_file)
        if given := os.environ.get(PASSWORD_VARIABLE):
            return given
        if self.user == "guest":
            return "guest"
        raise LogRefused(
            f"there is no password for user {self.user!r} of {self.place}",
            f"add password_file=PATH to the address, or set {PASSWORD_VARIABLE}",
        )


def _written(query: Sequence[tuple[str, str]]) -> str:
    return f"?{urlencode(query, quote_via=quote, safe='/')}" if query else ""


def _split(url: str) -> SplitResult:
    if is_cut_in_password(url):
        raise BadUrl(
            "the address has an '@' after the host",
            "a '/', '?' or '#' in a password is written %2F, %3F or %23, and an '@' in a virtual host %40",
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        # What it says may hold the password.
        raise BadUrl("the address cannot be understood", "write amqp://user@host:port/vhost") from None
    if parts.scheme not in ("amqp", "amqps"):
        raise BadUrl("the address is no RabbitMQ one", "write amqp://user@host or amqps://user@host")
    if parts.fragment:
        raise BadUrl("the address has a part behind '#'", "write a '#' in a password as %23")
    return parts


def _host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise BadUrl("the address names no host", f"write {parts.scheme}://user@host:port/vhost")
    return parts.hostname


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        hint = "write a number from 1 to 65535; a '/', '#' or '?' in a password is %2F, %23 or %3F"
        # What it says holds what stands in the port's place, which may be part of a password.
        raise BadUrl("the port in the address is not a number", hint) from None
    return port


def _query(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if unknown := sorted(query.keys() - set(_KEYS)):
        raise BadUrl(f"the address has an unknown setting {unknown[0]!r}", f"known are {', '.join(_KEYS)}")
    if len(query) < len(pairs):
        raise BadUrl("the address has a setting twice", "leave one of them out")
    return query


def _name(query: dict[str, str], key: str, default: str) -> str:
    name = query.get(key, default)
    if not name or len(name.encode()) > 255 or name.startswith("amq."):
        raise BadUrl(f"{key}={name[:40]!r} is not a usable name", "1 to 255 bytes, not starting with 'amq.'")
    return name


def _size(query: dict[str, str], key: str, default: int, least: int, most: int) -> int:
    if key not in query:
        return default
    try:
        size = parse_size(query[key])
    except UsageError as error:
        raise BadUrl(f"{key}: {error.message}", error.hint) from error
    if not least <= size <= most:
        raise BadUrl(f"{key}={query[key]} is out of range", f"it may be {least} to {most} bytes")
    return size


def _age(query: dict[str, str]) -> int:
    if "max_age" not in query:
        return MAX_AGE_S
    try:
        seconds = parse_span_ns(query["max_age"]) // 1_000_000_000
    except UsageError as error:
        raise BadUrl(f"max_age: {error.message}", error.hint) from error
    if seconds < 1:
        raise BadUrl(f"max_age={query['max_age']} is out of range", "a second is the least RabbitMQ keeps")
    return seconds


def _number(query: dict[str, str], key: str, default: int, least: int, most: int) -> int:
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise BadUrl(f"{key}={text[:20]} is out of range", f"write a whole number from {least} to {most}")
    return int(text)


def _read_password(given: str) -> str:
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:
        raise LogRefused(
            f"the home folder in {given} is not known", "write an absolute path, or set HOME"
        ) from error
    secret = SecretFile(path, "password file", LogRefused)
    if secret.is_descriptor:
        raise LogRefused(
            f"the password file {path} can be read only once, and each connection reads it",
            f"name a file, or set {PASSWORD_VARIABLE}",
        )
    try:
        text = secret.read(MAX_PASSWORD_FILE).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        hint = "write the password into it, on one line"
        raise LogRefused(f"the password file {path} cannot be read: {reason}", hint) from error
    password = text.rstrip("\r\n")
    if not password or len(text) > MAX_PASSWORD_FILE or "\n" in password:
        raise LogRefused(f"the password file {path} does not hold one password", "put it on one line")
    return password
