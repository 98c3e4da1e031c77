"""Turns steps from the outbox and charts from the directory into payloads: batches within the size limit."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from farscope.errors import BatchTooLarge
from farscope.probe.accounting import TOO_LARGE, UNENCODABLE, Chunk
from farscope.probe.announcements import ChartDirectory
from farscope.probe.backoff import LOGGER
from farscope.probe.clock import Clock
from farscope.probe.outbox import Outbox
from farscope.probe.service import OriginProcess, writer_name
from farscope.probe.transport import AnyTransport
from farscope.records.heartbeat import HEARTBEAT_S
from farscope.records.step import NANOSECONDS
from farscope.wire.batch import Batch, ChartEntry, TokenEntry
from farscope.wire.body_schema import MAX_TOKENS
from farscope.wire.envelope import Flags


@dataclass(frozen=True, slots=True)
class Origin:
    """Identity and location of a probe; new in every process."""

    probe: bytes
    host: str
    pid: int
    started_ns: int
    service: str = ""

    @classmethod
    def here(cls, clock: Clock, service: str = "") -> Origin:
        """Return a new origin for this process, starting now."""
        return cls(os.urandom(16), socket.gethostname(), os.getpid(), clock.wall_ns(), service)

    @classmethod
    def elsewhere(cls, clock: Clock, process: OriginProcess) -> Origin:
        """Return a new origin for charts that run in another process, starting now."""
        return cls(os.urandom(16), process.host, process.pid, clock.wall_ns(), process.service)


class OutgoingBatch(NamedTuple):
    """The steps and losses that one batch accounts for, and the payload that is sent."""

    chunk: Chunk
    payload: Any


class Batcher:
    """Makes batches; used only by the pump's thread."""

    def __init__(
        self,
        origin: Origin,
        outbox: Outbox,
        directory: ChartDirectory,
        transport: AnyTransport,
        clock: Clock,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        tokens: deque[TokenEntry] | None = None,
    ) -> None:
        """``heartbeat_s`` is announced in each batch: the longest time between two of them.

        ``tokens`` is where charts leave the tokens that their steps hand out.
        """
        self._tokens: deque[TokenEntry] = deque() if tokens is None else tokens
        self._origin = origin
        self._outbox = outbox
        self._directory = directory
        self._transport = transport
        self._clock = clock
        self._heartbeat_ns = round(heartbeat_s * NANOSECONDS)
        self._unencodable = False

    def steps(self, limit: int) -> list[OutgoingBatch]:
        """Take up to ``limit`` steps from the outbox and pack them; an empty list means nothing to send.

        A batch that is too large is halved until it fits. A step that does not fit even alone is dropped,
        counted, and declared with the next steps.
        """
        chunk = self._outbox.dequeue(limit)
        if chunk is None:
            return []
        self._directory.keep_changed_values(chunk.steps)
        self._directory.keep_wanted_logs(chunk.steps)
        outgoing: list[OutgoingBatch] = []
        waiting = [chunk]
        while waiting:
            chunk = waiting.pop()
            try:
                outgoing.append(OutgoingBatch(chunk, self._encode_steps(chunk)))
            # One faulty step must not block all the steps after it.
            except Exception as error:
                if not chunk.steps:
                    raise
                waiting += self._smaller(chunk, error)
        return outgoing

    def _encode_steps(self, chunk: Chunk) -> Any:
        serials = self._directory.note_steps(chunk.steps)
        entries = self._directory.short_entries(serials, self._outbox.head)
        return self._encode(entries, chunk, Flags.NONE if chunk.steps else Flags.HEARTBEAT)

    def _smaller(self, chunk: Chunk, error: Exception) -> list[Chunk]:
        with self._outbox.lock:
            if len(chunk.steps) > 1:
                first, second = self._outbox.account.split(chunk)
                return [second, first]
            reason = TOO_LARGE if isinstance(error, BatchTooLarge) else UNENCODABLE
            self._outbox.account.drop(chunk, reason)
            self._outbox.account.last_error = f"{type(error).__name__}: {error}"
        if reason == UNENCODABLE and not self._unencodable:
            self._unencodable = True
            LOGGER.error(
                "a step cannot be encoded and is dropped; later ones are only counted", exc_info=error
            )
        return []

    def announcement(self, entries: Sequence[ChartEntry], flags: Flags) -> list[OutgoingBatch]:
        """Pack chart entries into as many batches as needed."""
        outgoing: list[OutgoingBatch] = []
        waiting = [list(entries)]
        while waiting:
            some = waiting.pop()
            chunk = Chunk([], [])
            try:
                outgoing.append(OutgoingBatch(chunk, self._encode(some, chunk, flags)))
            except BatchTooLarge:
                if len(some) > 1:
                    middle = len(some) // 2
                    waiting += [some[middle:], some[:middle]]
                elif some and some[0].structure is not None:
                    LOGGER.warning("the structure of chart %r is too large to be announced", some[0].name)
                    waiting.append([some[0]._replace(structure=None)])
                else:
                    raise
        return outgoing

    def goodbye(self) -> list[OutgoingBatch]:
        """Pack the probe's final batches: all charts, and every loss not declared yet."""
        with self._outbox.lock:
            chunk = self._outbox.account.open_chunk([], [])
        flags = Flags.GOODBYE | Flags.HEARTBEAT
        entries = self._directory.all_entries(self._outbox.head)
        short = [entry._replace(structure=None) for entry in entries]
        for some in (entries, short):
            try:
                return [OutgoingBatch(chunk, self._encode(some, chunk, flags))]
            except BatchTooLarge as error:
                LOGGER.debug("the goodbye has to leave something out: %s", error)
        return [OutgoingBatch(chunk, self._encode((), chunk, flags))]

    def _encode(self, entries: Sequence[ChartEntry], chunk: Chunk, flags: Flags) -> Any:
        if any(entry.structure is not None for entry in entries):
            flags |= Flags.ANNOUNCE
        tokens = tuple(islice(self._tokens.copy(), MAX_TOKENS))
        batch = Batch(
            host=self._origin.host,
            pid=self._origin.pid,
            started_ns=self._origin.started_ns,
            sent_ns=self._clock.wall_ns(),
            next_number=self._outbox.next_number,
            service=self._origin.service,
            writer=writer_name(),
            heartbeat_ns=self._heartbeat_ns,
            charts=tuple(entries),
            numbers=chunk.numbers,
            steps=chunk.steps,
            drops=chunk.drops,
            # A step may have handed out the same one several times.
            tokens=tuple(dict.fromkeys(tokens)),
        )
        payload = self._transport.encode(batch, flags)
        for _ in tokens:
            self._tokens.popleft()
        return payload
