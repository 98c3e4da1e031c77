"""Finalizers and signal handlers may post and stop in the middle of anything, and nothing else is undone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter

import pytest

from farscope.engine import ActiveObject, Event, Factory, Hsm, Runner, Shared, signals
from farscope.engine.core.life import Life
from farscope.engine.drivers.waiters import Waiters
from farscope.engine.latch import Latch
from farscope.engine.pubsub import Fabric
from farscope.engine.timers.loop_clock import LoopClock
from farscope.engine.timers.schedule import Schedule, Timer
from farscope.engine.timers.thread_clock import ThreadClock
from farscope.errors import ChartStopped, QueueFull
from farscope.records.current_step import StepContext, current_step, running
from farscope.records.tally import Tally
from farscope.testing.waiting import eventually
from support.interrupting import Interruption, interrupted_everywhere

FAR_S = 3_600.0


class Sink:
    def step(self, step):
        """Take a step."""

    def announce(self, chart, structure, state, number, *_):
        """Take an announcement."""

    def stopped(self, chart, _status):
        """Take the end."""


class StillClock:
    """A clock whose timers nobody makes fire."""

    def __init__(self) -> None:
        self.schedule = Schedule()

    def serve(self, chart):
        """Nothing is needed."""

    def now_ns(self):
        return 0

    def add(self, timer, first_ns):
        self.schedule.add(timer, first_ns)

    def remove(self, timer):
        self.schedule.remove(timer)


class World:
    """Charts and what they share, each operation named and possible once for each of two who do it."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.fabric = Fabric()
        self.roomy = Hsm("roomy", fabric=self.fabric, clock=self.clock)
        self.full = Hsm("full", fabric=self.fabric, clock=self.clock, queue_size=1, on_full="drop")
        self.strict = Hsm("strict", fabric=self.fabric, clock=self.clock, queue_size=1)
        for chart in (self.full, self.strict):
            chart.post_fifo(Event("FIRST"))
        self.left = {}
        for who in "ab":
            self.left[who] = Hsm(f"left {who}", fabric=self.fabric)
            self.left[who].subscribe("OLD")
        self.armed = {who: self.roomy.post_fifo(Event("OLD"), period=FAR_S) for who in "ab"}
        self.sinks = {who: Sink() for who in "ab"}
        for who in "ab":
            self.full.attach(self.sinks[who])
        self.heard = Hsm("heard", fabric=self.fabric, queue_size=2)
        self.heard.subscribe("NEWS")

    def post_fifo(self, who):
        self.roomy.post_fifo(Event("FIFO", who))

    def post_lifo(self, who):
        self.roomy.post_lifo(Event("LIFO", who))

    def post_to_a_full_queue(self, who):
        self.full.post_fifo(Event(f"REFUSED_{who}"))

    def post_to_a_full_queue_that_raises(self, who):
        with contextlib.suppress(QueueFull):
            self.strict.post_lifo(Event(f"REFUSED_{who}"))

    def subscribe(self, who):
        getattr(self, "strict" if who == "a" else "full").subscribe("OLD")

    def unsubscribe(self, who):
        assert self.left[who].unsubscribe("OLD")

    def publish(self, who):
        self.fabric.publish(Event("NEWS", who))

    def arm(self, _who):
        self.roomy.post_fifo(Event("NEW"), period=FAR_S)

    def cancel(self, who):
        assert self.roomy.cancel_event(self.armed[who])

    def attach(self, who):
        self.strict.attach(self.sinks[who])

    def detach(self, who):
        self.full.detach(self.sinks[who])

    def stop(self, who):
        self.left[who].stop()

    def outcome(self):
        """Tell all that is to come out the same, in whatever order the operations were done."""
        return {
            "queues": [
                Counter((e.signal_name, e.payload) for e, *_ in chart._core.queue) for chart in self.charts
            ],
            "rejected": [chart.rejected for chart in self.charts],
            "refused": [set(chart._core.step.refused) for chart in self.charts],
            "subscriptions": self.fabric.subscriptions,
            "timers": (len(self.clock.schedule), len(self.roomy._core.mailbox.timed)),
            "observers": [len(chart._core.observers.receivers) for chart in self.charts],
            "stopped": [(chart._core.life is Life.ENDED) for chart in self.charts],
        }

    @property
    def charts(self):
        return [self.roomy, self.full, self.strict, self.heard, *self.left.values()]


OPERATIONS = [
    name for name, value in vars(World).items() if callable(value) and name not in ("__init__", "outcome")
]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_interrupted_by_all_others_anywhere_comes_out_as_if_they_came_one_after_the_other(name):
    def others(world):
        for other in OPERATIONS:
            getattr(world, other)("b")

    one_after_the_other = World()
    getattr(one_after_the_other, name)("a")
    others(one_after_the_other)
    expected = one_after_the_other.outcome()

    def run(interrupting):
        world = World()
        if interrupting(lambda: getattr(world, name)("a"), lambda: others(world)):
            assert world.outcome() == expected

    assert interrupted_everywhere(run) > 5


