"""How long one step takes, in our engine and in others, measured side by side.

Each row is one contender: what makes one step about the same event in the same chart. The contenders
take turns, five rounds, and the medians are compared, so that a machine that is now slow, now fast, is
so for all of them. The floor is what no recording engine in Python can go below: a handler called, an
event put into a queue and taken out, the clock read twice, one record appended.

    python bench/engine.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns, time_ns
from types import ModuleType
from typing import Any, NamedTuple

import miros
import miros.hsm

import _charts as charts
import farscope.engine
from _charts import Once, Spec
from farscope import broadcast
from farscope.probe.broadcast import Probe

ROUNDS = 5
ROUND_NS = 100_000_000
"""How long a contender runs in a round, about."""
BROADCAST_STEPS = 30_000
"""Steps of a round while broadcasting: fewer than an outbox holds, since a dropped step is a cheap one."""

CASES = {
    "a transition of the seed's chart": charts.SEED,
    "a hook three levels up": charts.HOOK,
    "a transition across depth 6": charts.DEEP,
    "an ignored event, depth 4": charts.IGNORED,
}
PEERS = {
    "miros Factory, recorded": charts.in_miros,
    "transitions HSM": charts.in_transitions,
    "python-statemachine": charts.in_python_statemachine,
    "sismic": charts.in_sismic,
}


class Contender(NamedTuple):
    """One row of the table: ``run`` makes about ``ROUND_NS`` of steps and tells nanoseconds a step."""

    name: str
    run: Callable[[], float]


def measured(once: Once) -> Callable[[], float]:
    """Return what tells how many nanoseconds ``once`` takes, over about ``ROUND_NS``."""

    def run() -> float:
        count = 1
        while True:
            begin = perf_counter_ns()
            for _ in range(count):
                once()
            spent = perf_counter_ns() - begin
            if spent >= ROUND_NS // 2:
                return spent / count
            count *= 2

    return run


probes: list[Probe] = []


def broadcasting(spec: Spec, folder: Path) -> Callable[[], float]:
    """Return what measures our chart while it is broadcast to the embedded log, its pump included."""
    chart, once = charts.ours(spec, instrumented=True)
    probe = broadcast(chart, url=f"sqlite:{folder}")
    probes.append(probe)

    def run() -> float:
        begin = perf_counter_ns()
        for _ in range(BROADCAST_STEPS):
            once()
        spent = perf_counter_ns() - begin
        if not probe.flush(30) or probe.stats.dropped:
            raise SystemExit(f"the measured broadcast lost steps: {probe.stats}")
        return spent / BROADCAST_STEPS

    return run


def floor() -> Once:
    """Return the least that a recorded step takes."""
    queue: deque[Any] = deque()
    records: deque[Any] = deque(maxlen=500)

    def handler(chart: object, event: object) -> int:
        return 1

    def once() -> None:
        queue.append("B")
        event = queue.popleft()
        begin = time_ns()
        handler(queue, event)
        records.append((event, begin, time_ns() - begin))

    return once


def flat(library: ModuleType) -> Any:
    """Write the seed's chart as flat functions; return its outer state."""
    signals, status_of = library.signals, library.return_status

    @library.spy_on
    def producer_outer(chart: Any, e: Any) -> Any:
        status = status_of.UNHANDLED
        if e.signal == signals.INIT_SIGNAL:
            status = chart.trans(c1)
        elif e.signal == signals.B:
            status = chart.trans(producer_outer)
        else:
            status, chart.temp.fun = status_of.SUPER, chart.top
        return status

    @library.spy_on
    def c1(chart: Any, e: Any) -> Any:
        status = status_of.UNHANDLED
        if e.signal == signals.A:
            status = chart.trans(c2)
        else:
            status, chart.temp.fun = status_of.SUPER, producer_outer
        return status

    @library.spy_on
    def c2(chart: Any, e: Any) -> Any:
        status = status_of.UNHANDLED
        if e.signal == signals.A:
            status = chart.trans(c1)
        else:
            status, chart.temp.fun = status_of.SUPER, producer_outer
        return status

    return producer_outer


def flat_ours() -> Once:
    """Return what makes one step of our chart of flat functions, recorded."""
    chart = farscope.engine.Hsm("bench")
    chart.start_at(flat(farscope.engine))
    return charts.in_turn(chart.post_fifo, chart.next_rtc, [farscope.engine.Event(signal="B")])


def flat_miros() -> Once:
    """Return what makes one step of a miros chart of flat functions, recorded."""
    chart = miros.hsm.HsmWithQueues()
    chart.start_at(flat(miros))
    return charts.in_turn(chart.post_fifo, chart.next_rtc, [miros.Event(signal=miros.signals.B)])


def rows(folder: Path) -> dict[str, list[Contender]]:
    """Set every contender up, by case; the first of a case is what the others are compared with."""
    table: dict[str, list[Contender]] = {}
    for number, (case, spec) in enumerate(CASES.items()):
        table[case] = [
            Contender("farscope, recorded", measured(charts.ours(spec, instrumented=True)[1])),
            Contender("farscope, not recorded", measured(charts.ours(spec, instrumented=False)[1])),
            Contender("farscope, broadcasting", broadcasting(spec, folder / str(number))),
            *(Contender(name, measured(make(spec))) for name, make in PEERS.items()),
        ]
    table["a transition of the seed's chart"].append(Contender("the floor", measured(floor())))
    table["the same, flat functions"] = [
        Contender("farscope, recorded", measured(flat_ours())),
        Contender("miros, recorded", measured(flat_miros())),
    ]
    return table


def main(rounds: int) -> None:
    """Measure all, and print how each compares with our own engine, recording."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        os.environ["FARSCOPE_KEY_FILE"] = str(key)
        farscope_key(key)
        table = rows(Path(folder))
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for case, contenders in table.items():
                for each in contenders:
                    times.setdefault((case, each.name), []).append(each.run())
        for probe in probes:
            probe.close()
    print(f"| one step, median of {rounds} interleaved rounds | µs | times farscope, recorded |")
    print("|---|---:|---:|")
    for case, contenders in table.items():
        print(f"| **{case}** | | |")
        ours = statistics.median(times[case, contenders[0].name])
        for each in contenders:
            median = statistics.median(times[case, each.name])
            print(f"| {each.name} | {median / 1000:.2f} | {median / ours:.2f} |")


def farscope_key(path: Path) -> None:
    """Make a key of its own for the measured broadcast."""
    from farscope.wire.keys import new_key_file  # noqa: PLC0415 - needed where something is broadcast only

    new_key_file(path)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
