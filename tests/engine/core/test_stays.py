"""Timeouts and tasks belong to a stay in a state: they begin with it and end with it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from farscope.engine import AsyncChart, Chart, Event, Factory, Runner, State, return_status, signals
from farscope.engine.core.stays import delay_text
from farscope.errors import ChartBuildError
from farscope.records.structure import Reaction, ReactionFlag
from farscope.testing.clock import VirtualClock
from farscope.testing.waiting import eventually


class Gate(Chart):
    """Waits for a car, and shows an error if none comes."""

    ok = True

    idle = State(initial=True)
    with State() as waiting:
        near = State(initial=True)
        far = State()
    error = State()

    idle.on("CALL", to=waiting)
    waiting.on("BACK", to=idle)
    waiting.on("AGAIN", to=waiting)
    near.on("MOVE", to=far)
    waiting.after(0.2, to=error, guard=lambda gate: gate.ok)

    @waiting.every(0.05)
    def blink(self) -> None:
        self.scribble("blink")

    @waiting.on("BREAK")
    def leave_badly(self) -> State:
        return self.broken

    broken = State()

    @broken.entry
    def fail(self) -> None:
        raise RuntimeError("broken")

    @near.otherwise
    def swallow(self, e: Event) -> None:
        self.scribble(f"swallowed {e.signal_name}")

    @near.on("BACK", "AGAIN", "BREAK", guard=lambda _gate: False)
    def never(self) -> None:
        raise AssertionError("refused by the guard")


AFTER = "after.waiting.200ms"
EVERY = "every.waiting.50ms"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def gate(clock: VirtualClock) -> Gate:
    gate = Gate("gate", threaded=False, clock=clock)
    gate.start_at()
    gate.dispatch(Event("CALL"))
    return gate


def fire_without_handling(gate: Any, clock: VirtualClock, seconds: float) -> None:
    """Let timers fire while the chart's caller is elsewhere, so that their events wait in its queue."""
    clock._charts.clear()
    clock.advance(seconds)


def signals_of(chart: Any) -> list[str]:
    return [step.signal for step in chart.steps()]


def test_a_timeout_fires_once_after_its_seconds_in_the_state_however_often_states_inside_change(gate, clock):
    clock.advance(0.1)
    gate.dispatch(Event("MOVE"))
    clock.advance(0.099)
    assert gate.is_in("waiting")
    clock.advance(0.001)
    assert gate.current_state() == "error"
    clock.advance(10)
    assert signals_of(gate).count(AFTER) == 1
    assert clock.pending == 0


def test_a_repeated_timeout_fires_every_period_until_the_state_is_left(gate, clock):
    clock.advance(0.17)
    gate.dispatch(Event("MOVE"))
    gate.dispatch(Event("BACK"))
    clock.advance(1)
    assert signals_of(gate).count(EVERY) == 3


def test_a_timeout_whose_guard_refuses_is_over_and_the_state_stays(gate, clock):
    gate.ok = False
    clock.advance(5)
    assert gate.is_in("waiting")
    assert signals_of(gate).count(AFTER) == 1


def test_entering_a_state_again_starts_its_time_again(gate, clock):
    gate.dispatch(Event("MOVE"))
    clock.advance(0.15)
    gate.dispatch(Event("AGAIN"))
    clock.advance(0.15)
    assert gate.is_in("waiting")
    clock.advance(0.05)
    assert gate.current_state() == "error"


def test_a_timeout_that_waits_in_the_queue_when_its_state_is_left_never_fires_and_the_step_shows_it(
    gate, clock
):
    gate.dispatch(Event("MOVE"))
    fire_without_handling(gate, clock, 0.3)
    gate.dispatch(Event("BACK"))
    assert f"VOIDED:{AFTER}" in gate.spy_rtc()
    assert f"VOIDED:{EVERY}" in gate.spy_rtc()
    assert gate.spy_rtc()[-1] == "<- Queued:(0) Deferred:(0)"
    gate.dispatch(Event("CALL"))
    assert not gate.complete_circuit()
    assert gate.is_in("waiting")
    assert gate.voided == 2


def test_reactions_to_all_other_signals_do_not_take_the_timeouts_of_states_around_them(gate, clock):
    gate.dispatch(Event("OTHER"))
    clock.advance(0.3)
    assert gate.current_state() == "error"
    assert "swallowed OTHER" in gate.spy()
    assert f"swallowed {AFTER}" not in gate.spy()


def test_the_step_that_entered_the_state_is_the_cause_of_its_timeouts(gate, clock):
    entered = gate.steps()[-1].number
    clock.advance(0.05)
    assert gate.steps()[-1].signal == EVERY
    assert gate.steps()[-1].cause.number == entered


