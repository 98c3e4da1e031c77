"""Timed posts of charts, by a clock that stands still until the test moves it."""

from __future__ import annotations

import gc
import weakref

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals
from farscope.errors import ChartError, ChartStopped
from farscope.records.step import Cause
from farscope.testing.clock import VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


def make(clock, threaded=False, **options):
    """Give a started chart that notes (time, signal) of each event, and calls the payload of CALL."""
    chart = Factory("ticker", threaded=threaded, clock=clock, **options)
    chart.heard = []

    def hear(chart, e):
        chart.heard.append((round(clock.now, 6), e.signal_name))
        return return_status.HANDLED

    def call(chart, e):
        e.payload(chart)
        return return_status.HANDLED

    state = chart.create("ticking").catch("CALL", call)
    for name in ("T", "U", "V"):
        state.catch(name, hear)
    chart.nest(state.to_method(), parent=None).start_at("ticking")
    return chart


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, [0.5, 1.0, 1.5, 2.0]),
        ({"deferred": True}, [0.5, 1.0, 1.5, 2.0]),
        ({"deferred": False}, [0.0, 0.5, 1.0, 1.5, 2.0]),
        ({"times": 0}, [0.5, 1.0, 1.5, 2.0]),
        ({"times": 2}, [0.5, 1.0]),
        ({"times": 2, "deferred": False}, [0.0, 0.5]),
        ({"times": 1, "deferred": False}, [0.0]),
        ({"times": 1}, [0.5]),
    ],
)
def test_timed_posts_come_when_they_are_due_and_as_often_as_told(clock, threaded, options, times):
    with make(clock, threaded) as chart:
        chart.post_fifo(Event("T"), period=0.5, **options)
        clock.advance(2.2)
        assert chart.heard == [(time, "T") for time in times]


def test_many_periods_later_not_a_nanosecond_has_drifted(clock):
    chart = make(clock, queue_size=10)
    chart.post_fifo(Event("T"), period=0.1)
    clock.advance(3_600.0)
    assert len(chart.heard) == 36_000
    assert chart.heard[-1] == (3_600.0, "T")


def test_a_timed_lifo_post_goes_before_what_waits(clock):
    chart = make(clock)

    def arm(chart):
        chart.post_fifo(Event("T"))
        chart.post_lifo(Event("U"), period=1.0, times=1, deferred=False)

    chart.post_fifo(Event("CALL", arm))
    chart.complete_circuit()
    assert [name for _, name in chart.heard] == ["U", "T"]


def test_arming_in_a_handler_leaves_no_line_and_the_arming_step_is_the_cause_of_each_post(clock):
    chart = make(clock)
    chart.post_fifo(Event("CALL", lambda chart: chart.post_fifo(Event("T"), period=1.0, times=2)))
    clock.advance(2.0)
    assert chart.spy()[-8:-6] == ["CALL:ticking:HOOK", "<- Queued:(0) Deferred:(0)"]
    serial = chart.steps()[0].chart.serial
    assert [step.cause for step in chart.steps()] == [None, None, Cause(serial, 2), Cause(serial, 2)]


def test_a_timed_post_armed_from_outside_has_no_cause(clock):
    chart = make(clock)
    chart.post_fifo(Event("T"), period=1.0, times=1)
    clock.advance(1.0)
    assert chart.steps()[-1].cause is None


@pytest.mark.parametrize("threaded", [False, True])
def test_a_chain_of_timers_set_by_handlers_runs_in_step_with_the_clock(clock, threaded):
    def again(chart):
        chart.heard.append((clock.now, "again"))
        chart.post_fifo(Event("CALL", again), period=0.25, times=1)

    with make(clock, threaded) as chart:
        chart.post_fifo(Event("CALL", again))
        clock.advance(1.0)
        assert chart.heard == [(n / 4, "again") for n in range(5)]


def test_cancelling_by_id_ends_that_one_and_tells_whether_there_was_anything_to_end(clock):
    chart = make(clock)
    one = chart.post_fifo(Event("T"), period=1.0)
    chart.post_fifo(Event("U"), period=1.0)
    clock.advance(1.0)
    assert chart.cancel_event(one)
    assert not chart.cancel_event(one)
    assert not chart.cancel_event(-1)
    clock.advance(1.0)
    assert [name for _, name in chart.heard] == ["T", "U", "U"]


