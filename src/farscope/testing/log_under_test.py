"""A log under test, and the words its checks are written in."""

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
"""How long an append may take before a check fails; far beyond what any log needs."""


class PromiseBroken(AssertionError):
    """A log does not do what ``farscope.logs.base`` promises."""


@dataclass(frozen=True, slots=True)
class LogUnderTest:
    """A way to make fresh logs, and what to know of their kind."""

    make_log: Callable[[], Log]
    """Returns a log at an address of its own, still unwritten."""

    grain_ns: int = 1_000_000
    """How finely the log tells times apart: RabbitMQ knows whole seconds."""

    patience_s: float = 20.0
    """How long something already stored may take to be read."""

    large_bytes: int = 1024 * 1024
    """The largest batch the log is made for."""


def require(holds: bool, promise: str, seen: object = None) -> None:
    """Fail unless it ``holds``; ``promise`` and what was seen are told."""
    if not holds:
        raise PromiseBroken(f"expected {promise}" + ("" if seen is None else f", saw {seen!r}"))


def same(seen: Sequence[bytes], expected: Sequence[bytes], promise: str) -> None:
    """Fail unless exactly the expected batches were seen."""
    for at, (one, other) in enumerate(zip(seen, expected, strict=False)):
        require(one == other, f"{promise}: {other[:60]!r} as batch {at}", one[:60])
    require(len(seen) == len(expected), f"{promise}: {len(expected)} batches", len(seen))


def refused(use: Callable[[], object], promise: str) -> None:
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


def take(subject: LogUnderTest, reader: LogReader, count: int, limit: int | None = None) -> list[bytes]:
    """Read until there are ``count`` batches or patience ends; keep what comes beyond, up to ``limit``."""
    had: list[bytes] = []
    deadline = time.monotonic() + subject.patience_s
    while len(had) < count and time.monotonic() < deadline:
        had += data_of_read(reader, 0.2, 256 if limit is None else limit - len(had))
    return had


def rest(reader: LogReader) -> list[bytes]:
    """Read until nothing comes any more."""
    had: list[bytes] = []
    while found := data_of_read(reader, 0.3):
        had += found
    return had


def comes_to_end(subject: LogUnderTest, reader: LogReader) -> bool:
    """Read on where there is nothing more; return whether the reader comes to say that it is at the end."""
    deadline = time.monotonic() + subject.patience_s
    while not reader.caught_up and time.monotonic() < deadline:
        same(data_of_read(reader, 0.1), [], "nothing more")
    return reader.caught_up


def through_json(position: Position) -> Position:
    """Return ``position`` as it comes back from a file."""
    copy: Position = json.loads(json.dumps(dict(position)))
    return copy


def let_pass(span_ns: int) -> None:
    """Wait until the wall clock, by which logs stamp, has moved on by ``span_ns``."""
    end_ns = time.time_ns() + span_ns
    while (left_ns := end_ns - time.time_ns()) > 0:
        time.sleep(left_ns / 1e9)


@contextmanager
def writing(log: Log, name: str = "a1") -> Iterator[LogWriter]:
    """Yield a writer of ``log`` and close it."""
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
