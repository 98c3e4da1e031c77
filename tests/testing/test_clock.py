"""The virtual clock advances only on request, and then waits for the charts."""

from __future__ import annotations

import asyncio

import pytest

from farscope.engine import ActiveObject, AsyncChart, Event, Hsm, return_status, signals
from farscope.errors import ChartError, UsageError
from farscope.testing import clock as clock_module
from farscope.testing.clock import VirtualClock


def state(chart, e):
    if e.signal == signals.CALL:
        e.payload(chart)
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def test_time_begins_at_zero_and_passes_only_when_told():
    clock = VirtualClock()
    assert clock.now == 0
    clock.advance(1.5)
    assert clock.now == 1.5
    with pytest.raises(UsageError):
        clock.advance(-1)


def test_advancing_waits_for_events_that_charts_pass_on_to_one_another():
    clock = VirtualClock()
    with ActiveObject("one", clock=clock) as one, ActiveObject("two", clock=clock) as two:
        heard = []

        def hand_over(left):
            def pass_on(chart):
                heard.append((chart.name, clock.now))
                if left:
                    (two if chart is one else one).post_fifo(Event("CALL", hand_over(left - 1)))

            return pass_on

        one.start_at(state)
        two.start_at(state)
        one.post_fifo(Event("CALL", hand_over(9)), period=1.0, times=2)
        assert clock.advance(5.0) == 2
        assert heard == [(name, time) for time in (1.0, 2.0) for name in ["one", "two"] * 5]


def test_what_a_handler_of_a_driven_chart_raises_is_raised_by_advancing():
    clock = VirtualClock()
    chart = Hsm("driven", clock=clock)
    chart.start_at(state)
    chart.post_fifo(Event("CALL", lambda _chart: 1 / 0), period=1.0, times=1)
    with pytest.raises(ZeroDivisionError):
        clock.advance(1.0)


def test_a_handler_cannot_advance_the_clock():
    clock = VirtualClock()
    chart = Hsm("eager", clock=clock)
    chart.start_at(state)
    with pytest.raises(UsageError, match="handler"):
        chart.dispatch(Event("CALL", lambda _chart: clock.advance(1.0)))


def test_a_chart_that_never_rests_is_named(monkeypatch):
    monkeypatch.setattr(clock_module, "PATIENCE_S", 0.05)
    clock = VirtualClock()

    def for_ever(chart):
        chart.post_fifo(Event("CALL", for_ever))

    with ActiveObject("restless", clock=clock) as chart:
        chart.start_at(state)
        chart.post_fifo(Event("CALL", for_ever))
        with pytest.raises(AssertionError, match="restless"):
            clock.advance(1.0)


def test_charts_not_started_or_stopped_are_not_waited_for():
    clock = VirtualClock()
    chart = Hsm("waits", clock=clock)
    chart.post_fifo(Event("CALL", None))
    clock.advance(1.0)
    chart.stop()
    clock.advance(1.0)
    with pytest.raises(ChartError):
        chart.post_fifo(Event("CALL", None))


def test_a_loop_that_a_clock_would_hold_up_is_told_to_advance_it_elsewhere():
    async def main():
        clock = VirtualClock()
        chart = AsyncChart("chart", clock=clock)
        chart.start_at(state)
        await chart.settled()
        heard = []
        chart.post_fifo(Event("CALL", lambda _chart: heard.append(clock.now)), period=1)
        with pytest.raises(UsageError, match=r"asyncio\.to_thread"):
            clock.advance(2)
        assert await asyncio.to_thread(clock.advance, 2) == 2
        await chart.aclose()
        assert heard == [1, 2, 3]

    asyncio.run(main())
