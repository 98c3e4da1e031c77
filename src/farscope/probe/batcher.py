"""Turns steps from the outbox and charts from the roster into cargo: batches within the size limit."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from farscope.errors import BatchTooLarge
from farscope.probe.accounting import TOO_LARGE, UNENCODABLE, Haul
from farscope.probe.announcements import Roster
from farscope.probe.backoff import LOGGER
from farscope.probe.clock import Clock
from farscope.probe.outbox import Outbox
from farscope.probe.transport import AnyCarrier
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.envelope import Flags


@dataclass(frozen=True, slots=True)
class Origin:
    """Identity and location of a probe; new in every process."""

    probe: bytes
    host: str
    pid: int
    started_ns: int

    @classmethod
    def here(cls, clock: Clock) -> Origin:
        """Return a new origin for this process, starting now."""
        return cls(os.urandom(16), socket.gethostname(), os.getpid(), clock.wall_ns())


class Parcel(NamedTuple):
    """The steps and losses that one batch accounts for, and the data that is sent."""

    haul: Haul
    cargo: Any


class Packer:
    """Makes batches; used only by the pump's thread."""

    def __init__(
        self, origin: Origin, outbox: Outbox, roster: Roster, carrier: AnyCarrier, clock: Clock
    ) -> None:
        self._origin = origin
        self._outbox = outbox
        self._roster = roster
        self._carrier = carrier
        self._clock = clock
        self._unencodable = False

    def steps(self, limit: int) -> list[Parcel]:
        """Take up to ``limit`` steps from the outbox and pack them; an empty list means nothing to send.

        A batch that is too large is halved until it fits. A step that does not fit even alone is dropped,
        counted, and declared with the next steps.
        """
        haul = self._outbox.take(limit)
        if haul is None:
            return []
        parcels: list[Parcel] = []
        waiting = [haul]
        while waiting:
            haul = waiting.pop()
            try:
                parcels.append(Parcel(haul, self._load_steps(haul)))
            # One faulty step must not block all the steps after it.
            except Exception as error:
                if not haul.steps:
                    raise
                waiting += self._smaller(haul, error)
        return parcels

    def _load_steps(self, haul: Haul) -> Any:
        serials = self._roster.follow(haul.steps)
        entries = self._roster.mentioned(serials, self._outbox.head)
        return self._load(entries, haul, Flags.NONE if haul.steps else Flags.HEARTBEAT)

    def _smaller(self, haul: Haul, error: Exception) -> list[Haul]:
        with self._outbox.lock:
            if len(haul.steps) > 1:
                first, second = self._outbox.ledger.split(haul)
                return [second, first]
            reason = TOO_LARGE if isinstance(error, BatchTooLarge) else UNENCODABLE
            self._outbox.ledger.give_up(haul, reason)
            self._outbox.ledger.last_error = f"{type(error).__name__}: {error}"
        if reason == UNENCODABLE and not self._unencodable:
            self._unencodable = True
            LOGGER.error(
                "a step cannot be encoded and is dropped; later ones are only counted", exc_info=error
            )
        return []

    def announcement(self, entries: Sequence[ChartEntry], flags: Flags) -> list[Parcel]:
        """Pack chart entries into as many batches as needed."""
        parcels: list[Parcel] = []
        waiting = [list(entries)]
        while waiting:
            some = waiting.pop()
            haul = Haul([], [])
            try:
                parcels.append(Parcel(haul, self._load(some, haul, flags)))
            except BatchTooLarge:
                if len(some) > 1:
                    middle = len(some) // 2
                    waiting += [some[middle:], some[:middle]]
                elif some and some[0].structure is not None:
                    LOGGER.warning("the structure of chart %r is too large to be announced", some[0].name)
                    waiting.append([some[0]._replace(structure=None)])
                else:
                    raise
        return parcels

    def farewell(self) -> list[Parcel]:
        """Pack the probe's final batches: all charts, and every loss not declared yet."""
        with self._outbox.lock:
            haul = self._outbox.ledger.take([], [])
        flags = Flags.GOODBYE | Flags.HEARTBEAT
        entries = self._roster.everything(self._outbox.head)
        short = [entry._replace(structure=None) for entry in entries]
        for some in (entries, short):
            try:
                return [Parcel(haul, self._load(some, haul, flags))]
            except BatchTooLarge as error:
                LOGGER.debug("the goodbye has to leave something out: %s", error)
        return [Parcel(haul, self._load((), haul, flags))]

    def _load(self, entries: Sequence[ChartEntry], haul: Haul, flags: Flags) -> Any:
        if any(entry.structure is not None for entry in entries):
            flags |= Flags.ANNOUNCE
        batch = Batch(
            host=self._origin.host,
            pid=self._origin.pid,
            started_ns=self._origin.started_ns,
            sent_ns=self._clock.wall_ns(),
            next_number=self._outbox.next_number,
            charts=tuple(entries),
            numbers=haul.numbers,
            steps=haul.steps,
            drops=haul.drops,
        )
        return self._carrier.load(batch, flags)
