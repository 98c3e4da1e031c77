"""The step cache changes only the speed of steps: charts do the same with any cache.

Handlers here do whatever handlers should not do as well: they answer by the payload, by turns, by what
they find in ``chart.temp``; they return what is no status, go to what is no state, raise, post, and
switch the recording. A chart without any memory, which walks each step, is what the others are compared with.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.engine import Chart, Event, Fabric, Factory, Hsm, State, return_status, signals
from farscope.engine.core.step_cache import MAX_NODES, StepCache
from farscope.errors import FarscopeError, NoStatus, NotAState
from farscope.records.facts import FactKind

SIGNALS = ("A", "B", "C")
INNER = ("ENTRY_SIGNAL", "EXIT_SIGNAL", "INIT_SIGNAL")
DEEDS = 20
"""Posts and recalls that all handlers of a chart may make together: without a bound some never rest."""

NO_STATUS = (
    True,
    False,
    None,
    4.0,
    9.0,
    "HANDLED",
    [],
    (return_status.SUPER, "s0"),
    (4, None, ((15, "", ""),)),
)
STATUSES = (return_status.HANDLED, return_status.UNHANDLED, return_status.SUPER, return_status.IGNORED)
NO_STATE = (4, 3, 2, 1, True, None, 9.0, "nowhere", [], (4, ()), len)


class Deed(NamedTuple):
    """What a handler does one time."""

    way: str
    """go, go by name, astray, status, no status, bare (TRAN, and no target), raise."""
    what: Any
    acts: tuple[str, ...]


class StateSpec(NamedTuple):
    parent: int | None
    deeds: dict[str, tuple[Deed, ...]]
    """By signal; a handler's deeds take turns, from where the payload says."""


class ChartSpec(NamedTuple):
    states: tuple[StateSpec, ...]
    events: tuple[tuple[str, int], ...]
    """Signals and payloads."""


ACTS = (
    *(f"{verb} {signal}" for verb in ("post_fifo", "post_lifo", "publish") for signal in SIGNALS),
    *("scribble", "defer", "recall", "dispatch", "switch", "look", "litter", "augment", "rename", "nested"),
)


def deeds(states: int, *, inner: bool) -> st.SearchStrategy[tuple[Deed, ...]]:
    going = [] if inner else [("go", index) for index in range(states)]
    going += [] if inner else [("go by name", index) for index in range(states)]
    ways = st.one_of(
        st.sampled_from([*going, *(("status", status) for status in STATUSES)]),
        st.sampled_from([*going, *(("status", status) for status in STATUSES)]),
        st.sampled_from(
            [
                *(("astray", target) for target in NO_STATE),
                *(("no status", status) for status in NO_STATUS),
                *(("raise", kind) for kind in (KeyError, TypeError, RuntimeError)),
                ("bare", None),
            ]
        ),
    )
    acts = st.lists(st.sampled_from(ACTS), max_size=2).map(tuple)
    one = st.builds(lambda way, acts: Deed(*way, acts), ways, st.one_of(st.just(()), acts))
    return st.lists(one, min_size=1, max_size=3).map(tuple)


@st.composite
def charts(draw: st.DrawFn) -> ChartSpec:
    count = draw(st.integers(1, 5))
    states = []
    for index in range(count):
        parent = draw(st.sampled_from([None, *range(index), *([index - 1] if index else [])]))
        answers = draw(st.dictionaries(st.sampled_from(SIGNALS), deeds(count, inner=False), min_size=1))
        # What goes wrong on the way in or out leaves little to compare, so it is rare.
        if draw(st.integers(0, 2)) == 0:
            answers |= draw(st.dictionaries(st.sampled_from(INNER), deeds(count, inner=True), max_size=1))
        states.append(StateSpec(parent, answers))
    events = draw(st.lists(st.tuples(st.sampled_from(SIGNALS), st.integers(0, 2)), min_size=5, max_size=30))
    return ChartSpec(tuple(states), tuple(events))