def test_a_signal_made_while_another_is_made_has_a_number_of_its_own():
    names = iter(range(10**6))

    def run(interrupting):
        number = next(names)
        mine, other = f"MADE_{number}", f"MADE_MEANWHILE_{number}"

        def make_both():
            Event(other)
            Event(mine)

        if interrupting(lambda: Event(mine), make_both):
            assert {Event(mine).signal, Event(other).signal} == {signals[mine], signals[other]}
            assert len({signals[mine], signals[other]}) == 2
            for name in (mine, other):
                assert signals.name_for_signal(signals[name]) == name
                assert getattr(signals, name) == signals[name]
            assert signals.values() == sorted(signals.values())

    assert interrupted_everywhere(run) > 20


def test_a_post_in_the_middle_of_a_threads_very_first_one_finds_its_place():
    def run(interrupting):
        chart = Hsm()
        came = []

        def first_use():
            came.append(interrupting(current_step, lambda: chart.post_fifo(Event("A"))))

        def thread():
            first_use()
            assert threading.get_ident() not in running

        worker = threading.Thread(target=thread)
        worker.start()
        worker.join()
        assert len(chart._core.queue) == sum(came)

    # As many places as there are while another thread runs a step, and each thread has to be told apart.
    running[0] = StepContext(0)
    try:
        assert interrupted_everywhere(run) > 5
    finally:
        del running[0]


def state_of(chart, steps):
    """Give a flat state that runs ``steps`` by signal."""

    def state(_chart, e):
        if e.signal_name in steps:
            steps[e.signal_name]()
            return 4
        chart.temp.fun = chart.top
        return 2

    return state


def test_a_post_anywhere_in_a_step_is_queued_and_the_step_is_recorded_once():
    def run(interrupting):
        chart = Hsm("stepping", queue_size=3)
        chart.start_at(state_of(chart, {"GO": lambda: chart.scribble("going"), "ALSO": list}))
        for _ in range(2):
            chart.post_fifo(Event("GO"))
            chart.next_rtc()
        chart.post_fifo(Event("GO"))
        if interrupting(chart.next_rtc, lambda: chart.post_fifo(Event("ALSO"))):
            chart.complete_circuit()
            assert [step.signal for step in chart.steps()] == ["start_at", "GO", "GO", "GO", "ALSO"]
            assert [step.number for step in chart.steps()] == [1, 2, 3, 4, 5]
            assert [fact.name for step in chart.steps() for fact in step.facts if fact.kind == 9] in (
                [],
                ["ALSO"],
            )

    assert interrupted_everywhere(run) > 50


def test_a_fact_that_a_finalizer_leaves_while_those_of_a_handler_are_taken_is_not_thrown_away():
    posts = []

    def run(interrupting):
        chart = Hsm("noting")
        chart.start_at(state_of(chart, {"GO": lambda: chart.defer(Event("X")), "ALSO": list}))
        for _ in range(2):
            chart.dispatch(Event("GO"))
        if interrupting(lambda: chart.dispatch(Event("GO")), lambda: chart.post_fifo(Event("ALSO"))):
            chart.complete_circuit()
            posts.append(sum(line == "POST_FIFO:ALSO" for line in chart.spy()))

    assert interrupted_everywhere(run) > 50
    # Before and after it is nobody's step: then a post leaves no fact. In between it always does.
    told = "".join(map(str, posts))
    assert set(told.strip("0")) == {"1"}, told


@pytest.mark.parametrize("recorded", [True, False])
def test_a_stop_anywhere_in_a_step_lets_it_end_and_nothing_follow(recorded):
    def run(interrupting):
        heard = []
        chart = Hsm("stopped", instrumented=recorded)
        chart.start_at(state_of(chart, {"GO": lambda: heard.append("GO")}))
        for _ in range(2):
            chart.post_fifo(Event("GO"))
        ends = []
        watcher = Sink()
        watcher.step = lambda step: ends.append(step[2].signal)
        watcher.stopped = lambda _chart, _status: ends.append("end")
        if recorded:
            chart.attach(watcher)
        if interrupting(lambda: step(chart), chart.stop):
            assert chart._core.life is Life.ENDED
            assert chart._core.algorithm.roots == {}
            assert len(heard) <= 1
            if recorded:
                assert ends == [*(["GO"] * len(heard)), "end"]

    def step(chart):
        with contextlib.suppress(ChartStopped):
            chart.next_rtc()

    assert interrupted_everywhere(run) > 50


