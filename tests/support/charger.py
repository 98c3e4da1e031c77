"""A charger with two regions, a history state and values: an observable that makes its steps by hand."""

from __future__ import annotations

import time

from farscope.records.facts import Fact, FactKind
from farscope.records.observable import Observable
from farscope.records.shape import Shape, StepKind
from farscope.records.sink import Sink
from farscope.records.step import ChartId, Value
from farscope.records.structure import ChartStatus, ChartStructure, StateInfo, StateKind

STRUCTURE = ChartStructure(
    (
        StateInfo("off"),
        StateInfo("operating", "", StateKind.PARALLEL),
        StateInfo("power", "operating"),
        StateInfo("idle", "power"),
        StateInfo("charging", "power"),
        StateInfo("full", "power", StateKind.FINAL),
        StateInfo("power again", "power", StateKind.HISTORY),
        StateInfo("lock", "operating"),
        StateInfo("open", "lock"),
        StateInfo("locked", "lock"),
        StateInfo("released", "lock", StateKind.FINAL),
        StateInfo("broken", "", StateKind.FINAL),
    ),
    library="by hand 1.0",
)


class Charger(Observable):
    """Moves where it is told, and reports every move to its sinks."""

    def __init__(self, name: str = "charger", serial: int = 1) -> None:
        self.id = ChartId(name, "here", 1, serial)
        self.sinks: list[Sink] = []
        self.states: tuple[str, ...] = ()
        self.number = 0

    def attach(self, sink: Sink) -> None:
        if sink not in self.sinks:
            self.sinks.append(sink)
            sink.announce(self.id, STRUCTURE, self.states, self.number)

    def detach(self, sink: Sink) -> None:
        if sink in self.sinks:
            self.sinks.remove(sink)

    def go(
        self,
        signal: str,
        *states: str,
        facts: tuple[Fact, ...] = (),
        texts: tuple[str, ...] = (),
        **values: Value,
    ) -> None:
        """Move into ``states`` for an event."""
        kind = StepKind.TRANSITION if self.number else StepKind.START
        kind = kind if states != self.states else StepKind.HOOK
        left = tuple(Fact(FactKind.EXIT, state) for state in self.states if state not in states)
        entered = tuple(Fact(FactKind.ENTRY, state) for state in states if state not in self.states)
        shape = Shape(kind, signal, self.states, states, (*left, *entered, *facts))
        self.states, self.number = states, self.number + 1
        timing = (time.time_ns() - 1_000, 1_000, 0, 0, 0)
        for sink in list(self.sinks):
            sink.step((self.id, self.number, shape, *timing, None, texts, tuple(values.items())))

    def end(self, status: ChartStatus) -> None:
        """Make no more steps."""
        for sink in list(self.sinks):
            sink.stopped(self.id, status)
