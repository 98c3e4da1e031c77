"""Finalizers and signal handlers that use charts in the middle of everything: no hang, an exact account."""

from __future__ import annotations

import subprocess
import sys

import pytest

SECONDS = 1.5
HANGS_S = 40.0

PROGRAM = """
import faulthandler, gc, itertools, signal, sys
from time import monotonic
from farscope import Event, Factory, Hsm
from farscope.engine import Chart, Runner, State

way, seconds = sys.argv[1], float(sys.argv[2])
faulthandler.dump_traceback_later(30, exit=True)
asked, names = itertools.count(), itertools.count()


class Meter(Chart):
    rest = State(initial=True)
    handled = 0

    @rest.on("READING")
    def read(self):
        self.handled += 1
        litter()

    @rest.on("NEWS")
    def hear(self):
        litter()

    @rest.on("TIMEOUT")
    def time_out(self):
        litter()


class Cycle:
    # Only the collector frees it, at a moment of its own choice.
    def __init__(self):
        self.me = self

    def __del__(self):
        use()


def litter():
    if way == "finalizer":
        Cycle()


runner = Runner(2)
threaded = Meter("threaded", queue_size=3, on_full="drop")
shared = Meter("shared", queue_size=3, on_full="drop", runner=runner)
driven = Meter("driven", threaded=False, queue_size=3, on_full="drop")
meters = [threaded, shared, driven]
ears = [Meter("one ear", on_full="drop"), Meter("other ear", on_full="drop", runner=runner)]
timers = []


def post():
    for meter in meters:
        next(asked)
        meter.post_fifo(Event("READING"))


def push():
    for meter in meters:
        next(asked)
        meter.post_lifo(Event("READING"))


def arm():
    timers.append(threaded.post_fifo(Event("TIMEOUT"), period=3600.0))


def cancel():
    while timers:
        try:
            threaded.cancel_event(timers.pop())
        except IndexError:
            return


def speak():
    driven.publish(Event("NEWS"))


def listen():
    ears[0].subscribe("NEWS")
    ears[1].subscribe("NEWS", queue_type="lifo")


def hush():
    for ear in ears:
        ear.unsubscribe("NEWS")


def name():
    Event(f"NAME_{next(names)}")


def live():
    with Factory("short", runner=runner) as chart:
        chart.nest(chart.create("rest").to_method(), parent=None)
        chart.start_at("rest")
        chart.halt()


def start():
    chart = Hsm("dropped", on_full="drop")
    chart.subscribe("NEWS")
    chart.post_fifo(Event("TIMEOUT"), period=3600.0)


uses = [post, post, push, arm, cancel, speak, listen, hush, name, live, start]
turn = itertools.count()
over = False


def use(*_):
    if not over:
        uses[next(turn) % len(uses)]()


for meter in (*meters, *ears):
    meter.start_at()
if way == "finalizer":
    gc.set_threshold(5, 2, 2)
else:
    signal.signal(signal.SIGALRM, use)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
end = monotonic() + seconds
rounds = 0
while monotonic() < end:
    use()
    litter()
    driven.complete_circuit()
    rounds += 1
signal.setitimer(signal.ITIMER_REAL, 0)
gc.set_threshold(700, 10, 10)
gc.collect()
over = True
cancel()
while not all(meter.at_rest for meter in (*meters, *ears)):
    driven.complete_circuit()
handled = sum(meter.handled for meter in meters)
rejected = sum(meter.rejected for meter in meters)
for meter in (*meters, *ears):
    assert meter.stop(20) is None
assert runner.close()
print(rounds, next(asked), handled, rejected, flush=True)
"""


@pytest.mark.parametrize("way", ["finalizer", "signal"])
def test_charts_used_in_the_middle_of_everything_hang_nowhere_and_every_reading_is_handled_or_refused(way):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way, str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rounds, posted, handled, rejected = map(int, done.stdout.split())
    assert rounds > 100
    assert rejected > 0
    assert handled + rejected == posted
