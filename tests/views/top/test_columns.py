from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.views.cells import width as cells_of
from farscope.views.top.columns import BY_KEY, COLUMNS, GAP, WIDEST, laid_out, padded


@given(st.text(max_size=60), st.integers(0, 40), st.booleans())
def test_a_cell_is_exactly_as_wide_as_it_has_to_be(text, width, right):
    assert cells_of(padded(text, width, right=right)) == width


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


@given(st.integers(60, 400))
def test_columns_fit_and_the_name_and_state_always_stay(width):
    columns = laid_out(width)
    assert sum(size for _, size in columns) + GAP * (len(columns) - 1) <= width
    assert {"CHART", "STATUS", "STATE", "STEPS/S", "LOST"} <= {column.title for column, _ in columns}
    assert all(column.least <= size <= max(WIDEST, column.least) for column, size in columns)


def test_a_usual_terminal_has_room_for_the_spark_line_and_a_wide_one_for_all():
    assert "" in {column.title for column, _ in laid_out(80)}
    assert len(laid_out(100)) == len(COLUMNS)


def test_every_column_with_a_key_has_its_own():
    assert len(BY_KEY) == sum(1 for column in COLUMNS if column.key)
    assert not set(BY_KEY) & set("q?/p ")
