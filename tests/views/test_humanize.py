from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.views.humanize import BLOCKS, count_text, number, size_text, span_text, spark

SECOND = 10**9


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (10**13, "10.0 TB"),
    ],
)
def test_a_size_has_one_decimal_in_the_largest_unit_it_fills(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (-1, "0.0s"),
        (99_999_999, "0.0s"),
        (3_299_999_999, "3.2s"),
        (59_999_999_999, "59.9s"),
        (60 * SECOND, "1m 00s"),
        (3_599 * SECOND, "59m 59s"),
        (7_500 * SECOND, "2h 05m"),
        (100_000 * SECOND, "1d 03h"),
    ],
)
def test_a_span_has_its_two_largest_units_and_is_never_rounded_up(span_ns, text):
    assert span_text(span_ns) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999_999, "999,999"), (1_000_000, "1.0M"), (123_456_789, "123M"), (10**12, "1.0T")],
)
def test_a_count_is_shortened_where_it_is_too_long(count, text):
    assert count_text(count) == text


@given(st.integers(0, 10**15 - 1), st.sampled_from([5, 6, 7]))
def test_a_count_keeps_its_width(count, width):
    assert len(count_text(count, width)) <= width


@pytest.mark.parametrize(
    ("count", "thing", "text"),
    [
        (1, "batch", "1 batch"),
        (0, "batch", "0 batches"),
        (2, "entry", "2 entries"),
        (1_000, "key", "1,000 keys"),
    ],
)
def test_what_is_counted_stands_in_its_number(count, thing, text):
    assert number(count, thing) == text


def test_a_spark_line_is_as_high_as_each_count_against_the_highest():
    assert spark([0, 1, 50, 100]) == f" {BLOCKS[0]}{BLOCKS[3]}{BLOCKS[7]}"
    assert spark([0, 0]) == "  "
    assert spark([]) == ""


@given(st.lists(st.integers(0, 10**9), max_size=40))
def test_a_spark_line_has_a_place_for_each_count_and_shows_each_that_is_not_0(counts):
    line = spark(counts)
    assert [character == " " for character in line] == [count == 0 for count in counts]
