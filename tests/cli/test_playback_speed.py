from __future__ import annotations

from math import inf

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.cli.playback_speed import SPEED, Pace
from farscope.records.step import NANOSECONDS


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_comes_first_is_due_at_once_and_the_rest_in_its_rhythm():
    clock = Clock()
    pace = Pace(2.0, clock)
    assert pace.left_s(50 * NANOSECONDS) == 0
    assert pace.left_s(54 * NANOSECONDS) == 2.0
    clock.now_s += 1.5
    assert pace.left_s(54 * NANOSECONDS) == 0.5
    clock.now_s += 1.5
    assert pace.left_s(54 * NANOSECONDS) == 0
    assert pace.left_s(40 * NANOSECONDS) == 0


@given(st.lists(st.integers(0, 2**63), max_size=20))
def test_nothing_waits_at_the_highest_speed(times):
    pace = Pace(inf, Clock())
    assert all(pace.left_s(time) == 0 for time in times)


def test_waiting_ends_when_all_is_over():
    pace = Pace(1.0, Clock())
    assert pace.wait_for(0, lambda: True)
    assert not pace.wait_for(3_600 * NANOSECONDS, lambda: True)


@pytest.mark.parametrize(("text", "factor"), [("2x", 2.0), ("0.5", 0.5), (" 10X", 10.0), ("max", inf)])
def test_a_speed_is_a_factor(text, factor):
    assert SPEED.convert(text, None, None) == factor


@pytest.mark.parametrize("text", ["fast", "0", "-1x", "nan", "inf", "x", ""])
def test_what_is_no_speed_is_refused_with_what_one_looks_like(text):
    with pytest.raises(click.BadParameter, match=r"2x, 0\.5x or max"):
        SPEED.convert(text, None, None)
