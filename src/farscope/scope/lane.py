"""What is held of one probe, in the order it will be handed out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import le

from farscope.records.step import RawStep

NEVER_NS = -(1 << 70)
"""Earlier than any time there is."""
EVER_NS = 1 << 70
"""Later than any time there is."""


@dataclass(slots=True, eq=False)
class Run:
    """The rest of one batch."""

    probe: str
    order: int
    """Of arrival, over all probes."""
    steps: Sequence[RawStep]
    offset_ns: int
    """How far the probe's clock was ahead."""
    times: list[int] = field(default_factory=list)
    """Corrected, never falling, and never in front of an earlier step of the same chart that is held."""
    exact: bool = True
    """Whether ``times`` are the steps' own, less the offset."""
    first: int = 0
    reached_ns: int = NEVER_NS
    """The latest time of this run and those of its lane in front of it."""

    @property
    def next_ns(self) -> int:
        """The time of the step that is next."""
        return self.times[self.first]

    @property
    def last_ns(self) -> int:
        """The time of its last step."""
        return self.times[-1]

    @property
    def finished(self) -> bool:
        """Whether all of it was handed out."""
        return self.first == len(self.times)

    def own_times(self, end: int) -> Sequence[int]:
        """Return the corrected times of the steps up to ``end``, whatever place they were given."""
        if self.exact:
            return self.times[self.first : end]
        return [step[3] - self.offset_ns for step in self.steps[self.first : end]]


@dataclass(slots=True)
class Lane:
    """The runs of one probe."""

    runs: dict[int, Run] = field(default_factory=dict)
    """By their order."""
    fixed: int = -1
    """The order of the last run that keeps its offset whatever becomes known."""

    def add(self, run: Run) -> None:
        """Put a run behind the others."""
        self._place(run, reversed(self.runs.values()))
        self.runs[run.order] = run

    def correct(self, offset_ns: int) -> bool:
        """Go by another offset, also for what is held; return whether anything moved."""
        moving = [run for run in self.runs.values() if run.order > self.fixed]
        if all(run.offset_ns == offset_ns for run in moving):
            return False
        placed = [run for run in self.runs.values() if run.order <= self.fixed]
        for run in moving:
            run.steps, run.first = run.steps[run.first :], 0
            run.offset_ns = offset_ns
            self._place(run, reversed(placed))
            placed.append(run)
        return True

    def _place(self, run: Run, before: Iterable[Run]) -> None:
        """Give a run its times; ``before`` are those in front of it, the nearest first."""
        times = [step[3] - run.offset_ns for step in run.steps]
        floors: dict[int, int] = {}
        reached_ns = NEVER_NS
        sorted_already = all(map(le, times, islice(times, 1, None)))
        earliest_ns = times[0] if sorted_already else min(times)
        for other in before:
            reached_ns = max(reached_ns, other.reached_ns)
            if other.reached_ns <= earliest_ns:
                break
            for step, time_ns in zip(other.steps[other.first :], other.times[other.first :], strict=True):
                floors[step[0][3]] = max(time_ns, floors.get(step[0][3], time_ns))
        run.exact = sorted_already and not floors
        run.times = times
        if not run.exact:
            run.steps, run.times = _in_time(run.steps, times, floors)
        run.reached_ns = max(reached_ns, run.times[-1])


def _in_time(
    steps: Sequence[RawStep], own_times: Sequence[int], floors: dict[int, int]
) -> tuple[list[RawStep], list[int]]:
    """Return steps by their times, each chart's own behind its floor and in their order."""
    times: list[int] = []
    for step, time_ns in zip(steps, own_times, strict=True):
        serial = step[0][3]
        floors[serial] = max(time_ns, floors.get(serial, time_ns))
        times.append(floors[serial])
    order = sorted(range(len(times)), key=times.__getitem__)
    return [steps[index] for index in order], [times[index] for index in order]
