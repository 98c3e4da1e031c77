"""Charts with regions, history and final states, run by their caller, threads, pools and event loops."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from farscope.engine import AsyncChart, Chart, Event, Final, Runner, State
from farscope.engine.core.regions import RegionWalk
from farscope.errors import ChartError, ChartStopped
from farscope.records.shape import StepKind
from farscope.testing.waiting import eventually

EVENTS = ("GO", "LEFT", "RIGHT", "GO", "QUIT")
STEPS = ["start_at", "GO", "LEFT", "RIGHT", "done.state.both", "GO", "QUIT", "done.state.last"]


class Walker(Chart):
    idle = State(initial=True)
    with State(parallel=True) as both:
        with State() as left:
            left_on = State(initial=True)
            left_off = Final()
        with State() as right:
            right_on = State(initial=True)
            right_off = Final()
    with State() as last:
        waiting = State(initial=True)
        over = Final()
    end = Final()

    idle.on("GO", to=both)
    left_on.on("LEFT", to=left_off)
    right_on.on("RIGHT", to=right_off)
    both.on_done(to=idle)
    both.on("QUIT", to=over)
    last.on_done(to=end)


class Waiter(AsyncChart):
    idle = State(initial=True)
    with State(parallel=True) as both:
        with State() as left:
            left_on = State(initial=True)
            left_off = Final()
        with State() as right:
            right_on = State(initial=True)
            right_off = Final()
    with State() as last:
        waiting = State(initial=True)
        over = Final()
    end = Final()

    idle.on("GO", to=both)
    both.on("QUIT", to=over)

    @left_on.on("LEFT")
    async def leave_left(self) -> State:
        await asyncio.sleep(0)
        return self.left_off

    @right_on.on("RIGHT", to=right_off)
    async def leave_right(self) -> None:
        await asyncio.sleep(0)

    @right_off.entry
    async def arrive(self) -> None:
        await asyncio.sleep(0)

    @both.on_done
    async def finish(self) -> State:
        await asyncio.sleep(0)
        return self.idle

    @last.on_done
    async def finish_all(self) -> State:
        await asyncio.sleep(0)
        return self.end


@pytest.fixture(params=["caller", "thread", "pool"])
def made(request):
    """Make charts that one kind of driver runs."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(Runner(threads=2)) if request.param == "pool" else None
        options = {"threaded": False} if request.param == "caller" else {"runner": runner}

        def make(kind, **others):
            chart = kind("walker", **options, **others)
            stack.callback(chart.stop)
            return chart

        make.is_caller = request.param == "caller"
        yield make


def signals_of(chart):
    return [step.signal for step in chart.steps()]


def feed(make, chart, *events):
    for name in events:
        chart.post_fifo(Event(name))
    if make.is_caller:
        chart.complete_circuit()


def test_every_driver_runs_completions_before_the_queue_and_ends_the_finished_chart(made, watcher):
    walker = made(Walker)
    walker.attach(watcher)
    walker.start_at()
    feed(made, walker, *EVENTS)
    assert walker.join(10)
    assert walker.finished
    assert walker.failure is None
    assert signals_of(walker) == STEPS
    assert eventually(lambda: watcher.told[-1][0] == "stopped")
    with pytest.raises(ChartStopped):
        walker.post_fifo(Event("GO"))


def test_every_driver_runs_the_completions_that_follow_from_the_start(made):
    walker = made(Walker)
    walker.start_at(Walker.over)
    assert walker.join(10)
    assert walker.finished
    assert signals_of(walker) == ["start_at", "done.state.last"]


def test_every_driver_ends_a_chart_that_starts_in_its_end(made):
    walker = made(Walker)
    walker.start_at(Walker.end)
    assert walker.join(10)
    assert signals_of(walker) == ["start_at"]


class Failing(Walker):
    with State() as first:
        at = State(initial=True)
        done = Final()
    at.on("FAIL", to=done)

    @first.on_done
    def fail(self) -> None:
        raise RuntimeError("no reaction")


def test_a_reaction_to_a_completion_that_raises_is_a_failed_step_like_any_other(made):
    seen = []

    def decide(_chart, e, error):
        seen.append((e.signal_name, str(error)))
        return "continue"

    chart = made(Failing) if made.is_caller else made(Failing, on_error=decide)
    chart.start_at(Failing.at)
    if made.is_caller:
        with pytest.raises(RuntimeError, match="no reaction"):
            chart.dispatch(Event("FAIL"))
    else:
        chart.post_fifo(Event("FAIL"))
        assert eventually(lambda: seen == [("FAIL", "no reaction")])
    feed(made, chart, "OTHER")
    assert eventually(lambda: signals_of(chart)[-1] == "OTHER")
    assert signals_of(chart) == ["start_at", "FAIL", "done.state.first", "OTHER"]
    assert [step.kind.name for step in chart.steps()] == ["START", "TRANSITION", "FAILED", "IGNORED"]


class Endless(Chart):
    with State(initial=True) as turning:
        here = State(initial=True)
        round_ = Final("round")
    here.on("GO", to=round_)
    turning.on_done(to=round_)


def test_an_endless_chain_of_completions_is_an_error(made):
    chart = made(Endless) if made.is_caller else made(Endless, on_error="continue")
    chart.start_at()
    if made.is_caller:
        with pytest.raises(ChartError, match="1000 completions followed from one step of chart walker"):
            chart.dispatch(Event("GO"))
    else:
        chart.post_fifo(Event("GO"))
        assert eventually(lambda: chart.steps()[-1].kind.name == "FAILED" and chart.at_rest)
    assert chart.steps_made >= 1_002


