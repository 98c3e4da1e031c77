from __future__ import annotations

import json

import pytest

from farscope.cli.step_printer import Seen, StepFormatter
from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
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


def observed(kind: StepKind = StepKind.HOOK) -> Seen:
    facts = (Fact(FactKind.LOG, "pump", "WARNING"), Fact(FactKind.SCRIBBLE), Fact(FactKind.TRAN, "on", "off"))
    shape = Shape(kind, "GO", ("on", "cold"), ("off", "cold"), facts)
    chart = CHART._replace(service="plant")
    step = Step(
        *(chart, 1, shape, 1_515_590_066_000_000_000, 5, 0, 0),
        texts=("hot\nand dry", "note"),
        values=(("amps", 16.5), ("mode", "eco"), ("ready", True)),
    )
    return Seen(step, "relay", step.time_ns)


def test_log_records_have_a_line_each_and_with_values_so_have_the_values_that_changed():
    pieces = "".join(StepFormatter(Selection(), spy=False, values=True).pieces(observed()))
    assert [line.partition("] ")[2] for line in pieces.splitlines()] == [
        "[relay, WARNING] pump: hot\\nand dry",
        '[relay, values] amps=16.5, mode="eco", ready=true',
    ]
    assert texts(observed(StepKind.TRANSITION)) == [
        "[relay] e->GO() on | cold->off | cold",
        "[relay, WARNING] pump: hot\\nand dry",
    ]


def test_with_spy_a_log_record_is_written_once():
    assert [line for line in texts(observed(), spy=True) if "hot" in line] == [
        "[relay] LOG:(WARNING, LOGGER:pump):hot\\nand dry"
    ]


def test_json_has_states_as_arrays_values_log_records_and_service():
    told = json.loads("".join(StepFormatter(Selection(), spy=False, as_json=True).pieces(observed())))
    assert (told["start_states"], told["end_states"], told["end"]) == (
        ["on", "cold"],
        ["off", "cold"],
        "off | cold",
    )
    assert told["values"] == {"amps": 16.5, "mode": "eco", "ready": True}
    assert told["logs"] == [{"level": "WARNING", "logger": "pump", "message": "hot\nand dry"}]
    assert told["transitions"] == [{"source": "on", "target": "off"}]
    assert told["service"] == "plant"


def test_a_step_of_a_later_kind_has_a_line_with_that_kind_where_outcomes_are_shown():
    shape = Shape(UnknownKind(9, "POSTPONED"), "GO", "on", "on", (Fact(UnknownKind(140, "NOTE"), "x"),))
    step = Step(CHART, 1, shape, 1_515_590_066_000_000_000, 5, 0, 0, texts=("told",))
    assert texts(Seen(step, "relay", step.time_ns), spy=True)[:2] == [
        "[relay, postponed] e->GO() in on",
        "[relay] NOTE:x:told",
    ]
