from __future__ import annotations

from contextlib import suppress

import pytest

from farscope import Event, Factory, return_status
from farscope.errors import UsageError
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure, Reaction, StateInfo, StateKind
from farscope.views.statechart import model
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import MAX_NESTING, Edge, Statechart, statecharts
from support.region_pictures import BOTH, BROKE, CHART, ENDED, MACHINE, STARTED, facts, steps_of


class Watching:
    """A sink that keeps what a chart tells."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.structures: dict[ChartId, ChartStructure] = {}

    def step(self, step) -> None:
        self.steps.append(Step._make(step))

    def announce(self, chart, structure, state, number, *_) -> None:  # noqa: ARG002 - the port's signature
        self.structures[chart] = structure

    def stopped(self, chart, _status) -> None:
        pass


def seen_run(*signals: str) -> Statechart:
    """Run the miros example's producer under watch."""
    chart = Factory("producer", threaded=False)
    outer = (
        chart.create("outer")
        .catch("INIT_SIGNAL", lambda chart, _: chart.trans("c1"))
        .catch("B", lambda chart, _: chart.trans("outer"))
        .to_method()
    )
    c1 = chart.create("c1").catch("A", lambda chart, _: chart.trans("c2")).to_method()
    c2 = chart.create("c2").catch("A", lambda chart, _: chart.trans("c1")).to_method()
    chart.nest(outer, parent=None).nest(c1, parent=outer).nest(c2, parent=outer)
    watching = Watching()
    chart.attach(watching)
    chart.start_at("outer")
    for signal in signals:
        chart.dispatch(Event(signal))
    (found,) = statecharts(watching.steps, watching.structures).values()
    return found


def test_an_arrow_starts_where_the_event_was_handled_and_ends_before_any_initial_transition():
    assert seen_run("B", "B", "A").seen == {Edge("outer", "outer", "B"): 2, Edge("c1", "c2", "A"): 1}


def test_initial_transitions_are_those_that_were_taken():
    chart = seen_run()
    assert chart.initial(None) == ("outer", "outer", True)
    assert chart.initial("outer") == ("c1", "c1", True)
    assert chart.initial("c1") is None


def test_states_are_nested_as_they_were_announced():
    assert seen_run().children() == {None: ("outer",), "outer": ("c1", "c2")}


def test_entries_exits_and_initial_transitions_count_as_seen_when_their_state_was_passed():
    assert "INIT_SIGNAL" not in [reaction.signal for reaction in seen_run().unseen]


def test_reactions_count_as_unseen_until_they_ran():
    assert ("c1", "A") in [(reaction.state, reaction.signal) for reaction in seen_run().unseen]
    assert ("c1", "A") not in [(reaction.state, reaction.signal) for reaction in seen_run("A").unseen]


def test_a_hook_is_a_remark_on_its_state_not_an_arrow():
    chart = Statechart()
    chart.add_shape(Shape(StepKind.HOOK, "H", "a", "a", ()), 3)
    assert not chart.seen
    assert [(remark.signal, remark.rest) for remark in chart.remarks()["a"]] == [("H", "handled x 3")]


def guarded_run(*signals: str) -> Statechart:
    """Run a door whose guard refuses, whose house raises, and whose lock never moves, under watch."""
    chart = Factory("door", threaded=False, on_error="continue")

    def broken(_chart, _event):
        raise ValueError("stuck")

    closed = (
        chart.create("closed")
        .catch("KNOCK", lambda _chart, _event: return_status.UNHANDLED)
        .catch("LOCK", lambda _chart, _event: return_status.UNHANDLED)
        .to_method()
    )
    house = (
        chart.create("house")
        .catch("KNOCK", lambda _chart, _event: return_status.HANDLED)
        .catch("SLAM", broken)
        .to_method()
    )
    chart.nest(house, parent=None).nest(closed, parent=house)
    watching = Watching()
    chart.attach(watching)
    chart.start_at("closed")
    for signal in signals:
        with suppress(ValueError):
            chart.dispatch(Event(signal))
    (found,) = statecharts(watching.steps, watching.structures).values()
    return found


