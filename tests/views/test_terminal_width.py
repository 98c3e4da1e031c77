from __future__ import annotations

import pytest

from farscope.views import terminal_width
from farscope.views.terminal_width import Canvas, width


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("日本", 4), ("🦉", 2), ("e\u0301", 1), ("é", 1), ("", 0)]
)
def test_a_text_takes_the_cells_a_terminal_gives_it(text, cells):
    assert width(text) == cells


def test_of_a_long_text_only_what_may_be_wide_or_combining_is_looked_at_one_by_one(monkeypatch):
    looked_at = []
    monkeypatch.setattr(terminal_width, "_cells", lambda character: looked_at.append(character) or 2)
    assert width("x" * 10_000 + "🦉" + "y" * 10_000) == 20_002
    assert looked_at == ["🦉"]


def test_wide_and_combined_characters_leave_what_follows_in_its_column():
    canvas = Canvas()
    row = canvas.row()
    canvas.put(row, 0, "日e\u0301")
    canvas.put(row, 4, "|")
    assert canvas.lines() == ["日e\u0301 |"]


def test_later_text_is_written_over_earlier_and_spaces_at_the_end_go():
    canvas = Canvas()
    row = canvas.row()
    canvas.put(row, 2, "|  |")
    canvas.put(row, 3, "->  ")
    assert canvas.lines() == ["  |->"]
