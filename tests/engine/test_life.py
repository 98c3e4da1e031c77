"""How charts begin, fail, run full and end."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
import uuid
import weakref

import pytest

from farscope.engine import ActiveObject, Event, Factory, Hsm, return_status, signals
from farscope.engine.drivers import at_exit as running
from farscope.errors import ChartError, ChartStopped, QueueFull, UsageError
from farscope.records.shape import StepKind

SOON_S = 20.0


def state(chart, e):
    if e.signal == signals.CALL:
        e.payload(chart)
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def started(cls=ActiveObject, name="mortal", **options):
    chart = cls(name, **options)
    chart.start_at(state)
    return chart


def call(chart, what):
    chart.post_fifo(Event("CALL", payload=what))


def caught_up(chart):
    done = threading.Event()
    call(chart, lambda _chart: done.set())
    assert done.wait(SOON_S)


@pytest.mark.parametrize("cls", [Hsm, ActiveObject])
def test_leaving_the_block_ends_the_chart_also_by_an_error(cls):
    with pytest.raises(RuntimeError), started(cls) as chart:
        raise RuntimeError
    with pytest.raises(ChartStopped):
        call(chart, None)


def test_a_function_decides_about_each_failure_on_the_charts_thread(caplog):
    asked = []

    def decide(chart, event, error):
        asked.append((chart.name, event.signal_name, type(error), threading.current_thread()))
        return "continue" if len(asked) < 3 else "stop"

    with started(on_error=decide) as chart, caplog.at_level(logging.ERROR, logger="farscope"):
        for _ in range(3):
            call(chart, lambda _chart: 1 / 0)
        assert chart.join(SOON_S)
        assert asked == [("mortal", "CALL", ZeroDivisionError, chart.thread)] * 3
        assert isinstance(chart.failure, ZeroDivisionError)
        assert [step.kind for step in chart.steps()[1:]] == [StepKind.FAILED] * 3
        assert caplog.text.count("a handler raised") == 1


@pytest.mark.parametrize("verdict", [lambda *_: "perhaps", lambda *_: None, lambda *_: 1 / 0])
def test_a_function_that_decides_nothing_or_fails_itself_ends_the_chart(verdict, caplog):
    with started(on_error=verdict) as chart:
        call(chart, lambda _chart: [].pop())
        assert chart.join(SOON_S)
    assert isinstance(chart.failure, IndexError)
    assert "chart mortal stops" in caplog.text


@pytest.mark.parametrize("on_error", ["continue", lambda *_: "continue"])
def test_a_handler_that_leaves_by_system_exit_always_ends_the_chart(on_error):
    with started(on_error=on_error) as chart:
        call(chart, lambda _chart: sys.exit(3))
        assert chart.join(SOON_S)
    assert isinstance(chart.failure, SystemExit)


def test_a_chart_driven_by_its_caller_raises_to_the_caller_and_goes_on():
    chart = Factory("driven", threaded=False, on_error="stop")
    chart.start_at(state)
    with pytest.raises(ZeroDivisionError):
        chart.dispatch(Event("CALL", lambda _chart: 1 / 0))
    heard = []
    chart.dispatch(Event("CALL", lambda _chart: heard.append(1)))
    assert heard == [1]


def test_a_post_that_drops_is_counted_and_told_once_a_signal_in_the_next_step():
    chart = started(Hsm, queue_size=3, on_full="drop")
    for name in ("A", "A", "CALL", "B", "B", "C"):
        chart.post_fifo(Event(name, payload=lambda _chart: None))
    chart.post_lifo(Event("D"))
    assert chart.rejected == 4
    chart.complete_circuit()
    told = [line for line in chart.spy() if line.startswith("REFUSED")]
    assert told == [f"REFUSED_POST:{name}:dropped" for name in ("B", "C", "D")]


def test_a_handler_that_fills_its_own_queue_leaves_the_fact_in_its_own_step():
    chart = started(Hsm, queue_size=1, on_full="drop")
    chart.dispatch(Event("CALL", lambda chart: [chart.post_fifo(Event("A")) for _ in range(2)]))
    assert chart.steps()[-1].spy()[:3] == ["CALL:state", "POST_FIFO:A", "REFUSED_POST:A:dropped"]
    assert chart.rejected == 1


def test_without_recording_refused_posts_are_counted_all_the_same():
    chart = started(Hsm, queue_size=1, instrumented=False)
    chart.post_fifo(Event("A"))
    with pytest.raises(QueueFull) as caught:
        chart.post_fifo(Event("B"))
    assert caught.value.capacity == 1
    assert chart.rejected == 1


def test_a_recall_without_room_keeps_the_event_aside():
    chart = started(Hsm, queue_size=1, on_full="drop")
    chart.defer(Event("A"))
    chart.post_fifo(Event("B"))
    assert chart.recall() is None
    chart.complete_circuit()
    assert chart.recall().signal_name == "A"


def test_rings_hold_as_much_as_they_are_told():
    chart = started(Hsm, ring_size=3)
    for _ in range(10):
        chart.dispatch(Event("CALL", lambda _chart: None))
    assert chart.rings == (3, 8, 1, 0)
    assert len(chart.spy()) == 3
    assert started(Hsm, ring_size=0).spy() == []


async def decide(_chart, _e, _error):
    """Be no policy."""


@pytest.mark.parametrize(
    "options",
    [
        {"queue_size": 0},
        {"ring_size": -1},
        {"on_full": "wait"},
        {"on_error": "shrug"},
        {"on_error": decide},
        {"queue": 5},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(UsageError):
        ActiveObject(**options)


def test_a_chart_that_its_caller_drives_refuses_the_options_of_those_that_run_by_themselves():
    with pytest.raises(UsageError, match="on_error is not an option of a chart that its caller drives"):
        Hsm(on_error="continue")


@pytest.mark.parametrize("cls", [Hsm, ActiveObject, Factory])
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_charts_cannot_be_copied_or_pickled(cls, way):
    with pytest.raises(ChartError, match="cannot be copied or pickled"):
        way(cls("unique"))


@pytest.mark.parametrize("instrumented", [True, False])
def test_a_step_that_stops_its_own_chart_still_goes_where_it_leads(instrumented):
    chart = Factory("driven", instrumented, threaded=False)

    def leave(chart, _e):
        status = chart.trans("there")
        chart.stop()
        return status

    here = chart.create("here").catch("LEAVE", leave).to_method()
    there = chart.create("there").to_method()
    chart.nest(here, parent=None).nest(there, parent=None).start_at(here)
    chart.dispatch(Event("LEAVE"))
    assert chart.current_state() == "there"
    with pytest.raises(ChartStopped):
        chart.dispatch(Event("LEAVE"))


@pytest.mark.parametrize("at", [1, 2])
def test_a_chart_stopped_by_who_watches_it_tells_its_end_once(at, watcher):
    class Stopper(type(watcher)):
        def step(self, step):
            super().step(step)
            if step[1] == at:
                chart.stop()

    chart, stopper = Hsm("mortal"), Stopper()
    chart.attach(stopper)
    chart.start_at(state)
    if at > 1:
        chart.dispatch(Event("A"))
    assert [told[0] for told in stopper.told] == ["announce", *["step"] * at, "stopped"]
    with pytest.raises(ChartStopped):
        chart.dispatch(Event("A"))


@pytest.mark.parametrize("instrumented", [True, False])
def test_a_chart_stopped_by_a_handler_that_then_raises_ends_all_the_same(instrumented, watcher):
    def stop_and_break(chart):
        chart.stop()
        raise RuntimeError("on the way out")

    chart = started(Hsm, instrumented=instrumented)
    with pytest.raises(RuntimeError):
        chart.dispatch(Event("CALL", payload=stop_and_break))
    assert chart.at_rest
    assert not chart._core.algorithm.cache.nodes


def test_a_chart_stopped_in_its_first_entry_ends_and_tells_its_watchers(watcher):
    def brief(chart, e):
        if e.signal == signals.ENTRY_SIGNAL:
            chart.stop()
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    for cls in (Hsm, ActiveObject):
        chart = cls("brief")
        chart.attach(watcher)
        chart.start_at(brief)
        chart.stop()
        assert [told[0] for told in watcher.told] == ["announce", "step", "stopped"]
        watcher.told.clear()


class Methodical(ActiveObject):
    """A chart whose states are its own methods, so that what it remembers leads back to it."""

    def outer(self, e):
        status = return_status.HANDLED
        if e.signal == signals.FAIL:
            raise RuntimeError
        if e.signal == signals.INIT_SIGNAL:
            status = self.trans(self.inner)
        elif e.signal != signals.A:
            status, self.temp.fun = return_status.SUPER, self.top
        return status

    def inner(self, e):
        if e.signal == signals.B:
            return self.trans(self.outer)
        self.temp.fun = self.outer
        return return_status.SUPER


class Assembled(Factory):
    """The same, built by parts."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.inner = self.create("inner").catch("B", self.on_b).catch("FAIL", self.on_fail).to_method()
        self.outer = self.create("outer").catch("A", self.on_a).to_method()
        self.nest(self.outer, parent=None).nest(self.inner, parent=self.outer)

    def on_a(self, _e):
        return return_status.HANDLED

    def on_b(self, _e):
        return self.trans(self.inner)

    def on_fail(self, _e):
        raise RuntimeError


