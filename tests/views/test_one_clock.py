"""Several machines in one picture: at one clock's times, with their own kept beside."""

from __future__ import annotations

import csv
import io
import json

from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, Step
from farscope.views.csv_table import csv_rows
from farscope.views.json_text import json_lines
from farscope.views.perfetto import perfetto_trace
from farscope.views.timestamps import by_one_clock

NOW = 1_700_000_000 * NANOSECONDS
RIGHT, AHEAD = ChartId("right", "pi", 1, 1, "aa"), ChartId("ahead", "hub", 2, 1, "bb")
AHEAD_NS = 40 * NANOSECONDS
SHAPE = Shape(StepKind.TRANSITION, "GO", "a", "b", ())
STEPS = [
    Step(RIGHT, 1, SHAPE, NOW, 1_000, 0, 0),
    Step(AHEAD, 1, SHAPE, NOW + AHEAD_NS + 5_000, 1_000, 0, 0),
    Step(RIGHT, 2, SHAPE, NOW + 9_000, 1_000, 0, 0),
]


def clock(step: Step) -> int:
    return step.time_ns - (AHEAD_NS if step.chart == AHEAD else 0)


def test_slices_of_a_machine_whose_clock_is_off_stand_at_their_true_place():
    found = json.loads("".join(perfetto_trace(STEPS, clock=clock)))
    slices = [event for event in found["traceEvents"] if event["ph"] == "X"]
    first = slices[0]["ts"]
    assert [round((event["ts"] - first) * 1_000) for event in slices] == [0, 5_000, 9_000]
    assert [int(event["args"]["time_ns"]) for event in slices] == [step.time_ns for step in STEPS]


def test_tables_have_both_times():
    lines = [json.loads(line) for line in json_lines(STEPS, clock)]
    assert [line["time_ns"] for line in lines] == [step.time_ns for step in STEPS]
    assert [line["corrected_ns"] for line in lines] == list(map(clock, STEPS))
    rows = list(csv.DictReader(io.StringIO("".join(csv_rows(STEPS, clock)), newline="")))
    assert [int(row["time_ns"]) for row in rows] == [step.time_ns for step in STEPS]
    assert [int(row["corrected_ns"]) for row in rows] == list(map(clock, STEPS))


def test_where_nobody_compared_clocks_nothing_is_made_up():
    assert json.loads(next(json_lines(STEPS)))["corrected_ns"] is None
    (row, *_) = csv.DictReader(io.StringIO("".join(csv_rows(STEPS)), newline=""))
    assert row["corrected_ns"] == ""


def test_a_clock_that_is_off_by_little_is_taken_for_right():
    step = STEPS[0]
    assert by_one_clock(step, lambda step: step.time_ns - NANOSECONDS) is step
    assert by_one_clock(step, lambda step: step.time_ns + 2 * NANOSECONDS).time_ns == NOW + 2 * NANOSECONDS
