"""Samek's algorithm: which states are asked, left and entered, and in which order, case by case."""

from __future__ import annotations

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals
from farscope.engine.core.algorithm import MAX_FACTS
from farscope.errors import ChartBuildError
from farscope.records.facts import FactKind

PARENTS = {
    "s": None,
    "s1": "s",
    "s11": "s1",
    "s111": "s11",
    "s12": "s1",
    "s2": "s",
    "s21": "s2",
    "s211": "s21",
    "lone": None,
}
SHORT = {
    FactKind.SEARCH: "?",
    FactKind.ENTRY: "+",
    FactKind.EXIT: "-",
    FactKind.INIT: "*",
    FactKind.OFFER: "@",
}
CASES = {
    "a: source is target": ("s1", "s1", "s1", "@s1 -s1 +s1 *s1"),
    "b: target is right inside source": ("s1", "s1", "s11", "@s1 ?s11 +s11 *s11"),
    "c: both are right inside the same state": ("s1", "s1", "s2", "@s1 ?s2 ?s1 -s1 +s2 *s2"),
    "c: both are outermost": ("s", "s", "lone", "@s ?lone ?s -s +lone *lone"),
    "d: source is right inside target": ("s11", "s11", "s1", "@s11 ?s1 ?s11 -s11 *s1"),
    "e: target is deep inside source": ("s", "s", "s11", "@s ?s11 ?s ?s1 +s1 +s11 *s11"),
    "e: two states between": ("s", "s", "s111", "@s ?s111 ?s ?s11 ?s1 +s1 +s11 +s111 *s111"),
    "f: target is deep inside the state around source": (
        "s2",
        "s2",
        "s11",
        "@s2 ?s11 ?s2 ?s1 ?s -s2 +s1 +s11 *s11",
    ),
    "f: nothing around source": ("lone", "lone", "s11", "@lone ?s11 ?lone ?s1 ?s -lone +s +s1 +s11 *s11"),
    "g: deep here to deep there": (
        "s111",
        "s111",
        "s211",
        "@s111 ?s211 ?s111 ?s21 ?s2 ?s -s111 -s11 -s1 +s2 +s21 +s211 *s211",
    ),
    "g: source is deep inside target": ("s111", "s111", "s1", "@s111 ?s1 ?s111 ?s -s111 -s11 *s1"),
    "h: caught outside, at a target inside": (
        "s111",
        "s1",
        "s12",
        "@s111 @s11 @s1 -s111 -s11 ?s12 +s12 *s12",
    ),
    "h: caught outside, back to itself": ("s111", "s1", "s1", "@s111 @s11 @s1 -s111 -s11 -s1 +s1 *s1"),
}


def flat_chart(source, target, exits=frozenset()):
    """Make a chart of flat functions; states in ``exits`` handle their exit."""
    states = {}

    def make(name):
        def state(chart, e):
            if e.signal == signals.GO and name == source:
                return chart.trans(states[target])
            if e.signal == signals.EXIT_SIGNAL and name in exits:
                return return_status.HANDLED
            parent = PARENTS[name]
            chart.temp.fun = chart.top if parent is None else states[parent]
            return return_status.SUPER

        state.__name__ = name
        return state

    states |= {name: make(name) for name in PARENTS}
    return Hsm("walk"), states


def built_chart(source, target):
    chart = Factory("walk", threaded=False)
    states = {}
    for name in PARENTS:
        blueprint = chart.create(state=name)
        if name == source:
            blueprint.catch(signal=signals.GO, handler=lambda chart, _e: chart.trans(states[target]))
        states[name] = blueprint.to_method()
    for name, parent in PARENTS.items():
        chart.nest(states[name], parent=states.get(parent))
    return chart, states


def facts_of_go(chart, leaf):
    chart.start_at(leaf)
    chart.dispatch(Event(signal=signals.GO))
    return " ".join(f"{SHORT[fact.kind]}{fact.name}" for fact in chart.steps()[-1].facts)


@pytest.mark.parametrize(("leaf", "source", "target", "facts"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("make", [flat_chart, built_chart])
def test_each_case_of_a_transition_asks_leaves_and_enters_in_its_order(make, leaf, source, target, facts):
    chart, states = make(source, target)
    assert facts_of_go(chart, states[leaf]) == facts


def test_a_handled_exit_makes_the_state_be_asked_for_its_parent_where_the_way_needs_it():
    chart, states = flat_chart("s1", "s12", exits={"s111", "s11"})
    assert facts_of_go(chart, states["s111"]) == ("@s111 @s11 @s1 -s111 ?s111 -s11 ?s11 ?s12 +s12 *s12")
    chart, states = flat_chart("s11", "s12", exits={"s11"})
    assert facts_of_go(chart, states["s11"]) == "@s11 ?s12 ?s11 -s11 +s12 *s12"


@pytest.mark.parametrize("name", ["ENTRY_SIGNAL", "EXIT_SIGNAL"])
def test_a_transition_out_of_an_entry_or_exit_is_refused(name):
    chart = Factory("walk", threaded=False)
    one = chart.create("one").catch(signals.GO, lambda chart, _e: chart.trans(two)).to_method()
    two = chart.create("two").to_method()
    wrong = one if name == "EXIT_SIGNAL" else two
    wrong.handlers[signals[name]] = lambda chart, _e: chart.trans(one)
    chart.nest(one, parent=None).nest(two, parent=None)
    chart.start_at(one)
    with pytest.raises(ChartBuildError, match=f"asked for a transition in answer to {name}"):
        chart.dispatch(Event(signals.GO))
    assert chart.current_state() == "one"


def test_a_guard_of_a_built_state_refuses_without_a_line_because_its_parent_is_known():
    chart = Factory("walk", threaded=False)
    one = chart.create("one").catch(signals.GO, lambda _chart, _e: return_status.UNHANDLED).to_method()
    chart.nest(one, parent=None)
    chart.start_at(one)
    chart.dispatch(Event(signals.GO))
    assert chart.steps()[-1].spy() == ["GO:one", "<- Queued:(0) Deferred:(0)"]
    assert chart.steps()[-1].kind.name == "REFUSED"


def test_a_step_keeps_its_first_facts_and_counts_the_others():
    def talk(chart, e):
        for number in range(400):
            chart.scribble(number)
        return return_status.HANDLED

    chart = Factory("walk", threaded=False)
    inner = chart.create("inner").catch(signals.ENTRY_SIGNAL, talk).to_method()
    outer = chart.create("outer").catch(signals.ENTRY_SIGNAL, talk).to_method()
    chart.nest(outer, parent=None).nest(inner, parent=outer)
    chart.start_at(inner)
    step = chart.steps()[-1]
    assert len(step.facts) == MAX_FACTS + 1
    # START, 2 searches, 2 entries, 1 init, and what the handlers said.
    assert step.spy()[-2:] == [f"CUT:({6 + 800 - MAX_FACTS} facts not kept)", "<- Queued:(0) Deferred:(0)"]
    assert len(step.texts) == MAX_FACTS - 4
    assert step.texts[-1] == str(MAX_FACTS - 5)
