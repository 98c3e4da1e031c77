"""The time of one step, in our engine and in others, measured side by side.

Each row is one contender: what makes one step about the same event in the same chart. The contenders
take turns, five rounds, and the medians are compared, so that a machine that is now slow, now fast, is
so for all of them; a turn counts its best of ten stretches. What is measured is the processor time of the
whole process: others on the machine do not count, and a broadcast's pump does.

The floor is what no recording engine in Python can go below: a handler called, an event put into a queue
and taken out, the clock read twice, one record appended. The floor of two handlers calls those two that the
example's transition calls, each with ``chart.trans``.

    python bench/engine.py --rounds 5 --document

``--document`` writes the table into docs/performance.md as well, and that of ``bench/posting.py``.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time_ns, time_ns
from types import ModuleType
from typing import Any, NamedTuple

import miros
import miros.hsm

import farscope.engine
import posting
from farscope import broadcast, fields
from farscope.probe.broadcast import Probe
from farscope.values import ValuesFunction
from farscope.wire.keys import new_key_file
from parts import charts, regions
from parts.charts import Once, Spec
from parts.options import Option, choose, rounds

ROUNDS = 5
STRETCHES = 10
"""In how many parts a contender runs in a round; the best one counts."""
STRETCH_NS = 10_000_000
"""How long each of them is, at least."""
BROADCAST_STEPS = 30_000
"""Steps of a round while broadcasting: fewer than an outbox holds, since a dropped step is a cheap one."""

CASES = {
    "a transition of the miros example's chart": charts.MIROS_EXAMPLE,
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


PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
MADE = "`bench/engine.py --document` writes this table: {machine}."


class Contender(NamedTuple):
    """One row of the table: ``run`` has its turn of a round and tells nanoseconds a step."""

    name: str
    run: Callable[[], float]


def measured(once: Once, stretch_ns: int) -> Callable[[], float]:
    """Return what tells how many nanoseconds ``once`` takes."""
    count = 1

    def stretch() -> int:
        begin = process_time_ns()
        for _ in range(count):
            once()
        return process_time_ns() - begin

    def run() -> float:
        nonlocal count
        while stretch() < stretch_ns:
            count *= 2
        return min(stretch() for _ in range(STRETCHES)) / count

    return run


probes: list[Probe] = []


def broadcasting(
    spec: Spec, folder: Path, steps: int, values: ValuesFunction | None = None
) -> Callable[[], float]:
    """Return what measures our chart while it is broadcast, until the embedded log has stored all."""
    chart, once = charts.ours(spec, instrumented=True)
    chart.amps, chart.temp = 16, 20.5
    probe = broadcast(chart, url=f"sqlite:{folder}", values=values)
    probes.append(probe)

    def run() -> float:
        begin = process_time_ns()
        for _ in range(steps):
            once()
        if not probe.flush(30) or probe.stats.dropped:
            raise SystemExit(f"the measured broadcast lost steps: {probe.stats}")
        return (process_time_ns() - begin) / steps

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


def floor_of_two() -> Once:
    """Return the least that a recorded step takes whose two handlers each call ``chart.trans``."""
    queue: deque[Any] = deque()
    records: deque[Any] = deque(maxlen=500)
    chart = farscope.engine.Hsm("floor")

    def first(chart: farscope.engine.Hsm, event: object) -> int:
        return chart.trans(first)

    def second(chart: farscope.engine.Hsm, event: object) -> int:
        return chart.trans(second)

    def once() -> None:
        queue.append("B")
        event = queue.popleft()
        begin = time_ns()
        first(chart, event)
        second(chart, event)
        records.append((event, begin, time_ns() - begin))

    return once


def flat(library: ModuleType) -> Any:
    """Write the miros example's chart as flat functions; return its outer state."""
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
    return charts.posted(chart.post_fifo, chart.next_rtc, farscope.engine.Event(signal="B"))


