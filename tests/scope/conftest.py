"""A probe made by hand: batches of steps, sealed as a real one seals them."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStatus, ChartStructure
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.seal import Sealer

HOUR_NS = 3_600 * 10**9


class HandProbe:
    """Gives out numbers, makes batches, seals them. ``lose`` gives out numbers nobody will see."""

    def __init__(self, keyring: Keyring, *charts: str, host: str = "far", pid: int = 7) -> None:
        self.id = os.urandom(16)
        self.host, self.pid = host, pid
        self.started_ns = HOUR_NS
        self.names = charts or ("producer",)
        self.numbers = [0] * len(self.names)
        self.next_number = 0
        self.next_batch = 0
        self.sent_ns = HOUR_NS
        self._sealer = Sealer(keyring, self.id)

    def chart(self, index: int = 0) -> ChartId:
        return ChartId(self.names[index], self.host, self.pid, index + 1, self.id.hex())

    def step(
        self, index: int = 0, *, kind: StepKind = StepKind.TRANSITION, texts: tuple[str, ...] = ()
    ) -> RawStep:
        self.numbers[index] += 1
        number = self.numbers[index]
        facts = (Fact(FactKind.OFFER, "c1"), Fact(FactKind.EXIT, "c1"), Fact(FactKind.ENTRY, "c2"))
        facts += (Fact(FactKind.SCRIBBLE),) * len(texts)
        shape = Shape(kind, "B", "c1", "c2", facts)
        return (self.chart(index), number, shape, HOUR_NS + number, 5, 0, 0, 0, None, texts, ())

    def lose(self, count: int, index: int = 0) -> None:
        self.next_number += count
        self.numbers[index] += count

    def batch(
        self,
        steps: int | list[RawStep] = 0,
        *,
        drop: tuple[int, str] | None = None,
        stopped: bool = False,
        structure: ChartStructure | None = None,
    ) -> Batch:
        made = [self.step() for _ in range(steps)] if isinstance(steps, int) else steps
        numbers = list(range(self.next_number, self.next_number + len(made)))
        self.next_number += len(made)
        drops = ()
        if drop:
            drops = (Drop(self.next_number, *drop),)
            self.lose(drop[0])
        self.sent_ns += 10**9
        return Batch(
            host=self.host,
            pid=self.pid,
            started_ns=self.started_ns,
            sent_ns=self.sent_ns,
            next_number=self.next_number,
            charts=tuple(
                ChartEntry(i + 1, name, ("c2",), self.numbers[i], ChartStatus(stopped), structure)
                for i, name in enumerate(self.names)
            ),
            numbers=numbers,
            steps=made,
            drops=drops,
        )

    def seal(self, batch: Batch, flags: Flags = Flags.NONE, number: int | None = None) -> bytes:
        if number is None:
            number = self.next_batch
            self.next_batch += 1
        if not batch.steps:
            flags |= Flags.HEARTBEAT
        return self._sealer.seal(number, flags, encode_body(batch))

    def send(self, steps: int | list[RawStep] = 0, flags: Flags = Flags.NONE, **more) -> bytes:
        return self.seal(self.batch(steps, **more), flags)

    def goodbye(self) -> bytes:
        return self.send(0, Flags.GOODBYE)


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return Keyring.from_text(new_key_text())


@pytest.fixture(scope="session")
def hand_probe(keyring: Keyring) -> Callable[..., HandProbe]:
    def make(*charts: str, key: Keyring = keyring, **more) -> HandProbe:
        return HandProbe(key, *charts, **more)

    return make