@pytest.mark.parametrize("cls", [Methodical, Assembled])
@pytest.mark.parametrize("end", ["stop", "failure"])
def test_a_stopped_chart_is_freed_without_the_garbage_collector(cls, end, caplog):
    gc.disable()
    try:
        chart = cls("fleeting")
        chart.start_at(chart.inner)
        chart.subscribe("A")
        chart.post_fifo(Event("A", payload=chart), period=3_600.0)
        chart.defer(Event("A", payload=chart))
        for name in ("A", "B", "NOPE", "A", "B"):
            chart.post_fifo(Event(name))
        if end == "failure":
            chart.post_fifo(Event("FAIL"))
            chart.join(SOON_S)
            caplog.clear()
        chart.stop()
        assert chart.is_in("outer")
        assert chart.is_in(chart.outer)
        assert chart.current_state() == "inner"
        assert chart.spy()
        gone = weakref.ref(chart)
        del chart
        assert gone() is None
    finally:
        gc.enable()


def test_memory_is_flat_over_many_steps():
    flat_over(40_000)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_memory_is_flat_over_ten_million_steps():
    flat_over(10_000_000)


def flat_over(steps):
    """Make steps of many kinds, with texts, failures and refused posts, and compare the ends."""
    chart = started(Hsm, "steady", queue_size=5, on_full="drop")
    names = [f"S{number}" for number in range(50)]

    def run(count):
        for number in range(count // 5):
            chart.post_fifo(Event("CALL", lambda chart, number=number: chart.scribble(f"text {number}")))
            chart.post_fifo(Event(names[number % 50], payload=number))
            chart.post_fifo(Event("CALL", lambda chart: chart.defer(Event("A"))))
            chart.post_fifo(Event("CALL", lambda chart: chart.recall()))
            chart.complete_circuit()

    run(10_000)
    gc.collect()
    tracemalloc.start()
    try:
        run(5_000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        run(steps)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000


EXITS = """
import sys, threading, time
from farscope import ActiveObject, Event, return_status, signals

def state(chart, e):
    if e.signal == signals.TALK:
        for _ in range(20):
            sys.stdout.buffer.write(b"talking\\n")  # locked, unlike print: lines of four threads stay whole
        chart.post_fifo(Event("TALK"))
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER

charts = [ActiveObject(f"talker{n}") for n in range(4)]
for chart in charts:
    chart.start_at(state)
    chart.post_fifo(Event("TALK"))
    chart.post_fifo(Event("TICK"), period=0.001)
time.sleep(0.05)
"""


def test_a_program_that_just_ends_while_its_charts_talk_exits_cleanly():
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", EXITS], capture_output=True, text=True, timeout=SOON_S, check=False
        )
        assert done.returncode == 0
        assert done.stderr == ""
        assert done.stdout.endswith("talking\n")


def test_a_program_whose_handler_never_ends_still_exits_soon():
    code = EXITS.replace('sys.stdout.buffer.write(b"talking\\n")', "threading.Event().wait()")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SOON_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_leaves_its_parents_charts_alone_and_can_run_its_own():
    with started() as chart:
        caught_up(chart)
        pid = os.fork()
        if pid == 0:
            ended_well = False
            with started(name="child") as own:
                own.subscribe("A")
                caught_up(own)
                ended_well = running._running == {own}
            running._end_all()
            os._exit(0 if ended_well else 1)
        _, status = os.waitpid(pid, 0)
        assert status == 0
        caught_up(chart)


@pytest.mark.parametrize("threaded", [True, False])
def test_a_chart_without_a_name_is_named_after_its_first_state_as_in_the_seeds_library(threaded):
    names = set()
    for _ in range(2):
        with Factory(threaded=threaded) as chart:
            chart.nest(chart.create("c1").to_method(), parent=None)
            chart.start_at("c1")
            names.add(chart.name)
            assert f"[{chart.name}] e->start_at() top->c1" in chart.trace()
    assert names == {str(uuid.uuid5(uuid.NAMESPACE_DNS, "c1"))[:5]}


def test_a_chart_that_was_named_keeps_its_name():
    with Factory(threaded=False) as chart:
        chart.name = "lamp"
        chart.nest(chart.create("c1").to_method(), parent=None)
        chart.start_at("c1")
        assert chart.name == "lamp"


def test_who_posts_to_a_chart_that_failed_is_told_what_ended_it(caplog):
    chart = started(name="frail")
    call(chart, {"no": "callable"})
    assert chart.join(SOON_S)
    with pytest.raises(ChartStopped, match="ended by what a handler raised: TypeError") as refused:
        call(chart, None)
    assert "chart.failure" in refused.value.hint
    assert caplog.records


def test_before_the_start_a_chart_has_no_state_for_getattr():
    chart = Hsm("early")
    assert getattr(chart, "state", None) is None
    assert not hasattr(chart, "state_name")


def test_what_a_handler_raises_at_an_events_first_use_is_not_told_as_raised_about_something_else():
    def broken(_chart, e):
        if e.signal == signals.CALL:
            raise KeyError("door")
        return state(_chart, e)

    chart = Hsm("frail")
    chart.start_at(broken)
    with pytest.raises(KeyError) as raised:
        chart.dispatch(Event("CALL"))
    assert raised.value.__context__ is None
    assert chart.spy()[-2] == "FAILED:broken:KeyError: 'door'"


def test_a_failure_is_told_by_its_message_rather_than_by_its_hint():
    chart = Hsm("frail")
    chart.start_at(lambda chart, e: None if e.signal == signals.CALL else state(chart, e))
    with pytest.raises(ChartError):
        chart.dispatch(Event("CALL"))
    assert "returned None for CALL" in chart.spy()[-2]