def test_handlers_on_an_event_loop_may_wait_in_every_region():
    async def live():
        async with Waiter("waiter") as waiter:
            for name in EVENTS[:2]:
                await waiter.post(Event(name))
            await waiter.settled()
            assert waiter.configuration == ("left_off", "right_on")
            for name in EVENTS[2:]:
                await waiter.post(Event(name))
            await waiter.settled()
            return waiter

    waiter = asyncio.run(live())
    assert waiter.finished
    assert signals_of(waiter) == STEPS


def test_a_chart_on_an_event_loop_runs_the_completions_that_follow_from_its_start():
    async def live():
        waiter = Waiter("waiter")
        waiter.start_at(Waiter.over)
        await waiter.settled()
        return waiter

    waiter = asyncio.run(live())
    assert waiter.finished
    assert signals_of(waiter) == ["start_at", "done.state.last"]


def test_an_unrecorded_chart_does_the_same(made):
    walker = made(Walker, instrumented=False)
    walker.start_at()
    feed(made, walker, *EVENTS)
    assert walker.join(10)
    assert walker.finished
    assert walker.steps_made == 0


def test_an_error_of_the_engine_is_a_failed_step_in_the_whole_configuration(made, monkeypatch):
    walker = made(Walker)
    walker.start_at()
    feed(made, walker, "GO")
    assert eventually(lambda: walker.configuration == ("left_on", "right_on"))

    def breaks(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(RegionWalk, "begin_event", breaks)
    if made.is_caller:
        with pytest.raises(RuntimeError, match="broken"):
            walker.dispatch(Event("NEVER_SEEN"))
    else:
        walker.post_fifo(Event("NEVER_SEEN"))
        assert walker.join(10)
    failed = walker.steps()[-1]
    assert failed.kind is StepKind.FAILED
    assert failed.start_states == failed.end_states == ("left_on", "right_on")


class Twins(Chart):
    errors = ()

    with State(initial=True, parallel=True) as both:
        with State() as left:
            left_on = State(initial=True)
            left_off = Final()
        with State() as right:
            right_on = State(initial=True)
            right_off = Final()
    with State() as last:
        over = Final(initial=True)
    end = Final()

    left_on.on("BOTH", to=left_off)
    right_on.on("BOTH", to=right_off)
    last.on_done(to=end, guard=lambda twins: "end" in twins.errors)

    @left.on_done
    def finish_left(self) -> State | None:
        if "left" in self.errors:
            raise RuntimeError("left failed")
        return self.end if "end" in self.errors else None

    @right.on_done
    def finish_right(self) -> None:
        if "right" in self.errors:
            raise RuntimeError("right failed")

    @both.on_done(to=last)
    def finish_both(self) -> None:
        pass


def run_twins(made, *errors):
    seen = []
    options = (
        {}
        if made.is_caller
        else {"on_error": lambda _chart, _e, error: seen.append(str(error)) or "continue"}
    )
    twins = made(Twins, **options)
    twins.errors = errors
    twins.start_at()
    try:
        feed(made, twins, "BOTH")
    except RuntimeError as error:
        seen.append(str(error))
    assert eventually(lambda: twins.at_rest and twins.steps_made > 1)
    return twins, seen


def test_completions_have_the_steps_that_led_to_them_as_their_causes(made):
    twins, _ = run_twins(made)
    assert signals_of(twins)[1:] == [
        "BOTH",
        "done.state.left",
        "done.state.right",
        "done.state.both",
        "done.state.last",
    ]
    assert [step.cause.number for step in twins.steps()[2:]] == [2, 2, 2, 5]
    assert {step.cause.serial for step in twins.steps()[2:]} == {twins.steps()[0].chart.serial}


def test_the_other_completions_follow_after_one_failed_and_the_first_error_is_reported(made):
    twins, seen = run_twins(made, "left", "right")
    assert seen == ["left failed"]
    assert [step.kind.name for step in twins.steps()[1:]] == [
        "TRANSITION",
        "FAILED",
        "FAILED",
        "TRANSITION",
        "REFUSED",
    ]


def test_a_failed_completion_is_recorded_once(made):
    twins, seen = run_twins(made, "left")
    assert seen == ["left failed"]
    assert [step.kind.name for step in twins.steps()].count("FAILED") == 1


def test_no_completion_follows_the_end(made):
    twins, _ = run_twins(made, "end")
    assert twins.join(10)
    assert signals_of(twins) == ["start_at", "BOTH", "done.state.left"]


class AsyncTwins(AsyncChart):
    with State(initial=True, parallel=True) as both:
        with State() as left:
            left_on = State(initial=True)
            left_off = Final()
        with State() as right:
            right_on = State(initial=True)
            right_off = Final()

    left_on.on("BOTH", to=left_off)
    right_on.on("BOTH", to=right_off)

    @left.on_done
    async def finish_left(self) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("left failed")

    @right.on_done
    async def finish_right(self) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("right failed")


def test_on_an_event_loop_too_the_other_completions_follow_after_one_failed():
    seen = []

    def note(_chart, _e, error):
        seen.append(str(error))
        return "continue"

    async def live():
        async with AsyncTwins("twins", on_error=note) as twins:
            await twins.post(Event("BOTH"))
            await twins.settled()
            return twins

    twins = asyncio.run(live())
    assert seen == ["left failed"]
    assert [step.kind.name for step in twins.steps()] == ["START", "TRANSITION", "FAILED", "FAILED"]
