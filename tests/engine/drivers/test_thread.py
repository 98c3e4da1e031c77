"""Charts with a thread: nothing is lost, they end safely, and failures are reported."""

from __future__ import annotations

import logging
import threading
from collections import deque

import pytest

from farscope.engine import ActiveObject, Event, Factory, return_status, signals
from farscope.errors import ChartError, ChartStopped
from farscope.records.shape import StepKind
from farscope.records.step import Cause

SOON_S = 20.0


@pytest.fixture
def running():
    """Give a maker of running charts whose state calls the payload of CALL with the chart."""
    charts = []

    def state(chart, e):
        if e.signal == signals.CALL:
            e.payload(chart)
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    def make(name="runner", cls=ActiveObject, watcher=None, **options):
        chart = cls(name, **options)
        charts.append(chart)
        if watcher is not None:
            chart.attach(watcher)
        chart.start_at(state)
        return chart

    yield make
    for chart in charts:
        chart.stop()


def call(chart, what):
    chart.post_fifo(Event("CALL", payload=what))


def caught_up(chart):
    """Wait until the chart has reacted to all that was posted so far."""
    done = threading.Event()
    call(chart, lambda _chart: done.set())
    assert done.wait(SOON_S)


def test_the_thread_is_a_daemon_named_after_the_chart_and_runs_its_handlers(running):
    chart = running("named")
    assert chart.thread.name == "named"
    assert chart.thread.daemon
    threads = []
    call(chart, lambda _chart: threads.append(threading.current_thread()))
    caught_up(chart)
    assert threads == [chart.thread]


