"""The order of steps that are handed out together, by causes in other processes. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import TypeAlias

from farscope.records.step import CAUSE, CHART, NUMBER, PROBE, SERIAL, RawStep

_ChartKey: TypeAlias = tuple[str, int]
_StepKey: TypeAlias = tuple[str, int, int]


def after_their_causes(steps: Sequence[RawStep]) -> Sequence[RawStep]:
    """Return steps with each after the step that caused it, in whatever process, if both are among them.

    Clocks of two machines may differ by more than a message takes. A step whose cause comes later is moved
    behind it, and with it the later steps of its chart and what those caused. The order is otherwise kept.
    Nothing waits for a step that is not here, so that a made-up cause delays nothing.
    """
    if not any(cause is not None and cause[2] for cause in (step[CAUSE] for step in steps)):
        return steps
    return _Order(steps).result()


class _Order:
    def __init__(self, steps: Sequence[RawStep]) -> None:
        self._steps = steps
        self._to_come = {_key(step) for step in steps}
        self._held: dict[_ChartKey, deque[RawStep]] = {}
        """Steps that wait, by their chart; the first of each chart waits for its cause."""
        self._waiting: defaultdict[_StepKey, list[_ChartKey]] = defaultdict(list)
        """The charts that wait for a step."""
        self._ordered: list[RawStep] = []

    def result(self) -> Sequence[RawStep]:
        """Return the steps in order."""
        for step in self._steps:
            chart = step[CHART][PROBE], step[CHART][SERIAL]
            if chart in self._held:
                self._held[chart].append(step)
            elif not self._waits(chart, step):
                self._pass(step)
        # Causes that make no sense may wait for each other.
        left = {_key(step) for queue in self._held.values() for step in queue}
        return self._ordered + [step for step in self._steps if _key(step) in left] if left else self._ordered

    def _waits(self, chart: _ChartKey, step: RawStep) -> bool:
        """Hold a step if its cause is to come; return whether it is."""
        cause = step[CAUSE]
        if cause is None or not cause.serial:
            return False
        needed = cause.probe or chart[0], cause.serial, cause.number
        if needed not in self._to_come or needed == _key(step):
            return False
        self._held[chart] = deque([step])
        self._waiting[needed].append(chart)
        return True

    def _pass(self, step: RawStep) -> None:
        """Pass a step on, and then what waited for it."""
        passing = deque([step])
        while passing:
            passed = passing.popleft()
            self._ordered.append(passed)
            self._to_come.discard(_key(passed))
            for chart in self._waiting.pop(_key(passed), ()):
                passing.extend(self._released(chart))

    def _released(self, chart: _ChartKey) -> list[RawStep]:
        """Return the steps of a chart up to the next that waits."""
        queue = self._held.pop(chart)
        released = [queue.popleft()]
        while queue:
            following = queue.popleft()
            if self._waits(chart, following):
                self._held[chart].extend(queue)
                break
            released.append(following)
        return released


def _key(step: RawStep) -> _StepKey:
    return step[CHART][PROBE], step[CHART][SERIAL], step[NUMBER]
