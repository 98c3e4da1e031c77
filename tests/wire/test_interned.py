"""Equal shapes and chart ids become one object, within a bound."""

from __future__ import annotations

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.wire import interned
from farscope.wire.interned import Interned


def shape(name: str, facts: int = 0) -> Shape:
    return Shape(StepKind.HOOK, name, "a", "a", (Fact(FactKind.OFFER, "a"),) * facts)


def test_equal_things_become_the_first_object_met():
    known = Interned()
    first, chart = shape("B", 2), ChartId("chart", "here", 7, 1)
    assert known.shape(first) is first
    assert known.chart(chart) is chart
    assert known.shape(shape("B", 2)) is first
    assert known.chart(ChartId("chart", "here", 7, 1)) is chart


def test_shapes_are_bounded_by_their_facts(monkeypatch):
    monkeypatch.setattr(interned, "MAX_INTERNED_FACTS", 100)
    known = Interned()
    for i in range(50):
        known.shape(shape(str(i), 9))
        assert sum(len(one.facts) + 1 for one in known._shapes) <= 100
    kept = shape("49", 9)
    assert known.shape(kept) is not kept


def test_a_shape_over_the_bound_by_itself_is_returned_all_the_same(monkeypatch):
    monkeypatch.setattr(interned, "MAX_INTERNED_FACTS", 3)
    large = shape("B", 9)
    assert Interned().shape(large) is large


def test_chart_ids_are_bounded(monkeypatch):
    monkeypatch.setattr(interned, "MAX_INTERNED_CHARTS", 3)
    known = Interned()
    for i in range(10):
        known.chart(ChartId("chart", "here", 7, i))
        assert len(known._charts) <= 3
