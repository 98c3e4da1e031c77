"""The cost of a step by how its chart is written and driven, measured in turns as in ``engine.py``.

python bench/spellings.py --rounds 3
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from farscope.engine import AsyncChart, Chart, Event, Factory, State, return_status, signals
from parts.options import Option, choose, rounds

ROUNDS = 5
STEPS = 20_000
"""Steps of a contender in a round."""

B = Event("B")
HOOK = Event("HOOK")


class MirosExample(Chart):
    """The miros example's chart: B leads out of its inner and its outer state, and in again."""

    with State() as outer:
        c1 = State(initial=True)
        c2 = State()

    c1.on("A", to=c2)
    c2.on("A", to=c1)
    outer.on("B", to=outer)

    @outer.on("HOOK")
    def hook(self) -> None:
        """Stay."""


class Returning(MirosExample):
    """The same, whose B is a method that returns its target."""

    with State() as outer_:
        c3 = State(initial=True)

    @outer_.on("B")
    def again(self) -> State:
        """Leave all, and come back."""
        return self.outer_

    @outer_.on("HOOK")
    def stay(self) -> None:
        """Stay."""


class OnLoop(AsyncChart):
    """The same on an event loop, with reactions that are coroutine functions."""

    with State() as outer:
        c1 = State(initial=True)

    @outer.on("B")
    async def again(self) -> State:
        """Leave all, and come back."""
        return self.outer

    @outer.on("HOOK")
    async def hook(self) -> None:
        """Stay."""


class PlainOnLoop(AsyncChart):
    """The same on an event loop, with plain reactions."""

    with State() as outer:
        c1 = State(initial=True)

    outer.on("B", to=outer)

    @outer.on("HOOK")
    def hook(self) -> None:
        """Stay."""


def by_parts() -> Factory:
    """Build the miros example's chart by parts."""
    chart = Factory("parts", threaded=False)

    def outer_init(chart: Any, e: Event) -> Any:
        return chart.trans(c1)

    def outer_b(chart: Any, e: Event) -> Any:
        return chart.trans(outer)

    def outer_hook(chart: Any, e: Event) -> Any:
        return return_status.HANDLED

    outer = (
        chart.create("outer")
        .catch(signals.INIT_SIGNAL, outer_init)
        .catch(signals.B, outer_b)
        .catch(signals.HOOK, outer_hook)
        .to_method()
    )
    c1 = chart.create("c1").to_method()
    chart.nest(outer, parent=None).nest(c1, parent=outer)
    chart.start_at(outer)
    return chart


def declared(kind: type[Chart], state: State) -> Chart:
    """Start a declared chart that is driven here."""
    chart = kind("declared", threaded=False)
    chart.start_at(state)
    return chart


def driven(chart: Factory, event: Event) -> Callable[[int], float]:
    """Return what makes a round of steps here, and tells nanoseconds a step."""
    post, run = chart.post_fifo, chart.next_rtc

    def round_(steps: int) -> float:
        begin = perf_counter_ns()
        for _ in range(steps):
            post(event)
            run()
        return (perf_counter_ns() - begin) / steps

    return round_


def looped(kind: type[AsyncChart], event: Event) -> Callable[[int], float]:
    """Return what makes a round of steps on a loop; of the posts, some wait for room."""

    async def main(steps: int) -> float:
        async with kind("loop") as chart:
            begin = perf_counter_ns()
            for _ in range(steps):
                await chart.post(event)
            await chart.settled()
            return (perf_counter_ns() - begin) / steps

    return lambda steps: asyncio.run(main(steps))


ROWS: dict[str, tuple[Callable[[int], float], Callable[[int], float]]] = {
    "built by parts": (driven(by_parts(), B), driven(by_parts(), HOOK)),
    "declared, an arrow": (
        driven(declared(MirosExample, MirosExample.outer), B),
        driven(declared(MirosExample, MirosExample.outer), HOOK),
    ),
    "declared, a method returns the target": (
        driven(declared(Returning, Returning.outer_), B),
        driven(declared(Returning, Returning.outer_), HOOK),
    ),
    "on a loop, plain reactions": (looped(PlainOnLoop, B), looped(PlainOnLoop, HOOK)),
    "on a loop, coroutine reactions": (looped(OnLoop, B), looped(OnLoop, HOOK)),
}


def main(rounds: int, steps: int) -> None:
    """Let all take turns, and print the medians."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ROWS}
    for _ in range(rounds):
        for name, runs in ROWS.items():
            for taken, run in zip(times[name], runs, strict=True):
                taken.append(run(steps))
    print(f"A step of the miros example's chart, recorded; median of {rounds} rounds of {steps} steps")
    print(f"{'':40}{'transition':>12}{'':>8}{'hook':>12}")
    first = [statistics.median(taken) for taken in times["built by parts"]]
    for name, taken in times.items():
        cells = ""
        for times_taken, base in zip(taken, first, strict=True):
            median = statistics.median(times_taken)
            cells += f"{median / 1000:>9.2f} µs{median / base:>7.2f}x"
        print(f"{name:40}{cells}")


if __name__ == "__main__":
    chosen = choose(__doc__, rounds(ROUNDS), Option("steps", STEPS, 200, "steps of a contender in a round"))
    main(chosen.rounds, chosen.steps)
