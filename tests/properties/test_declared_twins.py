"""Random declared charts do the same as those charts built by parts: same spy, same trace."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.engine import AsyncChart, Chart, Event, Factory, State, return_status, signals

SIGNALS = ("A", "B", "C", "D")
MAX_STATES = 8
POSTS = 15
"""Posts that all handlers of a chart may make together: without a bound some never rest."""


class Answer(NamedTuple):
    """What a state does about a signal."""

    way: str
    """arrow (no code), act (code, and a fixed target), decide (code gives the target), stay."""
    target: int
    action: str
    refuses: tuple[bool, ...]
    """What its guard says, in turns; without any there is no guard."""


class StateSpec(NamedTuple):
    parent: int | None
    initial: int | None
    decides_initial: bool
    acts: frozenset[str]
    """Entry and exit, if the state acts on them."""
    answers: dict[str, Answer]


class ChartSpec(NamedTuple):
    states: tuple[StateSpec, ...]
    start: int
    events: tuple[str, ...]


ACTIONS = ("", "scribble", "defer", "recall", *(f"post {signal}" for signal in SIGNALS))


@st.composite
def specs(draw: st.DrawFn) -> ChartSpec:
    count = draw(st.integers(1, MAX_STATES))
    parents: list[int | None] = [draw(st.sampled_from([None, *range(index)])) for index in range(count)]
    every = range(len(parents))
    answers = st.builds(
        Answer,
        st.sampled_from(["arrow", "act", "decide", "stay"]),
        st.sampled_from(every),
        st.sampled_from(ACTIONS),
        st.lists(st.booleans(), max_size=2).map(tuple),
    )
    states = []
    for index, parent in enumerate(parents):
        children = [other for other in every if parents[other] == index]
        states.append(
            StateSpec(
                parent,
                draw(st.sampled_from([None, *children])),
                draw(st.booleans()),
                draw(st.frozensets(st.sampled_from(["entry", "exit"]))),
                draw(st.dictionaries(st.sampled_from(SIGNALS), answers, max_size=3)),
            )
        )
    events = draw(st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=12))
    return ChartSpec(tuple(states), draw(st.sampled_from(every)), tuple(events))


class Doer:
    """Does what answers say; both twins have one of their own."""

    def __init__(self) -> None:
        self.turns: Counter[tuple[int, str]] = Counter()
        self.posts_left = POSTS

    def refuses(self, index: int, signal: str, answer: Answer) -> bool:
        if not answer.refuses:
            return False
        self.turns[index, signal] += 1
        return answer.refuses[self.turns[index, signal] % len(answer.refuses)]

    def act(self, chart: Any, e: Event, action: str) -> None:
        verb, _, signal = action.partition(" ")
        if verb == "scribble":
            chart.scribble(f"text of {e.signal_name}")
        elif verb == "defer":
            chart.defer(e)
        elif verb and self.posts_left:
            self.posts_left -= 1
            chart.recall() if verb == "recall" else chart.post_fifo(Event(signal))


def built(spec: ChartSpec) -> Factory:
    chart, doer = Factory("twin", threaded=False), Doer()
    states: list[Any] = []

    def handler(index: int, signal: str, answer: Answer) -> Any:
        def handle(chart: Any, e: Event) -> int:
            if doer.refuses(index, signal, answer):
                return return_status.UNHANDLED
            if answer.way != "arrow":
                doer.act(chart, e, answer.action)
            return return_status.HANDLED if answer.way == "stay" else chart.trans(states[answer.target])

        return handle

    def acted(chart: Any, e: Event) -> int:
        doer.act(chart, e, "scribble")
        return return_status.HANDLED

    for index, state in enumerate(spec.states):
        blueprint = chart.create(f"s{index}")
        for name in state.acts:
            blueprint.catch(signals[f"{name.upper()}_SIGNAL"], acted)
        if state.initial is not None:
            blueprint.catch(signals.INIT_SIGNAL, lambda chart, _e, to=state.initial: chart.trans(states[to]))
        for signal, answer in state.answers.items():
            blueprint.catch(signal, handler(index, signal, answer))
        states.append(blueprint.to_method())
    for state, its in zip(states, spec.states, strict=True):
        chart.nest(state, parent=None if its.parent is None else states[its.parent])
    chart.start_at(states[spec.start])
    return chart


def declared(spec: ChartSpec, base: type[Chart] = Chart) -> type[Chart]:
    doers: dict[Chart, Doer] = {}
    namespace: dict[str, Any] = {"doer": property(lambda self: doers.setdefault(self, Doer()))}

    def draw(parent: int | None) -> None:
        for index, state in enumerate(spec.states):
            if state.parent == parent:
                outer = spec.states[parent] if parent is not None else None
                starts = outer is not None and outer.initial == index and not outer.decides_initial
                with State(initial=starts) as drawn:
                    namespace[f"s{index}"] = drawn
                    draw(index)

    draw(None)
    for index, state in enumerate(spec.states):
        drawn = namespace[f"s{index}"]
        if state.initial is not None and state.decides_initial:
            drawn.initial(lambda _self, *, to=f"s{state.initial}": namespace[to])
        for name in state.acts:
            getattr(drawn, name)(lambda self, e: self.doer.act(self, e, "scribble"))
        for signal, answer in state.answers.items():
            declare(drawn, index, signal, answer, namespace, waits=base is AsyncChart)
    return type("Twin", (base,), namespace)


def declare(
    drawn: State, index: int, signal: str, answer: Answer, namespace: dict[str, Any], *, waits: bool
) -> None:
    target = namespace[f"s{answer.target}"]
    fixed = {"to": target} if answer.way in ("arrow", "act") else {}
    if answer.refuses:
        fixed["guard"] = lambda self, _e: not self.doer.refuses(index, signal, answer)
    decorate = drawn.on(signal, **fixed)
    if answer.way == "arrow":
        return

    def react(self: Any, e: Event) -> State | None:
        self.doer.act(self, e, answer.action)
        return target if answer.way == "decide" else None

    async def wait_and_react(self: Any, e: Event) -> State | None:
        await asyncio.sleep(0)
        return react(self, e)

    decorate(wait_and_react if waits else react)


def story(chart: Factory, events: tuple[str, ...]) -> tuple[list[str], list[str]]:
    for signal in events:
        chart.post_fifo(Event(signal))
        chart.complete_circuit()
    return told(chart)


def told(chart: Factory) -> tuple[list[str], list[str]]:
    return chart.spy(), re.findall(r"e->.*", chart.trace())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_declared_charts_do_what_charts_built_by_parts_do(spec):
    expected = story(built(spec), spec.events)
    kind = declared(spec)
    for _ in ("its runs are new", "its runs are known from its twin"):
        chart = kind("twin", threaded=False)
        chart.start_at(getattr(kind, f"s{spec.start}"))
        assert story(chart, spec.events) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_charts_whose_reactions_wait_on_a_loop_do_the_same(spec):
    expected = story(built(spec), spec.events)
    kind = declared(spec, AsyncChart)

    async def on_a_loop() -> None:
        for _ in ("its runs are new", "its runs are known from its twin"):
            chart = kind("twin")
            chart.start_at(getattr(kind, f"s{spec.start}"))
            async with chart:
                for signal in spec.events:
                    await chart.post(Event(signal))
                    await chart.settled()
                assert told(chart) == expected

    asyncio.run(on_a_loop())
