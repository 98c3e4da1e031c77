"""Charts built by parts: mistakes are named as early as they can be known."""

from __future__ import annotations

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals
from farscope.errors import AlreadyStarted, ChartBuildError, NotAState
from farscope.records.structure import Reaction, StateInfo


def handled(chart, e):
    return return_status.HANDLED


@pytest.fixture
def chart():
    return Factory("built", threaded=False)


def test_a_state_created_and_never_nested_is_found_at_the_start(chart):
    one = chart.create("one").to_method()
    chart.create("two")
    chart.nest(one, parent=None)
    with pytest.raises(ChartBuildError, match="state two was created and never nested") as caught:
        chart.start_at(one)
    assert caught.value.state == "two"
    assert "chart.nest(two" in caught.value.hint


@pytest.mark.parametrize("name", ["", None, 7])
def test_a_state_needs_a_name(chart, name):
    with pytest.raises(ChartBuildError, match="not a name for a state"):
        chart.create(name)


def test_an_unknown_state_or_parent_is_refused(chart):
    one = chart.create("one").to_method()
    with pytest.raises(ChartBuildError, match="no state 'ghost'"):
        chart.nest("ghost", parent=None)
    with pytest.raises(ChartBuildError, match="nested in ghost"):
        chart.nest(one, parent="ghost")
    with pytest.raises(ChartBuildError):
        chart.nest(one, parent=42)


def test_a_loop_of_parents_is_refused_where_it_closes(chart):
    one, two = chart.create("one").to_method(), chart.create("two").to_method()
    chart.nest(one, parent=two)
    with pytest.raises(ChartBuildError, match="state two would lie inside itself"):
        chart.nest(two, parent=one)
    with pytest.raises(ChartBuildError, match="inside itself"):
        chart.nest(two, parent=two)


def test_a_later_catch_or_nesting_takes_the_place_of_an_earlier_one():
    def says(text):
        def say(chart, _e):
            chart.scribble(text)
            return return_status.HANDLED

        return say

    class Charger(Factory):
        def __init__(self) -> None:
            super().__init__("charger", threaded=False)
            ready = self.create("ready").catch("A", says("a")).catch("B", says("b")).to_method()
            self.nest(ready, parent=None).nest(self.create("idle").to_method(), parent=None)
            self.ready = ready

    class Mocked(Charger):
        def __init__(self) -> None:
            super().__init__()
            assert self.create("ready").catch("B", says("mocked")).to_method() is self.ready
            self.nest("ready", parent=self.create("around").catch("C", says("c")).to_method())
            self.nest("around", parent=None)

    chart = Mocked()
    chart.start_at("ready")
    for name in ("A", "B", "C"):
        chart.dispatch(Event(name))
    assert [step.texts for step in chart.steps()[1:]] == [("a",), ("mocked",), ("c",)]


def test_nesting_a_state_again_inside_itself_is_refused(chart):
    chart.create("one")
    chart.create("two")
    chart.nest("one", parent=None).nest("two", parent="one")
    with pytest.raises(ChartBuildError, match="state one would lie inside itself"):
        chart.nest("one", parent="two")


@pytest.mark.parametrize("handler", [None, 7, lambda: None, lambda _a, _b, _c: None])
def test_what_cannot_be_a_handler_is_refused_when_it_is_given(chart, handler):
    with pytest.raises(ChartBuildError, match="state one"):
        chart.create("one").catch(signals.B, handler)


def test_a_started_chart_does_not_change(chart):
    one = chart.create("one")
    chart.nest("one", parent=None).start_at("one")
    for change in (
        lambda: chart.create("two"),
        lambda: chart.nest("one", parent=None),
        lambda: one.catch("B", handled),
    ):
        with pytest.raises(AlreadyStarted):
            change()


def test_states_may_be_named_by_strings_everywhere(chart):
    chart.create("one").catch("GO", lambda chart, _e: chart.trans("two"))
    chart.create("two")
    chart.nest("one", parent=None).nest("two", parent="one").start_at("one")
    chart.dispatch(Event("GO"))
    assert chart.current_state() == "two"
    assert chart.is_in("one")


