"""Subclasses of declared charts, which add to the states that they inherit."""

from __future__ import annotations

import asyncio

import pytest

from farscope.engine import AsyncChart, Chart, Event, Factory, State
from farscope.errors import ChartBuildError
from farscope.records.shape import StepKind
from farscope.records.structure import Reaction, StateInfo


class Oven(Chart):
    left = 0
    log: tuple[str, ...] = ()

    off = State(initial=True)
    with State() as on:
        lit = State(initial=True)
        paused = State()

    on.on("OPEN", to=paused)
    paused.on("SHUT", to=lit)

    @off.on("START", to=on, guard=lambda _oven, e: e.payload > 0)
    def set_time(self, e):
        self.left = e.payload

    @lit.entry
    def light(self):
        self.log += ("flame on",)

    @lit.exit
    def put_out(self):
        self.log += ("flame off",)

    @lit.on("TICK")
    def count_down(self):
        self.left -= 1
        return None if self.left else self.off

    @on.on("OFF")
    def switch_off(self):
        return Oven.off


def driven(kind, *events, **options):
    chart = kind("oven", threaded=False, **options)
    chart.start_at()
    for e in events:
        chart.dispatch(e if isinstance(e, Event) else Event(e))
    return chart


def ends(chart):
    return [step.end for step in chart.steps()]


START = Event("START", 2)


class Lab(Oven):
    """Oven with a state, reactions, a redirected arrow and other actions."""

    with Oven.on.extended() as on:
        cooling = State()
    lit = Oven.lit.extended()

    on.on("OPEN", to=cooling)
    lit.on("SMOKE", to=Oven.off)
    cooling.on("SHUT", to=Oven.lit)

    @lit.entry
    def light_gently(self):
        super().light()
        self.log += ("gently",)


def test_a_subclass_adds_states_and_reactions_and_redirects_arrows():
    lab = driven(Lab, START, "OPEN", "SHUT", "SMOKE")
    assert ends(lab) == ["off", "lit", "cooling", "lit", "off"]
    assert lab.log == ("flame on", "gently", "flame off") * 2


def test_the_extended_class_and_its_other_subclasses_stay_as_they_were():
    class Sibling(Oven):
        with Oven.on.extended() as on:
            humming = State(initial=True)
        on.on("OPEN", to=humming)

    assert ends(driven(Oven, START, "OPEN", "SHUT", "SMOKE")) == ["off", "lit", "paused", "lit", "lit"]
    assert ends(driven(Sibling, START, "OPEN", "SHUT", "SMOKE")) == ["off", *["humming"] * 4]
    assert ends(driven(Lab, START, "OPEN")) == ["off", "lit", "cooling"]
    assert [state.__name__ for state in Oven.on.tree()] == ["on", "lit", "paused"]


def test_each_class_announces_its_own_structure(watcher):
    def structure(kind):
        chart = kind("oven", threaded=False)
        chart.attach(watcher)
        chart.start_at()
        return [told[1] for told in watcher.told if told[0] == "announce"][-1]

    base, lab = structure(Oven), structure(Lab)
    names = ("off", "on", "lit", "paused")
    assert base.states == tuple(StateInfo(name, "on" if name in names[2:] else "") for name in names)
    assert lab.states == (*base.states, StateInfo("cooling", "on"))
    removed, added = set(base.reactions) - set(lab.reactions), set(lab.reactions) - set(base.reactions)
    assert removed == {Reaction("on", "OPEN", "paused")}
    assert added == {
        Reaction("on", "OPEN", "cooling"),
        Reaction("lit", "SMOKE", "off"),
        Reaction("cooling", "SHUT", "lit"),
    }


def test_spy_and_trace_name_the_states_as_in_the_extended_class():
    lab = driven(Lab, START, "OPEN")
    assert lab.spy_rtc() == [
        "OPEN:lit",
        "OPEN:on",
        "EXIT_SIGNAL:lit",
        "SEARCH_FOR_SUPER_SIGNAL:lit",
        "SEARCH_FOR_SUPER_SIGNAL:cooling",
        "ENTRY_SIGNAL:cooling",
        "INIT_SIGNAL:cooling",
        "<- Queued:(0) Deferred:(0)",
    ]
    assert lab.trace().splitlines()[-1].endswith("[oven] e->OPEN() lit->cooling")


