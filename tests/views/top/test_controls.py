from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.step import ChartKey
from farscope.views.top.columns import BY_KEY
from farscope.views.top.controls import MAX_SEARCH, Controls, arranged

NAMED = ["up", "down", "pageup", "pagedown", "home", "end", "enter", "escape", "backspace"]


def names(rows, controls):
    return [row.name for row in arranged(rows, controls)]


@pytest.fixture
def rows(row):
    return [
        row("Beta", key=ChartKey("run", 1), rate=3.0, lost=1, state="idle", status="closed", event="X"),
        row("alpha", key=ChartKey("run", 2), rate=1.0, lost=0, state="busy", status="alive", host="far:1"),
        row("gamma", key=ChartKey("run", 3), rate=2.0, lost=9, state="busy", status="silent"),
    ]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("n", "alpha Beta gamma"),
        ("r", "Beta gamma alpha"),
        ("l", "gamma Beta alpha"),
        ("s", "alpha gamma Beta"),
        ("a", "alpha gamma Beta"),
        ("h", "alpha Beta gamma"),
    ],
)
def test_a_key_sorts_and_the_same_key_again_turns_it_round(rows, key, order):
    controls = Controls(sort="u")
    controls.press(key, rows, 10)
    assert names(rows, controls) == order.split()
    controls.press(key, rows, 10)
    assert controls.reverse
    controls.press(key, rows, 10)
    assert names(rows, controls) == order.split()


def test_arrows_choose_and_the_choice_stays_with_the_chart(rows):
    controls = Controls()
    shown = arranged(rows, controls)
    controls.press("down", shown, 10)
    assert shown[controls.index(shown)].name == "Beta"
    controls.press("r", shown, 10)
    shown = arranged(rows, controls)
    assert (controls.index(shown), shown[0].name) == (0, "Beta")
    for key, name in (("end", "alpha"), ("down", "alpha"), ("up", "gamma"), ("home", "Beta"), ("up", "Beta")):
        controls.press(key, shown, 10)
        assert shown[controls.index(shown)].name == name


def test_pages_are_as_long_as_what_is_seen(row):
    shown = [row(f"{number:03}") for number in range(100)]
    controls = Controls()
    controls.press("pagedown", shown, 30)
    assert controls.index(shown) == 30
    controls.press("pagedown", shown, 30)
    controls.press("pageup", shown, 30)
    assert controls.index(shown) == 30


def test_a_choice_that_is_gone_falls_back_to_the_first(rows):
    controls = Controls()
    controls.press("end", arranged(rows, controls), 10)
    assert controls.index(rows[:1]) == 0


def test_a_search_finds_names_hosts_states_status_and_events_in_any_case(rows):
    controls = Controls()
    controls.press("/", rows, 10)
    for key in "BUSYY":
        controls.press(key, rows, 10)
    controls.press("backspace", rows, 10)
    assert (controls.search, controls.typing) == ("BUSY", True)
    assert names(rows, controls) == ["alpha", "gamma"]
    controls.press("enter", rows, 10)
    controls.press("q", rows, 10)
    assert (controls.typing, controls.quit) == (False, True)
    for search, found in (("far", ["alpha"]), ("silent", ["gamma"]), ("x", ["Beta"]), ("nothing", [])):
        assert names(rows, Controls(search=search)) == found


def test_escape_shows_all_again(rows):
    controls = Controls(search="busy")
    controls.press("escape", rows, 10)
    assert controls.search == ""
    controls = Controls(typing=True, search="bu")
    controls.press("escape", rows, 10)
    assert (controls.search, controls.typing) == ("", False)


def test_keys_of_the_table_go_into_the_search_while_it_is_typed_and_arrows_do_not(rows):
    controls = Controls(typing=True)
    for key in ("q", "p", "?", "down"):
        controls.press(key, rows, 10)
    assert (controls.search, controls.quit, controls.paused, controls.help) == ("qp?", False, False, False)
    assert controls.selected == rows[1].key


def test_help_and_pause_come_and_go(rows):
    controls = Controls()
    for on in (True, False):
        controls.press("?", rows, 10)
        controls.press("p", rows, 10)
        assert (controls.help, controls.paused) == (on, on)


@given(st.lists(st.sampled_from([*NAMED, *BY_KEY, *"/?p xyz"]) | st.characters(), max_size=60))
def test_any_keys_leave_a_table_that_can_be_arranged(keys):
    controls = Controls()
    for key in keys:
        controls.press(key, [], 5)
    assert arranged([], controls) == []
    assert len(controls.search) <= MAX_SEARCH


def test_charts_of_finished_runs_are_folded_away_until_asked_for(row):
    old = [
        row(f"old {n}", key=ChartKey("first", n), status=status)
        for n, status in ((1, "closed"), (2, "stopped"))
    ]
    new = [
        row(f"new {n}", key=ChartKey("second", n), status=status)
        for n, status in ((1, "alive"), (2, "stopped"))
    ]
    dead = row("dead", key=ChartKey("third", 1), status="silent")
    controls = Controls()
    assert names([*old, *new, dead], controls) == ["dead", "new 1", "new 2"]
    controls.press("f", [], 10)
    assert len(arranged([*old, *new, dead], controls)) == 5
    controls.press("f", [], 10)
    assert len(arranged([*old, *new, dead], controls)) == 3


def test_where_every_run_is_finished_all_are_shown(row):
    over = [row(f"{n}", key=ChartKey(f"run {n}", 1), status="closed") for n in range(3)]
    assert len(arranged(over, Controls())) == 3
