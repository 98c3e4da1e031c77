from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.views.sequence.folding import FOLD_FROM, MAX_LOOP_ARROWS, fold
from farscope.views.sequence.model import Arrow, Loop


def arrows(labels: str) -> list[Arrow]:
    return [Arrow(number, 0, 1, label) for number, label in enumerate(labels, start=1)]


def drawn(rows) -> str:
    """Write rows as ``(AB)40``."""
    return "".join(f"({drawn(row.body)}){row.times}" if isinstance(row, Loop) else row.label for row in rows)


def unfolded(rows) -> str:
    return "".join(unfolded(row.body) * row.times if isinstance(row, Loop) else row.label for row in rows)


def test_one_arrow_forty_times_is_drawn_once():
    (loop,) = fold(arrows("A" * 40))
    assert loop.caption == "x 40 (1..40)"


def test_a_block_of_several_arrows_is_drawn_once_with_the_numbers_it_stands_for():
    start, loop, end = fold(arrows("S" + "AB" * 40 + "E"))
    assert (loop.times, loop.first, loop.last) == (40, 2, 81)
    assert (start.number, end.number) == (1, 82)


def test_loops_inside_loops_are_folded_too():
    assert drawn(fold(arrows("AAAB" * 5))) == "((A)3B)5"


def test_twice_is_not_a_loop_unless_asked_for():
    assert drawn(fold(arrows("AABB"))) == "AABB"
    assert drawn(fold(arrows("AABB"), fold_from=2)) == "(A)2(B)2"


def test_arrows_that_differ_in_where_they_lead_do_not_repeat():
    rows = [Arrow(number, 0, 1 + number % 2, "A", note="n") for number in range(6)]
    assert fold(rows[:1] + rows[2:3] + rows[4:5])[0].times == 3
    assert [row.times for row in fold(rows)] == [3]


def test_a_block_longer_than_is_looked_for_stays_as_it_is():
    block = "ABCDEFGHIJKLM"[: MAX_LOOP_ARROWS + 1]
    assert drawn(fold(arrows(block * 3))) == block * 3


@given(st.text(alphabet="AB", max_size=60), st.integers(0, 4))
def test_unfolding_gives_back_every_arrow(labels, fold_from):
    rows = fold(arrows(labels), fold_from)
    assert unfolded(rows) == labels
    assert all(row.times >= (fold_from or FOLD_FROM) for row in rows if isinstance(row, Loop))