def test_a_tally_counts_what_comes_in_the_middle_of_counting():
    def run(interrupting):
        tally = Tally()
        came = interrupting(tally.add, tally.add)
        assert tally.value == 1 + came

    assert interrupted_everywhere(run) > 2


def test_a_latch_lets_go_who_is_about_to_wait_for_what_it_is_interrupted_by():
    def run(interrupting):
        latch = Latch()
        interrupting(lambda: latch.wait(0), latch.open)
        assert latch.wait(0) == latch.is_open
        latch.open()
        assert not latch._waiting
        assert latch.wait()

    assert interrupted_everywhere(run) > 10


def test_the_value_of_a_shared_attribute_is_made_once_for_all_who_ask():
    class Counter:
        names = Shared(list)

    def run(interrupting):
        counter = Counter()
        got = []
        if interrupting(lambda: got.append(counter.names), lambda: got.append(counter.names)):
            assert got[0] is got[1] is counter.names

    assert interrupted_everywhere(run) > 10


def test_timers_added_and_removed_in_the_middle_of_taking_are_neither_lost_nor_left():
    def run(interrupting):
        schedule = Schedule()
        timers = [Timer(lambda _timer: None, 1.0, 1) for _ in range(8)]
        for timer in timers[:6]:
            schedule.add(timer, timer.number)
        for timer in timers[:3]:
            schedule.remove(timer)
        taken = []

        def take():
            one = schedule.take(timers[3].number)
            taken.extend([one[0]] if one else [])

        def meanwhile():
            schedule.add(timers[6], timers[6].number)
            schedule.remove(timers[5])

        if interrupting(take, meanwhile):
            assert taken == [timers[3]]
            assert len(schedule) == 2
            while (one := schedule.take(timers[7].number)) is not None:
                taken.append(one[0])
            assert taken == [timers[3], timers[4], timers[6]]

    assert interrupted_everywhere(run) > 50


def test_a_timer_added_while_another_is_added_fires_too():
    clock = ThreadClock()

    def run(interrupting):
        fired = [threading.Event(), threading.Event()]

        def add(number):
            clock.add(Timer(lambda _timer: fired[number].set(), 1.0, 1), clock.now_ns())

        if interrupting(lambda: add(0), lambda: add(1)):
            for one in fired:
                assert one.wait(20)

    assert interrupted_everywhere(run) > 10
    eventually(lambda: not clock._claim.locked(), what="the clock's thread to end")


def test_a_timer_of_a_loop_added_while_another_is_added_or_made_to_fire_fires_too():
    async def through():
        clock = LoopClock()

        def add(done):
            clock.add(Timer(lambda _timer: done.set(), 1.0, 1), clock.now_ns())

        place, came = 0, True
        while came:
            first, second = asyncio.Event(), asyncio.Event()
            add(first)
            interruption = Interruption(place, lambda second=second: add(second))
            interruption.during(clock._set_alarm)
            came = interruption.came
            await asyncio.wait_for(first.wait(), 20)
            if came:
                await asyncio.wait_for(second.wait(), 20)
            place += 1
        assert place > 10

    asyncio.run(through())


def test_a_chart_started_in_the_middle_of_a_runners_first_start_runs():
    def run(interrupting):
        with Runner(1) as runner:
            charts = [Factory(name, runner=runner) for name in "ab"]
            for chart in charts:
                chart.nest(chart.create("rest").catch("GO", lambda _c, _e: 4).to_method(), parent=None)

            def start():
                charts[1].start_at("rest")
                charts[1].post_fifo(Event("GO"))

            if interrupting(lambda: runner.adopt(charts[0]), start):
                eventually(lambda: charts[1].steps_made == 2)
            runner.release(charts[0])

    assert interrupted_everywhere(run) > 10


def test_who_waits_for_something_is_let_go_by_what_interrupts_it():
    async def through():
        place, came = 0, True
        while came:
            waiters, held = Waiters(), [True]

            def let_go(held=held, waiters=waiters):
                held[0] = False
                waiters.release()

            waiting = waiters.wait_while(lambda held=held: held[0])
            interruption = Interruption(place, let_go)
            with contextlib.suppress(StopIteration):
                interruption.during(lambda waiting=waiting: waiting.send(None))
            waiting.close()
            assert not waiters.futures
            came = interruption.came
            place += 1
        assert place > 10

    asyncio.run(through())


def test_a_thread_chart_joined_in_the_middle_of_a_join_is_not_waited_for_twice():
    def run(interrupting):
        chart = ActiveObject("joined")
        chart.start_at(state_of(chart, {}))
        interrupting(chart.stop, chart.stop)
        assert chart.join(0)
        assert not chart.thread.is_alive()

    assert interrupted_everywhere(run) > 20
