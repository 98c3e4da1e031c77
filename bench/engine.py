"""How long one transition takes, in our engine and in others, measured side by side.

Each row is one contender: a function that sets it up and returns what makes one transition. The
contenders take turns, five rounds, and the medians are compared, so that a machine that is now slow,
now fast, is so for all of them. A row is added with ``@contender``.

    python bench/engine.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Callable
from time import perf_counter_ns
from types import ModuleType
from typing import Any, NamedTuple

import miros
import miros.hsm
import sismic.interpreter
import sismic.io
import sismic.model
import statemachine
from transitions.extensions import HierarchicalMachine

import farscope.engine

ROUNDS = 5
ROUND_NS = 100_000_000
"""How long a contender runs in a round, about."""

Once = Callable[[], object]


class Contender(NamedTuple):
    """One row of the table."""

    group: str
    name: str
    make: Callable[[], Once]


contenders: list[Contender] = []


def contender(group: str, name: str) -> Callable[[Callable[[], Once]], Callable[[], Once]]:
    """Add a row: the decorated function sets up and returns what makes one transition."""

    def add(make: Callable[[], Once]) -> Callable[[], Once]:
        contenders.append(Contender(group, name, make))
        return make

    return add


def build(chart: Any, signals: Any) -> Any:
    """Build the seed's chart by parts; return its outer state."""

    def outer_init(chart: Any, e: Any) -> Any:
        return chart.trans(c1)

    def outer_b(chart: Any, e: Any) -> Any:
        return chart.trans(outer)

    def c1_a(chart: Any, e: Any) -> Any:
        return chart.trans(c2)

    def c2_a(chart: Any, e: Any) -> Any:
        return chart.trans(c1)

    outer = (
        chart.create(state="producer_outer")
        .catch(signal=signals.INIT_SIGNAL, handler=outer_init)
        .catch(signal=signals.B, handler=outer_b)
        .to_method()
    )
    c1 = chart.create(state="c1").catch(signal=signals.A, handler=c1_a).to_method()
    c2 = chart.create(state="c2").catch(signal=signals.A, handler=c2_a).to_method()
    chart.nest(outer, parent=None).nest(c1, parent=outer).nest(c2, parent=outer)
    return outer


def write(library: ModuleType) -> Any:
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


def from_queue(post: Callable[[Any], object], run: Callable[[], object], event: Any) -> Once:
    """Make a transition the way a chart gets its events: posted, then taken from the queue."""

    def once() -> None:
        post(event)
        run()

    return once


def ours(chart: Any, state: Any) -> Once:
    chart.start_at(state)
    return from_queue(chart.post_fifo, chart.next_rtc, farscope.engine.Event(farscope.engine.signals.B))


@contender("by parts, recorded", "farscope")
def _farscope_built() -> Once:
    chart = farscope.engine.Factory("bench", threaded=False)
    return ours(chart, build(chart, farscope.engine.signals))


@contender("by parts, recorded", "miros")
def _miros_built() -> Once:
    chart = miros.Factory("bench")
    hsm = miros.hsm.HsmWithQueues
    hsm.start_at(chart, build(chart, miros.signals))
    event = miros.Event(signal=miros.signals.B)
    return from_queue(chart.post_fifo, lambda: hsm.next_rtc(chart), event)


@contender("flat functions, recorded", "farscope")
def _farscope_flat() -> Once:
    return ours(farscope.engine.Hsm("bench"), write(farscope.engine))


@contender("flat functions, recorded", "miros")
def _miros_flat() -> Once:
    chart = miros.hsm.HsmWithQueues()
    chart.start_at(write(miros))
    return from_queue(chart.post_fifo, chart.next_rtc, miros.Event(signal=miros.signals.B))


@contender("nothing recorded", "farscope by parts")
def _farscope_bare() -> Once:
    chart = farscope.engine.Factory("bench", instrumented=False, threaded=False)
    return ours(chart, build(chart, farscope.engine.signals))


@contender("nothing recorded", "farscope flat")
def _farscope_flat_bare() -> Once:
    return ours(farscope.engine.Hsm("bench", instrumented=False), write(farscope.engine))


@contender("nothing recorded", "transitions HSM")
def _transitions() -> Once:
    machine = HierarchicalMachine(
        states=[{"name": "outer", "initial": "c1", "children": ["c1", "c2"]}],
        transitions=[["B", "outer", "outer"], ["A", "outer_c1", "outer_c2"], ["A", "outer_c2", "outer_c1"]],
        initial="outer",
    )
    return machine.B


class Producer(statemachine.StateChart):
    """The seed's chart, as python-statemachine spells it."""

    class outer(statemachine.State.Compound):  # noqa: N801, D106 - the class is the state, and its name
        c1 = statemachine.State(initial=True)
        c2 = statemachine.State()
        A = c1.to(c2) | c2.to(c1)

    B = outer.to.itself()


@contender("nothing recorded", "python-statemachine")
def _python_statemachine() -> Once:
    machine = Producer()
    return lambda: machine.send("B")


SISMIC = """
statechart:
  name: bench
  root state:
    name: root
    initial: outer
    states:
      - name: outer
        initial: c1
        transitions: [{event: B, target: outer}]
        states:
          - {name: c1, transitions: [{event: A, target: c2}]}
          - {name: c2, transitions: [{event: A, target: c1}]}
"""


@contender("nothing recorded", "sismic")
def _sismic() -> Once:
    interpreter = sismic.interpreter.Interpreter(sismic.io.import_from_yaml(SISMIC))
    interpreter.execute()
    return from_queue(interpreter.queue, interpreter.execute_once, sismic.model.Event("B"))


def measure(once: Once) -> float:
    """Return how many nanoseconds ``once`` takes, over about ``ROUND_NS``."""
    count, spent = 1, 0
    while True:
        begin = perf_counter_ns()
        for _ in range(count):
            once()
        spent = perf_counter_ns() - begin
        if spent >= ROUND_NS // 2:
            return spent / count
        count *= 2


def main(rounds: int) -> None:
    """Measure all, and print how they compare with our own engine, recording."""
    warnings.simplefilter("ignore")
    runs = [(row, row.make()) for row in contenders]
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for taken, (_row, once) in zip(times, runs, strict=True):
            taken.append(measure(once))
    medians = [statistics.median(taken) for taken in times]
    built, flat = medians[0], medians[2]
    print(f"One transition of the seed's chart (B: out of c1 and its outer state, in again), {rounds} rounds")
    print(f"{'':28}{'contender':24}{'median':>10}{'to built':>10}{'to flat':>10}")
    last = ""
    for (row, _once), median in zip(runs, medians, strict=True):
        group = row.group if row.group != last else ""
        last = row.group
        print(f"{group:28}{row.name:24}{median / 1000:>7.2f} µs{median / built:>9.1f}x{median / flat:>9.1f}x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
