"""Whatever breaks inside the engine, and whoever drives the chart: it is seen like a failing handler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farscope.engine import ActiveObject, AsyncChart, Chart, Event, Fabric, Hsm, Runner, State, return_status
from farscope.engine.core import slow_path as walker
from farscope.engine.core.algorithm import Walk
from farscope.engine.core.mailbox import Mailbox
from farscope.engine.core.notebook import Notebook
from farscope.engine.core.reserved import held_by
from farscope.engine.core.slow_path import Walker
from farscope.engine.core.step_cache import Memo
from farscope.engine.core.step_runner import Stepper
from farscope.engine.drivers import event_loop as loop
from farscope.engine.drivers import thread as active
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
        (Memo, "ask"),
        (Memo, "rest"),
        (Memo, "interned"),
        (Walker, "_explore"),
        (Walker, "_walk_on"),
        (Walker, "_resolve"),
        (Walker, "_begun"),
        (Walker, "_forget_failed"),
        (walker, "is_intact"),
        (Stepper, "_follow"),
        (Stepper, "_fail"),
        (Notebook, "_record"),
        (Notebook, "_take_texts"),
        (Observers, "report"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_breaks_in_a_step_is_a_failed_step_and_the_chart_ends_as_its_policy_says(
    drive, monkeypatch, owner, name
):
    drive.start()
    monkeypatch.setattr(owner, name, breaks)
    if name in ("failed", "_forget_failed", "_fail"):
        # What runs only after something else has failed.
        monkeypatch.setattr(Walk, "begin", breaks)
    if name == "_take_texts":
        drive.chart._texts.append("left")
    assert isinstance(drive.send("SWITCH"), BrokenError)
    failed = failed_steps(drive.watcher)
    assert [step[2].signal for step in failed] == ["SWITCH"]
    assert "BrokenError" in failed[0][-1][-1]
    monkeypatch.undo()
    drive.close()
    assert drive.watcher.told[-1][0] == "stopped"


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Observers, "announce"), (Walk, "begin_start"), (Notebook, "_record"), (Stepper, "_follow")],
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
    ("thread", active, "is_intact"),
    ("runner", active, "is_intact"),
    ("runner", ActiveObject, "_is_wanted_again"),
    ("runner", ActiveObject, "take_turn"),
    ("loop", loop, "is_intact"),
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
    assert "BrokenError" in failed[0][-1][-1]
    assert watcher.told[-1][0] == "stopped"
    monkeypatch.undo()
    drive.close()


def test_a_runner_goes_on_with_its_other_charts(watcher, monkeypatch):
    take_turn = ActiveObject.take_turn

    def breaks_for_one(chart: Any, steps: int) -> bool:
        return breaks() if chart.name == "broken" else take_turn(chart, steps)

    monkeypatch.setattr(ActiveObject, "take_turn", breaks_for_one)
    with Runner(1) as runner:
        broken, whole = (lamp(Chart, runner=runner) for _ in range(2))
        broken.name = "broken"
        whole.attach(watcher)
        for chart in (broken, whole):
            chart.start_at()
            chart.post_fifo(Event("SWITCH"))
        assert broken.join(SOON_S)
        eventually(lambda: [step[2].signal for step in watcher.steps] == ["start_at", "SWITCH"])


@pytest.mark.parametrize(
    ("owner", "name"), [(ActiveObject, "_goes_on"), (Stepper, "_end"), (Observers, "stop")]
)
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
    drive.chart._timed = TimedPosts(drive.chart, clock)
    drive.chart._held = held_by(drive.chart)
    drive.chart.post_fifo(Event("SWITCH"), period=1.0, times=1)
    other.post_fifo(Event("SWITCH"), period=1.0, times=1)

    def breaks_for_one(chart: Any, e: Event, cause: Any, claim: int, *, lifo: bool) -> None:
        return breaks() if chart is drive.chart else deliver(chart, e, cause, claim, lifo=lifo)

    deliver = Mailbox._deliver_timed
    monkeypatch.setattr(Mailbox, "_deliver_timed", breaks_for_one)
    clock._fire_next(2_000_000_000)
    clock._fire_next(2_000_000_000)
    assert isinstance(drive.send(), BrokenError)
    assert [step[2].signal for step in failed_steps(watcher)] == ["SWITCH"]
    assert len(other._queue) == 1


def test_a_published_event_that_breaks_one_subscriber_reaches_the_others(watcher, monkeypatch):
    fabric = Fabric()
    broken, whole = (lamp(Chart, threaded=False, fabric=fabric) for _ in range(2))
    broken.attach(watcher)
    for chart in (broken, whole):
        chart.start_at()
        chart.subscribe("SWITCH")
    deliver = Mailbox.deliver

    def breaks_for_one(chart: Any, e: Event, cause: Any, *, lifo: bool = False) -> None:
        return breaks() if chart is broken else deliver(chart, e, cause, lifo=lifo)

    monkeypatch.setattr(Mailbox, "deliver", breaks_for_one)
    whole.publish(Event("SWITCH"))
    assert whole.complete_circuit()
    assert whole.current_state() == "on"
    with pytest.raises(BrokenError):
        broken.complete_circuit()
    assert [step[2].signal for step in failed_steps(watcher)] == ["SWITCH"]


def test_a_chart_that_goes_on_after_errors_rests_where_it_rested(drive, watcher, monkeypatch):
    drive.chart._on_error = "continue"
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
    monkeypatch.setattr(Walker, "_forget_failed", breaks)
    with pytest.raises(BrokenError):
        chart.dispatch(Event("SWITCH"))
    monkeypatch.undo()
    chart.dispatch(Event("SWITCH"))
    assert chart.current_state() == "on"
