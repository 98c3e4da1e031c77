"""Charts on an event loop: the same steps, whose handlers may wait."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import threading
import time
import weakref

import pytest

from farscope.engine import Event, Fabric, Hsm, return_status, signals, spy_on
from farscope.engine.async_chart import AsyncChart
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.state import State
from farscope.engine.drivers.event_loop import TURN_STEPS
from farscope.errors import (
    AlreadyStarted,
    ChartBuildError,
    ChartError,
    ChartStopped,
    NoStatus,
    NotAState,
    NotStarted,
    QueueFull,
)
from farscope.records.shape import StepKind
from farscope.records.step import Cause

SOON_S = 10


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, SOON_S))


class Gate(AsyncChart):
    """Its handlers wait until the test lets them go on."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self):
        self.entered.set()
        await self.opened.wait()

    with State(initial=True) as outer:
        idle = State(initial=True)
        busy = State()

    busy.on("DONE", to=idle)

    @idle.on("GO")
    async def go(self, e):
        self.scribble("before")
        self.post_fifo(Event("DONE"))
        await self.wait()
        self.scribble(f"after {e.payload}")
        return self.busy

    @busy.entry
    async def came(self):
        await asyncio.sleep(0)
        self.scribble("came")

    @outer.on("BREAK")
    async def fail(self):
        self.scribble("about to break")
        await self.wait()
        raise RuntimeError("broken")

    @outer.on("STOP")
    async def end(self):
        self.stop()
        await asyncio.sleep(0)


class Twin(Chart):
    """Does at once what a gate does after waiting."""

    with State(initial=True) as outer:
        idle = State(initial=True)
        busy = State()

    busy.on("DONE", to=idle)

    @idle.on("GO")
    def go(self, e):
        self.scribble("before")
        self.post_fifo(Event("DONE"))
        self.scribble(f"after {e.payload}")
        return self.busy

    @busy.entry
    def came(self):
        self.scribble("came")


@pytest.mark.parametrize("rounds", [1, 3], ids=["walked", "remembered"])
def test_a_chart_that_waits_leaves_the_spy_and_trace_of_one_that_does_not(rounds):
    twin = Twin("gate", threaded=False)
    twin.start_at()
    for _ in range(rounds):
        twin.post_fifo(Event("GO", 7))
        twin.complete_circuit()

    async def waiting():
        async with Gate("gate") as gate:
            gate.opened.set()
            for _ in range(rounds):
                await gate.post(Event("GO", 7))
                await gate.settled()
        return gate

    gate = run(waiting())
    assert gate.spy() == twin.spy()
    assert [step.shape for step in gate.steps()] == [step.shape for step in twin.steps()]


def test_no_other_step_begins_while_a_handler_waits_and_other_tasks_run():
    async def main():
        async with Gate("gate") as gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            gate.post_fifo(Event("NEXT"))
            for _ in range(10):
                await asyncio.sleep(0)
            assert [step.signal for step in gate.steps()] == ["start_at"]
            with pytest.raises(ChartError, match="runs on an event loop"):
                gate.dispatch(Event("NOW"))
            gate.opened.set()
            await gate.settled()
            assert [step.signal for step in gate.steps()] == ["start_at", "GO", "DONE", "NEXT"]

    run(main())


def test_what_others_do_while_a_handler_waits_is_no_part_of_its_step():
    class Bystander(AsyncChart):
        rest = State(initial=True)

        @rest.on("POKE")
        async def poke(self, e):
            self.scribble("poked")
            e.payload.post_fifo(Event("POKED"))

    async def main():
        async with Gate("gate") as gate, Bystander("bystander") as bystander:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            gate.scribble("from outside")
            gate.post_fifo(Event("OUTSIDE"))
            await bystander.post(Event("POKE", gate))
            await bystander.settled()
            gate.opened.set()
            await gate.settled()
        by_signal = {step.signal: step for step in gate.steps()}
        assert by_signal["GO"].texts == ("before", "after None", "came")
        assert by_signal["DONE"].cause == Cause(gate._core.recorder.id.serial, by_signal["GO"].number)
        assert by_signal["OUTSIDE"].cause is None
        assert by_signal["POKED"].cause == Cause(bystander._core.recorder.id.serial, 2)
        assert by_signal["GO"].spy().count("POST_FIFO:DONE") == 1
        assert not [line for line in by_signal["GO"].spy() if "POKED" in line or "OUTSIDE" in line]

    run(main())


