"""Input from the records is bounded or refused, so that everything encoded can be decoded."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import BatchTooLarge, Invariant
from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId
from farscope.records.structure import ChartStructure, StateInfo
from farscope.wire import body_schema as layout
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.codec import decode_body, encode_body
from farscope.wire.encoder import FEW, lay_out

PROBE = bytes(16)
CHART = ChartId("chart", "here", 7, 1)
PLAIN = Shape(StepKind.HOOK, "B", "a", "a", ())


def step(number=1, *, shape=PLAIN, chart=CHART, numbers=(10, 20, 0, 0, 0), cause=None, texts=(), values=()):
    return (chart, number, shape, *numbers, cause, texts, values)


def batch(*steps, **fields) -> Batch:
    given = {
        "host": "here",
        "pid": 7,
        "started_ns": 1,
        "sent_ns": 2,
        "next_number": len(steps),
        "charts": (ChartEntry(1, "chart", ("a",), 1),),
        "numbers": list(range(len(steps))),
        "steps": list(steps),
    }
    return Batch(**{**given, **fields})


def through(made: Batch) -> Batch:
    return decode_body(encode_body(made), PROBE)


@given(st.lists(st.integers(-(2**70), 2**70), min_size=5, max_size=5), st.integers(-(2**70), 2**70))
def test_numbers_outside_63_bits_are_moved_to_the_nearer_end(numbers, own):
    (decoded,) = through(batch(step(own, numbers=numbers, cause=Cause(1, own)))).steps
    nearer = [min(max(number, 0), layout.MAX_INTEGER) for number in [own, *numbers]]
    assert list(decoded[3:8]) == nearer[1:]
    assert decoded[1] == decoded[8].number == nearer[0]


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=20))
def test_lone_surrogates_are_shown_escaped(text):
    shape = Shape(StepKind.HOOK, text, "a", "a", (Fact(FactKind.SCRIBBLE),))
    (decoded,) = through(batch(step(shape=shape, texts=(text,)))).steps
    shown = text.encode("utf-8", "backslashreplace").decode()
    assert decoded[2].signal == shown
    assert decoded[9] == (shown,)


def test_a_name_too_long_is_cut_and_marked():
    long = "x" * (layout.MAX_NAME + 1)
    shape = Shape(StepKind.HOOK, long, "a", "a", (Fact(FactKind.OFFER, long, long),))
    entry = ChartEntry(1, long, (long,), 1)
    made = through(batch(step(shape=shape), host=long, charts=(entry,), drops=(Drop(0, 1, long),)))
    for name in (made.host, made.charts[0].name, made.steps[0][2].signal, made.drops[0].reason):
        assert len(name) == layout.MAX_NAME
        assert name.endswith(layout.CUT_MARK)


def test_the_texts_of_a_step_share_one_limit_and_show_where_they_were_cut():
    texts = ("x" * 30_000, "\udc80" * 1_000, "z" * 30_000, "lost")
    (decoded,) = through(batch(step(texts=texts))).steps
    assert decoded[9][0] == texts[0]
    assert decoded[9][1].endswith(layout.CUT_MARK)
    assert sum(map(len, decoded[9])) <= layout.MAX_TEXT
    assert len(decoded[9]) == 4


def test_a_structure_too_large_is_announced_as_far_as_it_fits():
    states = tuple(StateInfo(str(i % 100)) for i in range(layout.MAX_STATES + 1))
    entry = ChartEntry(1, "chart", ("a",), 1, structure=ChartStructure(states))
    assert through(batch(charts=(entry,))).charts[0].structure.states == states[:-1]


@pytest.mark.parametrize(
    "fields",
    [
        {"numbers": []},
        {"numbers": [0, 1]},
        {"numbers": [-1]},
        {"numbers": [1]},
        {"next_number": 2**63},
        {"next_number": -1, "numbers": [], "steps": []},
        {"charts": (ChartEntry(2**63, "a"), ChartEntry(1, "b"))},
        {"charts": ()},
        {"charts": (ChartEntry(1, "a"), ChartEntry(1, "b"))},
        {"charts": (ChartEntry(1, "a"), ChartEntry(0, "b"))},
        {"drops": (Drop(0, 2, "overflow"),)},
        {"drops": (Drop(0, 0, "overflow"),)},
        {"drops": (Drop(-1, 1, "overflow"),)},
        {"steps": [step(cause=Cause(0, 1))]},
        {"steps": [step(cause=Cause(-1, 1))]},
        {"steps": [step(cause=Cause(0, 1, "ab" * 16))]},
        {"steps": [step(cause=Cause(1, 1, "ab" * 15))]},
        {"steps": [step(cause=Cause(1, 1, "no hex"))]},
        {"steps": [step(cause=Cause(1, 1, span_id="ab" * 8))]},
        {"steps": [step(cause=Cause(0, 0, "", "", "ab" * 8))]},
        {"charts": (ChartEntry(1, "chart", status=UnknownKind(200, "no name")),)},
        {"charts": (ChartEntry(1, "chart", status=UnknownKind(256, "FAR")),)},
    ],
    ids=str,
)
def test_a_batch_that_does_not_hold_together_is_a_bug_of_the_caller(fields):
    with pytest.raises(Invariant):
        encode_body(batch(step(), **fields))


@pytest.mark.parametrize(
    "others", [(), (step(),), ((*step(), None), step()[:-1])], ids=["alone", "one", "both"]
)
def test_a_step_of_another_width_is_a_bug_of_the_caller(others):
    with pytest.raises(Invariant, match="fields"):
        encode_body(batch(step()[:-1], *others))


@pytest.mark.parametrize("different", [1, 2, FEW, FEW + 1, 3 * FEW])
def test_shapes_are_told_in_the_order_they_come_however_many_there_are(different):
    shapes = [Shape(StepKind.HOOK, f"S{number}", "a", "a", ()) for number in range(different)]
    steps = [step(number, shape=shapes[-1 - number % different]) for number in range(1, 4 * different)]
    made = batch(*steps)
    assert through(made).steps == [(ChartId("chart", "here", 7, 1, PROBE.hex()), *each[1:]) for each in steps]
    named = dict.fromkeys(each[2].signal for each in steps)
    assert [
        signal for signal in msgspec.msgpack.decode(lay_out(made).dictionary)[0] if signal.startswith("S")
    ] == list(named)


@pytest.mark.parametrize("numbers", [[0, 2, 1], [3, 3, 4], [0, 0, 1]])
def test_numbers_that_do_not_rise_are_a_bug_of_the_caller(numbers):
    with pytest.raises(Invariant, match="rise"):
        encode_body(batch(step(), step(), step(), numbers=numbers, next_number=9))


def many_shapes(count):
    return [step(shape=Shape(StepKind.HOOK, "B", str(i % 300), str(i // 300), ())) for i in range(count)]


def many_facts(count):
    facts = [Fact(FactKind.ENTRY, str(i % 300), str(i // 300)) for i in range(count)]
    pieces = [tuple(facts[i : i + 4_000]) for i in range(0, count, 4_000)]
    return [step(shape=Shape(StepKind.HOOK, "B", "a", "a", piece)) for piece in pieces]


def many_names(count):
    facts = [Fact(FactKind.ENTRY, str(i), str(-i)) for i in range(count)]
    pieces = [tuple(facts[i : i + 4_000]) for i in range(0, count, 4_000)]
    return [step(shape=Shape(StepKind.HOOK, "B", "a", "a", piece)) for piece in pieces]


@pytest.mark.parametrize(
    ("made", "things"),
    [
        (lambda: batch(*[step()] * (layout.MAX_STEPS + 1)), "steps"),
        (
            lambda: batch(charts=tuple(ChartEntry(i + 1, "") for i in range(layout.MAX_CHARTS + 1))),
            "charts",
        ),
        (lambda: batch(drops=(Drop(0, 1, ""),) * (layout.MAX_DROPS + 1), next_number=1), "losses"),
        (lambda: batch(*many_shapes(layout.MAX_SHAPES + 1)), "shapes"),
        (lambda: batch(*many_facts(layout.MAX_FACTS + 1)), "facts"),
        (lambda: batch(*many_names(layout.MAX_STRINGS // 2 + 1)), "names"),
        (
            lambda: batch(
                step(
                    shape=Shape(
                        StepKind.HOOK, "B", "", "", (Fact(FactKind.OFFER),) * (layout.MAX_FACTS_IN_SHAPE + 1)
                    )
                )
            ),
            "facts in a step",
        ),
    ],
    ids=["steps", "charts", "drops", "shapes", "facts", "names", "facts in a step"],
)
def test_more_than_a_batch_may_hold_is_too_large(made, things):
    with pytest.raises(BatchTooLarge, match=things):
        encode_body(made())


@pytest.mark.parametrize(
    "made",
    [
        lambda: batch(*[step()] * layout.MAX_STEPS),
        lambda: batch(charts=tuple(ChartEntry(i + 1, "") for i in range(layout.MAX_CHARTS))),
        lambda: batch(drops=(Drop(0, 1, ""),) * layout.MAX_DROPS, next_number=1),
        lambda: batch(*many_shapes(layout.MAX_SHAPES)),
        lambda: batch(*many_facts(layout.MAX_FACTS)),
    ],
    ids=["steps", "charts", "drops", "shapes", "facts"],
)
def test_as_much_as_a_batch_may_hold_survives(made):
    assert [found[1:] for found in through(made()).steps] == [found[1:] for found in made().steps]


def test_a_configuration_with_too_many_leaves_is_too_large():
    many = tuple(map(str, range(layout.MAX_LEAVES + 1)))
    for made in (
        batch(step(shape=Shape(StepKind.HOOK, "B", many, "a", ()))),
        batch(charts=(ChartEntry(1, "chart", many),)),
    ):
        with pytest.raises(BatchTooLarge, match="active states"):
            encode_body(made)
    fitting = batch(step(shape=Shape(StepKind.HOOK, "B", many[1:], "a", ())))
    assert through(fitting).steps[0][2].start_states == many[1:]


def test_values_are_cut_to_what_a_batch_may_hold():
    long = "x" * (layout.MAX_VALUE + 1)
    values = ((long, long), ("large", 2**63), ("larger", -(10**400)), *((str(i), i) for i in range(20)))
    made = through(batch(step(values=values), charts=(ChartEntry(1, "chart", ("a",), 1, values=values),)))
    for kept in (made.steps[0][10], made.charts[0].values):
        assert len(kept) == layout.MAX_VALUES
        assert all(len(text) == layout.MAX_VALUE and text.endswith(layout.CUT_MARK) for text in kept[0])
        assert kept[1:4] == (("large", float(2**63)), ("larger", float("-inf")), ("0", 0))


def test_true_and_one_stay_different_values():
    values = (("flag", True), ("count", 1), ("ratio", 1.0), ("text", "1"))
    assert repr(through(batch(step(values=values))).steps[0][10]) == repr(values)
