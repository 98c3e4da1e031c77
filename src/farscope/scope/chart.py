"""What a scope knows of one chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure
from farscope.records.weight import chart_bytes, structure_bytes
from farscope.scope.foreign_chart import ForeignHsm
from farscope.scope.unknown import Why
from farscope.wire.batch import ChartEntry

Status = Literal["alive", "silent", "closed", "stopped"]
"""alive: heard within a few heartbeats; silent: not, and nobody said goodbye; closed: its probe did;
stopped: the chart itself was stopped, or is not broadcast any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartView:
    """A chart at the moment somebody asked; its texts come from the network and are escaped by views."""

    id: ChartId
    name: str
    host: str
    pid: int
    label: str
    """Tells it from every other chart of the scope; the name alone where that does."""
    state: str
    """State it rests in; empty before its start."""
    status: Status
    steps: int
    """Its steps this scope has received."""
    lost: int
    """Its steps this scope should have received and did not, whether dropped at the source or missing."""
    last_number: int
    """Number of its last step; 0 if there was none."""
    last_ns: int
    """When the last step received ended, in nanoseconds since the epoch by the chart's clock; 0 if none."""
    structure: ChartStructure | None
    """None until the probe announced it."""
    clock_offset_s: float | None = None
    """How far the chart's clock is ahead of the scope's, in seconds, negative if behind; None while that is
    not known. Too low by the least time a batch takes from there. The clock of a chart heard in the past
    only is compared with that of the first one heard, and told if they differ by more than a second."""

    ended_ns: int | None = None
    """When it was stopped or its probe said goodbye, by the chart's clock; None where it did not end so."""

    unknown: Why | None = None
    """Why nothing is known of what it did after step ``last_number``, if that is so; ``lost`` does not count
    it."""

    @property
    def alive(self) -> bool:
        """Whether it is heard at present."""
        return self.status == "alive"


BASE_BYTES = 3_000
"""A chart that is followed, without its names and what it remembers."""

NAMED = 4
"""How often its names are there: in its identity and in the labels that tell it from others."""


@dataclass(slots=True)
class Chart:
    """A chart as it is followed; not thread-safe."""

    id: ChartId
    foreign: ForeignHsm = field(default_factory=ForeignHsm)
    state: str = ""
    number: int = 0
    """Of the last step, by the newest batch or step."""
    steps: int = 0
    last_ns: int = 0
    stopped: bool = False
    structure: ChartStructure | None = None
    structure_bytes: int = 0
    _batch: int = -1
    _before: int = -1
    """Number of the last step before those that were to be received; -1 before anything was."""
    _last: int = 0
    _skipped: int = 0
    """Steps made while it was not broadcast: removed from its probe and not yet added again."""
    _ended: bool = False

    @property
    def lost(self) -> int:
        """Steps made since it was heard of and not received; those behind the last after a goodbye only."""
        if self._before < 0:
            return 0
        end = max(self._last, self.number) if self._ended else self._last
        return max(0, end - self._before - self._skipped - self.steps)

    @property
    def bytes(self) -> int:
        """What it takes in memory, without its steps."""
        return BASE_BYTES + NAMED * chart_bytes(self.id) + self.structure_bytes

    def take_steps(self, steps: Sequence[RawStep]) -> int:
        """Take new steps, at least one, in the order of their numbers; return how many more are held now."""
        first, newest = steps[0][1], steps[-1]
        self._before = first - 1 if self._before < 0 else min(self._before, first - 1)
        self.steps += len(steps)
        if newest[1] >= self._last:
            self._last = newest[1]
            self.last_ns = newest[3] + newest[4]
        if newest[1] >= self.number:
            self.number = newest[1]
            self.state = newest[2].end
        return self.foreign.append_steps(steps)

    def take_entry(self, entry: ChartEntry, batch: int, first: RawStep | None = None, *, ended: bool) -> None:
        """Take what batch number ``batch`` says of the chart; ``first`` is its first step in there."""
        if batch < self._batch:
            return
        self._batch = batch
        if self._before < 0:
            self._before = entry.number
        self._ended = self._ended or ended
        if self.stopped and not entry.stopped:
            self._skipped += max(0, (first[1] - 1 if first else entry.number) - self.number)
        self.stopped = entry.stopped
        # One that is announced again is mostly the same, and its names are there already.
        if entry.structure and entry.structure != self.structure:
            self.structure = entry.structure
            self.structure_bytes = structure_bytes(entry.structure)
        if entry.number >= self.number:
            self.number = entry.number
            self.state = entry.state


def by_chart(steps: Sequence[RawStep], *, alone: bool) -> Iterable[tuple[int, Sequence[RawStep]]]:
    """Return the steps of each chart by its serial; ``alone``: there is one chart only."""
    if not steps:
        return ()
    if alone:
        return ((steps[0][0].serial, steps),)
    charts: defaultdict[int, list[RawStep]] = defaultdict(list)
    for step in steps:
        charts[step[0][3]].append(step)
    return charts.items()