class Doer:
    """Does what a spec says for one chart, and keeps what its handlers saw."""

    def __init__(self, spec: ChartSpec) -> None:
        self.spec = spec
        self.states: list[Any] = []
        self.seen: list[Any] = []
        self.turns: Counter[tuple[int, str]] = Counter()
        self.left = DEEDS
        self.other = Hsm("other", fabric=Fabric())
        self.other.start_at(_idle)

    def deed(self, chart: Any, e: Event, index: int, signal: str) -> Deed:
        options = self.spec.states[index].deeds[signal]
        turn = self.turns[index, signal] + (e.payload or 0)
        self.turns[index, signal] += 1
        deed = options[turn % len(options)]
        self.seen.append((index, e.signal_name, e.payload, chart.state_name))
        for act in deed.acts:
            self.act(chart, e, act)
        if deed.way == "raise":
            raise deed.what("as it was told")
        return deed

    def act(self, chart: Any, e: Event, act: str) -> None:
        verb, _, signal = act.partition(" ")
        if signal or verb in ("recall", "nested"):
            if self.left:
                self.left -= 1
                self.post(chart, verb, signal)
        elif verb == "look":
            self.seen.append(getattr(chart.temp.fun, "__name__", chart.temp.fun))
        elif verb == "litter":
            chart.temp.fun = self.states[0]
        elif verb == "scribble":
            chart.scribble(f"text {len(self.seen)}")
        elif verb == "switch":
            chart.instrumented = not chart.instrumented
        elif verb == "rename" and not signals.is_inner_signal(e.signal):
            e.signal, e.signal_name = signals.RENAMED, "RENAMED"
        elif verb == "augment":
            chart.augment(other=len(self.seen), name="first")
            self.seen.append(chart.first)
        elif verb == "defer":
            chart.defer(e)
        elif verb == "dispatch":
            with pytest.raises(FarscopeError, match=r"in the middle of a step|was not started"):
                chart.dispatch(Event("A"))

    def post(self, chart: Any, verb: str, signal: str) -> None:
        if verb == "recall":
            chart.recall()
        elif verb == "nested":
            self.other.dispatch(Event("POST_TO", payload=chart))
        else:
            getattr(chart, verb)(Event(signal))

    def answer(self, chart: Any, deed: Deed) -> Any:
        if deed.way == "go":
            return chart.trans(self.states[deed.what])
        if deed.way == "astray":
            return chart.trans(deed.what)
        return return_status.TRAN if deed.way == "bare" else deed.what

    def function(self, index: int) -> Any:
        spec = self.spec.states[index]

        def state(chart, e):
            parent = chart.top if spec.parent is None else self.states[spec.parent]
            if e.signal_name not in spec.deeds:
                chart.temp.fun = parent
                return return_status.SUPER
            deed = self.deed(chart, e, index, e.signal_name)
            if deed.way == "go by name":
                deed = deed._replace(way="go")
            return self.answer(chart, deed)

        state.__name__ = state.__qualname__ = f"s{index}"
        return state

    def handler(self, index: int, signal: str) -> Any:
        def handle(chart, e):
            deed = self.deed(chart, e, index, signal)
            return chart.trans(f"s{deed.what}") if deed.way == "go by name" else self.answer(chart, deed)

        return handle

    def reaction(self, index: int, signal: str) -> Any:
        def react(chart, e):
            deed = self.deed(chart, e, index, signal)
            if deed.way in ("go", "go by name"):
                return self.states[deed.what] if deed.way == "go" else f"s{deed.what}"
            return None if deed.way == "status" else deed.what

        return react


def _idle(chart: Any, e: Event) -> int:
    if e.signal_name == "POST_TO":
        e.payload.post_fifo(Event("A"))
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def flat(doer: Doer) -> Hsm:
    doer.states += [doer.function(index) for index in range(len(doer.spec.states))]
    return Hsm("chart", fabric=Fabric())


def methods(doer: Doer) -> Hsm:
    functions = {f"s{index}": doer.function(index) for index in range(len(doer.spec.states))}
    chart = type("Methodical", (Hsm,), functions)("chart", fabric=Fabric())
    doer.states += [getattr(chart, name) for name in functions]
    return chart


def built(doer: Doer) -> Hsm:
    chart = Factory("chart", threaded=False, fabric=Fabric())
    for index, spec in enumerate(doer.spec.states):
        blueprint = chart.create(f"s{index}")
        for signal in spec.deeds:
            blueprint.catch(signals[signal], doer.handler(index, signal))
        doer.states.append(blueprint.to_method())
        chart.nest(doer.states[-1], parent=None if spec.parent is None else doer.states[spec.parent])
    return chart


