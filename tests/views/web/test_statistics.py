from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.views.web.statistics import figures, spread


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_a_spread_agrees_with_its_definition(numbers):
    told = spread(sorted(numbers))
    assert told["total"] == sum(numbers)
    assert told["most"] == max(numbers)
    not_above = sum(number <= told["p95"] for number in numbers)
    assert not_above * 100 >= 95 * len(numbers)
    assert sum(number < told["p95"] for number in numbers) * 100 < 95 * len(numbers)


def test_time_in_state_runs_from_entry_to_entry_and_the_last_one_to_the_moment_shown(make_step):
    steps = [
        make_step(1, 100, kind=StepKind.START, start="top", end="off"),
        make_step(2, 300, start="off", end="on"),
        make_step(3, 350, signal="TICK", start="on", end="on", kind=StepKind.HOOK),
        make_step(4, 400, start="on", end="off"),
    ]
    told = figures([Step._make(step) for step in steps], 1_000, 0)
    states = {row["state"]: (row["total"], row["times"], row["mean"]) for row in told["states"]}
    assert states == {"off": (200 + 600, 2, 400), "on": (100, 1, 100)}


def test_events_are_counted_by_what_became_of_them(make_step):
    kinds = [StepKind.TRANSITION, StepKind.IGNORED, StepKind.IGNORED, StepKind.REFUSED]
    steps = [Step._make(make_step(n, n, kind=kind, took=n, waited=10 * n)) for n, kind in enumerate(kinds, 1)]
    told = figures(steps, 100, 0)
    assert told["signals"] == [{"signal": "PRESS", "times": 4, "transition": 1, "ignored": 2, "refused": 1}]
    assert told["kinds"] == {"transition": 1, "ignored": 2, "refused": 1}
    assert told["waited"]["most"] == 40
    assert [step[0] for step in told["slowest"]] == [4, 3, 2, 1]


def test_nothing_makes_empty_figures():
    told = figures([], 100, 0)
    assert (told["steps"], told["states"], told["signals"], told["slowest"]) == (0, [], [], [])


def region_step(number, time_ns, start, end, exits=()):
    facts = tuple(Fact(FactKind.EXIT, state) for state in exits)
    shape = Shape(StepKind.TRANSITION, "GO", start, end, facts)
    return Step(ChartId("c", "h", 1, 1), number, shape, time_ns, 0, 0, 0)


def test_time_in_state_is_counted_for_each_leaf_of_each_region():
    steps = [
        region_step(1, 100, "off", ("idle", "open")),
        region_step(2, 300, ("idle", "open"), ("charging", "open"), exits=("idle",)),
        region_step(3, 400, ("charging", "open"), ("charging", "locked"), exits=("open",)),
        region_step(4, 600, ("charging", "locked"), ("charging", "locked"), exits=("locked",)),
        region_step(5, 700, ("charging", "locked"), (), exits=("charging", "locked")),
    ]
    told = figures(steps, 1_000, 0)
    states = {row["state"]: (row["total"], row["times"]) for row in told["states"]}
    assert states == {"idle": (200, 1), "open": (300, 1), "charging": (400, 1), "locked": (300, 2)}
