"""A chart restored from a snapshot behaves from there on as the chart of which it was made."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.engine import (
    AsyncChart,
    Chart,
    Event,
    Fabric,
    Factory,
    Final,
    History,
    Hsm,
    Runner,
    State,
    return_status,
    spy_on,
)
from farscope.engine.core.work import Cancellation
from farscope.errors import AlreadyStarted, SnapshotError
from farscope.testing.clock import VirtualClock
from farscope.testing.waiting import eventually


class Machine(Chart):
    """A bit of everything: regions, history, timeouts, deferred events and timed posts."""

    refuse = False

    idle = State(initial=True)
    with State(parallel=True) as on:
        with State() as motor:
            slow = State(initial=True)
            with State() as fast:
                warm = State(initial=True)
                hot = State()
            stopped = Final()
            motor_history = History(deep=True, default="slow")
        with State() as lamp:
            dark = State(initial=True)
            bright = State()
            lamp_history = History(default="dark")
    paused = State()

    idle.on("A", to=on)
    on.on("B", to=paused)
    on.on("C", to=idle)
    paused.on("A", to=motor_history)
    paused.on("B", to=lamp_history)
    slow.on("D", to=fast)
    fast.on("D", to=slow)
    warm.after(0.7, to=hot)
    hot.on("A", to=stopped)
    motor.on_done(to=paused)
    dark.after(0.31, to=bright, guard=lambda machine: not machine.refuse)
    bright.after(0.53, to=dark)
    paused.after(2.3, to=idle)

    @on.every(0.47)
    def beat(self) -> None:
        self.scribble("beat")

    @idle.on("E")
    @slow.on("E")
    def keep(self, e: Event) -> None:
        self.defer(e)

    @fast.entry
    @paused.entry
    def take_up(self) -> None:
        self.recall()

    @on.entry
    def remind(self) -> None:
        self.post_fifo(Event("E", payload={"n": [1, 2.5, None, "x"]}), period=0.83, times=3)

    @paused.on("F")
    def post_two(self) -> None:
        self.post_lifo(Event("A"))
        self.post_fifo(Event("D"))


class Side:
    """A machine with its clock."""

    def __init__(self, data: object = None) -> None:
        self.clock = VirtualClock()
        self.chart = Machine("machine", threaded=False, clock=self.clock, fabric=Fabric())
        if data is None:
            self.chart.start_at()
        else:
            self.chart.start_from(data)

    def do(self, action: tuple[str, Any]) -> None:
        what, about = action
        if what == "post":
            self.chart.post_fifo(Event(about))
        elif what == "wait":
            self.clock.advance(about)
        elif what == "fall behind":
            # The chart's caller is elsewhere while timers fire.
            end_ns = self.clock._now_ns + round(about * 1e9)
            while self.clock._fire_next(end_ns):
                pass
        else:
            self.chart.complete_circuit()

    def done(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...], list[str]]]:
        return [(s.signal, s.start_states, s.end_states, s.spy()) for s in self.chart.steps()]


actions = st.one_of(
    st.tuples(st.just("post"), st.sampled_from("ABCDEF")),
    st.tuples(st.sampled_from(("wait", "fall behind")), st.sampled_from((0.1, 0.37, 1.01))),
    st.tuples(st.just("handle"), st.none()),
)


def agree(before: list[tuple[str, Any]], after: list[tuple[str, Any]]) -> None:
    """Check that a twin restored after some actions does what the original does in further ones."""
    original = Side()
    for action in before:
        original.do(action)
    data = json.loads(json.dumps(original.chart.snapshot()))
    twin = Side(data)
    assert twin.chart.configuration == original.chart.configuration
    assert rounded(twin.chart.snapshot()) == rounded(data)
    original.chart.clear_spy()
    twin.chart.clear_spy()
    for action in (*after, ("handle", None), ("wait", 1.7), ("handle", None)):
        original.do(action)
        twin.do(action)
    assert twin.done() == original.done()
    assert twin.chart.configuration == original.chart.configuration


@settings(max_examples=150, deadline=None)
@given(before=st.lists(actions, max_size=25), after=st.lists(actions, max_size=25))
def test_a_restored_twin_does_what_the_original_does_from_there_on(before, after):
    agree(before, after)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None)
@given(before=st.lists(actions, max_size=40), after=st.lists(actions, max_size=40))
def test_ten_thousand_restored_twins_do_what_their_originals_do(before, after):
    agree(before, after)


def rounded(data: dict[str, Any]) -> Any:
    """Return a snapshot with its seconds rounded to nanoseconds, as clocks keep them."""
    return json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 9))


def machine(*posted: str) -> Side:
    side = Side()
    for signal in posted:
        side.chart.dispatch(Event(signal))
    return side


def test_a_snapshot_is_plain_json_that_says_where_the_chart_rests_and_what_waits():
    side = machine("A")
    side.clock.advance(0.1)
    side.chart.post_fifo(Event("D", payload={"why": ["x"]}))
    side.chart.subscribe("NEWS", queue_type="lifo")
    side.chart.defer(Event("E", 1))
    data = side.chart.snapshot()
    assert rounded(data) == {
        "format": "farscope chart",
        "version": 1,
        "chart": "machine",
        "configuration": ["slow", "dark"],
        "parents": {"slow": "motor", "motor": "on", "on": "", "dark": "lamp", "lamp": "on"},
        "history": {},
        "queue": [{"signal": "D", "payload": {"why": ["x"]}}],
        "deferred": [{"signal": "E", "payload": 1}],
        "timeouts": {"on": {"every.on.470ms": 0.37}, "dark": {"after.dark.310ms": 0.21}},
        "tasks": [],
        "timers": [
            {
                "signal": "E",
                "payload": {"n": [1, 2.5, None, "x"]},
                "period_s": 0.83,
                "left": 3,
                "lifo": False,
                "remaining_s": 0.73,
            }
        ],
        "subscriptions": [{"signal": "NEWS", "lifo": True}],
    }


def test_no_entry_or_initial_action_runs_and_watchers_see_where_the_chart_starts(watcher):
    data = machine("A", "D").chart.snapshot()
    twin = Machine("twin", threaded=False, clock=VirtualClock())
    twin.attach(watcher)
    twin.start_from(data)
    assert len(watcher.steps) == 1
    assert twin.steps()[0].end_states == ("warm", "dark")
    assert twin.spy() == ["START", "<- Queued:(0) Deferred:(0)"]


def test_a_snapshot_does_not_change_when_the_chart_goes_on():
    side = machine("A")
    payload = {"list": [1]}
    side.chart.post_fifo(Event("X", payload))
    data = side.chart.snapshot()
    payload["list"].append(2)
    side.chart.complete_circuit()
    assert data["queue"] == [{"signal": "X", "payload": {"list": [1]}}]


def test_a_timeout_that_waits_in_a_restored_queue_is_void_once_its_state_is_left():
    side = machine("A")
    side.do(("fall behind", 0.35))
    twin = Side(json.loads(json.dumps(side.chart.snapshot()))).chart
    twin.dispatch(Event("C"))
    assert "VOIDED:after.dark.310ms" in twin.spy_rtc()
    assert not twin.complete_circuit()


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (object(), "an object of type object"),
        ((1, 2), "an object of type tuple"),
        ({1: "x"}, "the key 1"),
        (float("inf"), "the number inf"),
        ([{"deep": {1, 2}}], "an object of type set"),
        (b"bytes", "an object of type bytes"),
    ],
)
@pytest.mark.parametrize("where", ["queue", "deferred", "timer"])
def test_a_payload_that_is_not_json_is_refused_by_its_type(where, payload, what):
    chart = machine("A").chart
    {
        "queue": chart.post_fifo,
        "deferred": chart.defer,
        "timer": lambda e: chart.post_fifo(e, period=1),
    }[where](Event("X", payload))
    with pytest.raises(SnapshotError, match=f"the payload of X, .* contains {what}"):
        chart.snapshot()


def test_a_payload_nested_without_end_is_refused():
    endless: list[Any] = []
    endless.append(endless)
    chart = machine().chart
    chart.post_fifo(Event("X", endless))
    with pytest.raises(SnapshotError, match="levels of nesting"):
        chart.snapshot()


def test_no_snapshot_is_made_before_the_start_during_a_step_or_after_the_end():
    seen: list[BaseException] = []

    class Curious(Chart):
        a = State(initial=True)

        @a.on("LOOK")
        def look(self) -> None:
            try:
                self.snapshot()
            except SnapshotError as error:
                seen.append(error)

    chart = Curious("curious", threaded=False)
    with pytest.raises(SnapshotError, match="is not started"):
        chart.snapshot()
    chart.start_at()
    chart.dispatch(Event("LOOK"))
    assert "has something to do" in str(seen[0])
    chart.stop()
    with pytest.raises(SnapshotError, match="has ended"):
        chart.snapshot()


def test_a_chart_of_flat_functions_is_refused():
    @spy_on
    def flat(chart, e):
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm("flat")
    chart.start_at(flat)
    with pytest.raises(SnapshotError, match="state flat of chart flat is a function"):
        chart.snapshot()


def damaged(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(data)), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "this is not a snapshot of a chart"),
        ({"version": 2}, "has version 2, and this release reads 1"),
        ({"configuration": ["slow", "gone"]}, "there is no state gone here"),
        ({"configuration": ["slow"]}, "state on cannot rest like that here"),
        ({"configuration": ["slow", "fast", "dark"]}, "more states are active|cannot rest like that"),
        ({"configuration": []}, "rests nowhere"),
        ({"configuration": "slow"}, "the field configuration of the snapshot"),
        ({"parents": {"slow": "lamp"}}, "state slow lies in lamp there, and in motor here"),
        ({"parents": {}}, "more states are active"),
        ({"history": {"gone": ["slow"]}}, "there is no history state gone here"),
        ({"history": {"motor_history": ["dark"]}}, "stands for states elsewhere"),
        ({"timeouts": {"on": {"after.on.9s": 1}}}, "state on has no after.on.9s here"),
        ({"timeouts": {"bright": {"after.bright.530ms": 0.1}}}, "state bright has no"),
        ({"tasks": ["on"]}, "state on has no done.task.on here"),
        ({"queue": [{"payload": 1}]}, "the field queue of the snapshot is damaged"),
        ({"queue": [{"signal": "X", "timer": 1}]}, "the field queue of the snapshot is damaged"),
        ({"timers": [{"signal": "X", "period_s": 1, "left": 0, "remaining_s": 1}]}, "the field timers"),
        ({"timers": [{"signal": "X", "period_s": 1, "left": 1, "remaining_s": "1"}]}, "the field timers"),
        ({"timeouts": {"on": {"every.on.470ms": -1}}}, "the field timeouts of the snapshot is damaged"),
        ({"tasks": [7]}, "state 7 has no"),
        ({"timers": 5}, "the field timers of the snapshot is 5"),
        ({"queue": [{"signal": "X", "payload": 1}] * 501}, "501 events are too many for chart twin"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused_and_the_chart_may_still_start(changes, message):
    data = machine("A").chart.snapshot()
    twin = Machine("twin", threaded=False, clock=VirtualClock())
    with pytest.raises(SnapshotError, match=message):
        twin.start_from(damaged(data, **changes))
    twin.start_at()
    assert twin.current_state() == "idle"


@pytest.mark.parametrize("data", [None, [], "x", {}])
def test_anything_else_is_not_a_snapshot(data):
    with pytest.raises(SnapshotError, match="this is not a snapshot"):
        Machine("twin", threaded=False).start_from(data)


def test_a_started_chart_is_not_restored():
    side = machine()
    with pytest.raises(AlreadyStarted):
        side.chart.start_from(side.chart.snapshot())


class Door(Chart):
    shut = State(initial=True)
    ajar = State()
    shut.on("GO", to=ajar)
    ajar.after(0.01, to=shut)


class AsyncDoor(AsyncChart):
    shut = State(initial=True)
    ajar = State()
    shut.on("GO", to=ajar)
    ajar.after(0.01, to=shut)


def door_data() -> dict[str, Any]:
    door = Door("door", threaded=False, clock=VirtualClock())
    door.start_at()
    door.dispatch(Event("GO"))
    door.post_fifo(Event("GO"))
    return door.snapshot()


def test_a_chart_that_another_thread_runs_is_refused_while_it_is_busy():
    class Slow(Chart):
        a = State(initial=True)
        begun = threading.Event()
        release = threading.Event()

        @a.on("WORK")
        def work(self) -> None:
            self.begun.set()
            assert self.release.wait(10)

    with Slow("slow", instrumented=False) as chart:
        chart.start_at()
        chart.post_fifo(Event("WORK"))
        assert Slow.begun.wait(10)
        with pytest.raises(SnapshotError, match="has something to do"):
            chart.snapshot()
        Slow.release.set()
        eventually(lambda: chart.at_rest)
        assert chart.snapshot()["configuration"] == ["a"]


def test_on_its_event_loop_a_chart_is_saved_with_what_waits():
    async def run() -> None:
        async with AsyncDoor("door") as door:
            await door.settled()
            door.post_fifo(Event("GO"))
            assert [entry["signal"] for entry in door.snapshot()["queue"]] == ["GO"]

    asyncio.run(run())


@pytest.mark.parametrize("how", ["thread", "runner"])
def test_a_chart_on_threads_is_restored_and_goes_on(how):
    with Runner() as runner, Door("door", runner=runner if how == "runner" else None) as door:
        door.start_from(door_data())
        eventually(lambda: [s.signal for s in door.steps()] == ["start_at", "GO", "after.ajar.10ms"])
        eventually(lambda: door.at_rest)
        assert door.snapshot()["configuration"] == ["shut"]


def test_a_chart_on_an_event_loop_is_restored_and_goes_on():
    async def run() -> None:
        door = AsyncDoor("door")
        door.start_from(door_data())
        await door.started()
        await asyncio.to_thread(eventually, lambda: door.current_state() == "shut")
        await door.aclose()

    asyncio.run(run())


def test_a_chart_built_by_parts_is_restored_by_the_names_of_its_states():
    def build() -> Factory:
        chart = Factory("built", threaded=False, clock=VirtualClock())
        chart.create("a").catch("GO", lambda chart, _e: chart.trans("b"))
        chart.create("b").after(1, lambda chart, _e: chart.trans("a"))
        chart.nest("a", parent=None).nest("b", parent=None)
        return chart

    original = build()
    original.start_at("a")
    original.dispatch(Event("GO"))
    twin = build()
    twin.start_from(original.snapshot())
    twin._core.clock.advance(1)
    assert twin.current_state() == "a"


class Busy(Chart):
    """Works once; how often it began is counted."""

    working = State(initial=True)
    done = State()
    working.on_result(to=done)

    def __init__(self) -> None:
        super().__init__("busy", threaded=False)
        self.begun = 0
        self.release = threading.Event()

    @working.task
    def work(self, _cancelled: Cancellation) -> str:
        self.begun += 1
        self.release.wait(10)
        return "result"


def test_an_interrupted_task_begins_again():
    original = Busy()
    original.start_at()
    data = original.snapshot()
    assert data["tasks"] == ["working"]
    original.release.set()
    original.stop()
    twin = Busy()
    twin.release.set()
    twin.start_from(data)
    eventually(lambda: not twin.at_rest)
    twin.complete_circuit()
    assert (twin.begun, twin.current_state()) == (1, "done")


def test_a_result_that_waits_in_the_queue_is_restored_and_the_task_does_not_begin_again():
    original = Busy()
    original.release.set()
    original.start_at()
    eventually(lambda: not original.at_rest)
    data = original.snapshot()
    assert (data["tasks"], [entry["state"] for entry in data["queue"]]) == ([], ["working"])
    twin = Busy()
    twin.start_from(data)
    twin.complete_circuit()
    assert (twin.begun, twin.current_state()) == (0, "done")
    twin.stop()
