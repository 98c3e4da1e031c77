"""Charts declared by their class."""

from __future__ import annotations

import functools
import threading

import pytest

from farscope.engine import Chart, Event, Factory, State, return_status, signals
from farscope.engine.core.step_cache import MAX_NODES
from farscope.errors import AlreadyStarted, ChartBuildError, NotAState
from farscope.records.shape import StepKind
from farscope.records.structure import Reaction, StateInfo


class Door(Chart):
    opened_times = 0

    with State(initial=True) as outer:
        shut = State(initial=True)
        with State() as ajar:
            wide = State()

    shut.on("OPEN", "PUSH", to=wide)
    ajar.on("SHUT", to="shut")

    @outer.on("KNOCK")
    def answer(self, e):
        self.scribble(f"who is there? {e.payload}")

    @ajar.entry
    def count(self):
        self.opened_times += 1

    @wide.on("SWAP")
    def swap(self):
        return self.ajar


def driven(kind, *events, **options):
    chart = kind("door", threaded=False, **options)
    chart.start_at()
    for e in events:
        chart.dispatch(e if isinstance(e, Event) else Event(e))
    return chart


def test_states_are_nested_as_they_are_drawn_and_named_after_their_attributes():
    assert Door.wide.parent is Door.ajar
    assert Door.ajar.parent is Door.outer
    assert Door.outer.parent is None
    assert [state.__name__ for state in Door.outer.tree()] == ["outer", "shut", "ajar", "wide"]


def test_a_chart_starts_where_its_class_says_or_where_it_is_told():
    assert driven(Door).current_state() == "shut"
    chart = Door("door", threaded=False)
    chart.start_at(Door.wide)
    assert chart.current_state() == "wide"
    with pytest.raises(AlreadyStarted):
        chart.start_at()


def test_reactions_go_where_they_lead_or_stay():
    door = driven(Door, "PUSH", Event("KNOCK", "me"), "SWAP", "SHUT", "NOTHING")
    assert [(step.signal, step.kind, step.end) for step in door.steps()[1:]] == [
        ("PUSH", StepKind.TRANSITION, "wide"),
        ("KNOCK", StepKind.HOOK, "wide"),
        ("SWAP", StepKind.TRANSITION, "ajar"),
        ("SHUT", StepKind.TRANSITION, "shut"),
        ("NOTHING", StepKind.IGNORED, "shut"),
    ]
    assert door.steps()[2].texts == ("who is there? me",)


def test_charts_of_a_class_share_nothing_but_the_class():
    one, two = driven(Door, "OPEN"), driven(Door)
    assert (one.opened_times, two.opened_times) == (1, 0)
    assert (one.current_state(), two.current_state()) == ("wide", "shut")
    one.stop()
    two.dispatch(Event("OPEN"))
    assert (two.opened_times, two.current_state()) == (1, "wide")


def test_what_is_known_beforehand_is_announced_with_its_targets(watcher):
    door = Door("door", threaded=False)
    door.attach(watcher)
    door.start_at()
    (announced,) = [told[1] for told in watcher.told if told[0] == "announce"]
    assert announced.states == (
        StateInfo("outer"),
        StateInfo("shut", "outer"),
        StateInfo("ajar", "outer"),
        StateInfo("wide", "ajar"),
    )
    assert set(announced.reactions) == {
        Reaction("outer", "INIT_SIGNAL", "shut"),
        Reaction("outer", "KNOCK"),
        Reaction("shut", "OPEN", "wide"),
        Reaction("shut", "PUSH", "wide"),
        Reaction("ajar", "SHUT", "shut"),
        Reaction("ajar", "ENTRY_SIGNAL"),
        Reaction("wide", "SWAP"),
    }


class Guarded(Chart):
    asked: tuple[str, ...] = ()

    with State(initial=True) as outer:
        inner = State(initial=True)
        other = State()

    def says(self, e, who):
        self.asked += (who,)
        return who in e.payload

    @inner.on("GO", guard=lambda self, e: self.says(e, "first"))
    def first(self):
        return self.other

    inner.on("GO", to=outer, guard=lambda self, e: self.says(e, "second"))

    @outer.on("GO", guard=lambda self, e: self.says(e, "third"))
    def third(self):
        self.scribble("third")

    @outer.on("ELSE", guard=lambda _self, e: e.payload)
    def some(self):
        self.scribble("some")

    @outer.on("ELSE")
    def none(self):
        self.scribble("none")


@pytest.mark.parametrize(
    ("payload", "asked", "kind"),
    [
        ("first", "first", StepKind.TRANSITION),
        ("second", "first second", StepKind.TRANSITION),
        ("third", "first second third", StepKind.HOOK),
        ("nobody", "first second third", StepKind.REFUSED),
    ],
)
def test_guards_are_asked_in_order_and_then_outwards(payload, asked, kind):
    chart = driven(Guarded, Event("GO", payload))
    assert chart.asked == tuple(asked.split())
    assert chart.steps()[-1].kind is kind


