"""Recordings that are small on disk and take as much memory as somebody who has the key can make them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from farscope.logs.base import Entry
from farscope.logs.recording.writer import RecordingWriter
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, RawStep
from farscope.records.structure import ChartStatus, ChartStructure, Reaction, StateInfo
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring
from farscope.wire.seal import Sealer

BEGIN_NS: Final = 1_767_225_600 * NANOSECONDS
"""When the recordings begin: a moment of 2026."""

GAP_NS: Final = 6 * NANOSECONDS
"""Between two batches of a probe that is silent in between."""

WIDE: Final = "\U0001f600"
"""A character that makes a text take four bytes for each of its characters."""

LONG: Final = WIDE + "x" * 1_022
"""A name that takes a kilobyte on the wire and four in memory."""


LIVES: Final = 20
"""Batches of a probe whose content others send again: making content takes far longer than sealing it."""


class Sent(NamedTuple):
    """A batch, ready to be sealed, and the 16 bytes of the probe that sent it."""

    probe: bytes
    number: int
    steps: int
    body: bytes
    flags: Flags = Flags.NONE


def write_heavy_log(path: Path, kind: str, size: int, keyring: Keyring) -> int:
    """Write a recording of at least ``size`` bytes, of one of ``KINDS``; return how many steps are in it."""
    steps = 0
    with RecordingWriter(path) as writer:
        for moment, sent in enumerate(KINDS[kind]()):
            sealer = Sealer(keyring, sent.probe)
            data = sealer.seal(sent.number, sent.flags, sent.body)
            writer.append([Entry(data, BEGIN_NS + moment * 1_000_000)])
            steps += sent.steps
            if writer.size >= size:
                return steps
    return steps


def long_texts() -> Iterator[Sent]:
    """An honest chart that scribbles much: eight texts of 3,900 characters in each step."""
    texts = (WIDE + "x" * 3_899,) * 8
    shape = Shape(StepKind.HOOK, "TALK", "s", "s", (Fact(FactKind.SCRIBBLE),) * 8)
    return _again(lambda number: _batch([shape] * 32, number * 32, texts=texts))


def repeated_names() -> Iterator[Sent]:
    """Steps of one shape, whose thousands of facts all have the same long name."""
    shape = Shape(StepKind.HOOK, LONG, LONG, LONG, (Fact(FactKind.PUBLISH, LONG, LONG),) * 4_096)
    return _again(lambda number: _batch([shape] * 1_024, number * 1_024))


def bare_steps() -> Iterator[Sent]:
    """As many steps as a batch can hold, all alike."""
    shape = Shape(StepKind.TRANSITION, "B", "a", "b", (Fact(FactKind.ENTRY, "b"),))
    return _again(lambda number: _batch([shape] * 65_536, number * 65_536))


def many_shapes() -> Iterator[Sent]:
    """Shapes that are all different, each with many facts."""
    facts = [
        tuple(Fact(FactKind.ENTRY, str((place + fact) % 500)) for fact in range(500))
        for place in range(1_000)
    ]

    def batch(number: int) -> Batch:
        ends = enumerate(facts)
        shapes = [Shape(StepKind.TRANSITION, "B", "a", f"{number} {n}", its) for n, its in ends]
        return _batch(shapes, number * 1_000)

    return _again(batch)


def many_names() -> Iterator[Sent]:
    """Charts, signals and states with long names, which are never the same."""
    probe = os.urandom(16)
    for number in count():
        names = [f"{LONG[:-24]}{number:011}{place:011}" for place in range(1_800)]
        shapes = [
            Shape(StepKind.TRANSITION, name, name, name, (Fact(FactKind.ENTRY, name),)) for name in names
        ]
        yield _sent(probe, number, _batch(shapes, number * 1_800))


def many_charts() -> Iterator[Sent]:
    """Probes with thousands of charts with long names and a few steps each; then others."""
    for generation in count():
        probe = os.urandom(16)
        names = [f"{LONG[:-24]}{generation:011}{place:011}" for place in range(1_900)]
        shape = Shape(StepKind.TRANSITION, "B", "a", "b", (Fact(FactKind.ENTRY, "b"),))
        for number in range(20):
            yield _sent(probe, number, _batch([shape] * 1_900, number * 1_900, names=names))


def structures() -> Iterator[Sent]:
    """Charts with as many states and reactions as there can be, announced anew and anew."""
    for generation in count():
        probe = os.urandom(16)
        states = tuple(StateInfo(f"{generation} {n}", f"{generation} {n - 1}") for n in range(16_384))
        reactions = tuple(Reaction(state.name, "B", state.parent) for state in states)
        batch = _batch([], 0, structure=ChartStructure(states, reactions))
        yield _sent(probe, 0, batch, Flags.ANNOUNCE)


def many_probes() -> Iterator[Sent]:
    """Probes that make as much to account for as they can: gaps, reasons, stopped charts, silences."""
    probes = [os.urandom(16) for _ in range(4_000)]
    for number in count():
        for place, probe in enumerate(probes):
            yield _sent(probe, number, _accounts(place, number))


def noise() -> Iterator[Sent]:
    """Batches as long as they can be: texts that nothing can compress."""
    probe, shape = os.urandom(16), Shape(StepKind.HOOK, "TALK", "s", "s", (Fact(FactKind.SCRIBBLE),))
    for number in count():
        texts = (os.urandom(15_000).hex(),)
        yield _sent(probe, number, _batch([shape] * 30, number * 30, texts=texts))


KINDS: Final[Mapping[str, Callable[[], Iterator[Sent]]]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
            long_texts,
            repeated_names,
            bare_steps,
            many_shapes,
            many_names,
            many_charts,
            structures,
            many_probes,
            noise,
        )
    }
)
"""All kinds of heavy recordings, by name: each yields batches without end."""


def _again(make: Callable[[int], Batch]) -> Iterator[Sent]:
    """Yield batches of one probe, then the same as those of another one, and so on."""
    bodies: list[tuple[int, bytes]] = []
    while True:
        probe = os.urandom(16)
        for number in range(LIVES):
            if number == len(bodies):
                batch = make(number)
                bodies.append((len(batch.steps), encode_body(batch)))
            yield Sent(probe, number, *bodies[number])


def _sent(probe: bytes, number: int, batch: Batch, flags: Flags = Flags.NONE) -> Sent:
    return Sent(probe, number, len(batch.steps), encode_body(batch), flags)


def _batch(
    shapes: list[Shape],
    first: int,
    *,
    texts: tuple[str, ...] = (),
    names: list[str] | None = None,
    structure: ChartStructure | None = None,
) -> Batch:
    called = names or ["chart"]
    charts = [ChartId(name, "far", 7, serial) for serial, name in enumerate(called, 1)]
    steps: list[RawStep] = [
        (charts[n % len(charts)], first + n + 1, shape, BEGIN_NS + first + n, 5, 0, 0, 0, None, texts, ())
        for n, shape in enumerate(shapes)
    ]
    states = shapes[-1].end_states if shapes else ("a",)
    return Batch(
        host="far",
        pid=7,
        started_ns=BEGIN_NS,
        sent_ns=BEGIN_NS + first + len(steps),
        next_number=first + len(steps),
        charts=tuple(
            ChartEntry(chart.serial, chart.name, states, 0, structure=structure) for chart in charts
        ),
        numbers=list(range(first, first + len(steps))),
        steps=steps,
    )


def _accounts(place: int, number: int) -> Batch:
    """Return a batch with every second number of many, a reason of its own, and stopped charts."""
    host = f"{LONG[:-24]}{place:011}"
    shape = Shape(StepKind.HOOK, "B", "a", "a", (Fact(FactKind.HOOK, "a"),))
    first, many = number * 400, 100
    serials = range(number * many + 1, number * many + many + 1)
    chart = ChartId("chart", host, place, serials[0])
    return Batch(
        host=host,
        pid=place,
        started_ns=BEGIN_NS,
        sent_ns=BEGIN_NS + number * GAP_NS,
        next_number=first + 400,
        charts=tuple(ChartEntry(serial, "chart", ("a",), 1, ChartStatus.STOPPED) for serial in serials),
        numbers=list(range(first, first + 2 * many, 2)),
        steps=[(chart, n + 1, shape, BEGIN_NS + first + n, 5, 0, 0, 0, None, (), ()) for n in range(many)],
        drops=(Drop(first + 300, 1, f"{LONG[:-24]}{place:011}{number:011}"),),
    )
