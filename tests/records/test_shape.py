"""Shapes: equal by value, and the one place where facts become lines."""

import pickle

import pytest

from farscope.records.facts import TEXT_KINDS, Fact, FactKind
from farscope.records.shape import Shape, StepKind

SHAPE = Shape(
    StepKind.HOOK,
    "HOOK",
    "inner",
    "inner",
    (Fact(FactKind.OFFER, "inner"), Fact(FactKind.OFFER, "outer"), Fact(FactKind.HOOK, "outer")),
)

LINES = {
    Fact(FactKind.START): "START",
    Fact(FactKind.SEARCH, "s"): "SEARCH_FOR_SUPER_SIGNAL:s",
    Fact(FactKind.ENTRY, "s"): "ENTRY_SIGNAL:s",
    Fact(FactKind.EXIT, "s"): "EXIT_SIGNAL:s",
    Fact(FactKind.INIT, "s"): "INIT_SIGNAL:s",
    Fact(FactKind.OFFER, "s"): "B:s",
    Fact(FactKind.HOOK, "s"): "B:s:HOOK",
    Fact(FactKind.EMPTY, "s"): "EMPTY_SIGNAL:s",
    Fact(FactKind.POST_FIFO, "A"): "POST_FIFO:A",
    Fact(FactKind.POST_LIFO, "A"): "POST_LIFO:A",
    Fact(FactKind.DEFER, "A"): "POST_DEFERRED:A",
    Fact(FactKind.RECALL, "A"): "RECALL:A",
    Fact(FactKind.SUBSCRIBE, "A", "fifo"): "SUBSCRIBING TO:(A, TYPE:fifo)",
    Fact(FactKind.PUBLISH, "A", "1000"): "PUBLISH:(A, PRIORITY:1000)",
    Fact(FactKind.SCRIBBLE): "the text",
    Fact(FactKind.FAILED, "s"): "FAILED:s:the text",
    Fact(FactKind.CUT, "", "7"): "CUT:(7 facts not kept)",
    Fact(FactKind.REFUSED_POST, "A", "raised"): "REFUSED_POST:A:raised",
}


def one(fact: Fact) -> Shape:
    return Shape(StepKind.HOOK, "B", "s", "s", (fact,))


@pytest.mark.parametrize(("fact", "line"), LINES.items(), ids=lambda value: str(value)[:30])
def test_each_fact_has_its_exact_line(fact: Fact, line: str) -> None:
    assert one(fact).lines(("the text",) if fact.kind in TEXT_KINDS else ()) == (line,)


def test_no_kind_of_fact_is_without_a_line() -> None:
    assert {fact.kind for fact in LINES} == set(FactKind)


def test_braces_in_names_and_texts_stay_as_they_are() -> None:
    shape = Shape(StepKind.HOOK, "{name}", "{0}", "s", (Fact(FactKind.OFFER, "{x}"), Fact(FactKind.SCRIBBLE)))
    assert shape.lines(("{text}",)) == ("{name}:{x}", "{text}")


def test_a_failure_shows_the_last_line_of_its_traceback() -> None:
    text = "Traceback (most recent call last):\n  ...\nValueError: too hot\n"
    assert one(Fact(FactKind.FAILED, "heating")).lines((text,)) == ("FAILED:heating:ValueError: too hot",)


def test_a_text_that_is_missing_leaves_an_empty_line_rather_than_an_error() -> None:
    assert one(Fact(FactKind.SCRIBBLE)).lines(()) == ("",)


def test_shapes_are_equal_and_hashed_by_value() -> None:
    twin = Shape(SHAPE.kind, SHAPE.signal, SHAPE.start, SHAPE.end, SHAPE.facts)
    assert twin == SHAPE
    assert hash(twin) == hash(SHAPE)
    assert twin != Shape(StepKind.TRANSITION, SHAPE.signal, SHAPE.start, SHAPE.end, SHAPE.facts)
    assert SHAPE != "HOOK"


def test_lines_without_text_are_made_once() -> None:
    assert SHAPE.lines() is SHAPE.lines()


def test_a_shape_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(SHAPE)) == SHAPE  # noqa: S301 - our own bytes


def test_starts_and_transitions_alone_are_traced() -> None:
    traced = {kind for kind in StepKind if Shape(kind, "B", "a", "b", ()).traced}
    assert traced == {StepKind.START, StepKind.TRANSITION}


def test_its_repr_tells_what_it_is() -> None:
    assert repr(SHAPE) == "Shape(HOOK, 'HOOK', 'inner'->'inner', 3 facts)"
