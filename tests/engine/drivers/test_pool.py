"""Charts that share threads: each makes one step at a time, and all get their turn."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref

import pytest

from farscope.engine import ActiveObject, AsyncChart, Event, Factory
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.state import State
from farscope.engine.drivers.pool import Runner
from farscope.errors import AlreadyStarted, ChartError, UsageError
from farscope.records.shape import StepKind

SOON_S = 20


class Counter(Chart):
    """Counts, and finds out if two of its steps run at once."""

    count = 0
    overlaps = 0
    inside = False

    rest = State(initial=True)

    @rest.on("ADD")
    def add(self):
        self.overlaps += self.inside
        self.inside = True
        self.count += 1
        self.inside = False

    @rest.on("PASS")
    def hand_on(self, e):
        others, left = e.payload
        self.count += 1
        if left:
            others[(left * 7 + self.count) % len(others)].post_fifo(Event("PASS", (others, left - 1)))
        else:
            others[0].done.set()

    @rest.on("BLOCK")
    def block(self, e):
        entered, gate = e.payload
        entered.set()
        gate.wait(SOON_S)

    @rest.on("BREAK")
    def fail(self):
        raise RuntimeError("broken")

    @rest.on("STOP")
    def end(self):
        self.ended_at_once = self.stop() is None and not self.join(SOON_S)

    @rest.on("TELL")
    def tell(self, e):
        e.payload.set()


def told(chart) -> threading.Event:
    event = threading.Event()
    chart.post_fifo(Event("TELL", event))
    return event


def blocked(chart) -> threading.Event:
    """Return what lets the chart go on from the handler it is in."""
    entered, gate = threading.Event(), threading.Event()
    chart.post_fifo(Event("BLOCK", (entered, gate)))
    assert entered.wait(SOON_S)
    return gate


def started(runner, count=1, **options):
    charts = [Counter(f"c{number}", runner=runner, **options) for number in range(count)]
    for chart in charts:
        chart.start_at()
    return charts


def test_events_from_many_threads_are_counted_once_each_by_one_step_at_a_time():
    with Runner(threads=4) as runner:
        charts = started(runner, 20, queue_size=10_000, instrumented=False)

        def post():
            for number in range(2_000):
                charts[number % 20].post_fifo(Event("ADD"))

        posters = [threading.Thread(target=post) for _ in range(4)]
        for poster in posters:
            poster.start()
        for poster in posters:
            poster.join()
        assert all(told(chart).wait(SOON_S) for chart in charts)
        assert [chart.count for chart in charts] == [400] * 20
        assert sum(chart.overlaps for chart in charts) == 0


def test_charts_that_post_to_one_another_lose_no_wake_up():
    with Runner(threads=3, turn_steps=2) as runner:
        charts = started(runner, 50)
        charts[0].done = threading.Event()
        charts[0].post_fifo(Event("PASS", (charts, 5_000)))
        assert charts[0].done.wait(SOON_S)
        assert sum(chart.count for chart in charts) == 5_001


def test_a_busy_chart_lets_the_others_have_their_turn():
    class Endless(Chart):
        rest = State(initial=True)

        @rest.on("AGAIN")
        def again(self):
            self.post_fifo(Event("AGAIN"))

    with Runner(threads=1, turn_steps=5) as runner:
        endless = Endless("endless", runner=runner)
        endless.start_at()
        endless.post_fifo(Event("AGAIN"))
        (other,) = started(runner)
        assert told(other).wait(SOON_S)
        assert told(other).wait(SOON_S)


def test_a_turn_is_at_most_so_many_steps():
    with Runner(threads=1, turn_steps=3) as runner:
        first, second = started(runner, 2)
        order = []
        gate = blocked(first)
        for chart in (first, second):
            chart.register_live_trace_callback(order.append)
            for number in range(4):
                chart.post_fifo(Event("ADD", number))
        for chart in (first, second):
            chart.register_live_spy_callback(
                lambda line, name=chart.name: order.append(name) if line.endswith(":HOOK") else None
            )
            chart.live_spy = True
        gate.set()
        assert told(first).wait(SOON_S)
        assert told(second).wait(SOON_S)
    assert order[:9] == ["c0"] * 3 + ["c1"] * 3 + ["c0"] * 3


def test_a_thousand_charts_need_only_the_runners_threads():
    before = threading.active_count()
    with Runner(threads=2) as runner:
        charts = started(runner, 1_000)
        assert threading.active_count() == before + 2
        assert all(told(chart).wait(SOON_S) for chart in charts)
        assert {chart.thread for chart in charts} <= set(runner.threads)
        assert runner.charts == 1_000
    assert threading.active_count() == before
    assert all(chart.join() for chart in charts)


def test_a_chart_whose_handler_raises_ends_alone_or_goes_on(caplog):
    with Runner(threads=2) as runner:
        (stops,) = started(runner)
        (goes_on,) = started(runner, on_error="continue")
        for chart in (stops, goes_on):
            chart.post_fifo(Event("BREAK"))
        assert stops.join(SOON_S)
        assert isinstance(stops.failure, RuntimeError)
        assert stops.steps()[-1].kind is StepKind.FAILED
        assert told(goes_on).wait(SOON_S)
        assert runner.charts == 1


def test_stopping_waits_for_the_step_that_runs(watcher):
    with Runner(threads=1) as runner:
        (chart,) = started(runner)
        chart.attach(watcher)
        gate = blocked(chart)
        chart.post_fifo(Event("ADD"))
        threading.Timer(0.01, gate.set).start()
        assert chart.stop() is None
        assert gate.is_set()
        assert chart.count == 0
        assert watcher.told[-1][0] == "stopped"


def test_a_handler_may_stop_its_own_chart_and_others_of_its_runner():
    with Runner(threads=1) as runner:
        one, two = started(runner, 2)
        one.post_fifo(Event("STOP"))
        assert one.join(SOON_S)
        assert one.ended_at_once

        def stop_both(chart, e):
            one.stop()
            two.stop()
            e.payload.set()

        part = Factory("part", runner=runner)
        state = part.create("part").catch("GO", lambda chart, e: stop_both(chart, e) or 4).to_method()
        part.nest(state, parent=None).start_at(state)
        part.post_fifo(Event("GO", done := threading.Event()))
        assert done.wait(SOON_S)
        assert two.join(SOON_S)


def test_closing_ends_charts_and_threads_and_twice_changes_nothing(caplog):
    runner = Runner(threads=2)
    (chart,) = started(runner)
    threads = runner.threads
    gate = blocked(chart)
    assert not runner.close(timeout_s=0.01)
    assert "1 charts of" in caplog.text
    assert "did not end their steps within 0.01 seconds" in caplog.text
    gate.set()
    assert runner.close()
    assert not any(thread.is_alive() for thread in threads)
    with pytest.raises(ChartError, match="the runner was closed"):
        Counter("late", runner=runner).start_at()
    assert "closed" in repr(runner)


def test_a_runner_nobody_holds_ends_its_threads():
    runner = Runner(threads=2)
    (chart,) = started(runner)
    threads = runner.threads
    chart.stop()
    del chart, runner
    for thread in threads:
        thread.join(SOON_S)
        assert not thread.is_alive()


def test_a_stopped_chart_is_not_held_by_its_runner():
    with Runner(threads=1) as runner:
        (chart,) = started(runner)
        chart.stop()
        gone = weakref.ref(chart)
        del chart
        other = started(runner)[0]
        assert told(other).wait(SOON_S)
        assert gone() is None


def test_a_start_that_fails_leaves_nothing_with_the_runner():
    with Runner(threads=1) as runner:
        with pytest.raises(ChartError):
            ActiveObject("nowhere", runner=runner).start_at(42)
        assert runner.charts == 0
        (chart,) = started(runner)
        with pytest.raises(AlreadyStarted):
            chart.start_at()
        assert runner.charts == 1


def test_a_chart_on_a_runner_cannot_be_driven_by_others():
    with Runner(threads=1) as runner:
        (chart,) = started(runner)
        with pytest.raises(ChartError, match="own thread"):
            chart.dispatch(Event("ADD"))


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"turn_steps": 0}])
def test_a_runner_needs_threads_and_steps(wrong):
    with pytest.raises(UsageError):
        Runner(**wrong)


FORKS = """
import os
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.state import State
from farscope.engine.drivers.pool import Runner
from farscope.errors import ChartError
class Door(Chart):
    shut = State()
runner = Runner(threads=1)
Door(runner=runner).start_at()
pid = os.fork()
try:
    Door(runner=runner).start_at()
except ChartError as error:
    print(error.message, flush=True)
if pid:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_runner_runs_no_chart_that_is_driven_otherwise():
    with Runner() as runner:
        for make in (lambda: Counter(threaded=False, runner=runner), lambda: AsyncChart(runner=runner)):
            with pytest.raises(UsageError, match="has no thread"):
                make()


def test_a_runner_does_not_survive_a_fork():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("the threads of <Runner 1: 1 threads, 1 charts> are those of process ")


def test_a_program_that_just_ends_does_not_hang_on_its_runner():
    program = """
from farscope.engine import Event
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.state import State
from farscope.engine.drivers.pool import Runner
class Endless(Chart):
    rest = State(initial=True)
    @rest.on("AGAIN")
    def again(self):
        self.post_fifo(Event("AGAIN"))
runner = Runner(threads=2)
for _ in range(10):
    chart = Endless(runner=runner); chart.start_at(); chart.post_fifo(Event("AGAIN"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SOON_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
