from __future__ import annotations

import pytest

from farscope.records.shape import Shape, StepKind
from farscope.views.statechart.transitions_seen import moves
from support.region_pictures import BOTH, BROKE, STARTED, facts


def test_each_recorded_transition_is_an_arrow():
    assert moves(BOTH).transitions == (("off", "on"), ("dark", "lit"))


def test_a_recorded_transition_needs_no_order_of_offers():
    seen = moves(BROKE)
    assert seen.transitions == (("motor", "broken"),)
    assert seen.passed == ("on", "lit", "lamp")


def test_one_region_may_handle_an_event_without_a_transition_while_another_makes_one():
    found = facts("OFFER a", "OFFER b", "HOOK b", "TRAN a a2", "EXIT a", "ENTRY a2")
    seen = moves(Shape(StepKind.TRANSITION, "GO", ("a", "b"), ("a2", "b"), found))
    assert seen.transitions == (("a", "a2"),)
    assert seen.hooked == ("b",)
    assert seen.passed == ()


def test_a_step_that_failed_and_moved_has_its_arrow_and_its_failure():
    found = facts("OFFER a", "TRAN a b", "EXIT a", "ENTRY b", "FAILED b")
    seen = moves(Shape(StepKind.FAILED, "GO", "a", "b", found))
    assert seen.transitions == (("a", "b"),)
    assert seen.failed == ("a",)


def test_a_step_that_failed_and_did_not_move_has_no_arrow():
    found = facts("OFFER a", "TRAN a b", "EXIT a", "FAILED b")
    seen = moves(Shape(StepKind.FAILED, "GO", "a", "a", found))
    assert seen.transitions == ()
    assert seen.failed == ("a",)


def test_an_error_that_was_caught_in_a_transition_is_a_failure_too():
    found = facts("OFFER a", "EXIT a", "FAILED a", "ENTRY b", "INIT b")
    seen = moves(Shape(StepKind.TRANSITION, "GO", "a", "b", found))
    assert seen.transitions == (("a", "b"),)
    assert seen.failed == ("a",)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("a", "b", (("a", "b"),)),
        (("a", "x"), ("b", "x"), (("a", "b"),)),
        (("a", "x"), ("b", "y"), (("a", "b"), ("x", "y"))),
        ("a", ("b", "c"), (("a", "b"), ("a", "c"))),
        (("b", "c"), "a", (("b", "a"), ("c", "a"))),
        ("a", "a", (("a", "a"),)),
        ("a", (), ()),
    ],
)
def test_without_facts_the_leaves_left_lead_to_the_leaves_entered(start, end, expected):
    assert moves(Shape(StepKind.TRANSITION, "GO", start, end, ())).transitions == expected


def test_initial_transitions_of_regions_do_not_lead_to_the_next_region():
    taken = {initial.holder: initial.targets for initial in moves(STARTED).initials}
    assert taken["motor"][0] == "off"
    assert taken["lamp"][0] == "dark"
    assert "dark" not in taken["off"][1:]