def test_nothing_posted_by_many_threads_is_lost_or_put_out_of_its_posters_order(running):
    chart = running()
    heard = []
    room = threading.Semaphore(300)

    def hear(item):
        heard.append(item)
        room.release()

    def post(poster):
        for number in range(1_000):
            room.acquire()
            call(chart, lambda _chart, item=(poster, number): hear(item))

    threads = [threading.Thread(target=post, args=(poster,)) for poster in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    caught_up(chart)
    for poster in range(4):
        assert [number for who, number in heard if who == poster] == list(range(1_000))


def test_each_single_post_to_a_sleeping_chart_wakes_it(running):
    chart = running()
    for _ in range(2_000):
        caught_up(chart)


def test_an_event_posted_just_as_the_chart_finds_its_queue_empty_is_not_overlooked():
    heard = threading.Event()

    def state(chart, e):
        if e.signal == signals.LATE:
            heard.set()
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    class Queue(deque):
        """Says that it is empty, while at that moment another thread posts."""

        late = True

        def popleft(self):
            if self.late and not self:
                self.late = False
                poster = threading.Thread(target=lambda: chart.post_fifo(Event("LATE")))
                poster.start()
                poster.join()
                raise IndexError
            return super().popleft()

    with ActiveObject("sleepy") as chart:
        chart._core.queue = chart._core.mailbox.queue = Queue()
        chart.start_at(state)
        assert heard.wait(SOON_S)


def test_two_charts_that_post_to_each_other_name_each_other_as_cause(running):
    ping, pong = running("ping"), running("pong")
    done = threading.Event()

    def from_pong(_pong):
        call(ping, lambda _ping: done.set())

    call(ping, lambda _ping: call(pong, from_pong))
    assert done.wait(SOON_S)
    caught_up(ping)
    serial = {chart.name: chart.steps()[0].chart.serial for chart in (ping, pong)}
    assert pong.steps()[1].cause == Cause(serial["ping"], 2)
    assert ping.steps()[1].cause is None
    assert ping.steps()[2].cause == Cause(serial["pong"], 2)


def test_stopping_from_outside_ends_the_thread_and_tells_the_watchers(running, watcher):
    chart = running(watcher=watcher)
    caught_up(chart)
    assert chart.stop() is None
    assert not chart.thread.is_alive()
    assert watcher.told[-1][0] == "stopped"
    chart.stop()
    assert [told[0] for told in watcher.told].count("stopped") == 1
    with pytest.raises(ChartStopped):
        call(chart, None)


def test_stopping_from_inside_a_handler_ends_the_chart_behind_that_step(running, watcher):
    chart = running(watcher=watcher)
    joined = []
    call(chart, lambda chart: (chart.stop(), joined.append(chart.join())))
    assert chart.join(SOON_S)
    assert joined == [False]
    assert [told[0] for told in watcher.told][-2:] == ["step", "stopped"]


def test_stopping_waits_for_the_step_that_runs_and_no_longer_than_it_was_told(running, caplog):
    chart = running()
    begun, go_on = threading.Event(), threading.Event()
    call(chart, lambda _chart: (begun.set(), go_on.wait(SOON_S)))
    assert begun.wait(SOON_S)
    with caplog.at_level(logging.WARNING, logger="farscope"):
        chart.stop(timeout_s=0.01)
    assert "did not end its step" in caplog.text
    go_on.set()
    assert chart.join(SOON_S)


def test_a_chart_can_be_stopped_before_its_start():
    chart = ActiveObject()
    assert not chart.join()
    chart.stop()
    assert chart.join()


def test_a_handler_that_raises_ends_the_chart_and_is_told_everywhere(running, watcher, caplog):
    chart = running(watcher=watcher)
    with caplog.at_level(logging.ERROR, logger="farscope"):
        call(chart, lambda _chart: 1 / 0)
        assert chart.join(SOON_S)
    assert isinstance(chart.failure, ZeroDivisionError)
    assert chart.stop() is chart.failure
    assert chart.steps()[-1].kind is StepKind.FAILED
    assert "ZeroDivisionError" in chart.steps()[-1].texts[-1]
    assert "chart runner stops: a handler raised" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert [told[0] for told in watcher.told][-2:] == ["step", "stopped"]


def test_a_chart_may_go_on_after_a_failure_in_the_state_it_rested_in(running):
    chart = running(on_error="continue")
    call(chart, lambda _chart: 1 / 0)
    caught_up(chart)
    assert chart.failure is None
    assert [step.kind for step in chart.steps()[1:]] == [StepKind.FAILED, StepKind.HOOK]


def test_a_start_that_fails_raises_to_the_caller_and_leaves_no_thread():
    def state(chart, e):
        if e.signal == signals.ENTRY_SIGNAL:
            raise RuntimeError("cold")
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = ActiveObject()
    with pytest.raises(RuntimeError, match="cold"):
        chart.start_at(state)
    assert chart.thread is None


def test_what_was_posted_before_the_start_is_reacted_to_behind_it(running):
    class Early(ActiveObject):
        def __init__(self, name) -> None:
            super().__init__(name)
            self.ran = threading.Event()
            call(self, lambda chart: chart.ran.set())

    assert running(cls=Early).ran.wait(SOON_S)


def test_a_chart_with_its_own_thread_cannot_be_driven_by_others(running):
    chart = running()
    for drive in (lambda: chart.dispatch(Event("A")), chart.next_rtc, chart.complete_circuit):
        with pytest.raises(ChartError, match="runs on its own thread"):
            drive()


def test_a_factory_without_a_thread_is_driven_by_its_caller():
    chart = Factory("driven", threaded=False)
    chart.nest(chart.create("one").to_method(), parent=None).start_at("one")
    chart.post_fifo(Event("A"))
    assert chart.next_rtc()
    assert chart.thread is None
    assert chart.stop() is None
    assert chart.join()


def test_a_post_from_the_thread_that_started_a_chart_is_no_doing_of_the_step_that_runs(running):
    chart = running()
    begun, go_on = threading.Event(), threading.Event()
    call(chart, lambda _chart: (begun.set(), go_on.wait(SOON_S)))
    assert begun.wait(SOON_S)
    chart.post_fifo(Event("LATER"))
    chart.scribble("from outside")
    go_on.set()
    caught_up(chart)
    chart.stop()
    assert chart.steps()[1].spy()[:-1] == ["CALL:state", "CALL:state:HOOK"]
    assert chart.steps()[2].cause is None
