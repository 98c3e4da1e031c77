from __future__ import annotations

from farscope.views.remember import KEPT, LONGEST, remembered


def test_what_was_worked_out_is_not_worked_out_again():
    asked: list[str] = []
    find = remembered(lambda text: asked.append(text) or len(text), len)
    assert [find(text) for text in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]


def test_long_texts_are_not_kept_and_the_number_of_short_ones_is_bounded():
    asked: list[str] = []
    find = remembered(lambda text: asked.append(text) or len(text), len)
    long = "x" * (LONGEST + 1)
    assert find(long) == find(long) == LONGEST + 1
    assert asked == [long, long]
    for number in range(KEPT + 1):
        find(str(number))
    asked.clear()
    find("0")
    assert asked == ["0"]
