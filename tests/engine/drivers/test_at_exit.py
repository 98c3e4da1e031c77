"""Charts that run by themselves are held until they end, and end with the program."""

from __future__ import annotations

import gc
import weakref

from farscope.engine.drivers import at_exit as running


class Busy:
    """A chart, as the program's end sees it."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def halt(self):
        self.told.append("halt")

    def join(self, timeout_s=None):
        assert 0 <= timeout_s <= running.EXIT_TIMEOUT_S
        self.told.append("join")
        return True


def test_a_chart_that_nobody_else_holds_stays_until_it_is_let_go(monkeypatch):
    monkeypatch.setattr(running, "_running", set())
    chart = Busy([])
    born = weakref.ref(chart)
    running.hold(chart)
    del chart
    gc.collect()
    held = born()
    assert held is not None
    running.let_go(held)
    running.let_go(held)
    del held
    gc.collect()
    assert born() is None


def test_the_end_of_the_program_asks_all_to_end_before_it_waits_for_any(monkeypatch):
    monkeypatch.setattr(running, "_running", set())
    told: list[str] = []
    charts = [Busy(told), Busy(told)]
    for chart in charts:
        running.hold(chart)
    running._end_all()
    assert told == ["halt", "halt", "join", "join"]
