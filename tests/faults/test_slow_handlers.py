"""Slow handlers: their steps are shown when they end, never out of order, and before their effects."""

from __future__ import annotations

import threading

import pytest

from farscope import Event, Factory, Scope, Step, broadcast
from farscope.testing.waiting import PATIENCE_S, eventually


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:{tmp_path / 'log'}"


class Pair:
    """A chart whose handler works until it is let go, and posts to another one."""

    def __init__(self, *, posts_first: bool) -> None:
        self.working, self.done = threading.Event(), threading.Event()
        self.slow, self.fast = Factory("slow"), Factory("fast")
        self.slow.create("idle").catch("GO", self._work)
        self.slow.create("finished")
        self.slow.nest("idle", parent=None).nest("finished", parent=None)
        self.fast.create("a").catch("TICK", lambda chart, _e: chart.trans("b"))
        self.fast.create("b").catch("TICK", lambda chart, _e: chart.trans("a"))
        self.fast.nest("a", parent=None).nest("b", parent=None)
        self._posts_first = posts_first

    def _work(self, chart: Factory, _e: Event):
        if self._posts_first:
            self.fast.post_fifo(Event("TICK"))
        self.working.set()
        assert self.done.wait(PATIENCE_S)
        chart.scribble("relay on")
        if not self._posts_first:
            self.fast.post_fifo(Event("TICK"))
        return chart.trans("finished")

    def start(self) -> None:
        self.slow.start_at("idle")
        self.fast.start_at("a")

    def stop(self) -> None:
        self.slow.stop()
        self.fast.stop()


def named(steps: list[Step]) -> list[str]:
    return [f"{step.chart.name} {step.signal}" for step in steps]


def take_until(scope: Scope, count: int) -> list[Step]:
    """Take steps until there are so many."""
    taken: list[Step] = []
    eventually(lambda: taken.extend(scope.take(0.1)) or len(taken) >= count)
    return taken


def test_a_long_step_is_shown_when_it_is_done_and_is_not_late(url):
    pair = Pair(posts_first=False)
    with broadcast(pair.slow, pair.fast, url=url), Scope(url) as scope:
        pair.start()
        taken = take_until(scope, 2)
        pair.slow.post_fifo(Event("GO"))
        assert pair.working.wait(PATIENCE_S)
        for _ in range(3):
            pair.fast.post_fifo(Event("TICK"))
        taken += take_until(scope, 3)
        pair.done.set()
        taken += take_until(scope, 2)
        pair.stop()
    assert named(taken[2:]) == ["fast TICK"] * 3 + ["slow GO", "fast TICK"]
    go, tick = taken[-2:]
    assert (tick.cause.serial, tick.cause.number) == (go.chart.serial, go.number)
    assert go.time_ns < taken[2].ended_ns < go.ended_ns
    assert go.texts == ("relay on",)
    assert scope.stats.late == 0


def test_an_effect_does_not_wait_for_a_running_cause_for_ever_and_a_later_look_has_it_behind(url):
    pair = Pair(posts_first=True)
    with broadcast(pair.slow, pair.fast, url=url), Scope(url) as scope:
        pair.start()
        taken = take_until(scope, 2)
        pair.slow.post_fifo(Event("GO"))
        taken += take_until(scope, 1)
        pair.done.set()
        taken += take_until(scope, 1)
        pair.stop()
        assert named(taken[2:]) == ["fast TICK", "slow GO"]
        assert [scope.ran_ahead(step) for step in taken[2:]] == [True, False]
        assert scope.stats.late == 0
    with Scope(url, since="start") as scope:
        again = take_until(scope, 4)
        assert named(again[2:]) == ["slow GO", "fast TICK"]
        assert not any(map(scope.ran_ahead, again))
        assert scope.stats.late == 0
