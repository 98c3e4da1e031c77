from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.views import selection as selection_module
from farscope.views.selection import Selection, in_order, in_time

A = ChartId("a", "pi", 1, 1)
B = ChartId("b[1]", "pi", 1, 2)


def step(chart: ChartId, time_ns: int, signal: str = "S", number: int = 1) -> Step:
    return Step(chart, number, Shape(StepKind.TRANSITION, signal, "x", "y", ()), time_ns, 0, 0, 0)


def test_steps_of_several_charts_come_in_order_of_time():
    assert [
        each.time_ns for each in in_time([step(B, 3), step(A, 1), step(B, 4), step(A, 2)], Selection())
    ] == [1, 2, 3, 4]


def test_a_chart_whose_clock_was_set_back_keeps_the_order_of_its_steps():
    steps = [step(A, 10, number=1), step(A, 5, number=2), step(B, 7), step(A, 11, number=3)]
    assert [each.number for each in in_time(steps, Selection()) if each.chart == A] == [1, 2, 3]


def test_the_window_holds_both_its_ends():
    steps = [step(A, time) for time in range(10)]
    assert [each.time_ns for each in in_time(steps, Selection(from_ns=3, to_ns=5))] == [3, 4, 5]


def test_the_last_are_counted_after_everything_else_was_sifted_out():
    steps = [step(A, time, "S" if time % 2 else "T") for time in range(10)]
    assert [each.time_ns for each in in_time(steps, Selection(last=2, signals=("T",)))] == [6, 8]


def test_charts_fit_by_name_by_pattern_and_by_longer_labels():
    for patterns, expected in (
        (("a",), [A]),
        (("b[1]",), [B]),
        (("b*",), [B]),
        (("*@pi:1",), [A, B]),
        (("nobody", "a"), [A]),
        ((), [A, B]),
    ):
        chosen = in_time([step(A, 1), step(B, 2)], Selection(charts=patterns))
        assert [each.chart for each in chosen] == expected


@given(st.lists(st.integers(0, 20)), st.integers(1, 5))
def test_the_last_of_an_unordered_run_are_the_latest(times, last):
    charts = [ChartId(str(place), "", 0, place) for place in range(len(times))]
    steps = [step(chart, time) for chart, time in zip(charts, times, strict=True)]
    assert in_time(steps, Selection(last=last)) == in_time(steps, Selection())[-last:]


@pytest.mark.parametrize("choose", [in_order, in_time])
def test_a_picture_holds_the_newest_steps_without_texts_and_says_how_many_it_left_out(choose, monkeypatch):
    monkeypatch.setattr(selection_module, "MAX_CHOSEN", 10)
    shape = Shape(StepKind.TRANSITION, "B", "a", "b", ())
    steps = [Step(ChartId("c", "h", 1, 1), n, shape, n, 0, 0, 0, texts=("long",)) for n in range(1, 31)]
    for last, numbers, left_out in ((None, range(21, 31), 20), (5, range(26, 31), 0), (15, range(21, 31), 5)):
        chosen = choose(steps, Selection(last=last))
        assert [step.number for step in chosen] == list(numbers)
        assert chosen.left_out == left_out
        assert not any(step.texts for step in chosen)


@pytest.mark.parametrize("choose", [in_order, in_time])
def test_steps_that_are_all_different_are_fewer_in_a_picture(choose, monkeypatch):
    monkeypatch.setattr(selection_module, "CHOSEN_BYTES", 100_000)
    shapes = [Shape(StepKind.TRANSITION, f"B{n}" + "x" * 1_000, "a", "b", ()) for n in range(300)]
    steps = [Step(ChartId("c", "h", 1, 1), n, shape, n, 0, 0, 0) for n, shape in enumerate(shapes, 1)]
    chosen = choose(steps, Selection())
    assert sum(step.shape.size for step in chosen) <= 100_000
    assert chosen.left_out == 300 - len(chosen)
    assert [step.number for step in chosen] == list(range(301 - len(chosen), 301))
