"""A scope's knowledge of one chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from farscope.records.configuration import text_of
from farscope.records.kinds import UnknownKind
from farscope.records.step import (
    CHART,
    DURATION_NS,
    MAX_VALUES,
    NUMBER,
    SERIAL,
    SHAPE,
    TIME_NS,
    VALUES,
    ChartId,
    ChartKey,
    ChartRef,
    RawStep,
    Value,
)
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure, has_ended
from farscope.records.weight import chart_bytes, structure_bytes
from farscope.scope.foreign_chart import ForeignHsm
from farscope.scope.unknown import Why
from farscope.wire.batch import ChartEntry

Status: TypeAlias = str
"""alive: heard within a few heartbeats; silent: not heard, and its probe did not say goodbye; closed: its
probe said goodbye; stopped, finished, failed, unobserved: the chart itself ended, see ``ChartStatus``. A
status that a later release defined has its own name."""


def word_for(status: AnyChartStatus) -> str:
    """Return the word for the status of a chart."""
    return "alive" if status is ChartStatus.RUNNING else status.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartView:
    """Snapshot of a chart; its texts come from the network and are escaped by views."""

    id: ChartId
    name: str
    host: str
    pid: int
    label: str
    """Unique among the charts of the scope; just the name where that is enough."""
    state: str
    """Text of its current configuration, such as ``door | fan``; empty before its start, ``top`` after it has
    finished."""
    status: Status
    """``"alive"``: heard within a few heartbeats. ``"silent"``: not heard, and its probe did not say goodbye.
    ``"closed"``: its probe said goodbye. ``"stopped"``: the chart was stopped. ``"finished"``: it reached its
    final state. ``"failed"``: one of its own errors ended it. ``"unobserved"``: it is no longer broadcast.
    A status that a later release defined has its own name."""
    steps: int
    """Number of its steps that this scope has received."""
    lost: int
    """Number of its steps that this scope should have received but did not: dropped at the source, or
    missing."""
    last_number: int
    """Number of its last step; 0 if there is none."""
    last_ns: int
    """When the last received step ended, in nanoseconds since the epoch by the chart's clock; 0 if none."""
    structure: ChartStructure | None
    """None until the probe has announced it."""
    clock_offset_s: float | None = None
    """How far the chart's clock is ahead of the scope's, in seconds, negative if behind; None while unknown.
    Too low by the shortest time a batch takes to arrive. The clock of a chart heard only in the past is
    compared with that of the first chart heard, and reported if they differ by more than a second."""

    ended_ns: int | None = None
    """When it was stopped or its probe said goodbye, by the chart's clock; None if neither happened."""

    unknown: Why | None = None
    """Why nothing is known about what it did after step ``last_number``, if so; not counted in ``lost``."""

    states: tuple[str, ...] = ()
    """The active leaf states, in document order; empty before its start and after it has finished."""

    values: tuple[tuple[str, Value], ...] = ()
    """The values that its program shows, by name."""

    parent: ChartKey | None = None
    """The chart that created it, if that was a chart."""

    parent_label: str = ""
    """Label of that chart; empty if there is none, or it was never heard."""

    condition: AnyChartStatus = ChartStatus.RUNNING
    """The status that its own program reported last."""

    @property
    def alive(self) -> bool:
        """Whether it is currently heard."""
        if isinstance(self.condition, UnknownKind) and not has_ended(self.condition):
            return self.status == word_for(self.condition)
        return self.status == "alive"

    @property
    def service(self) -> str:
        """Name of its process, such as ``charger-7``; empty if unknown."""
        return self.id.service

    @property
    def library(self) -> str:
        """The library that runs it, with its version if known; empty if that was not announced."""
        return "" if self.structure is None else self.structure.library


BASE_BYTES = 3_000
"""Memory of a tracked chart, without its names and remembered steps."""

NAMED = 4
"""Copies of its names in memory: in its identity and in the labels that distinguish it from others."""


