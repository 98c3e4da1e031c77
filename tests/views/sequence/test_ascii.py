from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from farscope.errors import UsageError
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.trace_parser import parse_trace
from farscope.views.sequence.ascii import ascii_sequence
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.model import BORDER, Arrow, Diagram, Lane
from farscope.views.terminal_width import width

GOLDEN = Path(__file__).parent / "golden"


def drawn(name: str, **options: int) -> str:
    """Draw the trace lines at the head of a golden file."""
    lines = (GOLDEN / f"{name}.txt").read_text().splitlines()
    return ascii_sequence(by_state(parse_trace(lines)), **options)


def picture(name: str) -> str:
    """Return what stands below the trace lines of a golden file."""
    return (GOLDEN / f"{name}.txt").read_text().partition("\n\n")[2]


def test_the_seeds_two_trace_lines_give_the_seeds_picture():
    assert drawn("miros-example") == picture("miros-example")


def test_arrows_lead_forward_backward_far_and_back_to_their_own_lane():
    assert drawn("arrows") == picture("arrows")


def test_lanes_part_for_long_names_and_long_signals_and_nothing_is_cut():
    assert drawn("long") == picture("long")


def test_each_chart_has_a_block_and_numbers_run_through_all_of_them():
    assert drawn("blocks") == picture("blocks")


def test_what_repeats_is_framed_once_with_its_count():
    assert drawn("loops") == picture("loops")


def test_folding_can_be_switched_off():
    unfolded = drawn("loops", fold_from=0)
    assert " x " not in unfolded
    assert "(22)" in unfolded


def test_charts_as_lanes_show_who_posted_and_where_it_led():
    clock = count()
    a, b = ChartId("asks", "pi", 1, 1), ChartId("answers", "pi", 1, 2)

    def step(chart, number, signal, end, *, cause=None, kind=StepKind.TRANSITION):
        return Step(chart, number, Shape(kind, signal, "x", end, ()), next(clock), 0, 0, 0, 0, cause)

    steps = [
        step(a, 1, "go", "waiting"),
        step(b, 1, "QUESTION", "thinking", cause=Cause(1, 1)),
        step(b, 2, "DONE", "idle", cause=Cause(2, 1)),
        step(a, 2, "ANSWER", "idle", cause=Cause(2, 2)),
        step(a, 3, "ANSWER", "idle", cause=Cause(2, 2), kind=StepKind.IGNORED),
    ]
    assert ascii_sequence(by_chart(steps)) == (GOLDEN / "charts.txt").read_text()


def test_an_arrow_over_lanes_of_wide_characters_keeps_their_lines_straight():
    lanes = tuple(Lane(label, 0) for label in ("状態", "b", "c"))
    arrows = (Arrow(1, 0, 2, "日本語()"), Arrow(2, 2, 1, "x()"), Arrow(3, BORDER, 0, "y()"))
    lines = ascii_sequence(Diagram(("",), lanes, arrows, separate=False)).splitlines()
    columns = {
        width(line[:place]) for line in lines for place, character in enumerate(line) if character == "|"
    }
    assert len(columns) == len(lanes)


def test_a_run_without_a_step_says_that_there_is_nothing():
    assert ascii_sequence(by_state([])).split() == ["nothing", "to", "show"]


def test_a_picture_too_large_for_letters_is_refused_before_it_is_drawn():
    lanes = tuple(Lane(f"lane {number}", 0) for number in range(1_000))
    arrows = tuple(Arrow(number, number % 999, 999, f"S{number}()") for number in range(1, 20_000))
    with pytest.raises(UsageError, match="too many for a picture in letters"):
        ascii_sequence(Diagram(("",), lanes, arrows, separate=False))