def test_a_step_that_fails_leaves_the_timeouts_as_they_were_before_it(gate, clock):
    gate.dispatch(Event("MOVE"))
    clock.advance(0.125)
    with pytest.raises(RuntimeError, match="broken"):
        gate.dispatch(Event("BREAK"))
    assert gate.current_state() == "far"
    before = len(gate.steps())
    clock.advance(0.075)
    assert [step.signal for step in gate.steps()[before:]] == [EVERY, AFTER]
    assert gate.current_state() == "error"


def test_a_step_that_fails_does_not_keep_the_timeouts_of_states_that_it_had_entered(clock):
    class Bad(Chart):
        idle = State(initial=True)
        with State() as outer:
            inner = State(initial=True)
        idle.on("GO", to=outer)
        outer.after(0.1, to=idle)

        @inner.entry
        def fail(self) -> None:
            raise RuntimeError("broken")

    chart = Bad("bad", threaded=False, clock=clock, instrumented=False)
    chart.start_at()
    with pytest.raises(RuntimeError, match="broken"):
        chart.dispatch(Event("GO"))
    assert clock.pending == 0


def test_a_failed_start_leaves_no_timeouts(clock):
    class Bad(Chart):
        with State(initial=True) as outer:
            inner = State(initial=True)
        outer.after(0.1, to=outer)

        @inner.entry
        def fail(self) -> None:
            raise RuntimeError("broken")

    chart = Bad("bad", threaded=False, clock=clock)
    with pytest.raises(RuntimeError, match="broken"):
        chart.start_at()
    assert clock.pending == 0


def test_a_timeout_finds_room_in_a_full_queue_and_a_repeated_one_is_counted_like_any_post(clock):
    class Full(Chart):
        a = State(initial=True)
        b = State()
        a.after(0.1, to=b)
        a.every(0.05)(lambda _chart: None)

    chart = Full("full", threaded=False, clock=clock, queue_size=1)
    chart.start_at()
    chart.post_fifo(Event("X"))
    fire_without_handling(chart, clock, 0.1)
    assert chart.rejected == 2
    chart.complete_circuit()
    assert chart.current_state() == "b"


def test_the_structure_announces_timeouts_with_their_delay(gate):
    reactions = gate._core.standing().structure().reactions
    timed = [reaction for reaction in reactions if reaction.delay]
    assert [(r.state, r.signal, r.target, r.flags, r.delay) for r in timed] == [
        ("waiting", AFTER, "error", (ReactionFlag.TIMED,), "200 ms"),
        ("waiting", EVERY, "", (ReactionFlag.TIMED,), "50 ms"),
    ]
    assert all(isinstance(reaction, Reaction) for reaction in reactions)


def test_several_timeouts_of_one_delay_are_tried_in_the_order_in_which_they_are_written(clock):
    class Choice(Chart):
        a = State(initial=True)
        b = State()
        c = State()
        a.after(1, to=b, guard=lambda _chart: False)
        a.after(1, to=c)

    chart = Choice("choice", threaded=False, clock=clock)
    chart.start_at()
    clock.advance(1)
    assert chart.current_state() == "c"
    assert signals_of(chart) == ["start_at", "after.a.1s"]


@pytest.mark.parametrize("seconds", [0, -1, 1e12, float("nan")])
def test_a_timeout_that_no_timer_can_make_is_refused_where_it_is_declared(seconds):
    with pytest.raises(ChartBuildError, match="a timeout of state a cannot be"):
        State("a").after(seconds, to="b")


def test_delays_are_written_in_milliseconds_up_to_a_second():
    assert [delay_text(s) for s in (0.0001, 0.2, 0.999, 1, 1.5, 3600)] == [
        "0.1 ms",
        "200 ms",
        "999 ms",
        "1 s",
        "1.5 s",
        "3600 s",
    ]


def test_regions_have_timeouts_of_their_own(clock):
    class Oven(Chart):
        with State(initial=True, parallel=True) as on:
            with State() as lamp:
                dark = State(initial=True)
                bright = State()
            with State() as fan:
                still = State(initial=True)
                turning = State()
        off = State()
        dark.after(0.1, to=bright)
        bright.after(0.1, to=dark)
        still.after(0.25, to=turning)
        on.after(1, to=off)

    oven = Oven("oven", threaded=False, clock=clock)
    oven.start_at()
    clock.advance(0.3)
    assert oven.configuration == ("bright", "turning")
    clock.advance(0.7)
    assert oven.configuration == ("off",)
    assert clock.pending == 0


def built(clock: VirtualClock) -> Factory:
    chart = Factory("built", threaded=False, clock=clock)

    def count(chart: Factory, _e: Event) -> int:
        chart.scribble("tick")
        return return_status.HANDLED

    chart.create("a").after(0.2, lambda chart, _e: chart.trans("b")).every(0.1, count)
    chart.create("b").catch(signals.BACK, lambda chart, _e: chart.trans("a"))
    chart.nest("a", parent=None).nest("b", parent=None)
    return chart


def test_a_chart_built_by_parts_has_timeouts_too(clock):
    chart = built(clock)
    chart.start_at("a")
    clock.advance(0.2)
    assert signals_of(chart) == ["start_at", "every.a.100ms", "after.a.200ms"]
    chart.dispatch(Event("BACK"))
    clock.advance(0.1)
    assert chart.spy().count("tick") == 2


