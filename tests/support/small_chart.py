"""A chart without an engine, which makes steps on request."""

from __future__ import annotations

import time

from farscope.records.facts import Fact, FactKind
from farscope.records.observable import Observable
from farscope.records.shape import Shape, StepKind
from farscope.records.sink import Sink
from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure, StateInfo

SHAPE = Shape(StepKind.HOOK, "B", "inner", "outer", (Fact(FactKind.OFFER, "inner"),))
STRUCTURE = ChartStructure((StateInfo("outer"), StateInfo("inner", "outer")))


class SmallChart(Observable):
    """An observable that makes steps of one shape when told."""

    def __init__(self, serial: int = 1, name: str = "chart") -> None:
        self.id = ChartId(name, "here", 1, serial)
        self.sinks: list[Sink] = []
        self.number = 0

    def attach(self, sink: Sink) -> None:
        if sink not in self.sinks:
            self.sinks.append(sink)
            sink.announce(self.id, STRUCTURE, "inner", self.number)

    def detach(self, sink: Sink) -> None:
        if sink in self.sinks:
            self.sinks.remove(sink)

    def step(self, texts: tuple[str, ...] = ()) -> RawStep:
        self.number += 1
        return (self.id, self.number, SHAPE, time.time_ns(), 10, 0, 0, 0, None, texts, ())

    def go(self, count: int = 1) -> None:
        for _ in range(count):
            step = self.step()
            for sink in list(self.sinks):
                sink.step(step)
