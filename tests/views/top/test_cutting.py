from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.views.terminal_width import width as cells_of
from farscope.views.top.cutting import padded, padded_configuration, padded_name, told_apart
from farscope.views.top.glyphs import glyphs_of


@given(st.text(max_size=60), st.integers(0, 40), st.booleans())
def test_a_cell_is_exactly_as_wide_as_it_has_to_be(text, width, right):
    assert cells_of(padded(text, width, right=right)) == width
    assert cells_of(padded_name(text, width)) == width


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("abc", "abc  "),
        ("abcde", "abcde"),
        ("abcdef", "abcd…"),
        ("日本語", "日本…"),
        ("a\x1b[2J", r"a\x1b"[:4] + "…"),
    ],
)
def test_what_does_not_fit_is_cut_and_marked(text, cell):
    assert padded(text, 5) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("abc", "abc  "),
        ("abcdef", "ab…ef"),
        ("charger-12", "ch…12"),
        ("日本語日本語", "日…語"),
        ("", "     "),
    ],
)
def test_a_name_is_cut_in_the_middle(text, cell):
    assert padded_name(text, 5) == cell


def test_thirty_long_names_that_end_differently_stay_thirty():
    names = [f"very-long-name-of-a-charger-in-hall-{number:02}" for number in range(30)]
    shown = told_apart(names, 10)
    assert len(set(shown.values())) == 30
    assert shown[names[7]] == "very…ll-07"


@pytest.mark.parametrize("width", [8, 10, 16])
def test_names_that_differ_in_the_middle_begin_where_they_differ(width):
    names = [f"plant-north-hall-{number:02}-charger-of-the-fast-kind" for number in range(30)]
    shown = told_apart([*names, "lamp"], width)
    assert len(set(shown.values())) == 31
    assert shown["lamp"].strip() == "lamp"
    assert shown[names[12]].startswith("…12-ch"[: width - 1])


@given(st.lists(st.text("ab-", max_size=30), max_size=12, unique=True), st.integers(0, 14))
def test_every_cut_fills_its_cell_and_equal_names_are_one(names, width):
    shown = told_apart([*names, *names], width)
    assert shown.keys() == set(names)
    assert all(cells_of(cell) == width for cell in shown.values())
    if width >= 31:
        assert len(set(shown.values())) == len(names)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_cell_is_as_wide_in_letters_of_any_encoding_and_holds_no_other(encoding):
    glyphs = glyphs_of(encoding)
    for text in ("geöffnet → ok", "→" * 30, "日本語"):
        for cell in (padded(text, 12, glyphs=glyphs), padded_name(text, 12, glyphs=glyphs)):
            assert cells_of(cell) == 12
            assert cell.encode(encoding).decode(encoding) == cell


@pytest.mark.parametrize(
    ("states", "cell"),
    [
        (("idle",), "idle"),
        (("idle", "cold"), "idle | cold"),
        (("charging_fast", "locked"), "charging_fast|locked"),
        (("pump_running", "pump_overheated"), "…running|…overheated"),
        (("waiting_for_payment", "boxed"), "waitin…payment|boxed"),
        (("alpha_beta", "gamma_delta", "epsilon"), "al…eta|ga…lta|ep…lon"),
        (tuple(f"{letter}tate_of_it" for letter in "abcdefgh"), "a…it|b…it|c…t|d…t|+4"),
    ],
)
def test_every_leaf_of_a_configuration_can_be_read_in_twenty_cells(states, cell):
    assert padded_configuration(states, 20).rstrip() == cell


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=6), st.integers(0, 40))
def test_a_configuration_is_exactly_as_wide_as_its_cell(states, width):
    assert cells_of(padded_configuration(states, width)) == width


@given(
    st.lists(
        st.sampled_from(["pump_on", "pump_off", "fan", "日本語日本語", "x" * 30]), min_size=1, max_size=4
    )
)
def test_no_leaf_is_left_out_silently(states):
    shown = padded_configuration(states, 20).rstrip()
    leaves, _, rest = shown.partition("|+")
    assert leaves.count("|") + 1 + int(rest or 0) == len(states)
