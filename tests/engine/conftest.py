"""Charts that several engine tests use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from farscope.engine import Event, Hsm, return_status, signals, spy_on


class Watcher:
    """A sink that keeps what it is told, as (what, ...) tuples."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    @property
    def steps(self) -> list[Any]:
        return [told[1] for told in self.told if told[0] == "step"]

    def step(self, step):
        self.told.append(("step", step))

    def announce(self, chart, structure, state, number, *_):
        self.told.append(("announce", structure, state, number, chart))

    def stopped(self, chart, _status):
        self.told.append(("stopped", chart))


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def pair() -> SimpleNamespace:
    """Give the reference page's chart: outer holds inner, both handle entry and exit."""

    def break_down(chart, e):
        chart.scribble("about to break")
        raise RuntimeError(e.payload)

    actions = {
        "ENTRY_SIGNAL": lambda _chart, _e: None,
        "EXIT_SIGNAL": lambda _chart, _e: None,
        "HOOK": lambda _chart, _e: None,
        "D": lambda chart, e: chart.defer(e),
        "R": lambda chart, _e: chart.recall(),
        "SAY": lambda chart, e: chart.scribble(e.payload),
        "BREAK": break_down,
    }

    @spy_on
    def outer(chart, e):
        status = return_status.UNHANDLED
        if e.signal_name in actions:
            actions[e.signal_name](chart, e)
            status = return_status.HANDLED
        elif e.signal != signals.GUARD:
            status, chart.temp.fun = return_status.SUPER, chart.top
        return status

    @spy_on
    def inner(chart, e):
        status = return_status.UNHANDLED
        if e.signal in (signals.ENTRY_SIGNAL, signals.EXIT_SIGNAL):
            status = return_status.HANDLED
        elif e.signal == signals.U:
            status = chart.trans(inner)
        elif e.signal == signals.T:
            status = chart.trans(outer)
        elif e.signal == signals.FIFO:
            chart.post_fifo(Event(signal=signals.U))
            status = return_status.HANDLED
        elif e.signal == signals.LIFO:
            chart.post_lifo(Event(signal=signals.U))
            status = return_status.HANDLED
        else:
            status, chart.temp.fun = return_status.SUPER, outer
        return status

    chart = Hsm("pair")
    return SimpleNamespace(chart=chart, outer=outer, inner=inner)
