"""Regions, history and final states: what is offered, left, entered and completed, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.engine import Event, Factory, signals
from farscope.errors import ChartBuildError, InitLeavesState
from farscope.records.facts import FactKind
from support.scxml_model import DEEP, FINAL, HISTORY, PARALLEL, PLAIN, ROOT, Arrow, Node
from support.walked_chart import Walked

TREE = {
    "out": (PLAIN, None, None),
    "box": (PARALLEL, None, None),
    "a": (PLAIN, "box", "a1"),
    "ah": (HISTORY, "a", None),
    "a1": (PLAIN, "a", None),
    "a2": (PLAIN, "a", "a21"),
    "a21": (PLAIN, "a2", None),
    "a22": (PLAIN, "a2", None),
    "af": (FINAL, "a", None),
    "b": (PLAIN, "box", "b1"),
    "b1": (PLAIN, "b", None),
    "b2": (PLAIN, "b", None),
    "bf": (FINAL, "b", None),
    "deep": (DEEP, "box", None),
    "end": (FINAL, None, None),
}


def chart(arrows, start="box", tree=TREE):
    """Make and start a chart; an arrow is ``"state SIGNAL target"``, without a target for a hook."""
    names = list(tree)

    def number(name):
        return None if name is None else names.index(name)

    def arrow(text):
        _, signal, *target = text.split()
        return Arrow(signal, number(target[0]) if target else None)

    nodes = [
        Node(
            kind,
            ROOT if parent is None else number(parent),
            number(initial),
            tuple(arrow(text) for text in arrows if text.split()[0] == name),
        )
        for name, (kind, parent, initial) in tree.items()
    ]
    made = Walked(nodes, names)
    made.start(number(start))
    return made


def after(made, *events):
    for event in events:
        made.external(event)
    return made


def test_a_start_enters_regions_in_document_order_each_down_to_its_leaf():
    assert chart([]).short() == "+box +a *a +a1 *a1 +b *b +b1 *b1"


def test_a_start_inside_one_region_enters_the_others_by_default():
    assert chart([], "a22").short() == "+box +a +a2 +a22 *a22 +b *b +b1 *b1"


OFFERS = {
    "every region gets the event, and each may make its transition": (
        ["a1 X a2", "b1 X b2"],
        "@a1 @b1 -b1 -a1 +a2 *a2 +a21 *a21 +b2 *b2",
    ),
    "nobody reacts: it rises to the state around the regions once": (["box Y"], "@a1 @a @b1 @b @box"),
    "every region reacts: it rises no further": (["a X", "b1 X", "box X out"], "@a1 @a !a @b1 !b1"),
    "one region does nothing: it rises after all regions": (
        ["b1 X", "box X out"],
        "@a1 @a @b1 !b1 @box -b1 -b -a1 -a -box +out *out",
    ),
    "one region makes a transition: what is around is not asked, as its transition would be preempted": (
        ["b1 X b2", "box X out"],
        "@a1 @a @b1 -b1 +b2 *b2",
    ),
    "a transition that leaves all regions: those after it are not asked": (
        ["a1 X out", "b1 X b2"],
        "@a1 -b1 -b -a1 -a -box +out *out",
    ),
    "a transition that a region before it preempts is only a hook": (
        ["a1 X a2", "b1 X out"],
        "@a1 @b1 !b1 -a1 +a2 *a2 +a21 *a21",
    ),
    "from one region to the other: both are left and entered, what is around them is not": (
        ["a1 X b2"],
        "@a1 -b1 -b -a1 -a +a *a +a1 *a1 +b +b2 *b2",
    ),
    "from the state around regions to a state inside: it is not left": (
        ["box X b2"],
        "@a1 @a @b1 @b @box -b1 -b -a1 -a +a *a +a1 *a1 +b +b2 *b2",
    ),
    "from the state around regions to itself: it is left": (
        ["box X box"],
        "@a1 @a @b1 @b @box -b1 -b -a1 -a -box +box +a *a +a1 *a1 +b *b +b1 *b1",
    ),
    "from a region to itself: all regions are left, as in any transition whose ancestor is parallel": (
        ["a X a"],
        "@a1 @a -b1 -b -a1 -a +a *a +a1 *a1 +b *b +b1 *b1",
    ),
    "from a region to a state inside: only that region is left": (
        ["a X a1"],
        "@a1 @a @b1 @b -a1 +a1 *a1",
    ),
    "from inside a region to the region: the region is not left": (
        ["a1 X a"],
        "@a1 @b1 @b -a1 *a +a1 *a1",
    ),
}


@pytest.mark.parametrize(("arrows", "facts"), OFFERS.values(), ids=OFFERS)
def test_an_event_is_offered_to_all_regions_and_moves_them(arrows, facts):
    assert after(chart(arrows), "X").short() == facts


def leaves(made):
    return made.here.name


def test_a_history_state_restores_the_child_and_not_what_was_inside_it():
    made = after(chart(["a1 X a22", "box OUT out", "out BACK ah"]), "X", "OUT", "BACK")
    assert leaves(made) == "a21 | b1"


def test_a_deep_history_state_restores_all_leaves():
    made = after(chart(["a1 X a22", "b1 X b2", "box OUT out", "out BACK deep"]), "X", "OUT", "BACK")
    assert leaves(made) == "a22 | b2"


def test_a_history_state_without_a_past_or_a_default_leads_to_the_initial_state():
    assert leaves(after(chart(["out BACK ah"], "out"), "BACK")) == "a1 | b1"


def test_a_history_state_without_a_past_leads_to_its_default():
    tree = TREE | {"ah": (HISTORY, "a", "a2")}
    assert leaves(after(chart(["out BACK ah"], "out", tree), "BACK")) == "a21 | b1"


def test_history_is_recorded_when_its_state_is_left_and_not_when_the_state_inside_changes():
    made = chart(["a1 X a2", "a2 X a1", "box OUT out", "out BACK ah", "a BACK ah"])
    assert leaves(after(made, "OUT", "BACK", "X")) == "a21 | b1"
    assert leaves(after(made, "BACK")) == "a1 | b1"


def test_an_initial_transition_may_lead_to_a_history_state():
    tree = TREE | {"a": (PLAIN, "box", "ah"), "ah": (HISTORY, "a", "a2")}
    made = chart(["a21 X a1", "box OUT out", "out BACK box"], tree=tree)
    assert leaves(made) == "a21 | b1"
    assert leaves(after(made, "X", "OUT", "BACK")) == "a1 | b1"


def test_an_initial_transition_to_a_history_state_with_nothing_to_restore_is_refused():
    with pytest.raises(ChartBuildError, match="leads to ah, which has nothing to restore"):
        chart([], tree=TREE | {"a": (PLAIN, "box", "ah")})


def test_an_initial_transition_that_leads_outside_is_refused():
    with pytest.raises(InitLeavesState, match="leads outside, to b1"):
        chart([], tree=TREE | {"a": (PLAIN, "box", "b1")})


def test_a_parallel_state_completes_after_its_last_region():
    made = chart(["a1 X af", "b1 Y bf", "b done.state.b", "box done.state.box"])
    steps = [made.external(event) for event in ("X", "Y")]
    done = [[made.names[state] for state in step.done] for step in (steps[0][0], steps[1][0])]
    assert done == [["a"], ["b", "box"]]
    assert [step.event for step in steps[1]] == ["Y", "done 9", "done 1"]


def test_the_completion_of_parallel_regions_completes_the_parallel_state_around_them():
    tree = {
        "outer": (PARALLEL, None, None),
        "inner": (PARALLEL, "outer", None),
        "a": (PLAIN, "inner", "a1"),
        "a1": (PLAIN, "a", None),
        "af": (FINAL, "a", None),
        "b": (PLAIN, "outer", "bf"),
        "bf": (FINAL, "b", None),
    }
    made = chart(["a1 X af"], "outer", tree)
    first, *_ = made.external("X")
    assert [made.names[state] for state in first.done] == ["a", "inner", "outer"]


def test_a_completion_event_reaches_the_state_and_what_is_around_it_before_anything_else():
    made = chart(["a1 X af", "b1 X b2", "out done.state.a"])
    assert [step.event for step in made.external("X")] == ["X", "done 2"]
    assert made.short() == "@af @a @b2 @b @box"


def test_a_completion_that_no_state_reacts_to_makes_no_step():
    assert [step.event for step in chart(["a1 X af"]).external("X")] == ["X"]


def test_the_chart_ends_when_an_outermost_final_state_is_entered_and_leaves_everything():
    made = after(chart(["a1 X af", "a done.state.a end"]), "X")
    assert made.finished
    assert not made.pending
    assert made.here.leaves == ()
    assert leaves(made) == "top"
    assert made.short() == "@af @a -b1 -b -af -a -box +end -end"


def test_very_deep_nesting_does_not_exhaust_the_stack():
    tree = {"s0": (PLAIN, None, "s1")}
    tree |= {f"s{level}": (PLAIN, f"s{level - 1}", f"s{level + 1}") for level in range(1, 899)}
    tree |= {"s899": (FINAL, "s898", None)}
    assert leaves(chart([], "s0", tree)) == "s899"


@st.composite
def plain_charts(draw):
    """Draw parents in document order, arrows as (source, target), initial states and a start."""
    parents, path = [], []
    for index in range(draw(st.integers(2, 8))):
        parent = draw(st.sampled_from([None, *path]))
        while path and path[-1] != parent:
            path.pop()
        path.append(index)
        parents.append(parent)
    every = st.sampled_from(range(len(parents)))
    below = {
        outer: [i for i in range(len(parents)) if _is_inside(parents, i, outer)]
        for outer in range(len(parents))
    }
    initials = {outer: draw(st.sampled_from([None, *inside])) for outer, inside in below.items() if inside}
    arrows = draw(st.dictionaries(st.tuples(every, st.sampled_from("XYZ")), st.one_of(st.none(), every)))
    return parents, initials, arrows, draw(every), draw(st.lists(st.sampled_from("XYZ"), max_size=6))


def _is_inside(parents, state, outer):
    parent = parents[state]
    while parent is not None and parent != outer:
        parent = parents[parent]
    return parent is not None


@settings(max_examples=200, deadline=None)
@given(plain_charts())
def test_a_chart_without_regions_moves_as_in_the_algorithm_for_such_charts(drawn):
    parents, initials, arrows, start, events = drawn
    nodes = [
        Node(
            PLAIN,
            ROOT if parent is None else parent,
            initials.get(index),
            tuple(Arrow(signal, target) for (state, signal), target in arrows.items() if state == index),
        )
        for index, parent in enumerate(parents)
    ]
    walked = Walked(nodes)
    plain = Factory("plain", threaded=False)
    for index, node in enumerate(nodes):
        blueprint = plain.create(f"s{index}")
        if node.initial is not None:
            blueprint.catch(signals.INIT_SIGNAL, lambda chart, _e, to=node.initial: chart.trans(f"s{to}"))
        for arrow in node.arrows:
            blueprint.catch(
                arrow.event,
                lambda chart, _e, to=arrow.target: 4 if to is None else chart.trans(f"s{to}"),
            )
    for index, parent in enumerate(parents):
        plain.nest(f"s{index}", parent=None if parent is None else f"s{parent}")
    walked.start(start)
    plain.start_at(f"s{start}")
    assert common(walked.facts) == common(plain.steps()[-1].facts)
    for event in events:
        walked.external(event)
        plain.dispatch(Event(event))
        assert common(walked.facts) == common(plain.steps()[-1].facts)


def common(facts):
    """Return the facts without those that only one of the two algorithms records."""
    return [fact for fact in facts if fact.kind not in (FactKind.SEARCH, FactKind.TRAN)]
