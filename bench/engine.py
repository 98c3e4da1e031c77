"""How long one step takes, in our engine and in others, measured side by side.

Each row is one contender: what makes one step about the same event in the same chart. The contenders
take turns, five rounds, and the medians are compared, so that a machine that is now slow, now fast, is
so for all of them; a turn counts its best of ten stretches. What is measured is the processor time of the
whole process: others on the machine do not count, and a broadcast's pump does.

The floor is what no recording engine in Python can go below: a handler called, an event put into a queue
and taken out, the clock read twice, one record appended. The floor of two handlers calls those two that the
example's transition calls, each with ``chart.trans``.

    python bench/engine.py [ROUNDS] [--document]

``--document`` writes the table into docs/performance.md as well, and that of ``bench/posting.py``.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
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

import _charts as charts
import farscope.engine
import posting
from _charts import Once, Spec
from farscope import broadcast
from farscope.probe.broadcast import Probe

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


def measured(once: Once) -> Callable[[], float]:
    """Return what tells how many nanoseconds ``once`` takes."""
    count = 1

    def stretch() -> int:
        begin = process_time_ns()
        for _ in range(count):
            once()
        return process_time_ns() - begin

    def run() -> float:
        nonlocal count
        while stretch() < STRETCH_NS:
            count *= 2
        return min(stretch() for _ in range(STRETCHES)) / count

    return run


probes: list[Probe] = []


def broadcasting(spec: Spec, folder: Path) -> Callable[[], float]:
    """Return what measures our chart while it is broadcast, until the embedded log has stored all."""
    chart, once = charts.ours(spec, instrumented=True)
    probe = broadcast(chart, url=f"sqlite:{folder}")
    probes.append(probe)

    def run() -> float:
        begin = process_time_ns()
        for _ in range(BROADCAST_STEPS):
            once()
        if not probe.flush(30) or probe.stats.dropped:
            raise SystemExit(f"the measured broadcast lost steps: {probe.stats}")
        return (process_time_ns() - begin) / BROADCAST_STEPS

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


def rows(folder: Path) -> dict[str, list[Contender]]:
    """Set every contender up, by case; the first of a case is what the others are compared with."""
    table: dict[str, list[Contender]] = {}
    for number, (case, spec) in enumerate(CASES.items()):
        table[case] = [
            Contender("farscope, recorded", measured(charts.ours(spec, instrumented=True)[1])),
            Contender("farscope, not recorded", measured(charts.ours(spec, instrumented=False)[1])),
            Contender("farscope, broadcast, pump included", broadcasting(spec, folder / str(number))),
            *(Contender(name, measured(make(spec))) for name, make in PEERS.items()),
        ]
    table["a transition of the miros example's chart"] += [
        Contender("the floor", measured(floor())),
        Contender("the floor of two handlers", measured(floor_of_two())),
    ]
    table["the same, flat functions"] = [
        Contender("farscope, recorded", measured(flat_ours())),
        Contender("miros, recorded", measured(flat_miros())),
    ]
    return table


def lines(rounds: int) -> Iterator[str]:
    """Measure all, and give the table of how each compares with our own engine, recording."""
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
    yield f"| processor time of one step, median of {rounds} | µs | times farscope, recorded |"
    yield "|---|---:|---:|"
    for case, contenders in table.items():
        yield f"| **{case}** | | |"
        ours = statistics.median(times[case, contenders[0].name])
        for each in contenders:
            median = statistics.median(times[case, each.name])
            digits = 2 if median < 10 * ours else 0
            yield f"| {each.name} | {median / 1000:.2f} | {median / ours:.{digits}f} |"


def main(arguments: list[str]) -> None:
    """Print the table, and write it into the page on performance if asked to."""
    rounds = int(next(filter(str.isdigit, arguments), ROUNDS))
    table = "\n".join(lines(rounds))
    print(table)
    if "--document" in arguments:
        table += "\n\n" + "\n".join(posting.table(rounds))
        cores = len(os.sched_getaffinity(0))
        machine = f"{platform.python_implementation()} {platform.python_version()}, {cores} shared cores"
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        if not after:
            raise SystemExit(f"{PAGE} has no place for the table between {BEGIN} and {END}")
        PAGE.write_text(f"{before}{BEGIN}\n{MADE.format(machine=machine)}\n\n{table}\n{END}{after}")


def farscope_key(path: Path) -> None:
    """Make a key of its own for the measured broadcast."""
    from farscope.wire.keys import new_key_file  # noqa: PLC0415 - needed where something is broadcast only

    new_key_file(path)


if __name__ == "__main__":
    main(sys.argv[1:])