def test_a_reaction_without_a_guard_is_what_is_left_when_the_others_refuse():
    chart = driven(Guarded, Event("ELSE", payload=True), Event("ELSE", payload=False))
    assert [step.texts for step in chart.steps()[1:]] == [("some",), ("none",)]


def test_initial_and_exit_and_otherwise():
    class Every(Chart):
        log: tuple[str, ...] = ()
        to_second = False

        with State(initial=True) as outer:
            first = State()
            second = State()

        outer.on("AGAIN", to=outer)
        first.on("KNOWN", to=first)

        @outer.initial
        def choose(self):
            return self.second if self.to_second else self.first

        @first.exit
        def leave(self, e):
            self.log += (e.signal_name,)

        @outer.otherwise
        def unknown(self, e):
            self.log += (e.signal_name,)

    chart = driven(Every)
    chart.to_second = True
    for name in ("KNOWN", "STRANGE", "AGAIN", "KNOWN"):
        chart.dispatch(Event(name))
    assert chart.log == ("EXIT_SIGNAL", "STRANGE", "EXIT_SIGNAL", "KNOWN")
    assert chart.current_state() == "second"


def test_a_subclass_overrides_reactions_as_methods_and_adds_states():
    class Alarmed(Door):
        with State() as alarm:
            pass

        alarm.on("OFF", to=Door.shut)

        def answer(self, _e):
            return self.alarm

    door = driven(Alarmed, "KNOCK")
    assert door.current_state() == "alarm"
    door.dispatch(Event("OFF"))
    assert door.current_state() == "shut"
    assert driven(Door, "KNOCK").current_state() == "shut"


def test_a_class_made_of_several_has_the_states_of_all_of_them():
    class Bell:
        silent = State("silent")
        ringing = State()
        silent.on("RING", to=ringing)

    class Light(Chart):
        dark = State()
        bright = State()
        dark.on("SWITCH", to=bright)

    class House(Bell, Door, Light):
        def answer(self, _e):
            return self.silent

    house = driven(House, "KNOCK", "RING")
    assert house.current_state() == "ringing"
    house = House("house", threaded=False)
    house.start_at("dark")
    house.dispatch(Event("SWITCH"))
    assert house.is_in(House.bright)


def test_a_decorated_reaction_gets_what_the_function_behind_it_takes():
    def told(function):
        @functools.wraps(function)
        def tell(*arguments, **named):
            arguments[0].scribble(f"{function.__name__} of {len(arguments)}")
            return function(*arguments, **named)

        return tell

    class Told(Chart):
        rest = State(initial=True)

        @rest.entry
        @told
        def enter(self):
            pass

        @rest.on("ONE")
        @told
        @told
        def one(self):
            pass

        @rest.on("TWO", to=rest, guard=told(lambda _chart: True))
        @told
        def two(self, e):
            self.scribble(e.payload)

    steps = driven(Told, "ONE", Event("TWO", "it")).steps()
    assert [step.texts for step in steps] == [
        ("enter of 1",),
        ("one of 1", "one of 1"),
        ("<lambda> of 1", "two of 2", "it", "enter of 1"),
    ]


def test_functions_named_underscore_are_no_methods_to_override():
    class Quiet(Chart):
        rest = State(initial=True)

        @rest.on("A")
        def _(self):
            self.scribble("A")

        @rest.on("B")
        def _(self):
            self.scribble("B")

    class Quieter(Quiet):
        def _(self):
            """Never be called."""

    assert [step.texts for step in driven(Quieter, "A", "B").steps()[1:]] == [("A",), ("B",)]


def test_states_made_by_parts_nest_in_declared_ones_of_one_chart_only():
    chart = Door("door", threaded=False)
    part = chart.create("part").catch("BACK", lambda chart, _e: chart.trans(Door.wide)).to_method()
    chart.nest(part, parent=Door.shut)
    chart.start_at(part)
    chart.dispatch(Event("BACK"))
    chart.dispatch(Event("SHUT"))
    chart.dispatch(Event("PUSH"))
    assert [step.end for step in chart.steps()] == ["part", "wide", "shut", "wide"]
    other = driven(Door)
    with pytest.raises(NotAState, match="part is not a state of chart class Door"):
        other.is_in("shut") and other._core.algorithm.states.resolve(other, part, "test")


