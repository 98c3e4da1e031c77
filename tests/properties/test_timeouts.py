"""Timeouts keep their promise in any run and with any driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from farscope.engine import AsyncChart, Chart, Event, Runner, State
from farscope.testing.clock import VirtualClock

AFTER_S = {"a": 0.3, "b": 0.7, "inner": 0.5}
EVERY_S = {"outer": 0.2}


def timed(base: type[Chart]) -> Any:
    """Return a class of charts whose states have timeouts that lead to one another."""

    class Timed(base):  # type: ignore[misc,valid-type]  # one definition, run in several ways
        a = State(initial=True)
        with State() as outer:
            b = State(initial=True)
            with State() as inner:
                deep = State(initial=True)
                other = State()
        failing = State()

        a.on("GO", to=outer)
        a.after(AFTER_S["a"], to=outer)
        b.on("IN", to=inner)
        b.after(AFTER_S["b"], to=inner)
        deep.on("IN", to=other)
        inner.on("AGAIN", to=inner)
        inner.after(AFTER_S["inner"], to=a)
        outer.on("BACK", to=a)
        outer.on("FAIL", to=failing)
        outer.every(EVERY_S["outer"])(lambda _chart: None)

        @failing.entry
        def fail(self) -> None:
            raise RuntimeError("as it should")

    return Timed


Timed, AsyncTimed = timed(Chart), timed(AsyncChart)

actions = st.lists(
    st.one_of(
        st.sampled_from(("GO", "IN", "AGAIN", "BACK", "FAIL")),
        st.sampled_from((0.11, 0.19, 0.31, 0.53, 1.3)),
    ),
    max_size=30,
)


def never_fails(_chart: Any, _e: Event, _error: Exception) -> str:
    return "continue"


@settings(max_examples=80, deadline=None)
@given(actions=actions)
def test_a_timeout_fires_exactly_when_its_state_has_been_active_for_its_seconds(actions):
    """A model of the clock: when each state was entered last, and when its timeouts are due."""
    clock = VirtualClock()
    chart = Timed("timed", threaded=False, clock=clock)
    entered: dict[str, float] = {"a": 0.0}
    chart.start_at()
    seen = len(chart.steps())
    for action in actions:
        if isinstance(action, str):
            try:
                chart.dispatch(Event(action))
            except RuntimeError:
                assert chart.is_in("outer")
        else:
            # One timer at a time, so that the time of each step is known.
            for _ in range(round(action * 100)):
                clock.advance(0.01)
                seen = check(chart, clock.now, entered, seen)
        seen = check(chart, clock.now, entered, seen)
    for state, at in entered.items():
        assert state not in AFTER_S or clock.now - at < AFTER_S[state] + 0.005


def check(chart: Chart, now: float, entered: dict[str, float], seen: int) -> int:
    """Check the steps made since ``seen``, at the time ``now``, and note what they left and entered."""
    for step in chart.steps()[seen:]:
        kind, _, rest = step.signal.partition(".")
        state = rest.partition(".")[0]
        if kind == "after":
            assert abs(now - entered[state] - AFTER_S[state]) < 0.005
        if kind == "every":
            periods = (now - entered[state]) / EVERY_S[state]
            assert abs(periods - round(periods)) < 0.05
            assert periods > 0.9
        if step.kind.name == "FAILED":
            continue
        for fact in step.facts:
            if fact.kind.name == "EXIT":
                entered.pop(fact.name, None)
            if fact.kind.name == "ENTRY":
                entered[fact.name] = now
    return len(chart.steps())


def story(chart: Any) -> list[tuple[str, list[str]]]:
    """Return what the steps did, without the texts of errors, which name lines of code."""
    return [
        (step.signal, [line.partition(":RuntimeError")[0] for line in step.spy()])
        for step in chart.steps()
        if step.kind.name != "FAILED"
    ]


def run(chart: Any, clock: VirtualClock, post: Callable[[Any, Event], None], actions: list[Any]) -> None:
    clock.settle()
    for action in actions:
        if isinstance(action, str):
            post(chart, Event(action))
            clock.settle()
        else:
            clock.advance(action)


def by_its_caller(actions: list[Any]) -> Any:
    clock = VirtualClock()
    chart = Timed("timed", threaded=False, clock=clock)
    chart.start_at()

    def dispatch(chart: Chart, e: Event) -> None:
        try:
            chart.dispatch(e)
        except RuntimeError:
            return

    run(chart, clock, dispatch, actions)
    return story(chart)


def on_threads(actions: list[Any], runner: Runner | None) -> Any:
    clock = VirtualClock()
    with Timed("timed", clock=clock, runner=runner, on_error=never_fails) as chart:
        chart.start_at()
        run(chart, clock, Chart.post_fifo, actions)
        return story(chart)


def on_an_event_loop(actions: list[Any]) -> Any:
    async def live() -> Any:
        clock = VirtualClock()
        async with AsyncTimed("timed", clock=clock, on_error=never_fails) as chart:
            await asyncio.to_thread(run, chart, clock, AsyncChart.post_fifo, actions)
            return story(chart)

    return asyncio.run(live())


@settings(max_examples=25, deadline=None)
@given(actions=actions)
@example(actions=["GO", "IN", 0.31, "FAIL", 0.31, "GO", "BACK", 1.3])
def test_a_run_is_the_same_whatever_runs_the_chart(actions):
    expected = by_its_caller(actions)
    assert on_threads(actions, None) == expected
    with Runner() as runner:
        assert on_threads(actions, runner) == expected
    assert on_an_event_loop(actions) == expected