def test_cancelling_by_event_ends_all_of_its_signal(clock):
    chart = make(clock)
    for name in ("T", "T", "U"):
        chart.post_fifo(Event(name), period=1.0)
    assert chart.cancel_events(Event("T")) == 2
    assert chart.cancel_events(Event("T")) == 0
    clock.advance(1.0)
    assert [name for _, name in chart.heard] == ["U"]
    with pytest.raises(ChartError):
        chart.cancel_events("U")


def test_another_charts_id_cancels_nothing(clock):
    chart, other = make(clock), make(clock)
    number = other.post_fifo(Event("T"), period=1.0)
    assert not chart.cancel_event(number)
    assert clock.pending == 1


@pytest.mark.parametrize("threaded", [False, True])
def test_stopping_a_chart_ends_its_timed_posts_and_nobody_elses(clock, threaded):
    with make(clock, threaded) as chart, make(clock, threaded) as other:
        chart.post_fifo(Event("T"), period=1.0)
        other.post_fifo(Event("T"), period=1.0)
        chart.stop()
        assert clock.pending == 1
        clock.advance(1.0)
        assert not chart.heard
        assert other.heard
        with pytest.raises(ChartStopped):
            chart.post_fifo(Event("T"), period=1.0)


def test_a_timed_post_to_a_full_queue_is_counted_told_to_watchers_and_raised_to_nobody(clock):
    chart = make(clock, queue_size=2)
    chart.post_fifo(Event("CALL", lambda chart: [chart.post_fifo(Event("U")) for _ in range(2)]))
    chart.next_rtc()
    chart.post_fifo(Event("T"), period=1.0, times=1, deferred=True)
    clock._charts.clear()
    clock.advance(1.0)
    assert chart.rejected == 1
    chart.next_rtc()
    assert "REFUSED_POST:T:raised" in chart.steps()[-1].spy()


def test_ended_timers_are_forgotten(clock):
    chart = make(clock)
    for _ in range(100):
        chart.post_fifo(Event("T"), period=1.0, times=1)
    assert len(chart._timed) == 100
    clock.advance(1.0)
    assert len(chart._timed) == 0
    assert clock.pending == 0


def test_a_chart_nobody_holds_gets_no_more_timed_posts(clock):
    chart = Hsm("loose", clock=clock)
    chart.post_fifo(Event("T"), period=1.0)
    gone = weakref.ref(chart)
    del chart
    gc.collect()
    assert gone() is None
    clock.advance(1.0)
    assert clock.pending == 0


def test_posts_may_be_timed_before_the_start_and_wait_for_it(clock):
    chart = Hsm("early", clock=clock)
    heard = []

    def state(chart, e):
        if e.signal == signals.T:
            heard.append(e)
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart.post_fifo(Event("T"), period=1.0, times=2)
    clock.advance(2.0)
    chart.start_at(state)
    chart.complete_circuit()
    assert len(heard) == 2


@pytest.mark.parametrize("wrong", [{"period": 0}, {"period": -1}, {"period": 1, "times": -1}])
def test_times_that_make_no_sense_are_refused(clock, wrong):
    with pytest.raises(ChartError):
        make(clock).post_fifo(Event("T"), **wrong)
    assert clock.pending == 0


def test_the_same_event_is_posted_each_time(clock):
    chart = make(clock)
    seen = []
    chart.post_fifo(Event("CALL", lambda _chart: seen.append(1)), period=1.0, times=3)
    clock.advance(5.0)
    assert seen == [1, 1, 1]


def test_a_period_of_nothing_posts_as_often_as_told_as_soon_as_can_be(clock):
    with make(clock) as chart:
        chart.post_fifo(Event("T"), period=0, times=3)
        clock.advance(0.01)
        assert [name for _, name in chart.heard] == ["T"] * 3


@pytest.mark.parametrize("times", [None, 0])
def test_a_period_of_nothing_without_end_is_refused(clock, times):
    with make(clock) as chart, pytest.raises(ChartError, match="cannot have a period of 0 seconds"):
        chart.post_fifo(Event("T"), period=0, times=times)


def test_a_timed_post_is_cancelled_by_the_keyword_of_the_seeds_library(clock):
    with make(clock) as chart:
        assert chart.cancel_event(uuid=chart.post_fifo(Event("T"), period=1.0))
        clock.advance(2.0)
        assert chart.heard == []
