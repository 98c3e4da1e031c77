"""In a forked child, a chart that the parent runs refuses to be used; charts not yet started work."""

from __future__ import annotations

import subprocess
import sys

import pytest

SOON_S = 60.0

FAMILY = """
import asyncio, ctypes, os, sys, threading
from farscope import ActiveObject, Event, Factory, Hsm
from farscope.engine import AsyncChart, Chart, Fabric, Runner, Shared, State, locked
from farscope.engine.timers.loop_clock import LoopClock
from farscope.engine.timers.thread_clock import ThreadClock
from farscope.errors import ForeignProcess

PARENT = os.getpid()


def fork(way):
    # The second one is how servers written in C do it: nothing in Python is told.
    return os.fork() if way == "told" else ctypes.PyDLL(None).fork()


def attempt(name, act):
    try:
        came = act()
        if hasattr(came, "send"):
            asyncio.run(came)
    except ForeignProcess as error:
        right = error.pid == PARENT and str(PARENT) in error.message and "after the fork" in error.hint
        print(name, "refused" if right else error, flush=True)
    except BaseException as error:
        print(name, type(error).__name__, error, flush=True)
    else:
        print(name, "accepted", flush=True)


class Lamp(Chart):
    off = State(initial=True)
    on = State()
    off.on("PRESS", to=on)
    on.on("PRESS", to=off)
    level = Shared(int)


class AsyncLamp(AsyncChart):
    off = State(initial=True)
    on = State()
    off.on("PRESS", to=on)
    on.on("PRESS", to=off)


class Sink:
    def step(self, step): pass
    def announce(self, chart, structure, state, number, *_): pass
    def stopped(self, chart, _status): pass


def on_a_loop(chart):
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    async def start():
        chart.start_at()
        await chart.started()
    asyncio.run_coroutine_threadsafe(start(), loop).result(20)
"""

REFUSED = (
    FAMILY
    + """
driver, way = sys.argv[1:]
fabric = Fabric()
runner = Runner(1) if driver == "runner" else None
lamp = AsyncLamp("lamp", fabric=fabric) if driver == "loop" else Lamp("lamp", runner=runner, fabric=fabric)
lamp.subscribe("NEWS")
if driver == "loop":
    on_a_loop(lamp)
else:
    lamp.start_at()
number = lamp.post_fifo(Event("PRESS"), period=3600.0)
pid = fork(way)
if pid == 0:
    other = Hsm("other", fabric=fabric)
    quiet = Hsm("quiet", fabric=fabric)
    quiet.subscribe("NEWS")
    attempt("post_fifo", lambda: lamp.post_fifo(Event("PRESS")))
    attempt("post_fifo again", lambda: lamp.post_fifo(Event("PRESS")))
    attempt("post_lifo", lambda: lamp.post_lifo(Event("PRESS")))
    attempt("timed post", lambda: lamp.post_fifo(Event("PRESS"), period=1.0))
    attempt("cancel_event", lambda: lamp.cancel_event(number))
    attempt("cancel_events", lambda: lamp.cancel_events(Event("PRESS")))
    attempt("publish to it", lambda: other.publish(Event("NEWS")))
    assert len(quiet._core.queue) == 1
    attempt("publish", lambda: lamp.publish(Event("NEWS")))
    attempt("subscribe", lambda: lamp.subscribe("MORE"))
    attempt("dispatch", lambda: lamp.dispatch(Event("PRESS")))
    attempt("next_rtc", lambda: lamp.next_rtc())
    attempt("complete_circuit", lambda: lamp.complete_circuit())
    attempt("start_at", lambda: lamp.start_at())
    attempt("at_rest", lambda: lamp.at_rest)
    attempt("attach", lambda: lamp.attach(Sink()))
    attempt("halt", lambda: lamp.halt())
    attempt("join", lambda: lamp.join())
    attempt("stop", lambda: lamp.stop())
    if driver == "loop":
        attempt("post", lambda: lamp.post(Event("PRESS")))
        attempt("started", lambda: lamp.started())
        attempt("settled", lambda: lamp.settled())
        attempt("aclose", lambda: lamp.aclose())
        attempt("a chart by its clock", lambda: AsyncLamp("new", clock=lamp._driver.follower).__aenter__())
    if runner:
        attempt("close", lambda: runner.close())
        attempt("a chart on it", lambda: Lamp("new", runner=runner).start_at())
        with runner:
            pass
    with lamp:
        pass
    assert lamp.unsubscribe("NEWS")
    other.publish(Event("NEWS"))
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
lamp.post_fifo(Event("PRESS"))
lamp.stop()
print("parent", lamp.steps_made, flush=True)
if runner:
    runner.close()
"""
)

WORKS = (
    FAMILY
    + """
way = sys.argv[1]
clock, runner = ThreadClock(), Runner(1)
clock_in_use = Lamp("elsewhere", clock=clock)
clock_in_use.start_at()
clock_in_use.post_fifo(Event("PRESS"), period=3600.0)
fresh = {"thread": Lamp("thread", clock=clock), "runner": Lamp("runner", runner=runner)}
fresh["loop"] = AsyncLamp("loop")
driven = Lamp("driven", threaded=False)
driven.start_at()
for chart in fresh.values():
    chart.post_fifo(Event("PRESS"))
held = threading.Event()
def hold():
    with locked(driven):
        held.set()
        threading.Event().wait()
if way == "told":
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
pid = fork(way)
if pid == 0:
    for name, chart in fresh.items():
        if name == "loop":
            on_a_loop(chart)
        else:
            chart.start_at()
        turned = threading.Event()
        chart.register_live_trace_callback(lambda line: turned.set() if "->off" in line else None)
        chart.live_trace = True
        chart.post_fifo(Event("PRESS"), period=0.001, times=1)
        assert turned.wait(20), name
        assert chart.stop(20) is None
        print(name, chart.current_state(), chart.steps_made, chart.join(20), flush=True)
    driven.dispatch(Event("PRESS"))
    driven.level += 1
    print("driven", driven.current_state(), driven.level, flush=True)
    assert runner.close()
    sys.exit()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
clock_in_use.stop()
for chart in fresh.values():
    chart.stop()
"""
)


def run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", ["told", "untold"])
@pytest.mark.parametrize("driver", ["thread", "runner", "loop"])
def test_every_use_of_a_chart_that_runs_in_the_parent_says_so_at_once_and_waits_for_nothing(driver, way):
    *child, parent = run(REFUSED, driver, way)
    assert len(child) == {"thread": 18, "runner": 20, "loop": 23}[driver]
    assert not [line for line in child if not line.endswith(" refused")]
    assert parent in ("parent 2", "parent 1")


@pytest.mark.parametrize("way", ["told", "untold"])
def test_charts_runners_and_clocks_that_were_not_in_use_before_the_fork_work_in_the_child(way):
    lines = run(WORKS, way)
    assert lines == [
        "thread off 3 True",
        "runner off 3 True",
        "loop off 3 True",
        "driven on 1",
    ]
