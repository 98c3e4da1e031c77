from __future__ import annotations

from datetime import datetime
from math import inf

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.cli.playback_speed import SPEED, Pace, place_ns
from farscope.errors import UsageError
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


def local_ns(*moment: int) -> int:
    return int(datetime(*moment).timestamp()) * NANOSECONDS  # noqa: DTZ001 - local time is what is tested


BEGIN_NS = local_ns(2026, 1, 10, 23, 50, 0) + 7


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("30s", BEGIN_NS + 30 * NANOSECONDS),
        ("1h30m", BEGIN_NS + 5_400 * NANOSECONDS),
        ("0", BEGIN_NS),
        ("23:50", local_ns(2026, 1, 10, 23, 50, 0)),
        ("23:55:30.5", local_ns(2026, 1, 10, 23, 55, 30) + NANOSECONDS // 2),
        ("00:10", local_ns(2026, 1, 11, 0, 10, 0)),
        ("2026-01-10 23:59", local_ns(2026, 1, 10, 23, 59, 0)),
        ("2025-12-31T08:00:00", local_ns(2025, 12, 31, 8, 0, 0)),
    ],
)
def test_a_place_is_a_span_from_the_beginning_or_a_moment_on_its_first_day(text, place):
    assert place_ns(text, BEGIN_NS) == place


def test_who_begins_at_a_round_time_shortly_before_the_beginning_means_that_day():
    begin_ns = int(datetime.fromisoformat("2026-01-05 22:00:03").timestamp()) * NANOSECONDS
    end_ns = begin_ns + 3600 * NANOSECONDS
    assert place_ns("21:00", begin_ns, end_ns=end_ns) < begin_ns
    assert place_ns("23:30", begin_ns, end_ns=end_ns) > end_ns
    assert place_ns("22:00:02", begin_ns) == begin_ns - NANOSECONDS


def test_a_second_place_lies_behind_the_first():
    begin_ns = int(datetime.fromisoformat("2026-01-05 22:00:03").timestamp()) * NANOSECONDS
    first_ns = begin_ns - 3600 * NANOSECONDS
    assert place_ns("22:00", begin_ns, behind_ns=first_ns) == begin_ns - 3 * NANOSECONDS


@pytest.mark.parametrize(
    "text", ["soon", "25:00", "2026-13-01 00:00", "1:2:3:4", "", "9999999-01-01 10:00:00"]
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(UsageError):
        place_ns(text, BEGIN_NS)
