"""The cost of many charts: memory and threads of a real process for each way to have 10,000 of them.

Each row is a process of its own, that makes its charts, starts them, has each make some steps, and reads
its resident memory from the kernel, less what the process had before its first chart. A chart is the
miros example's: three states, a hook, two transitions.

    python bench/many_charts.py --charts 1000
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from farscope.engine import AsyncChart, Chart, Event, Factory, Runner, State, return_status, signals
from parts.options import Option, choose
from parts.process import memory_mb

CHARTS = 10_000
THREADS = 4
STEPS = 12
"""Steps of each chart: every reaction it has is seen."""

MANY_STEPS = 1_000
"""Steps that fill a ring of 500."""

PATIENCE_S = 300


class MirosExample(Chart):
    """The miros example's chart."""

    with State(initial=True) as outer:
        c1 = State(initial=True)
        c2 = State()

    c1.on("A", to=c2)
    c2.on("A", to=c1)
    outer.on("B", to=outer)

    @outer.on("C")
    def hook(self) -> None:
        """Stay."""


class OnLoop(AsyncChart):
    """The miros example's chart, on an event loop."""

    with State(initial=True) as outer:
        c1 = State(initial=True)
        c2 = State()

    c1.on("A", to=c2)
    c2.on("A", to=c1)

    @outer.on("B")
    async def again(self) -> State:
        """Leave all, and come back."""
        return self.outer

    @outer.on("C")
    async def hook(self) -> None:
        """Stay."""


def by_parts(runner: Runner) -> Factory:
    """Build the miros example's chart: states, handlers and what is learnt of steps are each chart's own."""
    chart = Factory(runner=runner)

    def hook(chart: Any, e: Event) -> int:
        return return_status.HANDLED

    outer = (
        chart.create("outer")
        .catch(signals.INIT_SIGNAL, lambda chart, _e: chart.trans(c1))
        .catch("B", lambda chart, _e: chart.trans(outer))
        .catch("C", hook)
        .to_method()
    )
    c1 = chart.create("c1").catch("A", lambda chart, _e: chart.trans(c2)).to_method()
    c2 = chart.create("c2").catch("A", lambda chart, _e: chart.trans(c1)).to_method()
    chart.nest(outer, parent=None).nest(c1, parent=outer).nest(c2, parent=outer)
    chart.start_at(outer)
    return chart


def declared(runner: Runner | None, **options: Any) -> MirosExample:
    chart = MirosExample(runner=runner, **options)
    chart.start_at()
    return chart


def feed(charts: list[Any], steps: int) -> None:
    """Have every chart make its steps, and wait for the last."""
    events = [Event(signal) for signal in "ABC"]
    for number in range(0, steps, 100):
        for chart in charts:
            for step in range(number, min(steps, number + 100)):
                chart.post_fifo(events[step % 3])
        deadline = time.monotonic() + PATIENCE_S
        while not all(chart.at_rest for chart in charts):
            if time.monotonic() > deadline:
                raise TimeoutError("the charts do not come to rest")
            time.sleep(0.01)


def in_threads(make: Callable[[Runner], Any], count: int, steps: int) -> dict[str, float]:
    runner = Runner(threads=THREADS)
    bare = memory_mb()
    begin = time.perf_counter()
    charts = [make(runner) for _ in range(count)]
    made = time.perf_counter()
    feed(charts, steps)
    fed = time.perf_counter()
    report = sized(bare, made - begin, fed - made)
    for chart in charts:
        chart.halt()
    runner.close(PATIENCE_S)
    for chart in charts:
        chart.join(PATIENCE_S)
    return report


def on_a_loop(count: int, steps: int) -> dict[str, float]:
    async def main() -> dict[str, float]:
        bare = memory_mb()
        begin = time.perf_counter()
        charts = [OnLoop() for _ in range(count)]
        for chart in charts:
            chart.start_at()
        for chart in charts:
            await chart.started()
        made = time.perf_counter()
        events = [Event(signal) for signal in "ABC"]
        for chart in charts:
            for step in range(steps):
                chart.post_fifo(events[step % 3])
        for chart in charts:
            await chart.settled()
        report = sized(bare, made - begin, time.perf_counter() - made)
        for chart in charts:
            chart.stop()
        for chart in charts:
            await chart.aclose()
        return report

    return asyncio.run(main())


ROWS: dict[str, Callable[[int], dict[str, float]]] = {
    "declared, a runner": lambda count: in_threads(declared, count, STEPS),
    "declared, a runner, rings of 500 full": lambda count: in_threads(declared, count // 10, MANY_STEPS),
    "declared, a runner, rings of 20 full": lambda count: in_threads(
        lambda runner: declared(runner, ring_size=20), count, 100
    ),
    "declared, a runner, not recorded": lambda count: in_threads(
        lambda runner: declared(runner, instrumented=False), count, STEPS
    ),
    "built by parts, a runner": lambda count: in_threads(by_parts, count, STEPS),
    "declared, an event loop": lambda count: on_a_loop(count, STEPS),
    "declared, a thread each": lambda count: in_threads(lambda _runner: declared(None), count, STEPS),
}


def sized(bare_mb: float, made_s: float, fed_s: float) -> dict[str, float]:
    gc.collect()
    return {
        "bare": bare_mb,
        "rss": memory_mb(),
        "threads": threading.active_count(),
        "made_s": made_s,
        "fed_s": fed_s,
    }


def main(count: int) -> None:
    """Print a row for each way."""
    print(f"{count} charts of three states; {STEPS} steps each unless said otherwise")
    print(f"{'':40}{'charts':>8}{'RSS':>10}{'a chart':>10}{'threads':>9}{'made in':>9}{'steps in':>9}")
    for name in ROWS:
        command = [sys.executable, __file__, "--row", name, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:40}  failed: {done.stderr.strip().splitlines()[-1]}")
            continue
        row = json.loads(done.stdout)
        charts = count // 10 if "500" in name else count
        each = (row["rss"] - row["bare"]) * 1024 / charts
        print(
            f"{name:40}{charts:>8}{row['rss']:>7.0f} MB{each:>7.1f} kB{row['threads']:>9}"
            f"{row['made_s']:>7.2f} s{row['fed_s']:>7.2f} s"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        print(json.dumps(ROWS[sys.argv[2]](int(sys.argv[3]))))
    else:
        main(choose(__doc__, Option("charts", CHARTS, 20, "charts of a process")).charts)
