"""The cost of posting to an active object from another thread: posts per second, and time until it wakes.

The floor is two bare threads with a ``queue.SimpleQueue`` between them: no chart, no step, no record. The
contenders take turns, so that a machine that is now slow, now fast, is so for all of them. The wake-up
latency runs from just before the post to the handler, in a chart that sleeps; the throughput from the
first post of a burst to the last handler.

    python bench/posting.py --rounds 3
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from time import perf_counter_ns
from typing import Any, NamedTuple

from farscope.engine import Event, Factory, Runner, return_status
from parts.options import Option, choose, rounds

ROUNDS = 5
BURST = 20_000
"""Posts of a burst."""
WAKES = 400
"""Single posts of a round, each to a thread that sleeps."""
LULL_S = 0.001
"""Pause before each of them, for the thread to fall asleep."""
TIMEOUT_S = 60.0

Receive = Callable[[], None]


class Contender(NamedTuple):
    """Something that receives on a thread of its own: told how to receive, it tells how to post."""

    name: str
    open: Callable[[Receive], Any]


@contextmanager
def two_threads(receive: Receive) -> Iterator[Callable[[], object]]:
    """Give what posts to a bare thread that calls ``receive`` for each post."""
    queue: SimpleQueue[object] = SimpleQueue()

    def work() -> None:
        while queue.get() is not None:
            receive()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: queue.put("B")
    finally:
        queue.put(None)
        thread.join()


@contextmanager
def active_object(
    receive: Receive, *, instrumented: bool, runner: Runner | None = None
) -> Iterator[Callable[[], object]]:
    """Give what posts to a chart whose handler calls ``receive`` for each post."""

    def handle(chart: object, event: object) -> int:
        receive()
        return return_status.HANDLED

    chart = Factory("bench", instrumented, queue_size=BURST, runner=runner)
    state = chart.create(state="only").catch(signal="B", handler=handle).to_method()
    chart.nest(state, parent=None)
    chart.start_at(state)
    event = Event(signal="B")
    with chart:
        yield lambda: chart.post_fifo(event)


@contextmanager
def on_a_runner(receive: Receive) -> Iterator[Callable[[], object]]:
    """Give what posts to a chart on a shared thread."""
    with Runner(threads=1) as runner, active_object(receive, instrumented=True, runner=runner) as post:
        yield post


CONTENDERS = (
    Contender("`queue.SimpleQueue`, two bare threads", two_threads),
    Contender("active object, not recorded", lambda receive: active_object(receive, instrumented=False)),
    Contender("active object, recorded", lambda receive: active_object(receive, instrumented=True)),
    Contender("active object, recorded, on a runner", on_a_runner),
)


def throughput(contender: Contender, burst: int) -> float:
    """Return nanoseconds a post, from the first of a burst to the last one's handler."""
    done = threading.Event()
    left = burst

    def receive() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    with contender.open(receive) as post:
        begin = perf_counter_ns()
        for _ in range(burst):
            post()
        if not done.wait(TIMEOUT_S):
            raise SystemExit(f"{contender.name}: {left} of {burst} posts did not arrive")
        return (perf_counter_ns() - begin) / burst


def latencies(contender: Contender, wakes: int) -> list[int]:
    """Return nanoseconds from each post to its handler, in a thread that slept."""
    taken: list[int] = []
    arrived = threading.Event()
    begin = 0

    def receive() -> None:
        taken.append(perf_counter_ns() - begin)
        arrived.set()

    with contender.open(receive) as post:
        for _ in range(wakes):
            time.sleep(LULL_S)
            arrived.clear()
            begin = perf_counter_ns()
            post()
            if not arrived.wait(TIMEOUT_S):
                raise SystemExit(f"{contender.name}: a post did not arrive")
    return taken


def table(rounds: int, burst: int = BURST, wakes: int = WAKES) -> Iterator[str]:
    """Measure, and give the lines of the table."""
    posting: dict[str, list[float]] = {each.name: [] for each in CONTENDERS}
    waking: dict[str, list[int]] = {each.name: [] for each in CONTENDERS}
    for _ in range(rounds):
        for each in CONTENDERS:
            posting[each.name].append(throughput(each, burst))
            waking[each.name] += latencies(each, wakes)
    floor = statistics.median(posting[CONTENDERS[0].name])
    yield "| posting from another thread | posts a second | times the floor | wake-up p50, µs | p99, µs |"
    yield "|---|---:|---:|---:|---:|"
    for each in CONTENDERS:
        post_ns = statistics.median(posting[each.name])
        cuts = statistics.quantiles(waking[each.name], n=100)
        yield (
            f"| {each.name} | {1e9 / post_ns:,.0f} | {post_ns / floor:.2f} "
            f"| {cuts[49] / 1000:.0f} | {cuts[98] / 1000:.0f} |"
        )


if __name__ == "__main__":
    chosen = choose(
        __doc__,
        rounds(ROUNDS),
        Option("burst", BURST, 100, "posts of a burst, at most the usual number"),
        Option("wakes", WAKES, 20, "single posts of a round"),
    )
    for line in table(chosen.rounds, chosen.burst, chosen.wakes):
        print(line)