def declared(doer: Doer) -> Hsm:
    namespace: dict[str, Any] = {}
    for index, spec in enumerate(doer.spec.states):
        if spec.parent is None:
            state = State(f"s{index}", initial=not index)
        else:
            with doer.states[spec.parent]:
                state = State(f"s{index}")
        doer.states.append(state)
        namespace[state.__name__] = state
        for signal in spec.deeds:
            decorate = {"ENTRY_SIGNAL": state.entry, "EXIT_SIGNAL": state.exit, "INIT_SIGNAL": state.initial}
            decorate.get(signal, state.on(signal) if signal in SIGNALS else None)(
                doer.reaction(index, signal)
            )
    return type("Declared", (Chart,), namespace)("chart", threaded=False, fabric=Fabric())


def story(spec: ChartSpec, make: Any, nodes: int) -> list[Any]:
    """Run a chart that remembers so many nodes; return all that can be seen of it."""
    doer = Doer(spec)
    chart = make(doer)
    chart._core.algorithm.cache = StepCache(nodes)
    if make is declared:
        states, _ = type(chart)._declaration.learnt
        learnt = states, chart._core.algorithm.cache
        type(chart)._declaration = type(chart)._declaration._replace(learnt=learnt)
    told: list[Any] = [attempt(chart.start_at, doer.states[0])]
    for signal in SIGNALS:
        chart.subscribe(signal)
    for signal, payload in spec.events:
        told.append(attempt(chart.post_fifo, Event(signal, payload)))
        while not chart.at_rest:
            told.append(attempt(chart.next_rtc))
    told += [chart.state_name if chart._core.has_started else "", doer.seen]
    for step in chart.steps():
        texts = [text.rstrip().rpartition("\n")[2] for text in step.texts]
        told.append(
            (step.number, step.shape, step.queued, step.deferred, step.cause and step.cause[1], texts)
        )
    chart.stop()
    doer.other.stop()
    return told


def attempt(act: Any, *arguments: Any) -> Any:
    try:
        return act(*arguments)
    except (FarscopeError, KeyError, TypeError, RuntimeError) as error:
        return type(error).__name__, str(error)


def answering(*answers: Any) -> Factory:
    """Make a chart whose only state gives these answers to GO, one after another."""
    turns = iter(answers)
    chart = Factory("chart", threaded=False)
    one = chart.create("one").catch("GO", lambda chart, _e: next(turns)(chart)).to_method()
    chart.nest(one, parent=None).start_at(one)
    return chart


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_as_a_target_is_refused_also_where_that_status_is_remembered(status):
    chart = answering(lambda _chart: status, lambda chart: chart.trans(status))
    chart.dispatch(Event("GO"))
    with pytest.raises(
        NotAState, match=f"{status} is not a state, but one leads to it.*\n.*chart.trans takes"
    ):
        chart.dispatch(Event("GO"))
    assert chart.steps()[-1].facts[-1].kind is FactKind.FAILED


def test_a_transition_without_a_target_leads_to_its_own_state_and_not_where_the_last_one_went():
    chart = Factory("chart", threaded=False)
    go = iter((lambda: chart.trans("two"), lambda: chart.trans("one"), lambda: return_status.TRAN))
    for name in ("one", "two"):
        chart.nest(chart.create(name).catch("GO", lambda _chart, _e: next(go)()).to_method(), parent=None)
    chart.start_at("one")
    for _ in range(3):
        chart.dispatch(Event("GO"))
    assert chart.trace().splitlines()[-1].endswith("e->GO() one->one")


@pytest.mark.parametrize("answer", [answer for answer in NO_STATUS if not isinstance(answer, float)])
def test_what_is_no_status_is_refused_also_where_statuses_are_remembered(answer):
    known = [lambda _chart, status=status: status for status in STATUSES]
    chart = answering(*known, lambda _chart: answer)
    for _ in STATUSES:
        chart.dispatch(Event("GO"))
    with pytest.raises(NoStatus, match="which is not a status"):
        chart.dispatch(Event("GO"))


UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(UNHURRIED, max_examples=5_000)
WAYS = [flat, methods, built, declared]
SIZES = st.sampled_from([1, 4, 9, MAX_NODES, MAX_NODES])


@pytest.mark.parametrize("make", WAYS)
@UNHURRIED
@given(spec=charts(), nodes=SIZES)
def test_charts_do_the_same_however_much_they_remember(make, spec, nodes):
    assert story(spec, make, nodes) == story(spec, make, 0)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("make", WAYS)
@LONG
@given(spec=charts(), nodes=SIZES)
def test_thousands_of_charts_do_the_same_however_much_they_remember(make, spec, nodes):
    assert story(spec, make, nodes) == story(spec, make, 0)
