"""The held steps of one probe, in the order they will be handed out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import le

from farscope.records.step import CAUSE, CHART, DURATION_NS, NUMBER, TIME_NS, RawStep
from farscope.records.weight import STEP_BYTES

NEVER_NS = -(1 << 70)
"""Earlier than any real time."""
EVER_NS = 1 << 70
"""Later than any real time."""


@dataclass(slots=True, eq=False)
class Run:
    """The remaining steps of one batch."""

    probe: str
    order: int
    """Order of arrival, over all probes."""
    steps: Sequence[RawStep]
    offset_ns: int
    """How far the probe's clock was ahead."""
    times: list[int] = field(default_factory=list)
    """Corrected end times of the steps: never decreasing, and never before a held cause or a held earlier
    step of the same chart."""
    due: list[int] | None = None
    """When each step is due, if that differs from ``times``: a chart whose clock was set back is placed later
    than its own times say."""
    first: int = 0
    reached_ns: int = NEVER_NS
    """The latest time in this run and the earlier runs of its queue."""
    each: int = STEP_BYTES
    """Size of each step in bytes."""
    bytes: int = field(init=False)
    """Memory use, including steps that were handed out but not released yet."""

    def __post_init__(self) -> None:
        self.bytes = len(self.steps) * self.each

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
        """Whether all steps were handed out."""
        return self.first == len(self.times)

    def trim(self) -> int:
        """Release the steps handed out, once they are half of all; return the bytes freed."""
        if 2 * self.first < len(self.times):
            return 0
        freed, self.bytes = self.bytes, (len(self.times) - self.first) * self.each
        # Also when finished, because runs that arrived earlier may be held for longer.
        self.steps, self.times = self.steps[self.first :], self.times[self.first :]
        self.due = None if self.due is None else self.due[self.first :]
        self.first = 0
        return freed - self.bytes

    def due_times(self) -> Sequence[int]:
        """Return when each step is due: at its end, or at that of its cause if that was later."""
        return self.times if self.due is None else self.due


@dataclass(slots=True)
class RunQueue:
    """The runs of one probe."""

    runs: dict[int, Run] = field(default_factory=dict)
    """Runs by their order."""
    frozen: int = -1
    """Order of the last run whose offset is frozen."""

    def add(self, run: Run) -> None:
        """Append a run."""
        self._place(run, reversed(self.runs.values()))
        self.runs[run.order] = run

    def correct(self, offset_ns: int) -> bool:
        """Use another offset, also for held steps; return whether anything moved."""
        moving = [run for run in self.runs.values() if run.order > self.frozen]
        if all(run.offset_ns == offset_ns for run in moving):
            return False
        placed = [run for run in self.runs.values() if run.order <= self.frozen]
        for run in moving:
            run.steps, run.first = run.steps[run.first :], 0
            run.offset_ns = offset_ns
            self._place(run, reversed(placed))
            placed.append(run)
        return True

    def _place(self, run: Run, before: Iterable[Run]) -> None:
        """Compute the times of a run; ``before`` holds the runs before it, the nearest first."""
        times = [step[TIME_NS] + step[DURATION_NS] - run.offset_ns for step in run.steps]
        reached_ns = NEVER_NS
        sorted_already = all(map(le, times, islice(times, 1, None)))
        earliest_ns = times[0] if sorted_already else min(times)
        overlapping: list[Run] = []
        for other in before:
            reached_ns = max(reached_ns, other.reached_ns)
            if other.reached_ns <= earliest_ns:
                break
            overlapping.append(other)
        run.times, run.due = times, None
        if overlapping or not sorted_already:
            due_times = _DueTimes()
            for other in reversed(overlapping):
                due_times.remember(other)
            due_times.assign(run)
        run.reached_ns = max(reached_ns, run.times[-1])


class _DueTimes:
    """Computes times that place steps after their causes and after earlier steps of their charts.

    A step is due when it ended, or when its cause or the previous step is due if that is later: an effect
    follows its cause, and the next steps of its chart follow the effect.
    """

    def __init__(self) -> None:
        self._floors: dict[int, int] = {}
        """Time of each chart's last step, by the chart's serial."""
        self._delays: dict[int, int] = {}
        """When that step was due, if it had to wait for a cause."""
        self._steps: dict[tuple[int, int], tuple[int, int]] = {}
        """Time of each step and when it was due, by chart and number."""

    def remember(self, run: Run) -> None:
        """Record the remaining steps of a run whose times are computed."""
        dues = run.due_times()
        for place in range(run.first, len(run.times)):
            self._record(run.steps[place], run.offset_ns, run.times[place], dues[place])

    def assign(self, run: Run) -> None:
        """Compute the times of a run, and sort its steps accordingly."""
        times: list[int] = []
        dues: list[int] = []
        for step in run.steps:
            serial, cause = step[CHART].serial, step[CAUSE]
            caused, caused_due = (
                self._steps.get(cause[:2], (NEVER_NS, NEVER_NS))
                if cause and not cause[2]
                else (NEVER_NS, NEVER_NS)
            )
            due = max(
                step[TIME_NS] + step[DURATION_NS] - run.offset_ns,
                caused_due,
                self._delays.get(serial, NEVER_NS),
            )
            time = max(due, caused, self._floors.get(serial, NEVER_NS))
            self._record(step, run.offset_ns, time, due)
            times.append(time)
            dues.append(due)
        order = sorted(range(len(times)), key=times.__getitem__)
        run.steps = [run.steps[place] for place in order]
        run.times = [times[place] for place in order]
        run.due = [dues[place] for place in order] if dues != times else None

    def _record(self, step: RawStep, offset_ns: int, time: int, due: int) -> None:
        serial = step[CHART].serial
        self._floors[serial] = time
        self._delays[serial] = due if due > step[TIME_NS] + step[DURATION_NS] - offset_ns else NEVER_NS
        self._steps[serial, step[NUMBER]] = time, due
