"""The thread that sends batches waiting on disk to the log."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from threading import Event, Thread, current_thread
from typing import Final, Protocol

from farscope.errors import LogRefused, Malformed, Tampered, WireError
from farscope.logs.base import LogWriter
from farscope.probe.spool.file import Waiting
from farscope.wire.keys import Keyring
from farscope.wire.seal import Opener

FORWARD_BATCHES: Final = 32
FORWARD_BYTES: Final = 4 * 1024**2
"""Limits of what is sent, and so held in memory, at a time: this many batches, about this many bytes."""
FORWARD_TIMEOUT_S: Final = 10.0
"""How long the log may take to store batches before they are passed to it again."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
"""Pauses between attempts double up to this, each shortened at random: the return of a log is soon noticed,
and many probes do not come back at once."""
REFUSED_PAUSE_S: Final = 5.0
"""Minimum upper bound of the pause after a refusal, which only ends when somebody intervenes; each attempt
costs the broker a connection and a log entry."""
LEAST_PAUSE_S: Final = 0.01
INTERRUPTING_S: Final = 0.02
"""An interrupt may come a moment too early, so it is repeated at this interval until the thread has ended."""

_LOGGER = logging.getLogger("farscope")


class Source(Protocol):
    """A place where batches wait."""

    def head(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest batches, which stay; raises if the disk cannot be read at the moment."""

    def sent(self, keys: Iterable[int]) -> None:
        """Remove batches that were stored."""

    def spoilt(self, keys: Iterable[int]) -> None:
        """Remove batches that are damaged since they were sealed."""

    def failed(self, error: Exception) -> None:
        """Record a failed attempt."""


class Forwarder:
    """Sends batches from ``source`` to ``writer``, in order, until all are sent or it is stopped.

    While it runs, only its thread uses the writer.

    Args:
        source: where the batches wait.
        when_empty: called when the source has no more; returns whether to look again. False ends the thread.
        writer: the log's writer.
        keyring: the keys that batches may be sealed with.
        who: the probe's name in log messages.
    """

    def __init__(
        self, source: Source, when_empty: Callable[[], bool], writer: LogWriter, keyring: Keyring, who: str
    ) -> None:
        self._source = source
        self._when_empty = when_empty
        self._writer = writer
        self._opener = Opener(keyring)
        self._who = who
        self._stopping = Event()
        self._failures = 0
        self._thread = Thread(target=self._run, name=f"farscope spool of {who}", daemon=True)

    def start(self, then: Callable[[], None] = lambda: None) -> None:
        """Start the thread, which calls ``then`` at its end.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._then = then
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread has started and not ended yet."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end; return whether it did within ``timeout_s``. A hanging log may keep it longer."""
        self._stopping.set()
        if self._thread is current_thread():
            return False
        deadline = time.monotonic() + timeout_s
        while self.running:
            self._writer.interrupt()
            left_s = deadline - time.monotonic()
            self._thread.join(max(0.0, min(INTERRUPTING_S, left_s)))
            if left_s <= 0:
                break
        return not self.running

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    waiting = self._source.head(FORWARD_BATCHES, FORWARD_BYTES)
                    if not waiting and not self._when_empty():
                        break
                    self._send(waiting)
                except Exception as error:  # noqa: BLE001 - a log or disk that raises what it should not is still one to come back to
                    self._failed(error)
                else:
                    self._failures = 0
        finally:
            self._then()

    def _send(self, waiting: list[Waiting]) -> None:
        spoilt = [key for key, data in waiting if not self._intact(data)]
        if spoilt:
            _LOGGER.warning("%s: %d batches in the spool were spoilt and are dropped", self._who, len(spoilt))
            self._source.spoilt(spoilt)
        good = [batch for batch in waiting if batch.key not in spoilt]
        if good:
            self._writer.append([batch.data for batch in good], FORWARD_TIMEOUT_S)
            self._source.sent(batch.key for batch in good)

    def _intact(self, data: bytes) -> bool:
        try:
            self._opener.open(data)
        except (Malformed, Tampered):
            return False
        except WireError:
            # Sealed with a key that was rotated out, or by another release: it may be valid.
            return True
        return True

    def _failed(self, error: Exception) -> None:
        if self._stopping.is_set():
            return
        if not self._failures:
            _LOGGER.info("%s: the spool is tried again later: %s", self._who, error)
        self._source.failed(error)
        upper = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * (1 << min(self._failures, 16)))
        if isinstance(error, LogRefused):
            upper = max(upper, REFUSED_PAUSE_S)
        self._failures += 1
        self._stopping.wait(max(LEAST_PAUSE_S, upper * random.random()))  # noqa: S311 - spreads retries, keeps no secret