def remarks(chart: Statechart) -> dict[str, set[str]]:
    return {
        state: {f"{remark.signal} {remark.rest}" for remark in found}
        for state, found in chart.remarks().items()
    }


def test_what_a_guard_refused_or_a_handler_failed_at_is_told_and_is_not_called_unseen():
    assert remarks(guarded_run("LOCK", "LOCK", "SLAM")) == {
        "closed": {"LOCK refused x 2", "KNOCK (not seen)"},
        "house": {"SLAM failed x 1", "KNOCK (not seen)"},
    }


def test_a_state_that_passed_an_event_on_tells_so_where_an_outer_one_handled_it():
    assert remarks(guarded_run("KNOCK")) == {
        "closed": {"KNOCK passed on x 1", "LOCK (not seen)"},
        "house": {"KNOCK handled x 1", "SLAM (not seen)"},
    }


def test_what_was_ignored_is_no_remark():
    assert remarks(guarded_run("NOBODYS")) == remarks(guarded_run())


def test_an_announced_arrow_whose_guard_refused_stays_one_that_was_not_seen():
    chart = Statechart()
    shape = Shape(StepKind.REFUSED, "GO", "a", "a", (Fact(FactKind.OFFER, "a"), Fact(FactKind.EMPTY, "a")))
    chart.add_structure(ChartStructure((StateInfo("a", ""), StateInfo("b", "")), (Reaction("a", "GO", "b"),)))
    chart.add_shape(shape, 2)
    assert chart.unseen == (Reaction("a", "GO", "b"),)
    assert remarks(chart) == {"a": {"GO refused x 2"}}


def test_a_failure_on_the_way_is_that_of_the_state_that_took_the_event():
    chart = Statechart()
    facts = (Fact(FactKind.OFFER, "a"), Fact(FactKind.EXIT, "a"), Fact(FactKind.FAILED, "b"))
    chart.add_shape(Shape(StepKind.FAILED, "GO", "a", "a", facts), 1)
    assert remarks(chart) == {"a": {"GO failed x 1"}}
    assert not chart.seen


def test_what_is_let_pass_is_counted_within_a_bound(monkeypatch):
    monkeypatch.setattr(model, "MAX_PASSED", 2)
    chart = Statechart()
    for signal in ("A", "B", "C", "A"):
        facts = (Fact(FactKind.OFFER, "a"), Fact(FactKind.EMPTY, "a"))
        chart.add_shape(Shape(StepKind.REFUSED, signal, "a", "a", facts), 1)
    chart.add_structure(ChartStructure((StateInfo("a", ""),), ()))
    assert chart.turned == {("a", "A", "refused"): 2, ("a", "B", "refused"): 1}


def test_a_circle_of_parents_is_cut():
    chart = Statechart()
    chart.add_structure(ChartStructure((StateInfo("a", "b"), StateInfo("b", "a"), StateInfo("c", "a"))))
    assert sorted(state for states in chart.children().values() for state in states) == ["a", "b", "c"]
    assert set(chart.children()) == {None}


def test_nesting_without_end_is_cut():
    chart = Statechart()
    deep = 10 * MAX_NESTING
    chart.add_structure(ChartStructure(tuple(StateInfo(str(n), str(n - 1)) for n in range(1, deep))))
    assert len(chart.path(str(deep - 1))) == MAX_NESTING
    assert chart.holder(str(deep - 1)) is None


def test_a_dot_that_leads_deeper_names_the_state_on_the_way_and_one_to_nowhere_is_left_out():
    chart = Statechart()
    nowhere = Reaction("z", "INIT_SIGNAL", "b")
    chart.add_structure(ChartStructure((StateInfo("a"), StateInfo("b", "a"), StateInfo("z")), (nowhere,)))
    chart.add_shape(Shape(StepKind.START, "start_at", "top", "b", ()), 1)
    assert chart.initial(None) == ("a", "b", True)
    assert chart.initial("z") is None
    assert chart.initials == {None: ("b", True)}
    assert chart.unseen == (nowhere,)


