"""A program with four broadcast charts and every kind of interruption, run for a number of seconds.

A chart with a thread, one on a runner, one on an event loop and one that is driven get more posts than they
have room for: from the main thread, from a signal handler at 1 kHz, from finalizers, from timers that are
cancelled, and beside threads that make short-lived charts and stop each other's. Meanwhile the process forks.
At the end every post was handled or refused, every step is in the log or declared as dropped, and no
cancelled timer was heard of. Prints the account as JSON; what does not add up is an assertion that fails.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import itertools
import json
import os
import queue
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from farscope import Event, Scope, broadcast
from farscope.engine import AsyncChart, Chart, Runner, State
from farscope.errors import ChartError, ChartStopped, ForeignProcess, QueueFull
from farscope.records.tally import Tally
from farscope.testing.waiting import eventually

ROOM = 8
LOAD = 12
PAUSE_S = 0.02
OUTBOX = 400
"""Steps the probe holds: so few that it drops some, the oldest ones."""
FORK_EVERY_S = 1.0
LINGER_S = 0.25
"""How long steps gather in the probe: long enough to fill it now and then."""
HANGS_S = 60.0
LITTER_SHARE = 0.2
"""How often a step leaves garbage whose finalizer posts; below 1, or the posts would never end."""


class Mix:
    """What all charts share."""

    over = False
    parent = os.getpid()
    turn = itertools.count()
    cancelled: set[int] = set()  # noqa: RUF012 - there is one mix
    heard: set[int] = set()  # noqa: RUF012 - same


class Litter:
    """Garbage that only the collector frees, at a moment of its own choice."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        post_anywhere()


class Counts:
    """What was asked of a chart and what came of it."""

    def __init__(self) -> None:
        self.asked = Tally()
        self.raised = Tally()
        self.handled = 0


def note(chart: Any, e: Event) -> None:
    """Count an event on the chart's own thread, and leave garbage behind now and then."""
    if e.signal_name == "TIMEOUT":
        Mix.heard.add(e.payload[0])
    else:
        chart.counts.handled += 1
    if random.random() < LITTER_SHARE:  # noqa: S311 - no secret
        Litter()


class Worker(Chart):
    """A chart with a thread, on a runner, or driven."""

    a = State(initial=True)
    b = State()

    @a.on("WORK", "TIMEOUT", to=b)
    def there(self, e: Event) -> None:
        note(self, e)

    @b.on("WORK", "TIMEOUT", to=a)
    def back(self, e: Event) -> None:
        note(self, e)


class AsyncWorker(AsyncChart):
    """The same on an event loop; every second handler waits."""

    a = State(initial=True)
    b = State()

    @a.on("WORK", to=b)
    async def there(self, e: Event) -> None:
        await asyncio.sleep(0)
        note(self, e)

    @b.on("WORK", to=a)
    def back(self, e: Event) -> None:
        note(self, e)


def post(chart: Any) -> None:
    """Post, and count that; a full queue that raises is counted too."""
    if Mix.over or os.getpid() != Mix.parent:
        return
    chart.counts.asked.add()
    try:
        chart.post_fifo(Event("WORK"))
    except QueueFull:
        chart.counts.raised.add()


def post_anywhere(*_: object) -> None:
    """Post to one of the charts: what finalizers and the signal handler do."""
    post(CHARTS[next(Mix.turn) % len(CHARTS)])


runner = Runner(2)
threaded = Worker("threaded", queue_size=ROOM, on_full="drop")
shared = Worker("shared", queue_size=ROOM, runner=runner, on_full="raise")
looped = AsyncWorker("looped", queue_size=ROOM, on_full="drop")
driven = Worker("driven", queue_size=ROOM, threaded=False, on_full="raise")
CHARTS: list[Any] = [threaded, shared, looped, driven]
for each in CHARTS:
    each.counts = Counts()


class Lives:
    """Short-lived charts: made by some threads, stopped by others, in the middle of their work."""

    def __init__(self, probe: Any) -> None:
        self._probe = probe
        self._alive: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.steps = Tally()
        self.ended = Tally()
        self._made = itertools.count()
        self.threads = [
            threading.Thread(target=work, name=work.__name__) for work in (self._make, self._make, self._stop)
        ]

    def _make(self) -> None:
        while not Mix.over:
            number = next(self._made)
            chart = Worker(f"short {number % 10}", queue_size=ROOM, runner=runner if number % 2 else None)
            chart.counts = Counts()
            self._probe.add(chart)
            chart.start_at()
            self._alive.put(chart)
            try:
                for _ in range(LOAD):
                    post(chart)
                    chart.post_fifo(Event("TIMEOUT", payload=[0]), period=0.001)
            except (ChartStopped, QueueFull):
                pass
            del chart
            time.sleep(2 * PAUSE_S)
        self._alive.put(None)

    def _stop(self) -> None:
        made = 2
        while made:
            chart = self._alive.get()
            if chart is None:
                made -= 1
                continue
            chart.stop(HANGS_S)
            assert chart.join(HANGS_S)
            for _ in range(chart.steps_made):
                self.steps.add()
            self.ended.add()