def flat_miros() -> Once:
    """Return what makes one step of a miros chart of flat functions, recorded."""
    chart = miros.hsm.HsmWithQueues()
    chart.start_at(flat(miros))
    return charts.posted(chart.post_fifo, chart.next_rtc, miros.Event(signal=miros.signals.B))


def rows(folder: Path, stretch_ns: int, broadcast_steps: int) -> dict[str, list[Contender]]:
    """Set every contender up, by case; the first of a case is what the others are compared with."""
    table: dict[str, list[Contender]] = {}
    for number, (case, spec) in enumerate(CASES.items()):
        table[case] = [
            Contender("farscope, recorded", measured(charts.ours(spec, instrumented=True)[1], stretch_ns)),
            Contender(
                "farscope, not recorded", measured(charts.ours(spec, instrumented=False)[1], stretch_ns)
            ),
            Contender(
                "farscope, broadcast, pump included",
                broadcasting(spec, folder / str(number), broadcast_steps),
            ),
            *(Contender(name, measured(make(spec), stretch_ns)) for name, make in PEERS.items()),
        ]
    table["a transition of the miros example's chart"] += [
        Contender(
            "farscope, broadcast with two values, pump included",
            broadcasting(charts.MIROS_EXAMPLE, folder / "values", broadcast_steps, fields("amps", "temp")),
        ),
        Contender("the floor", measured(floor(), stretch_ns)),
        Contender("the floor of two handlers", measured(floor_of_two(), stretch_ns)),
    ]
    table["the same, flat functions"] = [
        Contender("farscope, recorded", measured(flat_ours(), stretch_ns)),
        Contender("miros, recorded", measured(flat_miros(), stretch_ns)),
    ]
    for case, make in (
        ("two regions, a transition in each", regions.two_regions),
        ("to and from a history state", regions.history),
        ("a timeout, started again", regions.timeout),
    ):
        table[case] = [
            Contender("farscope, recorded", measured(make(instrumented=True), stretch_ns)),
            Contender("farscope, not recorded", measured(make(instrumented=False), stretch_ns)),
        ]
    return table


def lines(rounds: int, stretch_ns: int, broadcast_steps: int) -> Iterator[str]:
    """Measure all, and give the table of how each compares with our own engine, recording."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        os.environ["FARSCOPE_KEY_FILE"] = str(key)
        new_key_file(key)
        table = rows(Path(folder), stretch_ns, broadcast_steps)
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for case, contenders in table.items():
                for each in contenders:
                    times.setdefault((case, each.name), []).append(each.run())
        for probe in probes:
            probe.close()
    yield f"| processor time of one step, median of {rounds} | µs | times farscope, recorded |"
    yield "|---|---:|---:|"
    for case, contenders in table.items():
        yield f"| **{case}** | | |"
        ours = statistics.median(times[case, contenders[0].name])
        for each in contenders:
            median = statistics.median(times[case, each.name])
            digits = 2 if median < 10 * ours else 0
            yield f"| {each.name} | {median / 1000:.2f} | {median / ours:.{digits}f} |"


def main() -> None:
    """Print the table, and write it into the page on performance if asked to."""
    chosen = choose(
        __doc__,
        rounds(ROUNDS),
        Option("stretch_us", STRETCH_NS // 1000, 20, "microseconds of a stretch, of which a turn has ten"),
        Option("broadcast_steps", BROADCAST_STEPS, 100, "steps of a turn while broadcasting"),
        flags={"document": f"write this table and that of posting.py into docs/{PAGE.name}, too"},
    )
    table = "\n".join(lines(chosen.rounds, chosen.stretch_us * 1000, chosen.broadcast_steps))
    print(table)
    if chosen.document:
        table += "\n\n" + "\n".join(posting.table(chosen.rounds))
        cores = len(os.sched_getaffinity(0))
        machine = f"{platform.python_implementation()} {platform.python_version()}, {cores} shared cores"
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        if not after:
            raise SystemExit(f"{PAGE} has no place for the table between {BEGIN} and {END}")
        PAGE.write_text(f"{before}{BEGIN}\n{MADE.format(machine=machine)}\n\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
