from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.views.matching import Matching
from farscope.views.selection import KINDS, Selection

A = ChartId("a", "pi", 1, 1)
B = ChartId("b", "pi", 1, 2)


def step(
    signal: str = "S",
    start: str = "x",
    end: str = "y",
    *,
    kind: StepKind = StepKind.TRANSITION,
    chart: ChartId = A,
    time_ns: int = 5,
) -> Step:
    return Step(chart, 1, Shape(kind, signal, start, end, ()), time_ns, 0, 0, 0)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(signals=("S", "T*")), ["S", "T1", "T2"]),
        (Selection(not_signals=("S", "T*")), ["U"]),
        (Selection(signals=("T*",), not_signals=("T2",)), ["T1"]),
        (Selection(signals=("s",)), []),
        (Selection(), ["S", "T1", "T2", "U"]),
    ],
)
def test_of_one_option_one_pattern_is_enough_and_every_option_must_pass(selection, wanted):
    matching = Matching(selection)
    steps = [step(signal) for signal in ("S", "T1", "T2", "U")]
    assert [each.signal for each in steps if matching.wants(each)] == wanted


def test_a_state_fits_where_a_step_begins_and_where_it_ends():
    matching = Matching(Selection(states=("o[nk]",)))
    steps = [step(start="on", end="off"), step(start="off", end="on"), step(start="off", end="off")]
    assert [matching.wants(each) for each in steps] == [True, True, False]


def test_every_kind_of_step_can_be_asked_for():
    chosen = {
        word: [kind.name for kind in StepKind if Matching(Selection(kinds=kinds)).wants(step(kind=kind))]
        for word, kinds in KINDS.items()
    }
    assert chosen == {
        "transition": ["START", "TRANSITION"],
        "start": ["START"],
        "hook": ["HOOK"],
        "ignored": ["IGNORED"],
        "refused": ["REFUSED"],
        "failed": ["FAILED"],
    }


GLOBS = st.lists(st.sampled_from(["a", "b", "*", "?", "ab*"]), max_size=2).map(tuple)
NAMES = st.text("ab", max_size=3)


@given(
    st.builds(
        Selection,
        from_ns=st.none() | st.integers(0, 9),
        charts=GLOBS,
        signals=GLOBS,
        not_signals=GLOBS,
        states=GLOBS,
        kinds=st.frozensets(st.sampled_from(StepKind), max_size=3),
    ),
    st.lists(
        st.builds(
            step,
            NAMES,
            NAMES,
            NAMES,
            kind=st.sampled_from(StepKind),
            chart=st.builds(ChartId, NAMES, st.just("pi"), st.just(1), st.just(1)),
            time_ns=st.integers(0, 9),
        ),
        max_size=20,
    ),
)
def test_whoever_takes_notes_wants_the_very_steps_that_the_selection_wants(selection, steps):
    matching = Matching(selection)
    assert [matching.wants(each) for each in steps] == [selection.wants(each) for each in steps]


def test_what_matched_nothing_is_told_for_charts_signals_and_states():
    matching = Matching(Selection(charts=("a", "c"), signals=("S", "T"), states=("y", "z")))
    assert matching.wants(step())
    assert matching.unmatched() == ["no chart matched 'c'", "no signal matched 'T'", "no state matched 'z'"]


def test_what_is_there_without_a_step_in_the_window_was_not_mistyped():
    matching = Matching(Selection(charts=("a", "b", "c"), signals=("S", "U"), from_ns=10))
    matching.wants(step(time_ns=5))
    matching.know([B])
    matching.wants(step("T", time_ns=10, chart=ChartId("d", "pi", 1, 3)))
    assert matching.unmatched() == [
        "chart 'a' matched, but has no step there",
        "chart 'b' matched, but has no step there",
        "no chart matched 'c'",
        "signal 'S' matched, but has no step there",
        "no signal matched 'U'",
    ]


def test_a_step_outside_the_window_counts_as_little_as_one_that_is_passed_over():
    by_time, by_hand = Matching(Selection(charts=("a",), from_ns=10)), Matching(Selection(charts=("a",)))
    by_time.wants(step(time_ns=5))
    by_hand.pass_over(step(time_ns=5))
    assert by_time.unmatched() == by_hand.unmatched() == ["chart 'a' matched, but has no step there"]
    assert by_time.met == by_hand.met == 0


def test_where_nothing_was_there_nothing_is_called_mistyped():
    assert Matching(Selection(charts=("a",), signals=("S",))).unmatched() == []


def test_a_pattern_given_twice_is_told_once():
    matching = Matching(Selection(signals=("T", "T")))
    matching.wants(step())
    assert matching.unmatched() == ["no signal matched 'T'"]


def test_steps_on_their_way_are_all_passed_on_and_noted():
    matching = Matching(Selection(signals=("S",)))
    assert len(list(matching.noted([step(), step("T")]))) == 2
    assert (matching.met, matching.passed, matching.traced) == (2, 1, 1)
