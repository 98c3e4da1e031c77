from __future__ import annotations

import json

import pytest

from farscope.cli.step_printer import Seen, StepFormatter
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.views.selection import Selection

MILLISECOND = 1_000_000
CHART = ChartId("relay", "far", 7, 1, "ab" * 16)


def seen(duration_ns: int, kind: StepKind = StepKind.TRANSITION, *, ran_ahead: bool = False) -> Seen:
    shape = Shape(kind, "GO", "off", "on", (Fact(FactKind.OFFER, "off"), Fact(FactKind.HOOK, "off")))
    step = Step(CHART, 1, shape, 1_515_590_066_000_000_000, duration_ns, 0, 0)
    return Seen(step, "relay", step.time_ns, ran_ahead)


def texts(one: Seen, *, spy: bool = False) -> list[str]:
    lines = "".join(StepFormatter(Selection(), spy=spy).pieces(one)).splitlines()
    return [line.partition("] ")[2] for line in lines]


def test_a_line_tells_how_long_its_step_took_if_that_was_long():
    assert texts(seen(10 * MILLISECOND)) == ["[relay] e->GO() off->on"]
    assert texts(seen(310 * MILLISECOND)) == ["[relay] e->GO() off->on  took 310 ms"]


def test_a_line_tells_that_the_cause_is_still_running():
    assert texts(seen(5, ran_ahead=True)) == ["[relay] e->GO() off->on  cause still running"]


def test_with_spy_one_line_of_a_step_tells_how_long_it_took():
    traced = texts(seen(310 * MILLISECOND), spy=True)
    assert traced[0].endswith("  took 310 ms")
    assert not any("took" in line for line in traced[1:])
    handled = texts(seen(310 * MILLISECOND, StepKind.HOOK), spy=True)
    assert handled == [
        "[relay] GO:off",
        "[relay] GO:off:HOOK",
        "[relay] <- Queued:(0) Deferred:(0)  took 310 ms",
    ]


@pytest.mark.parametrize("ran_ahead", [False, True])
def test_json_has_begin_end_and_whether_the_cause_was_running(ran_ahead):
    one = seen(310 * MILLISECOND, ran_ahead=ran_ahead)
    told = json.loads("".join(StepFormatter(Selection(), spy=False, as_json=True).pieces(one)))
    assert told["ended_ns"] - told["time_ns"] == told["duration_ns"] == 310 * MILLISECOND
    assert told["cause_running"] is ran_ahead
