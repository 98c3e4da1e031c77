from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from farscope.views.top.columns import BY_KEY, COLUMNS, GAP, laid_out, needs

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "top.md"
names = st.fixed_dictionaries({title: st.integers(8, 120) for title in ("CHART", "HOST", "STATE", "EVENT")})


def sizes(width, wanted):
    return {column.title: size for column, size in laid_out(width, wanted)}


@given(st.integers(60, 400), names)
def test_columns_fit_and_the_name_and_state_always_stay(width, wanted):
    columns = laid_out(width, wanted)
    assert sum(size for _, size in columns) + GAP * (len(columns) - 1) <= width
    assert {"CHART", "STATUS", "STATE", "STEPS/S", "LOST"} <= {column.title for column, _ in columns}
    assert all(size >= column.least for column, size in columns)


@given(st.integers(60, 400), names)
def test_no_room_is_left_while_a_name_is_cut(width, wanted):
    columns = laid_out(width, wanted)
    left = width - sum(size for _, size in columns) - GAP * (len(columns) - 1)
    cut = [column for column, size in columns if size < wanted.get(column.title, 0)]
    assert not (left and cut)


def test_columns_are_as_wide_as_their_names(row):
    rows = [row("charger", host="pi:7", state="on", event="GO"), row("c" * 90, host="pi:7", state="s" * 20)]
    shown = sizes(300, needs(rows))
    assert (shown["CHART"], shown["HOST"], shown["STATE"], shown["EVENT"]) == (90, 8, 20, 8)


def test_long_names_get_the_room_that_short_ones_leave(row):
    rows = [row(f"very-long-name-of-a-charger-in-hall-{number:02}") for number in range(30)]
    assert sizes(200, needs(rows))["CHART"] == 38
    assert sizes(80, needs(rows))["CHART"] >= 24


def test_a_usual_terminal_has_room_for_the_spark_line_and_a_wide_one_for_all(row):
    wanted = needs([row("lamp")])
    assert "" in sizes(80, wanted)
    assert len(laid_out(110, wanted)) == len(COLUMNS)


def test_every_column_with_a_key_has_its_own():
    assert len(BY_KEY) == sum(1 for column in COLUMNS if column.key)
    assert not set(BY_KEY) & set("q?/pf ")


def test_the_page_explains_every_column_and_every_key_that_sorts():
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    titles = {title for _, first, *_ in rows for title in re.findall(r"[A-Z][A-Z/]+", first)}
    assert {column.title for column in COLUMNS if column.title} <= titles
    assert " ".join(BY_KEY) in {first.strip() for _, first, *_ in rows}
