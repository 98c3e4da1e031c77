"""Timed posts of charts, by a clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import weakref

import pytest

from farscope.engine import AsyncChart, Event, Factory, Hsm, Runner, State, return_status, signals
from farscope.engine.drivers.event_loop import TURN_STEPS
from farscope.engine.timers.thread_clock import ThreadClock
from farscope.errors import ChartError, ChartStopped
from farscope.records.step import Cause
from farscope.testing.clock import VirtualClock
from farscope.testing.waiting import eventually
from support.interrupting import interrupted_everywhere


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


@pytest.mark.parametrize("lifo", [False, True])
@pytest.mark.parametrize("times", [1, 2, None])
def test_what_waits_in_the_queue_is_cancelled_too_and_makes_room(clock, times, lifo):
    chart = make(clock, queue_size=2)
    post = chart.post_lifo if lifo else chart.post_fifo
    clock._charts.clear()
    number = post(Event("T"), period=1.0, times=times)
    chart.post_fifo(Event("U"))
    clock.advance(1.0)
    assert len(chart._core.queue) == 2
    assert chart.cancel_event(number)
    assert len(chart._core.queue) == 1
    chart.post_fifo(Event("V"))
    clock.advance(5.0)
    chart.complete_circuit()
    assert [name for _, name in chart.heard] == ["U", "V"]
    assert chart.rejected == 0
    assert [step.queued for step in chart.steps()[1:]] == [1, 0]
    assert not chart.cancel_event(number)


def test_cancelling_a_signal_takes_what_waits_of_all_its_timers_and_leaves_what_was_posted_by_hand(clock):
    chart = make(clock)
    clock._charts.clear()
    chart.post_fifo(Event("T"), period=1.0, times=1)
    chart.post_fifo(Event("T"), period=1.0)
    chart.post_fifo(Event("U"), period=1.0, times=1)
    chart.post_fifo(Event("T"))
    clock.advance(1.0)
    assert chart.cancel_events(Event("T")) == 2
    clock.advance(1.0)
    chart.complete_circuit()
    assert [name for _, name in chart.heard] == ["T", "U"]


def test_a_first_post_that_is_made_at_once_can_be_cancelled_like_the_others(clock):
    chart = make(clock)
    number = chart.post_fifo(Event("T"), period=1.0, times=1, deferred=False)
    assert chart.cancel_event(number)
    assert not chart.complete_circuit()


def test_an_event_that_is_handled_cannot_be_cancelled_and_the_answer_says_so(clock):
    chart = make(clock)
    answers = []
    number = chart.post_fifo(
        Event("CALL", lambda chart: answers.append(chart.cancel_event(number))), period=1.0, times=1
    )
    clock.advance(1.0)
    assert answers == [False]


def test_what_a_handler_has_put_aside_was_handled_and_comes_back_when_it_is_recalled(clock):
    chart = make(clock)
    event = Event(
        "CALL", lambda chart: chart.heard.append("called") or len(chart.heard) > 1 or chart.defer(event)
    )
    number = chart.post_fifo(event, period=1.0, times=1)
    clock.advance(1.0)
    assert not chart.cancel_event(number)
    assert chart.recall() is event
    chart.complete_circuit()
    assert chart.heard == ["called"] * 2


class Tank:
    """A stay in ``filling`` has a timeout of its own, which ends with the stay."""

    def __init__(self, chart, began, go_on) -> None:
        self.timeouts = []
        states = {name: chart.create(name) for name in ("idle", "filling")}
        states["idle"].catch("FILL", lambda chart, _e: chart.trans("filling"))
        states["filling"].catch("ENTRY_SIGNAL", self.arm).catch("EXIT_SIGNAL", self.disarm)
        states["filling"].catch("TIMEOUT", self.time_out).catch("FULL", lambda chart, _e: chart.trans("idle"))
        states["filling"].catch("REPORT", lambda _chart, _e: began() or go_on() or return_status.HANDLED)
        for name in states:
            chart.nest(name, parent=None)

    def arm(self, chart, _e):
        self.number = chart.post_fifo(Event("TIMEOUT"), period=0.001, times=1)
        return return_status.HANDLED

    def disarm(self, chart, _e):
        self.cancelled = chart.cancel_event(self.number)
        return return_status.HANDLED

    def time_out(self, chart, _e):
        self.timeouts.append(chart.current_state())
        return return_status.HANDLED


@pytest.mark.parametrize("driver", ["thread", "runner"])
def test_a_timeout_that_comes_during_a_slow_handler_ends_with_the_stay_it_belongs_to(driver):
    began, go_on = threading.Event(), threading.Event()
    runner = Runner(1) if driver == "runner" else None
    chart = Factory("tank", runner=runner)
    tank = Tank(chart, began.set, lambda: go_on.wait(20) and None)
    with runner or contextlib.nullcontext(), chart:
        chart.start_at("idle")
        for name in ("FILL", "REPORT", "FULL"):
            chart.post_fifo(Event(name))
        assert began.wait(20)
        eventually(lambda: len(chart._core.queue) == 2, what="the timeout to wait behind FULL")
        go_on.set()
        eventually(lambda: chart.at_rest)
        assert tank.cancelled
        assert not tank.timeouts
        assert chart.current_state() == "idle"


def test_a_timeout_of_a_chart_on_a_loop_that_waits_is_cancelled_too():
    async def through():
        began, go_on = asyncio.Event(), asyncio.Event()

        class Tank(AsyncChart):
            idle = State(initial=True)
            filling = State()
            idle.on("FILL", to=filling)
            filling.on("FULL", to=idle)
            timeouts = 0

            @filling.entry
            def arm(self):
                self.number = self.post_fifo(Event("TIMEOUT"), period=0.001, times=1)

            @filling.exit
            def disarm(self):
                self.cancelled = self.cancel_event(self.number)

            @filling.on("REPORT")
            async def report(self):
                began.set()
                await go_on.wait()

            @idle.on("TIMEOUT")
            def late(self):
                self.timeouts += 1

        async with Tank("tank") as tank:
            for name in ("FILL", "REPORT", "FULL"):
                tank.post_fifo(Event(name))
            await began.wait()
            while len(tank._core.queue) < 2:  # noqa: ASYNC110 - the clock's post gives no sign
                await asyncio.sleep(0.001)
            go_on.set()
            await tank.settled()
            assert tank.cancelled
            assert not tank.timeouts

    asyncio.run(through())


def test_what_is_cancelled_between_two_turns_on_a_loop_is_not_handled():
    async def through():
        chart = AsyncChart("turns", queue_size=1_000)
        heard = []

        def state(chart, e):
            if e.signal_name in ("A", "T"):
                heard.append(e.signal_name)
                return return_status.HANDLED
            chart.temp.fun = chart.top
            return return_status.SUPER

        chart.start_at(state)
        await chart.started()
        for _ in range(TURN_STEPS):
            chart.post_fifo(Event("A"))
        number = chart.post_fifo(Event("T"), period=1.0, times=1, deferred=False)
        while len(heard) < TURN_STEPS:  # noqa: ASYNC110 - exactly one turn is to pass
            await asyncio.sleep(0)
        assert chart.cancel_event(number)
        await chart.settled()
        await chart.aclose()
        assert heard == ["A"] * TURN_STEPS

    asyncio.run(through())


def test_of_a_timer_and_who_cancels_it_anywhere_in_between_one_has_the_event():
    # Cancelled at every instruction of the post; posted and handled at every one of the cancelling.
    outcomes = set()

    def run(interrupting, post_first):
        clock = VirtualClock()
        chart = make(clock)
        clock._charts.clear()
        number = chart.post_fifo(Event("T"), period=1.0, times=1)
        answers = []

        def cancel():
            answers.append(chart.cancel_event(number))

        def post():
            clock.advance(1.0)
            if not post_first:
                chart.complete_circuit()

        if interrupting(*((post, cancel) if post_first else (cancel, post))):
            chart.complete_circuit()
            assert answers == [not chart.heard]
            assert not chart._core.queue
            assert not chart._core.mailbox.timed._waiting
            outcomes.add((post_first, bool(chart.heard)))

    assert interrupted_everywhere(lambda interrupting: run(interrupting, True)) > 50
    assert interrupted_everywhere(lambda interrupting: run(interrupting, False)) > 20
    assert outcomes == {(True, False), (False, False), (False, True)}


def test_threads_that_cancel_while_the_clock_posts_never_see_an_event_after_a_yes():
    wrong, handled, cancelled = [], 0, 0
    clock = ThreadClock()
    clock.now = 0
    with make(clock, threaded=True) as chart:
        for _ in range(150):
            seen = []
            number = chart.post_fifo(
                Event("CALL", lambda _chart, seen=seen: seen.append(1)), period=0.0001, times=1
            )
            for _ in range(random.randrange(300)):  # noqa: S311 - any moment will do
                pass
            answer = chart.cancel_event(number)
            if answer:
                cancelled += 1
                chart.post_fifo(Event("T"))
                eventually(lambda: chart.at_rest, what="the chart to rest")
                wrong += seen
            else:
                handled += 1
                eventually(lambda seen=seen: seen, what="the event to be handled")
    assert not wrong
    assert handled + cancelled == 150


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
    assert len(chart._core.mailbox.timed) == 100
    clock.advance(1.0)
    assert len(chart._core.mailbox.timed) == 0
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