def test_no_flat_function_is_equivalent_to_a_state_with_a_timeout(clock):
    with pytest.raises(ChartBuildError, match="which has a timeout, a task or a chart"):
        built(clock).to_code("a")


class Short(Chart):
    a = State(initial=True)
    b = State()
    a.after(0.01, to=b)


class AsyncShort(AsyncChart):
    a = State(initial=True)
    b = State()
    a.after(0.01, to=b)


@pytest.mark.parametrize("how", ["thread", "runner"])
def test_timeouts_work_on_threads(how):
    with Runner() as runner, Short("short", runner=runner if how == "runner" else None) as chart:
        chart.start_at()
        eventually(lambda: chart.current_state() == "b")


def test_timeouts_work_on_an_event_loop():
    async def run() -> None:
        async with AsyncShort("short") as chart:
            assert chart.current_state() == "a"
            await asyncio.to_thread(eventually, lambda: chart.current_state() == "b")

    asyncio.run(run())


def test_a_stopped_chart_leaves_no_timers(clock):
    chart = Gate("gate", threaded=False, clock=clock)
    chart.start_at()
    chart.dispatch(Event("CALL"))
    chart.stop()
    assert clock.pending == 0


def test_an_entry_that_is_awaited_starts_the_time_when_it_has_ended():
    async def run() -> None:
        class Slow(AsyncChart):
            a = State(initial=True)
            b = State()
            a.after(0.5, to=b)
            go = asyncio.Event()

            @a.entry
            async def wait(self) -> None:
                await self.go.wait()

        clock = VirtualClock()
        chart = Slow("slow", clock=clock)
        chart.start_at()
        await asyncio.sleep(0)
        assert clock.pending == 0
        chart.go.set()
        await chart.started()
        assert clock.pending == 1
        await chart.aclose()
        assert clock.pending == 0

    asyncio.run(run())


class Slow(Gate):
    """Waits longer, and blinks no more."""

    waiting = Gate.waiting.extended()
    slow = State()

    waiting.after(0.2, to=slow)
    waiting.after(0.3, to=Gate.idle)


def test_a_subclass_inherits_timeouts_and_replaces_those_of_the_same_delay(clock):
    chart = Slow("slow", threaded=False, clock=clock)
    chart.start_at()
    chart.dispatch(Event("CALL"))
    clock.advance(0.2)
    assert chart.current_state() == "slow"
    assert signals_of(chart).count(EVERY) == 3


def test_of_several_bases_that_extend_a_state_each_adds_its_timeouts(clock):
    class Quick(Gate):
        waiting = Gate.waiting.extended()
        waiting.after(0.1, to=Gate.idle)

    class Both(Quick, Slow):
        waiting = Gate.waiting.extended()

    chart = Both("both", threaded=False, clock=clock)
    chart.start_at()
    chart.dispatch(Event("CALL"))
    assert clock.pending == 4
    clock.advance(0.1)
    assert chart.current_state() == "idle"
    assert clock.pending == 0


def test_a_declared_state_that_one_chart_takes_in_brings_its_timeouts(clock):
    with State("lamp") as lamp:
        dark = State("dark", initial=True)
        bright = State("bright")
    dark.after(0.5, to=bright)
    house = Factory("house", threaded=False, clock=clock)
    room = house.create("room").to_method()
    house.nest(room, parent=None).nest(lamp, parent=room)
    house.start_at(lamp)
    clock.advance(0.5)
    assert house.current_state() == "bright"


def test_a_chart_with_timeouts_is_freed_with_its_last_reference_and_so_are_its_timers(clock):
    chart = Gate("gate", threaded=False, clock=clock)
    chart.start_at()
    chart.dispatch(Event("CALL"))
    clock.advance(0.05)
    chart.dispatch(Event("AGAIN"))
    alive = weakref.ref(chart)
    gc.disable()
    try:
        del chart
        assert alive() is None
    finally:
        gc.enable()
    assert clock.pending == 0


def test_a_failed_step_on_an_event_loop_leaves_the_timeouts_as_they_were():
    class AsyncGate(AsyncChart):
        waiting = State(initial=True)
        broken = State()
        late = State()
        waiting.on("BREAK", to=broken)
        waiting.after(0.2, to=late)

        @broken.entry
        async def fail(self) -> None:
            raise RuntimeError("broken")

    async def run() -> None:
        clock = VirtualClock()
        async with AsyncGate("gate", clock=clock, on_error=lambda _chart, _e, _error: "continue") as chart:
            await asyncio.to_thread(clock.advance, 0.15)
            await chart.post(Event("BREAK"))
            await chart.settled()
            assert clock.pending == 1
            await asyncio.to_thread(clock.advance, 0.05)
            assert chart.current_state() == "late"

    asyncio.run(run())
