import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import UsageError
from farscope.logs.units import parse_size, parse_span_ns

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1000", 1000),
        ("64k", 64_000),
        ("64KiB", 65_536),
        ("500MB", 500_000_000),
        (" 2GiB ", 2 * 1024**3),
        ("1.5g", 1_500_000_000),
        ("3 TB", 3 * 10**12),
        ("7b", 7),
    ],
)
def test_sizes_are_read_as_people_write_them(text, expected):
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1", "1,5MB", "1e9", "5 apples", "1 GiB 2", "٣", "9" * 50])
def test_what_is_no_size_is_refused_with_examples(text):
    with pytest.raises(UsageError, match="500MB, 2GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90 * SECOND),
        ("0.5", SECOND // 2),
        ("10m", 600 * SECOND),
        ("10min", 600 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("1h 30m", 5400 * SECOND),
        ("7d", 604_800 * SECOND),
        ("2w", 14 * 86_400 * SECOND),
        ("500ms", SECOND // 2),
        ("250us", 250_000),
        ("3µs", 3_000),
        ("12 H", 43_200 * SECOND),
    ],
)
def test_spans_are_read_as_people_write_them(text, expected):
    assert parse_span_ns(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 parsecs", "10m later", "1h30", "1..5s", "1" * 50 + "s"])
def test_what_is_no_span_is_refused_with_examples(text):
    with pytest.raises(UsageError, match="10m, 1h30m"):
        parse_span_ns(text)


@given(st.integers(0, 10**15))
def test_any_number_of_nanoseconds_is_read_exactly(number):
    assert parse_span_ns(f"{number}ns") == number


@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused(text):
    for parse in (parse_size, parse_span_ns):
        try:
            assert parse(text) >= 0
        except UsageError as error:
            assert error.hint  # noqa: PT017 (both outcomes are right; only another exception is not)
