"""Statistics of a chart: time in each state, events received, events rejected, and slow steps."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from farscope.records.facts import FactKind
from farscope.records.shape import AnyStepKind, Shape
from farscope.records.step import Step
from farscope.views.web.serialize import Plain, plain_step

MAX_STEPS: Final = 200_000
"""Maximum number of steps in the statistics, the newest; this many take about a second."""

MAX_ROWS: Final = 100
"""Maximum number of states and signals listed, those with the most time or events first."""

SLOWEST: Final = 8
"""Slowest steps listed."""


def figures(steps: Sequence[Step], until_ns: int, origin_ns: int) -> dict[str, Plain]:
    """Return the statistics of a chart's consecutive steps; its last state lasts until ``until_ns``."""
    stays = _stays(steps, until_ns)
    kinds = Counter(step.shape.kind for step in steps)
    waits = sorted(step.waited_ns for step in steps)
    durations = sorted(step.duration_ns for step in steps)
    slowest = heapq.nlargest(SLOWEST, steps, key=lambda step: step.duration_ns)
    return {
        "steps": len(steps),
        "from": steps[0].ended_ns - origin_ns if steps else None,
        "states": [
            {"state": state, "times": len(spans), "last": spans[-1], **spread(sorted(spans))}
            for state, spans in _weightiest(stays)
        ],
        "signals": _signals(steps),
        "kinds": {kind.name.lower(): count for kind, count in kinds.items()},
        "waited": spread(waits),
        "took": spread(durations),
        "slowest": [plain_step(step, origin_ns) for step in slowest],
    }


def spread(ordered: Sequence[int]) -> dict[str, int]:
    """Return total, mean, 95th percentile and largest of sorted numbers; zeros for none."""
    if not ordered:
        return {"total": 0, "mean": 0, "p95": 0, "most": 0}
    total = sum(ordered)
    # The smallest value that at least 95 percent do not exceed.
    rank = -(-95 * len(ordered) // 100)
    return {"total": total, "mean": total // len(ordered), "p95": ordered[rank - 1], "most": ordered[-1]}


def _stays(steps: Sequence[Step], until_ns: int) -> dict[str, list[int]]:
    """Return how long each stay in each leaf state took, in all regions.

    Stays that were not seen to begin are left out.
    """
    stays: defaultdict[str, list[int]] = defaultdict(list)
    entered: dict[str, int] = {}
    for step in steps:
        if not step.shape.traced:
            continue
        stayed = _stayed_in(step.shape)
        for state in [state for state in entered if state not in stayed]:
            stays[state].append(max(0, step.ended_ns - entered.pop(state)))
        entered |= {state: step.ended_ns for state in step.end_states if state not in stayed}
    for state, entered_ns in entered.items():
        stays[state].append(max(0, until_ns - entered_ns))
    return stays


def _stayed_in(shape: Shape) -> frozenset[str]:
    """Return the leaf states that a step neither left nor entered, because it moved in other regions."""
    if max(len(shape.start_states), len(shape.end_states)) < 2:
        return frozenset()
    left = {fact.name for fact in shape.facts if fact.kind is FactKind.EXIT}
    return frozenset(shape.start_states) & frozenset(shape.end_states) - left


def _weightiest(stays: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    return heapq.nlargest(MAX_ROWS, stays.items(), key=lambda stay: sum(stay[1]))


def _signals(steps: Sequence[Step]) -> list[dict[str, Plain]]:
    """Return each signal with its counts by outcome, the most frequent first."""
    counts: defaultdict[str, Counter[AnyStepKind]] = defaultdict(Counter)
    for step in steps:
        counts[step.shape.signal][step.shape.kind] += 1
    busiest = heapq.nlargest(MAX_ROWS, counts.items(), key=lambda item: item[1].total())
    return [
        {
            "signal": signal,
            "times": kinds.total(),
            **{kind.name.lower(): count for kind, count in kinds.items()},
        }
        for signal, kinds in busiest
    ]