def test_an_announced_initial_transition_is_none_of_the_arrows_and_gives_way_to_what_was_taken():
    chart = Statechart()
    states = (StateInfo("outer"), StateInfo("c1", "outer"), StateInfo("c2", "outer"))
    chart.add_structure(ChartStructure(states, (Reaction("outer", "INIT_SIGNAL", "c1"),)))
    assert chart.initial("outer") == ("c1", "c1", False)
    assert chart.initials == {"outer": ("c1", False)}
    assert chart.unseen == ()
    facts = (Fact(FactKind.INIT, "outer"), Fact(FactKind.INIT, "c2"))
    chart.add_shape(Shape(StepKind.START, "start_at", "top", "c2", facts), 1)
    assert chart.initial("outer") == ("c2", "c2", True)
    assert chart.initials == {None: ("outer", True), "outer": ("c2", True)}


def test_steps_of_a_chart_nobody_announced_show_the_states_they_name():
    step = Step(
        ChartId("c", "", 0, 1),
        1,
        Shape(
            StepKind.TRANSITION,
            "S",
            "a",
            "b",
            (),
        ),
        0,
        0,
        0,
        0,
    )
    (chart,) = statecharts([step], {}).values()
    assert chart.states == ("b", "a")
    assert chart.unseen == ()


def test_a_state_that_is_only_named_as_asked_for_its_initial_transition_is_a_state():
    chart = Statechart()
    chart.add_shape(Shape(StepKind.START, "S", "top", "b", (Fact(FactKind.INIT, "a"),)), 1)
    assert set(chart.states) == {"a", "b"}
    assert "".join(mermaid_statecharts({"c": chart})).count("state ") == 2


def test_a_reaction_may_be_announced_again():
    chart = Statechart()
    structure = ChartStructure((StateInfo("a"),), (Reaction("a", "S", "b"),))
    chart.add_structure(structure)
    chart.add_structure(structure)
    assert chart.unseen == structure.reactions
    assert chart.states == ("a", "b")


def test_many_different_shapes_are_drawn_as_they_come_and_too_many_refused(monkeypatch):
    chart = ChartId("c", "h", 1, 1)
    shapes = [Shape(StepKind.TRANSITION, f"S{n % 40}", "a", "b", ()) for n in range(400)]
    steps = [Step(chart, n, shape, n, 0, 0, 0) for n, shape in enumerate(shapes, 1)]
    whole = statecharts(steps, {})["c"]
    monkeypatch.setattr(model, "WAITING_BYTES", 3_000)
    parts = statecharts(steps, {})["c"]
    assert parts.seen == whole.seen
    assert parts.states == whole.states
    assert sum(parts.seen.values()) == 400
    monkeypatch.setattr(model, "DRAWN_BYTES", 6_000)
    with pytest.raises(UsageError, match="too many different steps"):
        statecharts(steps, {})


def machine(*shapes: Shape) -> Statechart:
    (found,) = statecharts(steps_of(*shapes), {CHART: MACHINE}).values()
    return found


def test_every_active_leaf_is_known_and_no_state_is_made_of_two():
    chart = machine(STARTED, BOTH)
    assert chart.active == ("on", "lit")
    assert chart.states == tuple(state.name for state in MACHINE.states)


def test_every_transition_of_a_step_is_an_arrow():
    chart = machine(STARTED, BOTH)
    assert chart.seen == {Edge("off", "on", "GO"): 1, Edge("dark", "lit", "GO"): 1}


def test_an_arrow_from_a_composite_state_is_counted_by_the_leaf_of_its_region():
    chart = machine(STARTED, BOTH, BROKE)
    assert chart.taken == {(Edge("motor", "broken", "FAIL"), "on"): 1}