@dataclass(slots=True)
class Chart:
    """A chart being tracked; not thread-safe."""

    id: ChartId
    foreign: ForeignHsm = field(default_factory=ForeignHsm)
    states: tuple[str, ...] = ()
    values: dict[str, Value] = field(default_factory=dict)
    number: int = 0
    """Number of the last step, according to the newest batch or step."""
    steps: int = 0
    last_ns: int = 0
    condition: AnyChartStatus = ChartStatus.RUNNING
    parent: ChartRef | None = None
    structure: ChartStructure | None = None
    structure_bytes: int = 0
    _batch: int = -1
    _before: int = -1
    """Number of the last step before those expected; -1 until anything is received."""
    _last: int = 0
    _skipped: int = 0
    """Steps made while it was not broadcast, between its removal from its probe and being added again."""
    _ended: bool = False

    @property
    def parent_key(self) -> ChartKey | None:
        """The chart that created it, if that was a chart."""
        parent = self.parent
        return None if parent is None else ChartKey(parent.probe or self.id.probe, parent.serial)

    @property
    def stopped(self) -> bool:
        """Whether it makes no more steps that would be seen."""
        return has_ended(self.condition)

    @property
    def state(self) -> str:
        """Text of its configuration; empty before its start."""
        return text_of(self.states) if self.states or self.number else ""

    @property
    def lost(self) -> int:
        """Steps made since it was first heard of but not received; the final ones only after a goodbye."""
        if self._before < 0:
            return 0
        end = max(self._last, self.number) if self._ended else self._last
        return max(0, end - self._before - self._skipped - self.steps)

    @property
    def bytes(self) -> int:
        """Its memory use, without its steps."""
        return BASE_BYTES + NAMED * chart_bytes(self.id) + self.structure_bytes

    def add_steps(self, steps: Sequence[RawStep]) -> int:
        """Add new steps, at least one, in the order of their numbers; return how many more are held now."""
        first, newest = steps[0][NUMBER], steps[-1]
        self._before = first - 1 if self._before < 0 else min(self._before, first - 1)
        self.steps += len(steps)
        if newest[NUMBER] >= self._last:
            self._last = newest[NUMBER]
            self.last_ns = newest[TIME_NS] + newest[DURATION_NS]
        if newest[NUMBER] >= self.number:
            self.number = newest[NUMBER]
            self.states = newest[SHAPE].end_states
            self._add_values(steps)
        return self.foreign.append_steps(steps)

    def apply_entry(
        self, entry: ChartEntry, batch: int, first: RawStep | None = None, *, ended: bool
    ) -> None:
        """Apply what batch number ``batch`` says about the chart; ``first`` is its first step there."""
        if batch < self._batch:
            return
        self._batch = batch
        if self._before < 0:
            self._before = entry.number
        self._ended = self._ended or ended
        if self.stopped and not entry.stopped:
            self._skipped += max(0, (first[NUMBER] - 1 if first else entry.number) - self.number)
        self.condition = entry.status
        self.parent = entry.parent or self.parent
        # A structure announced again is usually the same one, and its names are already in memory.
        if entry.structure and entry.structure != self.structure:
            self.structure = entry.structure
            self.structure_bytes = structure_bytes(entry.structure)
        if entry.number >= self.number:
            self.number = entry.number
            self.states = entry.states
            self.values = dict(entry.values)

    def _add_values(self, steps: Sequence[RawStep]) -> None:
        for step in steps:
            if step[VALUES]:
                self.values.update(step[VALUES])
        # Only a program that is not farscope's names more: those named first are forgotten.
        while len(self.values) > MAX_VALUES:
            del self.values[next(iter(self.values))]


def by_chart(steps: Sequence[RawStep], *, alone: bool) -> Iterable[tuple[int, Sequence[RawStep]]]:
    """Return the steps of each chart by its serial; ``alone`` means that there is only one chart."""
    if not steps:
        return ()
    if alone:
        return ((steps[0][CHART].serial, steps),)
    charts: defaultdict[int, list[RawStep]] = defaultdict(list)
    for step in steps:
        charts[step[CHART][SERIAL]].append(step)
    return charts.items()
