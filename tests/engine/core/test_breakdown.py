"""Errors inside the engine: watchers see them like the error of a handler, with every driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farscope.engine import AsyncChart, Chart, Event, Fabric, Hsm, Runner, State, return_status
from farscope.engine.core import cached_walk
from farscope.engine.core.algorithm import Walk
from farscope.engine.core.cached_walk import CachedWalk
from farscope.engine.core.core import Core
from farscope.engine.core.mailbox import Mailbox
from farscope.engine.core.open_step import OpenStep
from farscope.engine.core.recorder import Recorder
from farscope.engine.core.step_cache import StepCache
from farscope.engine.drivers import self_driven
from farscope.engine.drivers.caller import CALLER
from farscope.engine.drivers.pool import PoolDriver
from farscope.engine.drivers.self_driven import SelfDriver
from farscope.engine.timers.timed_posts import TimedPosts
from farscope.records.observable import Observers
from farscope.records.shape import StepKind
from farscope.testing.clock import VirtualClock
from farscope.testing.waiting import eventually

SOON_S = 30


class BrokenError(Exception):
    """Something inside the engine broke."""


def breaks(*_: object, **__: object) -> Any:
    raise BrokenError


def lamp(kind: type, **options: Any) -> Any:
    class Lamp(kind):
        off = State(initial=True)
        on = State()
        off.on("SWITCH", to=on)
        on.on("SWITCH", to=off)

        @on.on("HOOK")
        def hook(self) -> None:
            """Stay."""

    return Lamp("lamp", **options)


class Drive:
    """A started chart, how it is run until it ends or is at rest, and its end."""

    def __init__(self, driver: str, watcher: Any) -> None:
        self.runner = Runner(1) if driver == "runner" else None
        self.loop = asyncio.new_event_loop() if driver == "loop" else None
        if self.loop is not None:
            self.chart = lamp(AsyncChart)
        elif driver == "caller":
            self.chart = lamp(Chart, threaded=False)
        else:
            self.chart = lamp(Chart, runner=self.runner)
        self.watcher = watcher
        self.chart.attach(watcher)

    def start(self) -> None:
        if self.loop is None:
            self.chart.start_at()
        else:
            self.loop.run_until_complete(self._started())

    async def _started(self) -> None:
        self.chart.start_at()
        await self.chart.started()

    def send(self, *signals: str) -> BaseException | None:
        """Post events and wait for the last one's step, or for the chart's end; return what ended it."""
        for signal in signals:
            self.chart.post_fifo(Event(signal))
        if self.loop is not None:
            self.loop.run_until_complete(self.chart.settled())
        elif self.chart.threaded:
            assert self.chart.join(SOON_S)
        else:
            try:
                self.chart.complete_circuit()
            except BrokenError as error:
                return error
        return self.chart.failure

    def close(self) -> None:
        if self.loop is not None and not self.loop.is_closed():
            self.loop.run_until_complete(self.chart.aclose())
            self.loop.close()
        if self.runner is not None:
            self.runner.close()
        self.chart.stop()


@pytest.fixture(params=["caller", "thread", "runner", "loop"])
def drive(request, watcher):
    driven = Drive(request.param, watcher)
    yield driven
    driven.close()


def failed_steps(watcher: Any) -> list[Any]:
    return [step for step in watcher.steps if step[2].kind is StepKind.FAILED]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Walk, "begin"),
        (Walk, "tell"),
        (Walk, "shape"),
        (Walk, "failed"),
        (StepCache, "ask"),
        (StepCache, "rest"),
        (StepCache, "interned"),
        (CachedWalk, "_explore"),
        (CachedWalk, "_walk_on"),
        (CachedWalk, "_resolve_for"),
        (CachedWalk, "_begun"),
        (CachedWalk, "forget_failed"),
        (cached_walk, "is_intact"),
        (CachedWalk, "follow"),
        (CachedWalk, "failed"),
        (Recorder, "record"),
        (OpenStep, "take_texts"),
        (Observers, "report"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_breaks_in_a_step_is_a_failed_step_and_the_chart_ends_as_its_policy_says(
    drive, monkeypatch, owner, name
):
    drive.start()
    monkeypatch.setattr(owner, name, breaks)
    if name in ("failed", "forget_failed"):
        # What runs only after something else has failed.
        monkeypatch.setattr(Walk, "begin", breaks)
    if name == "take_texts":
        drive.chart._core.step.texts.append("left")
    assert isinstance(drive.send("SWITCH"), BrokenError)
    failed = failed_steps(drive.watcher)
    assert [step[2].signal for step in failed] == ["SWITCH"]
    assert "BrokenError" in failed[0][9][-1]
    monkeypatch.undo()
    drive.close()
    assert drive.watcher.told[-1][0] == "stopped"


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Observers, "announce"), (Walk, "begin_start"), (Recorder, "record"), (CachedWalk, "follow")],
)
def test_what_breaks_in_the_start_is_a_failed_step_and_raised_to_who_starts(drive, monkeypatch, owner, name):
    monkeypatch.setattr(owner, name, breaks)
    with pytest.raises(BrokenError):
        drive.start()
    failed = failed_steps(drive.watcher)
    assert [step[2].signal for step in failed] == ["start_at"]


def test_what_breaks_while_more_of_a_charts_structure_is_told_is_a_failed_step(watcher, monkeypatch):
    def outer(chart: Any, e: Event) -> Any:
        if e.signal_name == "GO":
            return chart.trans(inner)
        chart.temp.fun = chart.top
        return return_status.SUPER

    def inner(chart: Any, e: Event) -> Any:
        chart.temp.fun = outer
        return return_status.SUPER

    chart = Hsm("flat")
    chart.attach(watcher)
    chart.start_at(outer)
    monkeypatch.setattr(Observers, "announce", breaks)
    with pytest.raises(BrokenError):
        chart.dispatch(Event("GO"))
    assert [step[2].signal for step in failed_steps(watcher)] == ["GO"]


BETWEEN_STEPS = [
    ("thread", self_driven, "is_intact"),
    ("runner", self_driven, "is_intact"),
    ("runner", PoolDriver, "_is_wanted_again"),
    ("runner", PoolDriver, "work"),
    ("loop", self_driven, "is_intact"),
]


@pytest.mark.parametrize(("driver", "owner", "name"), BETWEEN_STEPS)
def test_what_breaks_between_steps_is_a_failed_step_and_the_charts_end(
    driver, owner, name, watcher, monkeypatch
):
    drive = Drive(driver, watcher)
    drive.start()
    monkeypatch.setattr(owner, name, breaks)
    assert isinstance(drive.send("SWITCH"), BrokenError)
    failed = failed_steps(watcher)
    assert [step[2].signal for step in failed] == [""]
    assert "BrokenError" in failed[0][9][-1]
    assert watcher.told[-1][0] == "stopped"
    monkeypatch.undo()
    drive.close()


def test_a_runner_goes_on_with_its_other_charts(watcher, monkeypatch):
    work = PoolDriver.work

    def breaks_for_one(driver: Any, chart: Any, core: Any, steps: int) -> bool:
        return breaks() if chart.name == "broken" else work(driver, chart, core, steps)

    monkeypatch.setattr(PoolDriver, "work", breaks_for_one)
    with Runner(1) as runner:
        broken, whole = (lamp(Chart, runner=runner) for _ in range(2))
        broken.name = "broken"
        whole.attach(watcher)
        for chart in (broken, whole):
            chart.start_at()
            chart.post_fifo(Event("SWITCH"))
        assert broken.join(SOON_S)
        eventually(lambda: [step[2].signal for step in watcher.steps] == ["start_at", "SWITCH"])


@pytest.mark.parametrize(("owner", "name"), [(SelfDriver, "_decide"), (Core, "end"), (Observers, "stop")])
@pytest.mark.parametrize("driver", ["thread", "runner", "loop"])
def test_what_breaks_at_the_end_keeps_nobody_waiting_and_the_end_is_told(
    driver, owner, name, watcher, monkeypatch
):
    drive = Drive(driver, watcher)
    drive.start()
    monkeypatch.setattr(owner, name, breaks)
    monkeypatch.setattr(Walk, "begin", breaks)
    assert isinstance(drive.send("SWITCH"), BrokenError)
    assert failed_steps(watcher)
    eventually(lambda: watcher.told[-1][0] == "stopped")
    monkeypatch.undo()
    drive.close()


def test_a_timed_post_that_breaks_fails_its_chart_and_no_other(drive, watcher, monkeypatch):
    drive.start()
    clock = VirtualClock()
    other = Hsm("other", clock=clock)
    mailbox = drive.chart._core.mailbox
    mailbox.timed = TimedPosts(mailbox, clock)
    drive.chart.post_fifo(Event("SWITCH"), period=1.0, times=1)
    other.post_fifo(Event("SWITCH"), period=1.0, times=1)

    def breaks_for_one(box: Mailbox, e: Event, way: int, origin: Any) -> None:
        return breaks() if box is mailbox else put(box, e, way, origin)

    put = Mailbox.put
    monkeypatch.setattr(Mailbox, "put", breaks_for_one)
    clock._fire_next(2_000_000_000)
    clock._fire_next(2_000_000_000)
    assert isinstance(drive.send(), BrokenError)
    assert [step[2].signal for step in failed_steps(watcher)] == ["SWITCH"]
    assert len(other._core.queue) == 1


def test_a_published_event_that_breaks_one_subscriber_reaches_the_others(watcher, monkeypatch):
    fabric = Fabric()
    broken, whole = (lamp(Chart, threaded=False, fabric=fabric) for _ in range(2))
    broken.attach(watcher)
    for chart in (broken, whole):
        chart.start_at()
        chart.subscribe("SWITCH")
    put = Mailbox.put

    def breaks_for_one(mailbox: Mailbox, e: Event, way: int, origin: Any) -> None:
        return breaks() if mailbox is broken._core.mailbox else put(mailbox, e, way, origin)

    monkeypatch.setattr(Mailbox, "put", breaks_for_one)
    whole.publish(Event("SWITCH"))
    assert whole.complete_circuit()
    assert whole.current_state() == "on"
    with pytest.raises(BrokenError):
        broken.complete_circuit()
    assert [step[2].signal for step in failed_steps(watcher)] == ["SWITCH"]


def test_a_chart_that_goes_on_after_errors_rests_where_it_rested(drive, watcher, monkeypatch):
    if drive.chart._driver is not CALLER:
        drive.chart._driver.on_error = "continue"
    drive.start()
    monkeypatch.setattr(Walk, "begin", breaks)
    drive.chart.post_fifo(Event("SWITCH"))
    if drive.loop is None and not drive.chart.threaded:
        with pytest.raises(BrokenError):
            drive.chart.next_rtc()
    elif drive.loop is not None:
        drive.loop.run_until_complete(drive.chart.settled())
    eventually(lambda: failed_steps(watcher) and drive.chart.at_rest)
    monkeypatch.undo()
    drive.chart.post_fifo(Event("SWITCH"))
    if drive.loop is None and not drive.chart.threaded:
        drive.chart.complete_circuit()
    elif drive.loop is not None:
        drive.loop.run_until_complete(drive.chart.settled())
    eventually(lambda: drive.chart.current_state() == "on")


def test_a_chart_that_records_nothing_raises_what_broke_and_can_be_driven_on(monkeypatch):
    chart = lamp(Chart, threaded=False, instrumented=False)
    chart.start_at()
    monkeypatch.setattr(Walk, "begin", breaks)
    monkeypatch.setattr(CachedWalk, "forget_failed", breaks)
    with pytest.raises(BrokenError):
        chart.dispatch(Event("SWITCH"))
    monkeypatch.undo()
    chart.dispatch(Event("SWITCH"))
    assert chart.current_state() == "on"