def test_a_declared_state_may_be_put_into_one_made_by_parts():
    chart = Door("door", threaded=False)
    house = chart.create("house").catch("KNOCK", lambda _chart, _e: return_status.HANDLED).to_method()
    chart.nest(house, parent=None).nest(Door.outer, parent=house)
    chart.start_at()
    assert chart.is_in(house)
    assert not driven(Door).is_in("house")
    assert Door.outer.parent is None


with State("lamp") as lamp:
    off = State("off", initial=True)
    on = State("on")
off.on("SWITCH", to=on)
on.on("SWITCH", to=off)


def test_declared_states_serve_several_charts_built_by_parts():
    for outer in ("room", "cellar"):
        chart = Factory(outer, threaded=False)
        built = chart.create(outer).to_method()
        chart.nest(built, parent=None).nest(lamp, parent=built)
        chart.start_at(lamp)
        chart.dispatch(Event("SWITCH"))
        assert chart.current_state() == "on"
        assert chart.is_in(outer)
        with pytest.raises(AlreadyStarted):
            chart.nest(lamp, parent=None)


def test_a_declared_tree_is_nested_whole():
    chart = Factory("room", threaded=False)
    chart.nest(lamp, parent=None)
    with pytest.raises(ChartBuildError, match="state on is declared inside lamp"):
        chart.nest(on, parent=None)
    with pytest.raises(ChartBuildError, match="two states named on"):
        chart.create("on")
    with pytest.raises(ChartBuildError, match="without a name"):
        chart.nest(State(), parent=None)


def test_a_declared_state_can_be_asked_like_a_flat_function():
    chart = driven(Door)
    assert Door.shut(chart, Event("OPEN")) == return_status.TRAN
    assert chart.temp.fun is Door.wide
    assert Door.wide(chart, Event("OTHER")) == return_status.SUPER
    assert chart.temp.fun is Door.ajar


def test_what_all_charts_of_a_class_learn_is_learnt_once():
    chart = driven(Door, "OPEN", "SHUT")
    nodes = chart._core.algorithm.cache.nodes
    for _ in range(100):
        driven(Door, "OPEN", "SHUT")
    assert chart._core.algorithm.cache.nodes == nodes < MAX_NODES


def test_charts_of_a_class_learn_at_once_from_many_threads():
    class Fresh(Chart):
        with State(initial=True) as outer:
            a = State(initial=True)
            b = State()
        a.on("GO", to=b)
        b.on("GO", to=a)

        @outer.on("POST")
        def post(self):
            self.post_fifo(Event("GO"))

    charts = [Fresh(f"c{number}") for number in range(8)]
    done = threading.Barrier(len(charts) + 1)

    def feed(chart):
        chart.start_at()
        for _ in range(200):
            chart.post_fifo(Event("POST"))
        done.wait()

    threads = [threading.Thread(target=feed, args=(chart,)) for chart in charts]
    for thread in threads:
        thread.start()
    done.wait()
    for thread in threads:
        thread.join()
    for chart in charts:
        while not chart.at_rest:
            chart.join(0.001)
        chart.stop()
        assert chart.steps_made == 401
        assert [step.shape for step in chart.steps()[-2:]] == [step.shape for step in charts[0].steps()[-2:]]


def declare(body):
    def fill(namespace):
        namespace["s"] = state = State()
        body(namespace, state)

    namespace = {}
    fill(namespace)
    return type("Wrong", (Chart,), namespace)


def two_roots(namespace, _state):
    namespace["t"] = State()


async def waits(_chart):
    """Be no guard."""


MISTAKES = {
    "leads to nowhere, which chart class Wrong does not have": lambda _n, s: s.on("A", to="nowhere"),
    "neither a function nor a target": lambda _n, s: s.on("A"),
    "two states named s": lambda n, _s: n.update(t=State("s")),
    "would hide what each chart of class Wrong has": lambda n, _s: n.update(stop=State()),
    "reacts to A twice": lambda _n, s: (s.on("A", to=s), s.on("A", to=s)),
    "names no signal": lambda _n, s: s.on(to=s),
    "is not a signal, but state without a name so far": lambda _n, s: s.on(lambda _chart: None),
    "belongs to the engine": lambda _n, s: s.on(signals.ENTRY_SIGNAL, to=s),
    "cannot be a reaction of state": lambda _n, s: s.on("A")(lambda _a, _b, _c: None),
    "a guard of state .* has to be awaited": lambda _n, s: s.on("A", to=s, guard=waits),
    "reacts to all other signals twice": lambda _n, s: [s.otherwise(lambda _c: None) for _ in "ab"],
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_named_when_the_class_is_defined(message):
    with pytest.raises(ChartBuildError, match=message):
        declare(MISTAKES[message])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            waits,
            "waits, a reaction of state outer, is a coroutine function",
        ),
        (lambda _chart, _e, _more: None, "cannot be a reaction of state outer"),
        (5, "5 cannot be a reaction of state outer"),
    ],
    ids=["coroutine", "arguments", "number"],
)
def test_a_method_that_cannot_override_a_reaction_is_named_when_the_class_is_defined(override, message):
    with pytest.raises(ChartBuildError, match=message):
        type("Wrong", (Door,), {"answer": override})


