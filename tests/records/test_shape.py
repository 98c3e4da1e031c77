"""Shapes: equal by value, and the one place where facts become lines."""

import pickle

import pytest

from farscope.records.facts import SILENT_KINDS, Fact, FactKind, takes_text
from farscope.records.kinds import FIRST_WITH_TEXT, UnknownKind
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
    Fact(FactKind.LOG, "oven.fan", "WARNING"): "LOG:(WARNING, LOGGER:oven.fan):the text",
    Fact(FactKind.DONE, "s"): "DONE:s",
    Fact(FactKind.TRANSMIT, "A", "kitchen.stove"): "TRANSMIT:(A, TO:kitchen.stove)",
    Fact(FactKind.VOIDED, "A"): "VOIDED:A",
    Fact(FactKind.FAILED, "s", "too hot"): "FAILED:s:too hot",
    Fact(UnknownKind(99, "NEWKIND"), "s", "because"): "NEWKIND:s:because",
    Fact(UnknownKind(99, "NEWKIND")): "NEWKIND",
    Fact(UnknownKind(FIRST_WITH_TEXT, "TALKING"), "s"): "TALKING:s:the text",
}


def one(fact: Fact) -> Shape:
    return Shape(StepKind.HOOK, "B", "s", "s", (fact,))


@pytest.mark.parametrize(("fact", "line"), LINES.items(), ids=lambda value: str(value)[:30])
def test_each_fact_has_its_exact_line(fact: Fact, line: str) -> None:
    assert one(fact).lines(("the text",) if takes_text(fact.kind) else ()) == (line,)


def test_only_transitions_among_several_are_without_a_line() -> None:
    known = {fact.kind for fact in LINES if isinstance(fact.kind, FactKind)}
    assert known == set(FactKind) - SILENT_KINDS
    assert one(Fact(FactKind.TRAN, "a", "b")).lines() == ()


def test_a_fact_without_a_line_leaves_the_others_theirs() -> None:
    facts = (Fact(FactKind.SCRIBBLE), Fact(FactKind.TRAN, "a", "b"), Fact(FactKind.EXIT, "a"))
    shape = Shape(StepKind.TRANSITION, "B", ("a", "c"), ("b", "c"), facts)
    assert list(shape.fact_lines(("hot",))) == [(facts[0], "hot"), (facts[2], "EXIT_SIGNAL:a")]


@pytest.mark.parametrize(
    ("given", "states", "text"),
    [
        ("a", ("a",), "a"),
        (("a",), ("a",), "a"),
        (("a", "b"), ("a", "b"), "a | b"),
        ((), (), "top"),
        ("top", (), "top"),
        (("top",), ("top",), "top"),
    ],
    ids=str,
)
def test_a_configuration_has_leaves_and_a_text(given, states, text) -> None:
    shape = Shape(StepKind.HOOK, "B", given, given, ())
    assert (shape.start_states, shape.end_states) == (states, states)
    assert (shape.start, shape.end) == (text, text)


def test_a_step_of_an_unknown_kind_is_traced_if_it_changed_the_configuration() -> None:
    later = UnknownKind(40, "RESTORED")
    assert Shape(later, "B", "a", "b", ()).traced
    assert not Shape(later, "B", "a", "a", ()).traced


def test_unknown_kinds_are_equal_by_number_and_name() -> None:
    kind = UnknownKind(99, "NEWKIND")
    assert kind == UnknownKind(99, "NEWKIND") != UnknownKind(99, "OTHER")
    assert kind != UnknownKind(98, "NEWKIND")
    assert len({kind, UnknownKind(99, "NEWKIND"), UnknownKind(99, "OTHER")}) == 2
    assert pickle.loads(pickle.dumps(kind)) == kind  # noqa: S301 - our own bytes
    assert (kind.name, kind.value, repr(kind)) == ("NEWKIND", 99, "<NEWKIND: 99>")


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
