from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

import pytest

from farscope.engine import ActiveObject, AsyncChart, Chart, Event, Factory, Hsm, Runner, State, return_status
from farscope.engine.active_object import drive_itself
from farscope.engine.core.reserved import EXTENSIBLE, WHY_FIXED
from farscope.errors import ChartBuildError, ChartError
from farscope.records.shape import StepKind
from farscope.testing.waiting import eventually

PUBLIC = sorted({name for kind in (AsyncChart, Factory) for name in dir(kind) if not name.startswith("_")})
SWITCHES = ("instrumented", "live_spy", "live_trace")
RESERVED = {*WHY_FIXED, *EXTENSIBLE} & set(PUBLIC)
SOON_S = 30


def heater_that_assigns(name: str, kind: type = Chart, **options: Any) -> Any:
    class Heater(kind):
        off = State(initial=True)
        on = State()
        off.on("A", to=on)
        on.on("A", to=off)

        @on.on("B")
        def measure(self, e: Event) -> None:
            setattr(self, name, e.payload)

    return Heater("heater", **options)


@pytest.mark.parametrize("name", ["_core", "_driver", "deliver", "halt", "post_fifo", "trans"])
@pytest.mark.parametrize("base", [Hsm, ActiveObject, Factory])
def test_a_class_that_takes_a_name_of_the_engine_is_refused_with_the_remedy(base: type, name: str):
    with pytest.raises(ChartBuildError, match=f"class Mine .* {name}") as refused:
        type("Mine", (base,), {name: lambda _self: None})
    assert refused.value.hint == f"rename it, e.g. {name.strip('_')}_of_mine"


def test_a_name_taken_by_what_a_class_is_mixed_with_is_refused_too():
    class Runs:
        def _driver(self) -> None:
            """Do something quite different."""

    with pytest.raises(ChartBuildError, match="class Runs has an attribute _driver of its own"):
        type("Mine", (Runs, Factory), {})


@pytest.mark.parametrize("name", ["_core", "_driver"])
def test_a_chart_with_an_attribute_by_a_name_of_the_engine_does_not_start(name: str):
    chart = Factory("mine", threaded=False)
    chart.nest(chart.create("rest").to_method(), parent=None)
    setattr(chart, name, "mine")
    with pytest.raises(ChartBuildError, match=f"a chart of class Factory has an attribute {name} of its own"):
        chart.start_at("rest")


def test_names_of_ones_own_and_methods_made_to_be_overridden_are_fine():
    class Mine(Factory):
        _limits = (1, 2)

        def start_at(self, initial_state: object) -> None:
            self._tally = 3
            super().start_at(initial_state)

        def stop(self, timeout_s: float = 1.0) -> BaseException | None:
            return super().stop(timeout_s)

    chart = Mine("mine", threaded=False)
    chart.nest(chart.create("rest").to_method(), parent=None)
    chart.start_at("rest")
    assert chart.current_state() == "rest"
    with pytest.raises(ChartBuildError, match="chart mine has an attribute stop of its own"):
        chart.stop = True


def test_only_a_handful_of_private_names_is_reserved():
    engine = [kind for kind in AsyncChart.__mro__ if kind.__module__.startswith("farscope.engine.")]
    private = {name for kind in engine for name in vars(kind) if name.startswith("_") and name[1] != "_"}
    assert private == {"_core", "_driver", "_declaration"}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_that_a_handler_assigns_is_refused_by_name_or_gives_way(name: str, watcher):
    kind = AsyncChart if name not in dir(Factory) else Chart
    if kind is AsyncChart:
        asyncio.run(assigned_on_a_loop(name, watcher))
        return
    heater = heater_that_assigns(name, threaded=False)
    heater.attach(watcher)
    heater.start_at()
    heater.dispatch(Event("A"))
    if name in RESERVED:
        with pytest.raises(ChartError, match=name):
            heater.dispatch(Event("B", 3.0))
    else:
        heater.dispatch(Event("B", 3.0))
        assert getattr(heater, name) == 3.0
    went_on(heater, watcher)


async def assigned_on_a_loop(name: str, watcher: Any) -> None:
    async with heater_that_assigns(name, AsyncChart, on_error="continue") as heater:
        heater.attach(watcher)
        for event in (Event("A"), Event("B", 3.0), Event("A")):
            heater.post_fifo(event)
        async with asyncio.timeout(SOON_S):
            await AsyncChart.settled(heater)
        if name in RESERVED:
            assert name in watcher.steps[1][9][0]
        assert heater.current_state() == "off"


