"""A log under test, and the helper functions used by the conformance checks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from farscope.errors import FarscopeError, LogRefused
from farscope.logs.base import Log, LogReader, LogWriter, Position

APPEND_S: Final = 30.0
"""How long an append may take before a check fails, in seconds; far longer than any log needs."""


class PromiseBroken(AssertionError):
    """A log violates the contract in ``farscope.logs.base``."""


@dataclass(frozen=True, slots=True)
class LogUnderTest:
    """A function that makes fresh logs, and the properties of their kind."""

    make_log: Callable[[], Log]
    """Returns an unwritten log at a unique address."""

    grain_ns: int = 1_000_000
    """Time resolution of the log in nanoseconds: RabbitMQ has whole seconds."""

    patience_s: float = 20.0
    """How long reading a stored batch may take, in seconds."""

    large_bytes: int = 1024 * 1024
    """Size of the largest batch the log supports."""


def require(holds: bool, promise: str, seen: object = None) -> None:
    """Fail unless ``holds`` is true; the failure reports ``promise`` and ``seen``."""
    if not holds:
        raise PromiseBroken(f"expected {promise}" + ("" if seen is None else f", saw {seen!r}"))


def require_same(seen: Sequence[bytes], expected: Sequence[bytes], promise: str) -> None:
    """Fail unless ``seen`` are exactly the expected batches."""
    for at, (one, other) in enumerate(zip(seen, expected, strict=False)):
        require(one == other, f"{promise}: {other[:60]!r} as batch {at}", one[:60])
    require(len(seen) == len(expected), f"{promise}: {len(expected)} batches", len(seen))


def require_refused(use: Callable[[], object], promise: str) -> None:
    """Fail unless ``use`` raises ``LogRefused``."""
    try:
        use()
    except LogRefused:
        return
    except FarscopeError as error:
        raise PromiseBroken(f"expected {promise}, saw {type(error).__name__}") from error
    raise PromiseBroken(f"expected {promise}")


def data_of_read(reader: LogReader, timeout_s: float, limit: int = 256) -> list[bytes]:
    """Read once and return the batches' bytes."""
    return [entry.data for entry in reader.read(timeout_s, limit)]


def read_batches(
    subject: LogUnderTest, reader: LogReader, count: int, limit: int | None = None
) -> list[bytes]:
    """Read until there are ``count`` batches or ``patience_s`` is over; may return up to ``limit``."""
    received: list[bytes] = []
    deadline = time.monotonic() + subject.patience_s
    while len(received) < count and time.monotonic() < deadline:
        received += data_of_read(reader, 0.2, 256 if limit is None else limit - len(received))
    return received


def read_rest(reader: LogReader) -> list[bytes]:
    """Read until nothing more arrives."""
    received: list[bytes] = []
    while found := data_of_read(reader, 0.3):
        received += found
    return received


def reaches_end(subject: LogUnderTest, reader: LogReader) -> bool:
    """Keep reading at the end of the log; return whether the reader reports that it has caught up."""
    deadline = time.monotonic() + subject.patience_s
    while not reader.caught_up and time.monotonic() < deadline:
        require_same(data_of_read(reader, 0.1), [], "nothing more")
    return reader.caught_up


def through_json(position: Position) -> Position:
    """Return ``position`` after a round trip through JSON."""
    copy: Position = json.loads(json.dumps(dict(position)))
    return copy


def let_time_pass(span_ns: int) -> None:
    """Wait until the wall clock, which logs use for storage times, has advanced by ``span_ns``."""
    end_ns = time.time_ns() + span_ns
    while (left_ns := end_ns - time.time_ns()) > 0:
        time.sleep(left_ns / 1e9)


@contextmanager
def writing(log: Log, name: str = "a1") -> Iterator[LogWriter]:
    """Yield a writer of ``log``, which is closed at the end."""
    writer = log.writer(name)
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def reading(
    log: Log, since_ns: int | None = None, position: Position | None = None
) -> Iterator[tuple[Log, LogReader]]:
    """Yield ``log`` and a reader of it, which is closed at the end."""
    reader = log.reader(since_ns, position)
    try:
        yield log, reader
    finally:
        reader.close()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Run ``work`` in another thread and wait for its end."""
    thread = threading.Thread(target=work, name="log-conformance")
    thread.start()
    try:
        yield
    finally:
        thread.join()