def test_inherited_code_that_names_the_original_state_reaches_its_extension():
    class Marked(Oven):
        off = Oven.off.extended()
        off.on("CLICK", to=Oven.on)

    marked = driven(Marked, START, "OFF", "CLICK")
    assert ends(marked) == ["off", "lit", "off", "lit"]
    assert marked.is_in(Oven.on)
    assert marked.is_in(Oven.lit)
    assert not marked.is_in(Oven.off)
    assert marked.child_state(Oven.on) is Oven.lit
    started = Marked("marked", threaded=False)
    started.start_at(Oven.off)
    assert started.is_in(Marked.off)
    assert started.is_in(Oven.off)
    assert started.is_in("off")
    started.dispatch(Event("CLICK"))
    assert started.current_state() == "lit"


def test_three_levels_each_add_to_the_one_before():
    class Remote(Lab):
        lit = Lab.lit.extended()
        lit.on("CALL", to=Lab.cooling)
        cooling = Lab.cooling.extended()

        @cooling.entry
        def cool(self):
            self.log += ("cooling",)

        @lit.exit
        def dim(self):
            self.log += ("dimmed",)
            super().put_out()

    remote = driven(Remote, START, "CALL", "SHUT", "SMOKE")
    assert ends(remote) == ["off", "lit", "cooling", "lit", "off"]
    once = ("flame on", "gently", "dimmed", "flame off")
    assert remote.log == (*once, "cooling", *once)
    assert remote.is_in(Oven.off)
    assert driven(Remote, START).is_in(Oven.lit)
    assert driven(Lab, START, "CALL").current_state() == "lit"


def test_a_redefined_arrow_keeps_its_guard_and_action():
    class Preheating(Oven):
        preheat = State()
        off = Oven.off.extended()
        off.redefine("START", to=preheat)

    chart = driven(Preheating, Event("START", 0), START)
    assert [step.kind for step in chart.steps()[1:]] == [StepKind.REFUSED, StepKind.TRANSITION]
    assert (chart.current_state(), chart.left) == ("preheat", 2)


def test_a_redefined_guard_keeps_target_and_action():
    class Careful(Oven):
        off = Oven.off.extended()
        off.redefine("START", guard=lambda _oven, e: e.payload > 5)

    chart = driven(Careful, START, Event("START", 7))
    assert ends(chart) == ["off", "off", "lit"]
    assert chart.left == 7


def test_a_redefined_action_keeps_guard_and_target_and_may_call_the_inherited_one():
    class Doubling(Oven):
        off = Oven.off.extended()

        @off.redefine("START")
        def set_twice_the_time(self, e):
            super().set_time(Event("START", 2 * e.payload))

    chart = driven(Doubling, Event("START", 0), START)
    assert ends(chart) == ["off", "off", "lit"]
    assert chart.left == 4


def test_parts_of_a_reaction_are_redefined_one_after_another():
    class Both(Oven):
        shelf = State()
        off = Oven.off.extended()

        @off.redefine("START", to=shelf, guard=lambda _oven, e: e.payload == 9)
        def put(self, e):
            self.left = -e.payload

    chart = driven(Both, START, Event("START", 9))
    assert (ends(chart), chart.left) == (["off", "off", "shelf"], -9)


def test_inherited_reactions_come_after_guarded_ones_where_that_is_declared():
    class Hot(Oven):
        hot = False
        with Oven.on.extended() as on:
            cooling = State()
        lit = Oven.lit.extended()
        lit.on("TICK", to=cooling, guard=lambda oven: oven.hot)
        lit.inherit("TICK")

    hot = driven(Hot, Event("START", 3), "TICK")
    assert (hot.current_state(), hot.left) == ("lit", 2)
    hot.hot = True
    hot.dispatch(Event("TICK"))
    assert (hot.current_state(), hot.left) == ("cooling", 2)


def test_without_that_a_guarded_reaction_replaces_the_inherited_ones():
    class Hot(Oven):
        lit = Oven.lit.extended()
        lit.on("TICK", to=Oven.off, guard=lambda _oven: False)

    hot = driven(Hot, Event("START", 3), "TICK")
    assert hot.steps()[-1].kind is StepKind.REFUSED
    assert hot.left == 3


def test_an_initial_state_or_function_replaces_the_inherited_one():
    class Late(Oven):
        with Oven.on.extended() as on:
            paused = Oven.paused.extended(initial=True)

    class Choosing(Late):
        on = Late.on.extended()

        @on.initial
        def choose(self):
            return self.lit

    assert driven(Late, START).current_state() == "paused"
    assert driven(Choosing, START).current_state() == "lit"