def went_on(heater: Any, watcher: Any) -> None:
    """Check that a chart in ``on`` does all a chart does, and is seen."""
    seen = len(watcher.steps)
    heater.dispatch(Event("A"))
    heater.post_fifo(Event("A"))
    heater.complete_circuit()
    assert heater.current_state() == "on"
    assert [step[2].kind for step in watcher.steps[seen:]] == [StepKind.TRANSITION] * 2
    assert "A:off" in heater.spy()
    assert "off->on" in heater.trace()
    assert heater.stop() is None
    assert watcher.told[-1][0] == "stopped"


@pytest.mark.parametrize("name", SWITCHES)
def test_a_setting_that_is_on_or_off_takes_what_says_so_and_no_reading(name: str):
    heater = heater_that_assigns(name, threaded=False)
    for to in (False, True, 0, 1, None):
        setattr(heater, name, to)
        assert getattr(heater, name) is bool(to)
    for reading in (21.5, 0.0, 2, "on", []):
        with pytest.raises(
            ChartBuildError, match=f"chart heater has an attribute {name} of its own"
        ) as refused:
            setattr(heater, name, reading)
        assert refused.value.hint == f"rename it, e.g. {name}_of_mine"


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - {*WHY_FIXED, *EXTENSIBLE}))
def test_a_public_name_that_is_not_reserved_gives_way_to_a_value_or_a_state_of_a_class(name: str):
    class Valued(Chart):
        only = State()

    assert getattr(type("Mine", (Valued,), {name: 3.0}), name) == 3.0
    mine = type("Stated", (Chart,), {name: State(name)})("mine", threaded=False)
    mine.start_at()
    assert mine.current_state() == name


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_name_is_refused_as_a_value_and_as_a_state_when_the_class_is_defined(name: str):
    kind = Chart if name in dir(Chart) else AsyncChart
    with pytest.raises(ChartBuildError, match=name):
        type("Mine", (kind,), {name: 3.0, "only": State()})
    with pytest.raises(ChartBuildError, match=name):
        type("Mine", (kind,), {name: State(name)})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("dispatch", "events from the queue do not pass through it"),
        ("next_rtc", "a chart that runs by itself does not call it"),
        ("post_fifo", "timed and published events do not pass through it"),
        ("post_lifo", "timed and published events do not pass through it"),
        ("trans", "declared transitions do not pass through it"),
        ("top", "never called"),
    ],
)
def test_an_override_that_would_not_always_be_called_is_refused_with_the_reason(name: str, why: str):
    with pytest.raises(ChartBuildError, match=f"class Mine overrides {name}.*{why}"):
        type("Mine", (ActiveObject,), {name: lambda *_: None})


def test_what_a_class_prints_live_lines_with_is_honoured(pair):
    lines: list[str] = []

    class Quiet(Hsm):
        @staticmethod
        def live_spy_callback_default(spy_line: str) -> None:
            lines.append(spy_line)

        @staticmethod
        def live_trace_callback_default(trace_line: str) -> None:
            lines.append(trace_line)

    chart = Quiet("quiet")
    chart.live_spy = chart.live_trace = True
    chart.start_at(pair.inner)
    assert lines[0].endswith("[quiet] e->start_at() top->inner")
    assert lines[1] == "START"


def test_the_first_name_for_a_temperature_is_ones_own_in_class_and_handler():
    class Heater(Chart):
        temp = 25.0
        off = State(initial=True)
        on = State()
        off.on("TEMP", to=on, guard=lambda self, e: self.temp > e.payload)

        @on.on("TEMP")
        def measure(self, e: Event) -> None:
            self.temp = e.payload

    heater = Heater("heater", threaded=False)
    heater.start_at()
    for reading in (10.0, 11.0, 12.0):
        heater.dispatch(Event("TEMP", reading))
    assert (heater.temp, heater.current_state()) == (12.0, "on")


def test_a_temp_of_ones_own_beside_a_flat_function_is_refused_at_the_start(pair):
    class Heater(Hsm):
        temp = 25.0

    with pytest.raises(
        ChartBuildError, match="chart heater has a temp of its own, but state inner is a flat"
    ):
        Heater("heater").start_at(pair.inner)


