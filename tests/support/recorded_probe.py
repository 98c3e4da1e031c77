"""A probe made by hand, stored when a test says so: for recordings of hours in milliseconds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from farscope.logs.base import Entry
from farscope.logs.recording.log import RecordingLog
from farscope.logs.recording.writer import RecordingWriter
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, RawStep, Value
from farscope.records.structure import ChartStatus, ChartStructure
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring
from farscope.wire.seal import Sealer

BEGIN_NS = 1_767_225_600 * NANOSECONDS
"""When recordings of tests begin: a moment of 2026."""

TOOK_NS = 5
"""How long each step takes."""


class RecordedProbe:
    """A probe on a machine whose clock is ``ahead_ns`` ahead. Times given to it are true, in nanoseconds.

    Its charts are called ``HOST 0``, ``HOST 1`` and so on.
    """

    def __init__(
        self,
        keyring: Keyring,
        charts: int = 2,
        *,
        host: str = "far",
        ahead_ns: int = 0,
        structure: ChartStructure | None = None,
    ) -> None:
        self.id = os.urandom(16)
        self.host = host
        self.ahead_ns = ahead_ns
        self.charts = [ChartId(f"{host} {n}", host, 7, n + 1, self.id.hex()) for n in range(charts)]
        self.states = [""] * charts
        self.values: list[dict[str, Value]] = [{} for _ in range(charts)]
        self.stopped: set[int] = set()
        self._structure = structure or ChartStructure(())
        self._numbers = [0] * charts
        self._sealer = Sealer(keyring, self.id)
        self._waiting: list[RawStep] = []
        self._next_number = self._next_batch = 0

    def step(self, time_ns: int, chart: int, state: str, signal: str = "GO", **values: Value) -> None:
        """Let a chart, by its place, end a step into a state; it waits for the next batch."""
        before, self.states[chart] = self.states[chart] or "top", state
        kind = StepKind.TRANSITION if self._numbers[chart] else StepKind.START
        self._numbers[chart] += 1
        facts = (Fact(FactKind.OFFER, before), Fact(FactKind.ENTRY, state))
        shape = Shape(kind, signal, before, state, facts)
        times = (time_ns + self.ahead_ns - TOOK_NS, TOOK_NS)
        self._waiting.append(
            (
                self.charts[chart],
                self._numbers[chart],
                shape,
                *times,
                0,
                0,
                0,
                None,
                (),
                tuple(values.items()),
            )
        )
        self.values[chart] |= values

    def lose(self, chart: int, count: int) -> None:
        """Let a chart make steps that nobody will see."""
        self._numbers[chart] += count
        self._next_number += count

    def send(
        self, time_ns: int, *, all_charts: bool = False, goodbye: bool = False, stored_ns: int | None = None
    ) -> Entry:
        """Seal what waits, as it is stored at once or at ``stored_ns``.

        ``all_charts`` presents every chart, with its structure; otherwise those with steps are.
        """
        steps, self._waiting = self._waiting, []
        mentioned = {step[0].serial for step in steps}
        first = self._next_number
        self._next_number += len(steps)
        batch = Batch(
            host=self.host,
            pid=7,
            started_ns=BEGIN_NS + self.ahead_ns,
            sent_ns=time_ns + self.ahead_ns,
            next_number=self._next_number,
            charts=tuple(self._entry(n, all_charts) for n in self._presented(mentioned, all_charts)),
            numbers=list(range(first, self._next_number)),
            steps=steps,
        )
        flags = Flags.ANNOUNCE if all_charts else Flags.NONE
        flags |= Flags.NONE if steps else Flags.HEARTBEAT
        flags |= Flags.GOODBYE if goodbye else Flags.NONE
        self._next_batch += 1
        sealed = self._sealer.seal(self._next_batch - 1, flags, encode_body(batch))
        return Entry(sealed, (time_ns if stored_ns is None else stored_ns) + self.ahead_ns)

    def _presented(self, mentioned: set[int], all_charts: bool) -> list[int]:
        return [n for n, chart in enumerate(self.charts) if all_charts or chart.serial in mentioned]

    def _entry(self, chart: int, all_charts: bool) -> ChartEntry:
        known = self.charts[chart]
        return ChartEntry(
            known.serial,
            known.name,
            (self.states[chart],) if self.states[chart] else (),
            self._numbers[chart],
            ChartStatus(known.serial in self.stopped),
            self._structure if all_charts else None,
            values=tuple(self.values[chart].items()),
        )


def in_true_order(entries: Iterable[tuple[RecordedProbe, Entry]]) -> list[Entry]:
    """Return entries of several probes in the order they were stored, whatever their clocks say."""
    return [
        entry
        for _, entry in sorted(
            ((entry.stored_ns - probe.ahead_ns, entry) for probe, entry in entries), key=lambda pair: pair[0]
        )
    ]


def recording(path: Path, entries: Iterable[Entry]) -> RecordingLog:
    """Make a recording of entries, in their order."""
    with RecordingWriter(path) as writer:
        writer.append(list(entries))
    return RecordingLog(path)