class Timers:
    """Timed posts on the charts that raise, most of them cancelled around the time they are due."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._armed: list[tuple[Any, int, int]] = []

    def turn(self) -> None:
        """Arm one on each chart, and cancel what was armed some turns ago."""
        for chart in (shared, driven):
            token = next(self._numbers)
            period_s = random.uniform(0.0001, 0.1)  # noqa: S311 - no secret
            armed = chart.post_fifo(Event("TIMEOUT", payload=[token]), period=period_s, times=1)
            self._armed.append((chart, armed, token))
        while len(self._armed) > 4:
            chart, armed, token = self._armed.pop(0)
            if chart.cancel_event(armed):
                Mix.cancelled.add(token)


def child(probe: Any, report: Path) -> None:
    """Be a forked child: the parent's charts refuse, the driven one works and is broadcast by a new probe."""
    for chart in (threaded, shared, looped):
        for use in (lambda chart=chart: chart.post_fifo(Event("WORK")), chart.stop, chart.join):
            try:
                use()
            except ForeignProcess:
                continue
            raise AssertionError(f"a chart of the parent let itself be used: {chart}")
    before = driven.steps_made
    for _ in range(20):
        driven.dispatch(Event("WORK"))
    assert probe.flush(HANGS_S), probe.stats
    probe.close()
    stats = probe.stats
    assert (stats.emitted, stats.pending) == (driven.steps_made - before, 0), stats
    report.write_text(json.dumps({"stored": stats.stored, "dropped": sum(stats.dropped.values())}))


def forked(probe: Any, report: Path) -> None:
    """Fork a child and wait for its good end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            # Not by faulthandler: it would wait for a thread that is the parent's.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(HANGS_S))
            child(probe, report)
            code = 0
        except BaseException as error:  # noqa: BLE001 - nothing may leave the child but by its end
            print("child:", repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status


def on_a_loop() -> asyncio.AbstractEventLoop:
    """Start the chart that needs a loop on one in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()

    async def start() -> None:
        looped.start_at()
        await looped.started()

    asyncio.run_coroutine_threadsafe(start(), loop).result(HANGS_S)
    return loop


def mixed(seconds: float, probe: Any, reports: Path) -> int:
    """Do it all for so long; return how many children there were."""
    timers, children = Timers(), 0
    end = time.monotonic() + seconds
    next_fork = time.monotonic() + FORK_EVERY_S
    for turn in itertools.count():
        if time.monotonic() >= end:
            return children
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        for _ in range(LOAD):
            post(CHARTS[turn % len(CHARTS)])
        timers.turn()
        driven.complete_circuit()
        if time.monotonic() >= next_fork:
            forked(probe, reports / str(children))
            children += 1
            next_fork = time.monotonic() + FORK_EVERY_S
        time.sleep(PAUSE_S)
    raise AssertionError("time stands still")


def settled() -> bool:
    """Tell whether nothing is left to do."""
    driven.complete_circuit()
    return all(chart.at_rest for chart in CHARTS)


def account(lives: Lives, probe: Any) -> dict[str, Any]:
    """Compare what was asked of the charts with what they did, and that with what the probe has."""
    for chart in CHARTS:
        counts = chart.counts
        refused = chart.rejected if chart in (threaded, looped) else counts.raised.value
        assert counts.handled + refused == counts.asked.value, (chart, vars(counts), refused)
        assert refused, f"the queue of {chart} was never full"
    assert Mix.cancelled, "nothing was cancelled in time"
    assert not Mix.cancelled & Mix.heard, sorted(Mix.cancelled & Mix.heard)
    made = sum(chart.steps_made for chart in CHARTS) + lives.steps.value
    stats = probe.stats
    assert stats.emitted == made, (stats, made)
    assert stats.emitted == stats.stored + sum(stats.dropped.values()), stats
    return {
        "posts": sum(chart.counts.asked.value for chart in CHARTS),
        "refused": sum(chart.rejected for chart in CHARTS),
        "cancelled": len(Mix.cancelled),
        "timeouts heard": len(Mix.heard),
        "short lives": lives.ended.value,
        "steps": made,
        "stored": stats.stored,
        "dropped": sum(stats.dropped.values()),
    }


def seen(expected: int, dropped: int, probes: int) -> None:
    """Have a scope read all of it from the start: what it has not received was declared as dropped."""
    taken = 0
    with Scope(since="start") as scope:
        while taken < expected and (steps := scope.take(HANGS_S)):
            faulthandler.dump_traceback_later(2 * HANGS_S, exit=True)
            taken += len(steps)
        eventually(
            lambda: scope.stats.lost >= dropped, HANGS_S, what=f"{dropped} steps to be declared dropped"
        )
        stats = scope.stats
    assert taken == expected, stats
    assert (stats.received, stats.lost, stats.missing, stats.probes) == (expected, dropped, 0, probes), stats


def main(seconds: float, reports: Path) -> None:
    """Run the mix."""
    reports.mkdir()
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    gc.set_threshold(50, 5, 5)
    with broadcast(*CHARTS, capacity=OUTBOX, drop="oldest", linger_s=LINGER_S) as probe:
        loop = on_a_loop()
        for chart in (threaded, shared, driven):
            chart.start_at()
        lives = Lives(probe)
        for thread in lives.threads:
            thread.start()
        signal.signal(signal.SIGALRM, post_anywhere)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        children = mixed(seconds, probe, reports)
        Mix.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        for thread in lives.threads:
            thread.join(HANGS_S)
            assert not thread.is_alive(), thread
        eventually(settled, HANGS_S)
        for chart in CHARTS:
            chart.stop(HANGS_S)
        loop.call_soon_threadsafe(loop.stop)
        assert runner.close(HANGS_S)
        assert probe.flush(HANGS_S), probe.stats
    told = account(lives, probe)
    families = [json.loads((reports / str(number)).read_text()) for number in range(children)]
    told |= {"children": children, "steps of children": sum(each["stored"] for each in families)}
    lost = told["dropped"] + sum(each["dropped"] for each in families)
    seen(told["stored"] + told["steps of children"], lost, 1 + children)
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]), Path(sys.argv[2]))
    except ChartError as error:
        raise SystemExit(f"a chart refused: {error!r}") from error