def test_an_arrow_from_around_regions_belongs_to_no_leaf():
    pause = Shape(
        StepKind.TRANSITION, "PAUSE", ("on", "lit"), "paused", facts("OFFER work", "TRAN work paused")
    )
    assert not machine(STARTED, BOTH, pause).taken


def test_leaves_beyond_the_bound_are_counted_with_their_arrow_only(monkeypatch):
    monkeypatch.setattr(model, "MAX_TAKEN", 1)
    chart = Statechart()
    for leaf in ("a", "b", "a"):
        found = facts(f"OFFER {leaf}", "OFFER outer", "ENTRY z", "INIT z")
        chart.add_shape(Shape(StepKind.TRANSITION, "GO", leaf, "z", found), 1)
    assert chart.taken == {(Edge("outer", "z", "GO"), "a"): 2}
    assert chart.seen == {Edge("outer", "z", "GO"): 3}


def test_initial_dots_lead_to_the_parallel_state_and_into_each_region():
    chart = machine(STARTED)
    assert chart.initials == {
        None: ("machine", True),
        "machine": ("work", True),
        "motor": ("off", True),
        "lamp": ("dark", True),
    }


def test_the_initial_state_of_the_chart_itself_is_known_before_it_starts():
    assert machine().initial(None) == ("machine", "machine", False)


def test_an_initial_transition_to_a_history_state_keeps_leading_there():
    chart = Statechart()
    states = (StateInfo("a"), StateInfo("b", "a"), StateInfo("h", "a", StateKind.HISTORY))
    chart.add_structure(ChartStructure(states, (Reaction("a", "INIT_SIGNAL", "h"),)))
    chart.add_shape(
        Shape(StepKind.START, "start_at", (), "b", facts("ENTRY a", "INIT a", "ENTRY b", "INIT b")), 1
    )
    assert chart.initial("a") == ("h", "h", True)


def test_regions_are_the_children_of_a_parallel_state():
    chart = machine()
    assert [state for state in chart.states if chart.is_region(state)] == ["motor", "lamp"]


def test_captions_show_guards_delays_and_flags():
    chart = machine()
    assert chart.caption(Edge("off", "on", "GO")) == "GO [amps > 3]"
    assert chart.caption(Edge("on", "off", "TICK")) == "after 200 ms"
    assert chart.caption(Edge("lamp", "lamp", "DIM")) == "DIM (internal)"
    assert chart.caption(Edge("paused", "fork", "")) == "(eventless)"
    assert chart.caption(Edge("nobody", "knows", "S")) == "S"
    assert remarks(chart)["lit"] == {"BEEP [loud] (not seen)"}


def test_a_transition_that_needs_no_event_is_the_announced_one():
    step = Shape(StepKind.TRANSITION, "PAUSE", "on", "fork", facts("TRAN work paused", "TRAN paused fork"))
    assert machine(step).seen == {Edge("work", "paused", "PAUSE"): 1, Edge("paused", "fork", ""): 1}


def test_of_several_guarded_ways_only_those_taken_count_as_seen():
    ways = tuple(Reaction("a", "GO", target, guard=f"to {target}") for target in ("b", "c"))
    chart = Statechart()
    chart.add_structure(ChartStructure((StateInfo("a"),), ways))
    chart.add_shape(Shape(StepKind.TRANSITION, "GO", "a", "b", facts("OFFER a")), 1)
    assert chart.unseen == ways[1:]


def test_a_chart_that_reached_its_final_state_has_finished():
    assert machine(STARTED, ENDED).finished
    assert not machine(STARTED, ENDED, STARTED).finished
    assert machine(STARTED, ENDED).active == ()


def test_a_step_is_drawn_if_all_its_arrows_are():
    chart = machine(STARTED)
    assert not chart.draws(BOTH)
    chart.add_shape(BOTH, 1)
    assert chart.draws(BOTH)
    assert not chart.draws(Shape(StepKind.IGNORED, "X", "a", "a", ()))
