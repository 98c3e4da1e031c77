"""Charts that have ended, or that nobody holds, are let go of by everything in the engine, all by itself."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import tracemalloc
import weakref

import pytest

from farscope.engine import AsyncChart, Chart, Event, Fabric, Runner, Shared, State
from farscope.engine.drivers import at_exit as running_module
from farscope.engine.timers.thread_clock import ThreadClock
from farscope.records.current_step import running
from farscope.testing.waiting import eventually

FAR_S = 3_600.0


class Session(Chart):
    idle = State(initial=True)
    busy = State()
    idle.on("GO", to=busy)
    busy.on("DONE", to=idle)
    seen = Shared(int)


class AsyncSession(AsyncChart):
    idle = State(initial=True)
    busy = State()
    idle.on("GO", to=busy)
    busy.on("DONE", to=idle)


class Surroundings:
    """What sessions share, and how much of them is left in it."""

    def __init__(self) -> None:
        self.fabric = Fabric()
        self.clock = ThreadClock()
        self.sessions = []

    def note(self, chart):
        chart.subscribe("NEWS")
        chart.post_fifo(Event("GO"))
        chart.post_fifo(Event("DONE", payload=[0]), period=FAR_S)
        self.sessions.append(weakref.ref(chart))

    def left(self):
        return {
            "charts": sum(session() is not None for session in self.sessions),
            "subscriptions": self.fabric.subscriptions,
            "timers": len(self.clock._schedule),
            "kept timers": max(0, len(self.clock._schedule._heap) - 2),
            "running": len(running_module._running),
        }


NOTHING = dict.fromkeys(("charts", "subscriptions", "timers", "kept timers", "running"), 0)


@pytest.fixture
def surroundings():
    gc.collect()
    gc.disable()
    yield Surroundings()
    gc.enable()


def driven(surroundings, ending):
    chart = Session(threaded=False, fabric=surroundings.fabric, clock=surroundings.clock)
    surroundings.note(chart)
    if ending != "never started":
        chart.start_at()
        chart.complete_circuit()
        chart.seen += 1
    if ending == "stopped":
        chart.stop()


@pytest.mark.parametrize("ending", ["stopped", "dropped", "never started"])
def test_charts_that_their_callers_drive_leave_nothing_without_the_collectors_help(surroundings, ending):
    for _ in range(500):
        driven(surroundings, ending)
    eventually(lambda: surroundings.left() == NOTHING)


@pytest.mark.parametrize("shared", [False, True])
def test_charts_with_threads_and_runners_leave_nothing_when_they_are_stopped(surroundings, shared):
    runner = Runner(2)
    for number in range(100):
        chart = Session(
            runner=runner if shared else None, fabric=surroundings.fabric, clock=surroundings.clock
        )
        surroundings.note(chart)
        chart.start_at()
        eventually(lambda chart=chart: chart.at_rest)
        if number % 2:
            chart.stop()
        else:
            chart.halt()
            chart.join()
        del chart
    eventually(lambda: surroundings.left() == NOTHING, what=f"nothing to be left of {surroundings.left()}")
    assert runner.charts == 0
    assert runner.close()


def test_charts_with_threads_that_were_never_started_leave_a_line_in_the_log_and_nothing_else(
    surroundings, caplog
):
    registered = len(weakref.finalize._registry)
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(100):
            chart = Session(fabric=surroundings.fabric, clock=surroundings.clock)
            surroundings.note(chart)
            del chart
    eventually(lambda: surroundings.left() == NOTHING)
    assert sum("never started" in record.message for record in caplog.records) == 100
    assert len(weakref.finalize._registry) == registered


def test_charts_on_a_loop_leave_nothing_when_they_are_closed(surroundings):
    async def through():
        for _ in range(100):
            async with AsyncSession(fabric=surroundings.fabric) as chart:
                surroundings.note(chart)
                await chart.settled()
            del chart
        await asyncio.sleep(0)

    asyncio.run(through())
    # A task and its coroutine hold each other until the collector comes; the engine holds neither.
    gc.collect()
    assert surroundings.left() == NOTHING


def test_threads_that_come_and_go_leave_nothing(surroundings):
    chart = Session(threaded=False)

    def use():
        chart.post_fifo(Event("GO"))

    for _ in range(500):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        chart._core.queue.clear()
    assert not running


@pytest.mark.parametrize(
    ("before", "count"), [(1_000, 4_000), pytest.param(5_000, 100_000, marks=pytest.mark.soak)]
)
def test_memory_stays_flat_over_short_lived_charts(surroundings, before, count):
    endings = ("stopped", "dropped", "never started")
    for number in range(before):
        driven(surroundings, endings[number % 3])
    surroundings.sessions.clear()
    gc.collect()
    tracemalloc.start()
    for number in range(count):
        driven(surroundings, endings[number % 3])
        surroundings.sessions.clear()
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 200_000
