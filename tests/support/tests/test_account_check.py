"""The checker reports readers that lost, invented or repeated a step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.account_check import check, table


def test_a_reader_that_had_everything_once_is_sound():
    verdict = check(range(10), range(10), range(10), repeated=3)
    assert verdict.sound
    assert (verdict.attempted, verdict.acknowledged, verdict.ok, verdict.repeated) == (10, 10, 10, 3)


def test_lost_is_what_was_acknowledged_and_never_had():
    verdict = check(range(10), range(8), [0, 1, 2, 3, 4, 5])
    assert (verdict.ok, verdict.lost, verdict.recovered) == (6, 2, 0)
    assert not verdict.sound


def test_recovered_is_what_was_had_though_nobody_was_told_that_it_is_in():
    verdict = check(range(10), range(8), range(9))
    assert (verdict.lost, verdict.recovered) == (0, 1)
    assert verdict.sound


def test_what_nobody_put_in_is_unexpected():
    assert check(range(3), range(3), [0, 1, 2, 99]).unexpected == 1


def test_what_was_had_again_counts_before_and_after_duplicates_were_left_out():
    verdict = check(range(3), range(3), [0, 1, 1, 1, 2], repeated=4)
    assert (verdict.repeated, verdict.duplicated) == (6, 2)
    assert not verdict.sound


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)), st.lists(st.integers(0, 60)))
def test_every_item_is_in_one_place_only(attempted: set[int], told: set[int], had: list[int]):
    told &= attempted
    verdict = check(attempted, told, had)
    assert verdict.ok + verdict.lost == verdict.acknowledged
    assert verdict.ok + verdict.recovered + verdict.unexpected + verdict.duplicated == len(had)


def test_the_table_has_a_line_for_each_name():
    lines = table({"one": check([1], [1], [1]), "the other": check([1], [1], [])}).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == list(check([], [], [])._fields)
    assert lines[2].split() == ["the", "other", "1", "1", "0", "1", "0", "0", "0", "0"]
