"""Equal shapes and chart ids become one object, within a bound."""

from __future__ import annotations

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.records.weight import chart_bytes
from farscope.wire import intern as interned
from farscope.wire.intern import Interned


def shape(name: str, facts: int = 0) -> Shape:
    return Shape(StepKind.HOOK, name, "a", "a", (Fact(FactKind.OFFER, "a"),) * facts)


def test_equal_things_become_the_first_object_met():
    known = Interned()
    first, chart = shape("B", 2), ChartId("chart", "here", 7, 1)
    assert known.shape(first) is first
    assert known.chart(chart) is chart
    assert known.shape(shape("B", 2)) is first
    assert known.chart(ChartId("chart", "here", 7, 1)) is chart


def test_what_is_known_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(interned, "MAX_INTERNED_BYTES", 20_000)
    known = Interned()
    for i in range(50):
        known.shape(shape(str(i), 9))
        known.chart(ChartId("x" * 1_000, "here", 7, i))
        assert sum(one.size for one in known._shapes) + sum(map(chart_bytes, known._charts)) <= 20_000
    assert known.renewed > 0
    first = known.shape(shape("49", 9))
    for i in range(50):
        known.shape(shape(str(i), 9))
    assert known.shape(shape("49", 9)) is not first


def test_what_was_not_known_is_counted_once(monkeypatch):
    known, one = Interned(), shape("B", 2)
    known.shape(one)
    assert known.met_bytes == one.size
    known.shape(shape("B", 2))
    assert known.met_bytes == one.size


def test_a_shape_over_the_bound_by_itself_is_returned_all_the_same(monkeypatch):
    monkeypatch.setattr(interned, "MAX_INTERNED_BYTES", 3)
    large = shape("B", 9)
    assert Interned().shape(large) is large