def test_a_handler_that_raises_after_waiting_leaves_a_failed_step_and_the_policy_decides(caplog):
    async def main(policy):
        async with Gate("gate", on_error=policy) as gate:
            gate.opened.set()
            for _ in range(2):
                with contextlib.suppress(ChartStopped):
                    await gate.post(Event("BREAK"))
                    await gate.settled()
            failed = gate.steps()[-1]
            assert failed.kind is StepKind.FAILED
            assert failed.spy()[-3:-1] == ["about to break", "FAILED:outer:RuntimeError: broken"]
            assert failed.end == "idle"
        return gate

    stopped = run(main("stop"))
    assert isinstance(stopped.failure, RuntimeError)
    assert len(stopped.steps()) == 2
    goes_on = run(main("continue"))
    assert goes_on.failure is None
    assert len(goes_on.steps()) == 3


def test_a_step_that_is_cancelled_is_recorded_and_ends_the_chart(caplog, watcher):
    async def main():
        gate = Gate("gate")
        gate.attach(watcher)
        async with gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            assert isinstance(await gate.aclose(timeout_s=0), asyncio.CancelledError)
        return gate

    gate = run(main())
    assert gate.steps()[-1].kind is StepKind.FAILED
    assert "CancelledError" in gate.steps()[-1].texts[-1]
    assert [told[0] for told in watcher.told].count("stopped") == 1
    assert "did not end its step within 0 seconds" in caplog.text
    with pytest.raises(ChartStopped):
        gate.post_fifo(Event("GO"))


def test_cancelling_the_surroundings_ends_charts_and_goes_on_outwards():
    charts = []

    async def surroundings():
        async with Gate("gate") as gate:
            charts.append(gate)
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            gate.opened.set()
            asyncio.current_task().cancel()
            await asyncio.sleep(SOON_S)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(surroundings())
    assert charts[0].join()
    assert charts[0].steps()[-1].signal == "GO"


def test_a_loop_that_ends_ends_its_charts():
    async def main():
        gate = Gate("gate")
        gate.start_at()
        unborn = Gate("unborn")
        await gate.started()
        unborn.start_at()
        return gate, unborn

    gate, unborn = asyncio.run(main())
    assert gate.join(0)
    assert unborn.join(0)
    with pytest.raises(ChartStopped):
        gate.post_fifo(Event("GO"))


def test_a_handler_may_stop_its_own_chart():
    async def main():
        async with Gate("gate") as gate:
            gate.post_fifo(Event("STOP"))
            gate.post_fifo(Event("LATER"))
            await gate.settled()
            assert gate.join()
        return gate

    assert [step.signal for step in run(main()).steps()] == ["start_at", "STOP"]


def test_posting_waits_for_room_and_goes_on_when_there_is_some():
    async def main():
        async with Gate("gate", queue_size=2) as gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            gate.post_fifo(Event("X"))
            posting = asyncio.create_task(gate.post(Event("Y")))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not posting.done()
            assert gate.rejected == 0
            gate.opened.set()
            await posting
            await gate.settled()
        assert [step.signal for step in gate.steps()] == ["start_at", "GO", "DONE", "X", "Y"]

    run(main())


def test_a_post_that_waits_for_room_is_told_of_the_end():
    async def main():
        async with Gate("gate", queue_size=1) as gate:
            gate.post_fifo(Event("BREAK"))
            await gate.entered.wait()
            gate.post_fifo(Event("X"))
            posting = asyncio.create_task(gate.post(Event("Y")))
            await asyncio.sleep(0)
            gate.stop()
            gate.opened.set()
            with pytest.raises(ChartStopped):
                await posting

    run(main())


def test_a_handler_that_fills_its_own_queue_is_told_rather_than_waiting_for_itself(caplog):
    class Eager(AsyncChart):
        rest = State(initial=True)

        @rest.on("FILL")
        async def fill(self):
            for _ in range(3):
                await self.post(Event("X"))

    async def main(instrumented):
        async with Eager("eager", instrumented, queue_size=2) as eager:
            eager.post_fifo(Event("FILL"))
            await eager.settled()
        return eager

    for instrumented in (True, False):
        assert isinstance(run(main(instrumented)).failure, QueueFull)