def test_a_start_at_an_unknown_name_is_refused(chart):
    with pytest.raises(NotAState, match="'ghost' is not a state, but the start of chart built leads to it"):
        chart.start_at("ghost")


def test_handlers_may_be_functions_or_methods_of_the_chart_or_of_another_object():
    heard = []

    class Ear:
        def hear(self, e):
            heard.append(("ear", e.payload))
            return return_status.HANDLED

    class Chart(Factory):
        def __init__(self) -> None:
            super().__init__("chart", threaded=False)
            state = self.create("state").catch("A", self.on_a).catch("B", Ear().hear).catch("C", self.on_c)
            self.nest(state.to_method(), parent=None).start_at("state")

        def on_a(self, e):
            heard.append(("a", e.payload))
            return return_status.HANDLED

        def on_c(self, chart, e):
            assert chart is self
            heard.append(("c", e.payload))
            return return_status.HANDLED

    chart = Chart()
    for name in "ABCABC":
        chart.dispatch(Event(name, payload=1))
    assert heard == [("a", 1), ("ear", 1), ("c", 1)] * 2


def test_built_states_and_flat_functions_mix(chart):
    def flat(chart, e):
        if e.signal == signals.GO:
            return chart.trans(built)
        chart.temp.fun = outer
        return return_status.SUPER

    outer = chart.create("outer").catch("BACK", lambda chart, _e: chart.trans(flat)).to_method()
    built = chart.create("built").to_method()
    chart.nest(outer, parent=None).nest(built, parent=flat).start_at(flat)
    chart.dispatch(Event("GO"))
    assert chart.current_state() == "built"
    assert chart.is_in(flat)
    chart.dispatch(Event("BACK"))
    assert chart.current_state() == "flat"


def test_a_built_state_called_by_hand_answers_like_a_flat_function(chart):
    one = chart.create("one").catch("A", handled).to_method()
    two = chart.create("two").to_method()
    chart.nest(one, parent=None).nest(two, parent=one)
    hsm = Hsm()
    assert one(hsm, Event("A")) == return_status.HANDLED
    assert two(hsm, Event("A")) == return_status.SUPER
    assert hsm.temp.fun is one
    assert one(hsm, Event("B")) == return_status.SUPER
    assert hsm.temp.fun == hsm.top


def test_all_states_and_reactions_are_announced_before_the_first_step(chart, watcher):
    one = chart.create("one").catch("B", handled).catch(signals.ENTRY_SIGNAL, handled).to_method()
    chart.create("two").catch("A", handled)
    chart.nest(one, parent=None).nest("two", parent=one)
    chart.attach(watcher)
    chart.start_at(one)
    assert [told[0] for told in watcher.told] == ["announce", "step"]
    _, structure, state, number, chart_id = watcher.told[0]
    assert (state, number, chart_id.name) == ("top", 0, "built")
    assert structure.states == (StateInfo("one"), StateInfo("two", "one"))
    assert structure.reactions == (
        Reaction("one", "B"),
        Reaction("one", "ENTRY_SIGNAL"),
        Reaction("two", "A"),
    )


@pytest.mark.parametrize("order", [("AS_STATE", "BY_NAME"), ("BY_NAME", "AS_STATE")])
def test_a_state_and_its_name_lead_to_the_same_place_by_the_same_way(order):
    chart = Factory(threaded=False)
    outer = chart.create("outer").to_method()
    inner = chart.create("inner")
    inner.catch("AS_STATE", lambda chart, _e: chart.trans(inner.to_method()))
    inner.catch("BY_NAME", lambda chart, _e: chart.trans("inner"))
    chart.nest(outer, parent=None).nest(inner.to_method(), parent=outer).start_at(inner.to_method())
    for signal in (*order, *order):
        chart.dispatch(Event(signal))
    ways = [step.spy()[1:] for step in chart.steps()[1:]]
    assert ways == [["EXIT_SIGNAL:inner", "ENTRY_SIGNAL:inner", "INIT_SIGNAL:inner", ways[0][-1]]] * 4
