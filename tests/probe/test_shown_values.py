"""What a values function returns is bounded, and its errors reach a count and a report, never the chart."""

from __future__ import annotations

import logging
import math
from enum import Enum, IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import UsageError
from farscope.probe.shown_values import ShownValues, ValueCounts, checked_values
from farscope.records.step import MAX_VALUES
from farscope.wire.body_schema import MAX_VALUE
from farscope.wire.tables import encodable_values


class Mode(Enum):
    FAST = 1


class Number(IntEnum):
    ONE = 1


class Quantity:
    """A number of another library."""

    def __float__(self) -> float:
        return 2.5


class Shown:
    """Values of one chart, whose function returns what it is told."""

    def __init__(self, counts=None) -> None:
        self.counts = counts or ValueCounts()
        self.rooms = []
        self.answer = {}
        self.values = ShownValues(self._function, self.counts, self.rooms.append)

    def _function(self, _chart, _event):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def after(self, answer):
        self.answer = answer
        return self.values.after((None, None))


@pytest.fixture
def shown():
    return Shown()


def test_numbers_texts_and_booleans_are_shown_as_they_are(shown):
    answer = {"amps": 16, "temp": 20.5, "mode": "fast", "on": True}
    for _ in range(2):
        assert dict(shown.after(answer)) == answer
    assert shown.counts.refused.value == shown.counts.failed.value == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(Mode.FAST, "FAST"), (Number.ONE, "ONE"), (None, "None"), (Quantity(), 2.5)],
)
def test_what_has_an_obvious_text_or_number_is_shown_by_that(shown, value, text):
    assert shown.after({"x": value}) == (("x", text),)
    assert shown.counts.refused.value == 0


@pytest.mark.parametrize("value", [[1], {"password": 1}, b"12", object(), math.sin])
def test_anything_else_is_shown_by_its_type_only_and_counted(shown, value):
    assert shown.after({"x": value}) == (("x", f"<{type(value).__name__}>"),)
    assert shown.counts.refused.value == 1
    assert type(value).__name__ in shown.values.problem


def test_a_type_that_changes_after_many_numbers_is_noticed(shown):
    assert shown.after({"x": 1}) == (("x", 1),)
    assert shown.after({"x": [1]}) == (("x", "<list>"),)
    assert shown.counts.refused.value == 1


def test_long_texts_are_cut_and_counted(shown):
    [(_, text)] = shown.after({"x": "a" * 300})
    assert len(text) == MAX_VALUE
    assert text.endswith("[cut]")
    assert shown.counts.refused.value == 1


def test_values_beyond_the_number_and_names_beyond_the_length_are_left_out_and_counted(shown):
    answer = {3: 1, "n" * 257: 1} | {f"v{number}": number for number in range(20)}
    assert shown.after(answer) == tuple((f"v{number}", number) for number in range(MAX_VALUES))
    assert shown.counts.refused.value == 2 + 4


@pytest.mark.parametrize("answer", [KeyError("amps"), 3, None, ["amps"], (1, 2)])
def test_a_function_that_fails_shows_nothing_and_is_counted(shown, answer):
    assert shown.after(answer) == ()
    assert shown.counts.failed.value == 1
    assert shown.after({"x": 1}) == (("x", 1),)


def test_problems_are_logged_once_for_a_probe_and_reported_once_for_a_chart(caplog):
    counts = ValueCounts()
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(3):
            shown = Shown(counts)
            for _ in range(3):
                shown.after(KeyError("secret"))
            # The texts of the program's errors are not for watchers.
            assert shown.values.problem == (
                "the values function raised KeyError; further problems are only counted"
            )
    assert len(caplog.records) == 1
    assert "at most 16" in caplog.text
    assert counts.failed.value == 9


def test_the_room_is_limited_by_the_largest_values_so_far(shown):
    shown.after({"a": "x" * 10})
    shown.after({"a": "x" * 5})
    shown.after({"a": "x" * 200, "b": 1})
    assert shown.rooms == sorted(set(shown.rooms))
    assert len(shown.rooms) == 2


def test_values_must_be_a_function():
    with pytest.raises(UsageError, match="fields"):
        checked_values({"amps": 1})


VALUES = st.one_of(
    st.integers(), st.floats(), st.text(max_size=300), st.booleans(), st.none(), st.lists(st.integers())
)


@given(st.lists(st.dictionaries(st.one_of(st.text(max_size=300), st.integers()), VALUES, max_size=24)))
def test_whatever_a_function_returns_the_values_fit_into_the_format_and_all_others_are_counted(answers):
    shown = Shown()
    for answer in answers:
        refused = shown.counts.refused.value
        values = shown.after(answer)
        assert len(values) <= MAX_VALUES
        assert len(encodable_values(values)) == len(values)
        assert all(len(name) <= MAX_VALUE for name, _ in values)
        assert all(isinstance(value, (int, float, str)) for _, value in values)
        odd = [value for value in answer.values() if isinstance(value, list)]
        left_out = len(answer) - len(values)
        assert (
            left_out
            <= shown.counts.refused.value - refused
            <= left_out
            + len(odd)
            + sum(isinstance(value, str) and len(value) > MAX_VALUE for value in answer.values())
        )