def test_events_may_be_posted_from_other_threads():
    async def main():
        async with Gate("gate") as gate:
            gate.opened.set()

            def post():
                for number in range(20):
                    gate.post_fifo(Event("X", number))

            threads = [threading.Thread(target=post) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            await gate.settled()
            assert gate.steps()[-1].number == 81
            assert await asyncio.to_thread(gate.stop) is None
            assert gate.join()

    run(main())


def test_a_chart_that_never_waits_lets_others_have_their_turn():
    class Endless(AsyncChart):
        rest = State(initial=True)

        @rest.on("AGAIN")
        def again(self):
            self.post_fifo(Event("AGAIN"))

    async def main():
        async with Endless("endless") as endless:
            endless.post_fifo(Event("AGAIN"))
            before = endless.steps()[-1].number
            for _ in range(5):
                await asyncio.sleep(0)
            assert 0 < endless.steps()[-1].number - before <= 6 * TURN_STEPS

    run(main())


class LoopInVirtualTime(asyncio.SelectorEventLoop):
    """Does not wait: its time jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        select = self._selector.select

        def jump(timeout=None):
            if timeout:
                self.now += timeout
            return select(0)

        self._selector.select = jump

    def time(self):
        return self.now


def test_timed_posts_run_by_the_time_of_the_loop():
    class Clocked(AsyncChart):
        rest = State(initial=True)

        def __init__(self) -> None:
            super().__init__("clocked")
            self.ticks = []

        @rest.on("ARM")
        async def arm(self):
            self.post_fifo(Event("TICK"), period=60.0, times=3)
            self.endless = self.post_fifo(Event("TOCK"), period=3600.0)

        @rest.on("TICK", "TOCK")
        async def tick(self, e):
            self.ticks.append((e.signal_name, asyncio.get_running_loop().time()))

    async def main():
        async with Clocked() as chart:
            await chart.post(Event("ARM"))
            await asyncio.sleep(2 * 3600 + 1)
            assert chart.cancel_event(chart.endless)
            await asyncio.sleep(2 * 3600)
            assert chart.ticks == [("TICK", 60), ("TICK", 120), ("TICK", 180), ("TOCK", 3600), ("TOCK", 7200)]
            assert chart.steps()[2].cause == Cause(chart._core.recorder.id.serial, 2)

    with asyncio.Runner(loop_factory=LoopInVirtualTime) as runner:
        runner.run(main())


def test_flat_functions_and_charts_built_by_parts_run_on_a_loop_too():
    @spy_on
    async def outer(chart, e):
        return return_status.HANDLED

    @spy_on
    def flat(chart, e):
        if e.signal == signals.WAIT:
            return late(chart)
        chart.temp.fun = chart.top
        return return_status.SUPER

    async def late(chart):
        await asyncio.sleep(0)
        chart.scribble("late")
        return chart.trans(flat)

    async def caught(chart, e):
        await asyncio.sleep(0)
        return chart.trans(flat)

    async def main(instrumented):
        chart = AsyncChart("parts", instrumented)
        part = chart.create("part").catch("GO", caught).to_method()
        chart.nest(part, parent=flat).start_at(part)
        async with chart:
            await chart.post(Event("GO"))
            await chart.post(Event("WAIT"))
            await chart.settled()
            assert chart.current_state() == "flat"
        return chart

    chart = run(main(instrumented=True))
    assert [step.end for step in chart.steps()] == ["part", "flat", "flat"]
    assert chart.steps()[-1].texts == ("late",)
    assert run(main(instrumented=False)).spy() == []


@pytest.mark.parametrize("instrumented", [True, False])
def test_a_handler_that_waits_knows_its_state_and_may_name_its_target_before(instrumented):
    seen = []

    async def later(chart, status):
        await asyncio.sleep(0)
        seen.append(chart.state_name)
        return status

    async def main():
        chart = AsyncChart("early", instrumented)
        inner = chart.create("inner").to_method()
        outer = (
            chart.create("outer")
            .catch("GO", lambda chart, _e: later(chart, chart.trans("outer")))
            .to_method()
        )
        chart.nest(outer, parent=None).nest(inner, parent=outer).start_at(inner)
        async with chart:
            for _ in range(2):
                await chart.post(Event("GO"))
            await chart.settled()
            return chart.current_state()

    assert run(main()) == "outer"
    assert seen == ["outer", "outer"]


def test_a_start_that_fails_is_raised_to_those_who_wait_for_it():
    class Broken(AsyncChart):
        rest = State(initial=True)

        @rest.entry
        async def enter(self):
            await asyncio.sleep(0)
            raise RuntimeError("not today")

    async def main():
        with pytest.raises(RuntimeError, match="not today"):
            async with Broken("broken"):
                pytest.fail("it did not start")
        chart = Broken("broken")
        chart.start_at()
        with pytest.raises(RuntimeError, match="not today"):
            await chart.started()
        assert chart.steps()[0].kind is StepKind.FAILED
        assert "ENTRY_SIGNAL:rest" in chart.spy()

    run(main())


def test_a_chart_is_started_once_and_in_a_loop():
    with pytest.raises(ChartError, match="needs an event loop"):
        Gate("gate").start_at()

    async def main():
        with pytest.raises(NotStarted):
            await Gate("gate").started()
        async with Gate("gate") as gate:
            with pytest.raises(AlreadyStarted):
                gate.start_at()

    run(main())


def test_a_chart_that_never_started_can_be_ended():
    async def main():
        gate = Gate("gate")
        assert await gate.aclose() is None
        with pytest.raises(ChartStopped):
            await gate.post(Event("GO"))

    run(main())


def test_a_chart_without_a_loop_refuses_coroutine_handlers():
    async def later(chart, e):
        return return_status.HANDLED

    chart = Hsm("plain")

    @spy_on
    def flat(chart, e):
        if e.signal == signals.GO:
            return later(chart, e)
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart.start_at(flat)
    for _ in range(2):
        with pytest.raises(NoStatus, match="has to be awaited") as caught:
            chart.dispatch(Event("GO"))
        assert "AsyncChart" in caught.value.hint
    with pytest.raises(ChartBuildError, match="coroutine function"):

        class Wrong(Chart):
            rest = State(initial=True)
            rest.on("GO")(later)


def test_a_chart_that_ended_is_freed_without_the_garbage_collector():
    async def main():
        async with Gate("gate") as gate:
            gate.opened.set()
            await gate.post(Event("GO"))
            await gate.settled()
        return weakref.ref(gate)

    gc.disable()
    try:
        assert run(main())() is None
    finally:
        gc.enable()


def test_a_thread_may_wait_for_the_end_of_a_chart():
    gate = None
    running = threading.Event()

    async def main():
        nonlocal gate
        async with Gate("gate") as gate:
            running.set()
            await asyncio.wait((gate._driver.task,))

    thread = threading.Thread(target=run, args=(main(),))
    thread.start()
    assert running.wait(SOON_S)
    begin = time.monotonic()
    gate.stop()
    assert gate.join(SOON_S)
    assert time.monotonic() - begin < SOON_S
    thread.join()


def passed_on(function):
    @functools.wraps(function)
    def pass_on(*arguments):
        return function(*arguments)

    return pass_on


class Decorated(AsyncChart):
    """A gate that stands open, and whose reactions do not look as if they had to be awaited."""

    with State(initial=True) as outer:
        idle = State(initial=True)
        busy = State()

    @busy.on("DONE", to=idle)
    @passed_on
    async def done(self):
        await asyncio.sleep(0)

    @idle.on("GO")
    @passed_on
    async def go(self, e):
        self.scribble("before")
        self.post_fifo(Event("DONE"))
        await asyncio.sleep(0)
        self.scribble(f"after {e.payload}")
        return self.busy

    @busy.entry
    @passed_on
    async def came(self):
        await asyncio.sleep(0)
        self.scribble("came")


@pytest.mark.parametrize("rounds", [1, 3], ids=["walked", "remembered"])
def test_reactions_are_awaited_also_if_what_decorates_them_is_no_coroutine_function(rounds):
    twin = Twin("chart", threaded=False)
    twin.start_at()
    for _ in range(rounds):
        twin.post_fifo(Event("GO", 7))
        twin.complete_circuit()

    async def main():
        async with Decorated("chart") as chart:
            for _ in range(rounds):
                await chart.post(Event("GO", 7))
                await chart.settled()
        return chart

    chart = run(main())
    assert chart.spy() == twin.spy()
    assert [step.shape for step in chart.steps()] == [step.shape for step in twin.steps()]


def test_a_decorated_reaction_that_returns_no_state_is_told_so(caplog):
    class Wrong(AsyncChart):
        rest = State(initial=True)

        @rest.on("GO")
        @passed_on
        async def go(self):
            return 4

        @rest.on("BACK", to=rest)
        @passed_on
        async def back(self):
            return self.rest

    async def main(signal):
        async with Wrong("wrong") as chart:
            await chart.post(Event(signal))
            await chart.settled()
        return chart.failure

    assert isinstance(run(main("GO")), NotAState)
    assert isinstance(run(main("BACK")), ChartBuildError)
    assert "never awaited" not in caplog.text


@pytest.mark.parametrize("options", [{}, {"to": "rest"}], ids=["deciding", "acting"])
def test_a_chart_without_a_loop_refuses_what_a_decorated_reaction_has_awaited(options):
    class Hidden(Chart):
        rest = State(initial=True)

        @rest.on("GO", **options)
        @passed_on
        async def go(self):
            """Never begin."""

    chart = Hidden("hidden", threaded=False)
    chart.start_at()
    with pytest.raises(NoStatus, match="has to be awaited, but chart hidden runs on no event loop"):
        chart.dispatch(Event("GO"))


def test_a_start_whose_awaiting_is_cancelled_leaves_no_chart_behind():
    class Slow(AsyncChart):
        rest = State(initial=True)

        @rest.entry
        async def enter(self):
            entered.set()
            await asyncio.Event().wait()

    async def main():
        async def use():
            async with chart:
                raise AssertionError("it cannot start")

        user = asyncio.create_task(use())
        await entered.wait()
        user.cancel()
        await asyncio.wait((user,))
        assert user.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    entered = asyncio.Event()
    chart = Slow("slow")
    asyncio.run(main())
    assert chart.join(0)


def test_what_is_cancelled_does_not_wait_for_the_step_that_runs(caplog):
    async def main():
        gate = Gate("gate")

        async def use():
            async with gate:
                gate.post_fifo(Event("GO"))
                await asyncio.Event().wait()

        user = asyncio.create_task(use())
        await gate.entered.wait()
        user.cancel()
        await asyncio.wait((user,))
        assert user.cancelled()
        return gate

    gate = run(main())
    assert gate.steps()[-1].kind is StepKind.FAILED
    assert "did not end its step" not in caplog.text


def test_a_program_that_is_to_end_does_not_wait_for_the_step_that_runs(caplog):
    charts = []

    async def main():
        async with Gate("gate") as gate:
            charts.append(gate)
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert charts[0].steps()[-1].kind is StepKind.FAILED
    assert "did not end its step" not in caplog.text


def test_cancelling_the_wait_for_the_end_cancels_the_step():
    async def main():
        async with Gate("gate") as gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            closing = asyncio.create_task(gate.aclose(10 * SOON_S))
            await asyncio.sleep(0)
            closing.cancel()
            await gate.settled()
            assert closing.cancelled()
            assert isinstance(gate.failure, asyncio.CancelledError)

    run(main())


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_what_is_to_end_the_program_goes_on_outwards(error, caplog):
    class Ending(AsyncChart):
        rest = State(initial=True)

        @rest.on("END")
        async def end(self):
            raise error

    charts = []

    async def main():
        async with Ending("ending", on_error="continue") as chart:
            charts.append(chart)
            chart.post_fifo(Event("END"))
            await asyncio.Event().wait()

    with pytest.raises(type(error)):
        asyncio.run(main())
    (chart,) = charts
    assert chart.failure is error
    assert chart.steps()[-1].kind is StepKind.FAILED
    assert "never retrieved" not in caplog.text


@contextlib.contextmanager
def left_behind(waiting, *sinks):
    """Give a chart whose loop was closed while it ran."""
    loop = asyncio.new_event_loop()

    async def main():
        gate = Gate("gate")
        for sink in sinks:
            gate.attach(sink)
        gate.start_at()
        await gate.settled()
        if waiting:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
        return gate

    gate = loop.run_until_complete(main())
    task, gate._driver.task._log_destroy_pending = (
        gate._driver.task,
        False,
    )  # asyncio's own way to keep it silent
    loop.close()
    yield gate
    del task


def elsewhere(act):
    done = []
    thread = threading.Thread(target=lambda: done.append(act()))
    thread.start()
    thread.join()
    (result,) = done
    return result


@pytest.mark.parametrize("where", [lambda act: act(), elsewhere], ids=["here", "elsewhere"])
@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "waiting"])
def test_a_chart_whose_loop_was_closed_can_be_ended(where, waiting, watcher):
    with left_behind(waiting, watcher) as gate:
        assert where(gate.stop) is None
        assert gate.join(0)
        assert where(gate.stop) is None
        with pytest.raises(ChartStopped):
            gate.post_fifo(Event("GO"))
    steps = gate.steps_made
    del gate
    gc.collect()
    assert watcher.told[-1][0] == "stopped"
    assert len(watcher.steps) == steps


def test_who_posts_to_a_chart_whose_loop_was_closed_is_told():
    with left_behind(waiting=False) as gate:
        with pytest.raises(ChartError, match="would make timed posts is closed"):
            gate.post_fifo(Event("GO"), period=1)
        with pytest.raises(ChartStopped, match="the event loop of chart gate is closed"):
            gate.post_fifo(Event("GO"))
        assert gate.at_rest
        with pytest.raises(ChartStopped):
            gate.post_fifo(Event("GO"))


def test_stopping_a_chart_again_from_a_thread_after_its_loop_changes_nothing():
    async def main():
        async with Gate("gate") as gate:
            pass
        return gate

    gate = asyncio.run(main())
    assert elsewhere(gate.stop) is None


def test_a_thread_that_stops_a_chart_is_told_if_the_step_takes_longer(caplog):
    async def main():
        async with Gate("gate") as gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            await asyncio.to_thread(gate.stop, 0)
            gate.opened.set()

    run(main())
    assert "chart gate did not end its step within 0 seconds" in caplog.text


def test_a_thread_may_be_the_first_to_ask_for_timed_posts():
    class Ticking(AsyncChart):
        rest = State(initial=True)

        @rest.on("TICK")
        def tick(self):
            ticked.set()

    async def main():
        async with Ticking("ticking") as chart:
            await asyncio.to_thread(chart.post_fifo, Event("TICK"), period=0.001, times=1)
            await ticked.wait()

    ticked = asyncio.Event()
    run(main())


def test_a_chart_that_nobody_holds_runs_on_until_its_loop_ends():
    class Listening(AsyncChart):
        rest = State(initial=True)

        @rest.entry
        def listen(self):
            self.subscribe("NEWS")

        @rest.on("NEWS")
        async def hear(self, e):
            e.payload.set()

    async def main():
        fabric = Fabric()
        chart = Listening("listening", fabric=fabric)
        chart.start_at()
        await chart.settled()
        born = weakref.ref(chart)
        del chart
        gc.collect()
        heard = asyncio.Event()
        fabric.publish(Event("NEWS", heard))
        await heard.wait()
        return born

    born = run(main())
    gc.collect()
    assert born() is None


@pytest.mark.parametrize("wait", [AsyncChart.started, AsyncChart.settled], ids=["start", "rest"])
def test_a_handler_that_would_wait_for_its_own_step_is_told(wait, caplog):
    class Waiting(AsyncChart):
        rest = State(initial=True)

        @rest.on("WAIT")
        async def hear(self):
            await wait(self)

    async def main():
        async with Waiting("waiting") as chart:
            chart.post_fifo(Event("WAIT"))
            await chart.settled()
        return chart.failure

    failure = run(main())
    assert isinstance(failure, ChartError)
    assert "would wait for the end of its own step" in failure.message


@pytest.mark.parametrize("timeout_s", [0, 10 * SOON_S], ids=["late", "in time"])
def test_a_chart_may_be_ended_from_another_loop(timeout_s):
    async def main():
        async with Gate("gate") as gate:
            gate.post_fifo(Event("GO"))
            await gate.entered.wait()
            if timeout_s:
                gate.opened.set()
            failure = await asyncio.to_thread(asyncio.run, gate.aclose(timeout_s))
            assert gate.join(0)
            assert failure is gate.failure
            assert isinstance(failure, asyncio.CancelledError) is not bool(timeout_s)

    run(main())


@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "waiting"])
def test_a_chart_whose_loop_was_closed_may_be_ended_by_another_loop(waiting):
    with left_behind(waiting) as gate:
        assert run(gate.aclose()) is None
        assert gate.join(0)
