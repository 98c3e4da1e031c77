"""A process whose charts work at a steady pace and are broadcast; started by ``support.crew``.

Every step but the first scribbles its chart's name and own count, so that whoever watches can tell what
is missing without believing our numbers. A line on standard input ends the work.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from farscope.engine import Event, Factory
from farscope.probe.broadcast import Probe, broadcast

TICK_S: Final = 0.002
"""Steps are made in portions so long apart: a pause for each single one would cost more than the step."""

TELL_S: Final = 0.2
"""How often the process tells how far it is."""

FLUSH_S: Final = 90.0
"""How long the end waits for what is pending."""


@dataclass(slots=True)
class Worker:
    """One chart with a probe of its own."""

    name: str
    chart: Factory
    probe: Probe
    made: int = 0

    def work(self, steps: int) -> None:
        """Make so many steps."""
        for _ in range(steps):
            self.chart.dispatch(Event("TURN"))


def make_worker(name: str, url: str, key: Path, spool: Path) -> Worker:
    """Return a worker at rest, broadcast."""
    chart = Factory(name, threaded=False)
    worker = Worker(name, chart, broadcast(chart, url=url, key=key, spool=spool))

    def turn(to: str) -> Callable[[Factory, Event], object]:
        def handler(chart: Factory, _: Event) -> object:
            chart.scribble(f"{name}:{worker.made}")
            worker.made += 1
            return chart.trans(to)

        return handler

    chart.create("shop").catch("INIT_SIGNAL", lambda chart, _: chart.trans("left"))
    chart.create("left").catch("TURN", turn("right"))
    chart.create("right").catch("TURN", turn("left"))
    chart.nest("shop", parent=None).nest("left", parent="shop").nest("right", parent="shop")
    chart.start_at("shop")
    return worker


def report(workers: list[Worker]) -> dict[str, dict[str, object]]:
    """Return what is known of each worker."""
    told: dict[str, dict[str, object]] = {}
    for worker in workers:
        stats = worker.probe.stats
        told[worker.name] = {
            "made": worker.made,
            "emitted": stats.emitted,
            "stored": stats.stored,
            "dropped": sum(stats.dropped.values()),
            "pending": stats.pending,
            "retries": stats.retries,
            "last_error": stats.last_error,
        }
    return told


def run(workers: list[Worker], rate: float, listener: threading.Thread) -> None:
    """Work at ``rate`` steps a second each until the listener has heard; catches up after a delay."""
    begun = told = time.monotonic()
    steps = 0
    while listener.is_alive():
        time.sleep(TICK_S)
        now = time.monotonic()
        due = int((now - begun) * rate) - steps
        for worker in workers:
            worker.work(due)
        steps += due
        if now - told >= TELL_S:
            told = now
            print(json.dumps(report(workers)), flush=True)


def main(words: list[str]) -> None:
    """Arguments: address, key file, spool folder, steps a second, names."""
    url, key, spool, rate, *names = words
    workers = [make_worker(name, url, Path(key), Path(spool)) for name in names]
    listener = threading.Thread(target=sys.stdin.readline, daemon=True)
    listener.start()
    run(workers, float(rate), listener)
    for worker in workers:
        worker.probe.flush(FLUSH_S)
    for worker in workers:
        worker.probe.close()
    print(json.dumps({"final": report(workers)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
