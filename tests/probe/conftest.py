"""Fixtures for the probe: a controllable clock, charts without an engine, and logs that fail on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from farscope.errors import LogUnavailable
from farscope.probe.accounting import ProbeStats
from farscope.probe.announcements import ChartDirectory
from farscope.probe.batcher import Batcher, Origin
from farscope.probe.broadcast import Probe
from farscope.probe.clock import Wakeup
from farscope.probe.outbox import Outbox
from farscope.probe.pump import Pace, Pump
from farscope.probe.transport import STORED, Delivery, SealedTransport
from farscope.wire.batch import Batch
from farscope.wire.codec import decode_body
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring
from farscope.wire.seal import Opener
from support.small_chart import SHAPE, STRUCTURE, SmallChart


class TurnedClock:
    """Stands still, except while somebody waits; ``while_waiting`` runs in each wait."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []
        self.luck = 1.0
        self.while_waiting: Callable[[], None] = lambda: None

    def wall_ns(self) -> int:
        return int(self.now_s * 1e9)

    def monotonic_s(self) -> float:
        return self.now_s

    def wait(self, wakeup: Wakeup, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.while_waiting()
        if wakeup.wait(0):
            return True
        self.now_s += max(0.0, timeout_s)
        return False

    def random(self) -> float:
        return self.luck


@dataclass
class PlainTransport:
    """Keeps batches as they are; ``outcomes`` are raised, one an attempt, before it stores again."""

    stored: list[tuple[Batch, Flags]] = field(default_factory=list)
    outcomes: list[Exception | None] = field(default_factory=list)
    refuse: Callable[[Batch], Exception | None] = lambda _: None
    fails: Callable[[Batch], Exception | None] = lambda _: None
    on_send: Callable[[], None] = lambda: None
    timeouts: list[float] = field(default_factory=list)
    closed: bool = False

    def encode(self, batch: Batch, flags: Flags) -> tuple[Batch, Flags]:
        error = self.refuse(batch)
        if error is not None:
            raise error
        return batch, flags

    def size(self, payload: tuple[Batch, Flags]) -> int:
        return 100 + len(payload[0].steps)

    def send(self, payloads: Sequence[tuple[Batch, Flags]], timeout_s: float) -> Delivery:
        self.timeouts.append(timeout_s)
        self.on_send()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        for error in (outcome, *(self.fails(batch) for batch, _ in payloads)):
            if error is not None:
                raise error
        self.stored += payloads
        return STORED

    def interrupt(self) -> None:
        pass

    def close(self, timeout_s: float) -> None:
        del timeout_s
        self.closed = True

    @property
    def numbers(self) -> list[int]:
        return [number for batch, _ in self.stored for number in batch.numbers]

    @property
    def drops(self) -> list[tuple[int, int, str]]:
        return [tuple(drop) for batch, _ in self.stored for drop in batch.drops]


class Bench:
    """Everything of a probe but its thread: the test itself turns the pump."""

    def __init__(self, capacity: int = 1000, policy: str = "newest", **pace: float) -> None:
        self.clock = TurnedClock()
        self.transport = PlainTransport()
        self.directory = ChartDirectory()
        self.outbox = Outbox(self.wake, capacity, policy)
        origin = Origin(bytes(16), "here", 1, self.clock.wall_ns(), "oven")
        self.batcher = Batcher(origin, self.outbox, self.directory, self.transport, self.clock)
        self.pump = Pump(
            self.outbox,
            self.directory,
            self.batcher,
            self.transport,
            clock=self.clock,
            pace=Pace(**pace),
            who="probe under test",
        )
        self.chart = SmallChart()

    def wake(self) -> None:
        self.pump._wakeup.set()

    def introduce(self, chart: SmallChart | None = None) -> None:
        chart = chart or self.chart
        self.directory.announce(chart.id, STRUCTURE, "inner", chart.number)

    def offer(self, count: int = 1) -> None:
        for _ in range(count):
            self.outbox.offer(self.chart.step())


class ToldWriter:
    """A log writer that hangs, fails or is slow as told."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self.interrupted = threading.Event()
        self.heeds_interrupts = False
        self.closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        del timeout_s
        if not self.gate.is_set():
            self.waiting.set()
            self.gate.wait()
            if self.interrupted.is_set() and self.heeds_interrupts:
                raise LogUnavailable("interrupted")
        if self.error is not None:
            raise self.error
        self.stored += batches

    def close(self, timeout_s: float = 2.0) -> None:
        del timeout_s
        self.closed = True

    def interrupt(self) -> None:
        self.interrupted.set()
        if self.heeds_interrupts:
            self.gate.set()


@dataclass
class Opened:
    """What a log of sealed batches holds."""

    probes: list[bytes]
    batches: list[Batch]
    flags: list[Flags]

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch.numbers]


def open_all(sealed: Sequence[bytes], keyring: Keyring) -> Opened:
    opened = Opened([], [], [])
    opener = Opener(keyring)
    for data in sealed:
        header, body = opener.open(data)
        opened.probes.append(header.probe)
        opened.flags.append(header.flags)
        opened.batches.append(decode_body(body, header.probe))
    return opened


def whole(stats: ProbeStats) -> bool:
    return stats.emitted == stats.stored + sum(stats.dropped.values()) + stats.pending


class Kit:
    """The parts by name, for tests to take what they need."""

    Bench = Bench
    SmallChart = SmallChart
    TurnedClock = TurnedClock
    PlainTransport = PlainTransport
    ToldWriter = ToldWriter
    SHAPE = SHAPE
    STRUCTURE = STRUCTURE
    open_all = staticmethod(open_all)
    whole = staticmethod(whole)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def chart() -> SmallChart:
    return SmallChart()


@pytest.fixture
def writer() -> Iterator[ToldWriter]:
    told = ToldWriter()
    yield told
    told.error = None
    told.gate.set()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.from_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")


@pytest.fixture
def make_probe(writer: ToldWriter, keyring: Keyring) -> Iterator[Callable[..., Probe]]:
    """Make started probes that write to ``writer``; they are closed after the test."""
    made: list[Probe] = []

    def make(*charts: SmallChart, **options: object) -> Probe:
        probe = Probe(lambda id_: SealedTransport(writer, keyring, id_), "told:", **options)
        made.append(probe)
        probe.add(*charts)
        probe.start()
        return probe

    yield make
    writer.error = None
    writer.gate.set()
    for probe in made:
        probe.close()