def test_an_outermost_initial_state_replaces_an_inherited_one_also_for_further_subclasses():
    class Booting(Oven):
        boot = State(initial=True)
        boot.on("READY", to=Oven.off)

    class Named(Booting):
        pass

    class Straight(Booting):
        off = Oven.off.extended(initial=True)

    assert driven(Oven).current_state() == "off"
    assert ends(driven(Booting, "READY")) == ["boot", "off"]
    assert driven(Named).current_state() == "boot"
    assert driven(Straight).current_state() == "off"


def test_plain_classes_may_extend_states_for_the_classes_that_they_are_mixed_into():
    class WithSmoke:
        lit = Oven.lit.extended()
        lit.on("SMOKE", to=Oven.off)

    class Smoking(WithSmoke, Oven):
        pass

    class SmokingLab(WithSmoke, Oven):
        off = Oven.off.extended()

    assert driven(Smoking, START, "SMOKE").current_state() == "off"
    assert driven(SmokingLab, START, "SMOKE").current_state() == "off"
    assert driven(Oven, START, "SMOKE").current_state() == "lit"


class Left(Oven):
    lit = Oven.lit.extended()
    lit.on("LEFT", to=Oven.off)
    lit.on("BOTH", to=Oven.off)


class Right(Oven):
    with Oven.lit.extended() as lit:
        small = State(initial=True)
    lit.on("RIGHT", to=Oven.off)
    lit.on("BOTH", to=Oven.paused)


def test_extensions_by_two_bases_have_to_be_merged_where_they_meet():
    with pytest.raises(ChartBuildError, match="several bases of chart class Torn extend state lit") as caught:

        class Torn(Left, Right):
            pass

    assert caught.value.hint == "extend it here too, which merges them: lit = BASE.lit.extended()"


def test_what_two_bases_change_in_the_same_reaction_has_to_be_decided():
    with pytest.raises(ChartBuildError, match="change what state lit does about BOTH") as caught:

        class Torn(Left, Right):
            lit = Left.lit.extended()

    assert caught.value.hint == "declare in this class what it does"


def test_merged_extensions_have_the_reactions_and_states_of_both():
    class Merged(Left, Right):
        lit = Left.lit.extended()
        lit.on("BOTH", to=Right.small)

    for signal, end in (("LEFT", "off"), ("RIGHT", "off"), ("BOTH", "small"), ("OPEN", "paused")):
        chart = driven(Merged, START, signal)
        assert (chart.steps()[-2].end, chart.current_state()) == ("small", end)
    for state in (Oven.lit, Left.lit, Right.lit, Merged.lit):
        assert driven(Merged, START).is_in(state)

    class Further(Merged):
        lit = Merged.lit.extended()
        lit.on("MORE", to=Oven.paused)

    assert ends(driven(Further, START, "MORE", "SHUT", "LEFT"))[1:] == ["small", "paused", "small", "off"]


def test_a_single_chart_may_add_states_to_those_of_its_class():
    lab = Lab("lab", threaded=False)
    part = lab.create("part").catch("BACK", lambda chart, _e: chart.trans(Oven.lit)).to_method()
    lab.nest(part, parent=Oven.on)
    lab.start_at(part)
    assert lab.is_in(Lab.on)
    lab.dispatch(Event("OPEN"))
    lab.dispatch(Event("SHUT"))
    assert ends(lab) == ["part", "cooling", "lit"]
    assert lab.is_in(Oven.lit)


def test_coroutine_functions_replace_inherited_reactions_on_an_event_loop():
    class Fetcher(AsyncChart):
        idle = State(initial=True)
        busy = State()
        idle.on("GET", to=busy)

    class Slow(Fetcher):
        idle = Fetcher.idle.extended()
        seen = False

        @idle.redefine("GET")
        async def wait(self):
            await asyncio.sleep(0)
            self.seen = True

    async def run():
        async with Slow("slow") as slow:
            await slow.post(Event("GET"))
            await slow.settled()
            return slow.current_state(), slow.seen

    assert asyncio.run(run()) == ("busy", True)


def test_charts_of_a_subclass_share_what_they_learn():
    one, two = driven(Lab, START), driven(Lab, START)
    assert one._core.algorithm.cache is two._core.algorithm.cache
    assert one._core.algorithm.cache is not driven(Oven)._core.algorithm.cache


