"""The schedule returns timers when they are due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.engine.timers.schedule import MAX_PERIOD_S, MIN_PERIOD_S, Schedule, Timer
from farscope.errors import ChartError
from farscope.records.step import NANOSECONDS


def timer(period_s=1.0, times=0):
    return Timer(lambda _timer: None, period_s, times)


def taken_until(schedule, now_ns):
    taken = []
    while (one := schedule.take(now_ns)) is not None:
        taken.append(one)
    return taken


def test_a_timer_that_is_late_fires_for_each_period_in_step_with_its_first_time():
    schedule = Schedule()
    one = timer(period_s=0.3)
    schedule.add(one, 7)
    late = 10 * one.period_ns
    assert [due for _, due in taken_until(schedule, late)] == [7 + n * one.period_ns for n in range(10)]


def test_a_timer_fires_as_often_as_it_was_told_and_is_then_no_longer_live():
    schedule = Schedule()
    one = timer(times=3)
    schedule.add(one, 0)
    assert len(taken_until(schedule, 100 * NANOSECONDS)) == 3
    assert not one.live
    assert not schedule
    assert schedule.next_ns() is None


def test_of_timers_due_at_once_the_one_added_first_comes_first():
    schedule = Schedule()
    timers = [timer(times=1) for _ in range(5)]
    for one in timers:
        schedule.add(one, 4)
    assert [one for one, _ in taken_until(schedule, 4)] == timers


def test_removed_timers_take_no_room_for_long():
    schedule = Schedule()
    kept = timer()
    schedule.add(kept, 1)
    for _ in range(1_000):
        one = timer()
        schedule.add(one, 10**15)
        schedule.remove(one)
        schedule.remove(one)
    assert len(schedule) == 1
    assert len(schedule._heap) < 5


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9), st.integers(1, 4), st.booleans()), max_size=12)
)
def test_everything_comes_in_the_order_it_is_due_and_nothing_else_does(plans):
    schedule = Schedule()
    expected = []
    for place, (first, period, times, removed) in enumerate(plans):
        one = Timer(lambda _timer: None, period * MIN_PERIOD_S, times)
        schedule.add(one, first)
        if removed:
            schedule.remove(one)
        else:
            expected += [(first + n * one.period_ns, place) for n in range(times)]
    got = [due for _, due in taken_until(schedule, 10**12)]
    assert got == sorted(due for due, _ in expected)
    assert not schedule


@pytest.mark.parametrize(
    "period_s", [0, -1.0, MIN_PERIOD_S / 2, MAX_PERIOD_S * 2, float("nan"), float("inf")]
)
def test_a_period_that_no_clock_can_keep_is_refused(period_s):
    with pytest.raises(ChartError, match="period"):
        timer(period_s=period_s)


@pytest.mark.parametrize("times", [-1, 1.5])
def test_a_number_of_times_that_makes_no_sense_is_refused(times):
    with pytest.raises(ChartError, match="times"):
        timer(times=times)