def test_a_failed_step_says_which_attributes_hide_those_of_every_chart(watcher):
    def on(chart: Any, e: Event) -> int:
        if e.signal_name == "B":
            chart.temp = 3.0
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm("heater")
    chart.attach(watcher)
    chart.start_at(on)
    chart.dispatch(Event("B"))
    with pytest.raises(AttributeError, match="'float' object has no attribute 'fun'"):
        chart.dispatch(Event("A"))
    assert "hide those of every chart: temp; rename them" in watcher.steps[-1][9][0]


def test_an_augmented_name_is_refused_taken_or_left_but_never_in_silence():
    chart = Hsm("mine")
    chart.augment(other=0, name="steps")
    chart.augment(other=1, name="steps")
    chart.augment(other=2, name="state")
    assert (chart.steps, chart.state) == (0, 2)
    for name in ("spy", "_core", "attach"):
        with pytest.raises(ChartBuildError, match=f"chart mine has an attribute {name} of its own"):
            chart.augment(other=0, name=name)


def driven_by_its_caller(chart: Any, events: list[Event]) -> None:
    chart.start_at()
    for event in events:
        chart.post_fifo(event)
        try:
            chart.complete_circuit()
        except ChartBuildError:
            continue


def driven_by_a_thread(chart: Any, events: list[Event]) -> None:
    reached = threading.Event()
    # Before the start: a post while the chart has lost its core would fail itself.
    for event in (*events, Event("END", reached)):
        chart.post_fifo(event)
    chart.start_at()
    assert reached.wait(SOON_S)
    chart.stop()


def driven_by_a_runner(chart: Any, events: list[Event]) -> None:
    with Runner(1) as runner:
        drive_itself(chart, chart._driver.on_error, runner)
        driven_by_a_thread(chart, events)


def driven_by_a_loop(chart: Any, events: list[Event]) -> None:
    async def run() -> None:
        async with chart:
            for event in events:
                chart.post_fifo(event)
            await chart.settled()

    asyncio.run(run())


DRIVERS = {
    "caller": (Chart, {"threaded": False}, driven_by_its_caller),
    "thread": (Chart, {"on_error": "continue"}, driven_by_a_thread),
    "runner": (Chart, {"on_error": "continue"}, driven_by_a_runner),
    "loop": (AsyncChart, {"on_error": "continue"}, driven_by_a_loop),
}


@pytest.mark.parametrize("name", ["_core", "_driver"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_private_name_that_a_handler_takes_fails_a_step_and_the_chart_gets_it_back(driver, name, watcher):
    kind, options, drive = DRIVERS[driver]

    class Heater(kind):
        only = State(initial=True)

        @only.on("B")
        def take(self, e: Event) -> None:
            setattr(self, name, e.payload)

        @only.on("A")
        def act(self) -> None:
            self.scribble("acted")

        @only.on("END")
        def end(self, e: Event) -> None:
            e.payload.set()

    heater = Heater("heater", **options)
    heater.attach(watcher)
    drive(heater, [Event("A"), Event("B", deque()), Event("A"), Event("A")])
    told = f"chart heater has an attribute {name} of its own, which a chart needs for itself"
    assert [told in step[9][-1] for step in watcher.steps if step[2].kind is StepKind.FAILED] == [True]
    assert watcher.steps[-2 if "END" in watcher.steps[-1][2].signal else -1][9] == ("acted",)


@pytest.mark.parametrize("name", ["_core", "post_fifo", "trans"])
@pytest.mark.parametrize("driver", ["thread", "runner", "loop"])
def test_a_name_that_a_step_takes_like_one_before_it_fails_the_chart_when_it_comes_to_rest(
    driver, name, watcher
):
    kind, _, drive = DRIVERS[driver]

    class Heater(kind):
        only = State(initial=True)

        @only.on("B")
        def take(self, e: Event) -> None:
            if e.payload:
                setattr(self, name, e.payload[0])

        @only.on("END")
        def end(self, e: Event) -> None:
            e.payload.set()

    heater = Heater("heater")
    heater.attach(watcher)
    drive(heater, [Event("B"), Event("B", [deque()])])
    eventually(lambda: heater.failure is not None)
    assert f"chart heater has an attribute {name} of its own" in str(heater.failure)
    assert watcher.steps[-1][2].kind is StepKind.FAILED
    eventually(lambda: watcher.told[-1][0] == "stopped")