def test_a_finished_class_takes_no_more_reactions():
    with pytest.raises(ChartBuildError, match="belongs to chart class Door, which is finished"):
        Door.shut.on("LATE", to=Door.wide)


def test_a_class_that_does_not_say_where_to_start_must_be_told():
    kind = declare(two_roots)
    chart = kind("wrong", threaded=False)
    with pytest.raises(ChartBuildError, match="does not say where its charts start"):
        chart.start_at()
    chart.start_at(kind.t)
    assert chart.current_state() == "t"


@pytest.mark.parametrize(("returned", "what"), [(4, "4"), (True, "True")])
def test_a_reaction_that_returns_a_status_is_told_what_to_return(returned, what):
    chart = driven(declare(lambda _n, s: s.on("A")(lambda _chart: returned)))
    with pytest.raises(NotAState, match=f"returned {what}, which is not a state") as caught:
        chart.dispatch(Event("A"))
    assert "None to stay" in caught.value.hint


def test_a_reaction_with_a_target_of_its_own_returns_nothing():
    chart = driven(declare(lambda _n, s: s.on("A", to=s)(lambda chart: chart.s)))
    with pytest.raises(ChartBuildError, match="that leads to s, returned s"):
        chart.dispatch(Event("A"))


def test_a_target_outside_the_class_is_refused_by_name():
    def elsewhere(chart, e):
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = driven(declare(lambda _n, s: s.on("A")(lambda _chart: elsewhere)))
    with pytest.raises(NotAState, match="elsewhere is not a state of chart class Wrong, but s leads to it"):
        chart.dispatch(Event("A"))


@pytest.mark.parametrize("otherwise", [False, True])
def test_a_guard_that_hides_that_it_has_to_be_awaited_is_no_yes(otherwise):
    class Asking(Chart):
        here = State(initial=True)
        there = State()
        here.on("GO", to=there, guard=lambda chart, _e: waits(chart))
        if otherwise:
            here.on("GO", to=here)

    with pytest.raises(ChartBuildError, match="a guard of state here, has to be awaited"):
        driven(Asking, "GO")


@pytest.mark.parametrize("answer", [True, 1, "yes", [0]])
@pytest.mark.parametrize("otherwise", [False, True])
def test_a_guard_says_yes_with_whatever_counts_as_true(answer, otherwise):
    class Asking(Chart):
        here = State(initial=True)
        there = State()
        here.on("GO", to=there, guard=lambda _: answer)
        if otherwise:
            here.on("GO", to=here)

    assert driven(Asking, "GO").current_state() == "there"


@pytest.mark.parametrize("answer", [False, 0, "", None, []])
def test_a_guard_says_no_with_whatever_does_not(answer):
    class Asking(Chart):
        here = State(initial=True)
        there = State()
        here.on("GO", to=there, guard=lambda _: answer)

    assert driven(Asking, "GO").current_state() == "here"


def test_two_outermost_initial_states_are_refused_by_name_where_the_class_is_defined():
    with pytest.raises(ChartBuildError, match="chart class Torn has 2 initial states outermost: left, right"):

        class Torn(Chart):
            left = State(initial=True)
            right = State(initial=True)


def test_outermost_initial_states_of_two_bases_are_refused():
    class Left(Chart):
        left = State(initial=True)

    class Right(Chart):
        right = State(initial=True)

    with pytest.raises(ChartBuildError, match="chart class Torn has 2 initial states outermost: right, left"):

        class Torn(Left, Right):
            pass


def test_two_initial_states_in_one_state_are_refused_by_name_where_the_class_is_defined():
    with pytest.raises(ChartBuildError, match="state outer has 2 initial states: one, two"):

        class Torn(Chart):
            with State() as outer:
                one = State(initial=True)
                two = State(initial=True)


def test_an_initial_state_besides_an_initial_function_is_refused_by_name():
    with pytest.raises(ChartBuildError, match="state outer has 2 initial states: one, choose"):

        class Torn(Chart):
            with State() as outer:
                one = State(initial=True)

                @outer.initial
                def choose(self):
                    return self.one


@pytest.mark.parametrize("seconds", ["1s", None, -1.0])
def test_a_timeout_of_no_duration_is_refused_with_the_range(seconds: object):
    with pytest.raises(ChartBuildError, match="a timeout of state waiting cannot be") as refused:
        State("waiting").after(seconds, to="waiting")
    assert "a number between" in refused.value.hint