def finished(state):
    """The hint about a state of a finished class."""
    return (
        "declare everything in the body of that class; a subclass extends the state: "
        f"{state} = Oven.{state}.extended()"
    )


HIDING = (
    "to add to the inherited state, write lit = Oven.lit.extended(); for another state, rename the "
    "attribute: lit_ = State('lit')"
)


@pytest.mark.parametrize(
    ("declare", "message", "hint"),
    [
        (
            lambda: type("Other", (Chart,), {"lit": Oven.lit.extended()}),
            "chart class Other extends state lit, which it does not inherit",
            "derive it from the class that declares lit, or declare a new state",
        ),
        (
            lambda: type("Twice", (Oven,), {"lit": Oven.lit.extended(), "lit2": Oven.lit.extended()}),
            "chart class Twice extends state lit twice",
            "extend it once",
        ),
        (
            lambda: type("Hiding", (Oven,), {"lit": State()}),
            "state lit would hide",
            HIDING,
        ),
        (
            lambda: type("Hiding", (Oven,), {"lit": Oven.off.extended()}),
            "state lit would hide",
            HIDING,
        ),
        (
            lambda: Oven.lit.on("SMOKE", to=Oven.off),
            "state lit belongs to chart class Oven, which is finished: it can react to nothing more",
            finished("lit"),
        ),
        (
            lambda: Oven.lit.redefine("TICK", guard=lambda _oven: False),
            "state lit belongs to chart class Oven, which is finished: its reactions cannot be changed",
            finished("lit"),
        ),
        (
            Oven.on.__enter__,
            "state on belongs to chart class Oven, which is finished: nothing can be nested in it",
            finished("on"),
        ),
        (
            lambda: State().extended(),
            "a state without a name cannot be extended",
            "extend states of finished classes; in the same class, declare everything at once",
        ),
        (
            lambda: Oven.lit.extended().redefine("SMOKE", to=Oven.off),
            "state lit has inherited no reaction to SMOKE",
            "declare a new reaction with on, in a state made by extended()",
        ),
        (
            lambda: Oven.lit.extended().inherit("SMOKE"),
            "state lit has inherited no reaction to SMOKE",
            "declare a new reaction with on, in a state made by extended()",
        ),
        (
            lambda: Oven.lit.extended().redefine("TICK", to=Oven.off),
            "function count_down decides where state lit leads at TICK",
            "override that function as a method, or declare the reaction again with on",
        ),
    ],
)
def test_what_cannot_be_inherited_is_refused_with_the_remedy(declare, message, hint):
    with pytest.raises(ChartBuildError) as caught:
        declare()
    assert str(caught.value).startswith(message)
    assert caught.value.hint == hint


def test_an_arrow_among_several_cannot_be_redefined():
    class Two(Chart):
        here = State(initial=True)
        there = State()
        here.on("GO", to=there, guard=lambda _chart: False)
        here.on("GO", to=here)

    with pytest.raises(ChartBuildError, match="state here has 2 reactions to GO"):
        Two.here.extended().redefine("GO", to=Two.there)


def test_an_inherited_reaction_after_one_without_a_guard_is_refused():
    lit = Oven.lit.extended()
    lit.on("TICK", to=Oven.off)
    with pytest.raises(ChartBuildError, match="reacts to TICK twice"):
        lit.inherit("TICK")


def test_a_redefinition_that_changes_nothing_is_refused_with_the_class():
    with pytest.raises(ChartBuildError, match="a reaction of state lit has neither a function nor a target"):

        class Idle(Oven):
            lit = Oven.lit.extended()
            lit.redefine("TICK")


def test_an_extension_stays_where_the_state_is():
    with pytest.raises(ChartBuildError, match="state lit lies in on, and is extended inside off"):

        class Moved(Oven):
            with Oven.off.extended() as off:
                lit = Oven.lit.extended()


def test_an_extension_is_not_nested_in_charts_that_do_not_have_it():
    house = Factory("house", threaded=False)
    room = house.create("room").to_method()
    with pytest.raises(ChartBuildError, match="state off extends an inherited state"):
        house.nest(room, parent=None).nest(Oven.off.extended(), parent=room)
    with pytest.raises(ChartBuildError, match="state lit is declared inside on"):
        house.nest(Lab.lit, parent=room)
