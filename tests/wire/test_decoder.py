"""A body that breaks a rule of the format is refused, and costs little before it is."""

from __future__ import annotations

import tracemalloc
import zlib

import msgspec
import pytest

from farscope.errors import Malformed
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.wire import body_schema as layout
from farscope.wire.codec import decode_body

PROBE = bytes(16)
MEMORY_LIMIT = 128 << 20
"""What decoding the worst body may take at its peak; ``docs/threat-model.md`` names the figure."""

CHART = [1, "a", ["a"], 1, 0, None, [], b""]
SHAPE = [StepKind.HOOK, 0, 0, 0, [0]]
COLUMNS = (
    "runs",
    "chart",
    "number",
    "shape",
    "time",
    "duration",
    "queued",
    "deferred",
    "waited",
    "cause_serial",
    "cause_number",
    "elsewhere",
    "texts",
    "values",
)
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def dictionary(strings=("a",), facts=((FactKind.ENTRY, 0, 0),), shapes=(SHAPE,)):
    return msgspec.msgpack.encode([strings, facts, shapes])


def structure(strings=("a",), states=(), reactions=(), initial=0, library=0):
    return msgspec.msgpack.encode([strings, states, reactions, initial, library])


def chart(**fields):
    """An entry of chart 1, laid out by hand."""
    names = ("serial", "name", "states", "number", "status", "parent", "values", "structure")
    assert not set(fields) - set(names)
    return list({**dict(zip(names, CHART, strict=True)), **fields}.values())


def body(steps=None, **fields):
    """A body of one step, laid out by hand after docs/wire-format.md."""
    columns = {name: [] for name in COLUMNS}
    columns["runs"] = [[0, 1]]
    columns.update(steps or {})
    given = {
        "host": "here",
        "pid": 7,
        "service": "kitchen",
        "writer": "farscope",
        "heartbeat": 10**9,
        "started_ns": 1,
        "sent_ns": 2,
        "next_number": 1,
        "dictionary": dictionary(),
        "charts": [CHART],
        "drops": [],
        "steps": list(columns.values()),
        "sections": [],
    }
    assert set(columns) == set(COLUMNS)
    assert not set(fields) - set(given)
    return list({**given, **fields}.values())


def packed(plain):
    return bytes([layout.ZLIB]) + zlib.compress(plain)


def decode(tree):
    return decode_body(packed(msgspec.msgpack.encode(tree)), PROBE)


def test_the_body_by_hand_is_good():
    decoded = decode(body())
    assert decoded.numbers == [0]
    assert decoded.steps[0][1:] == (0, decoded.steps[0][2], 0, 0, 0, 0, 0, None, (), ())


@pytest.mark.parametrize(
    "tree",
    [
        body(dictionary=b""),
        body(dictionary=b"\xc1"),
        body(dictionary=dictionary() + b"\0"),
        body(dictionary=dictionary(strings=[])),
        body(dictionary=dictionary(facts=[])),
        body(dictionary=dictionary(shapes=[])),
        body(charts=[]),
        body(dictionary=dictionary(facts=[[FactKind.ENTRY, 1, 0]])),
        body(dictionary=dictionary(facts=[[0, 0, 0]])),
        body(dictionary=dictionary(facts=[[99, 0, 0]])),
        body(dictionary=dictionary(facts=[[[99, "lower"], 0, 0]])),
        body(dictionary=dictionary(facts=[[[99, "LINE\n"], 0, 0]])),
        body(dictionary=dictionary(facts=[[[FactKind.ENTRY, "RENAMED"], 0, 0]])),
        body(dictionary=dictionary(facts=[[[256, "FAR"], 0, 0]])),
        body(dictionary=dictionary(facts=[[FactKind.ENTRY, -1, 0]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, 0, 0, [1]]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, 0, 0, [-1]]])),
        body(dictionary=dictionary(shapes=[[99, 0, 0, 0, [0]]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, 0, 1, [0]]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, [0, 1], 0, [0]]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, [-1], 0, [0]]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, None, 0, [0]]])),
        body(charts=[chart(serial=0)]),
        body(charts=[chart(states=[0])]),
        body(charts=[chart(status=77)]),
        body(charts=[chart(status=[1, "RENAMED"])]),
        body(charts=[chart(parent=[b"", 0])]),
        body(charts=[chart(parent=[b"short", 1])]),
        body(charts=[chart(values=[["a", None]])]),
        body(charts=[chart(values=[["a", 2**63]])]),
        body(charts=[chart(values=[["a", []]])]),
        body(charts=[CHART, CHART]),
        body(charts=[chart(structure=b"\xc1")]),
        body(charts=[chart(structure=structure(strings=[]))]),
        body(charts=[chart(structure=structure(states=[[1, 0, 0]]))]),
        body(charts=[chart(structure=structure(states=[[0, 0, 99]]))]),
        body(charts=[chart(structure=structure(reactions=[[0, 0, 1, 0, [], 0, []]]))]),
        body(charts=[chart(structure=structure(reactions=[[0, 0, 0, 0, [99], 0, []]]))]),
        body(charts=[chart(structure=structure(reactions=[[0, 0, 0, 0, [], 0, [1]]]))]),
        body(charts=[[*CHART, 0]]),
        body(charts=[CHART[:-1]]),
        body(dictionary=dictionary(strings=[7])),
        body(dictionary=dictionary(strings=[b"a"])),
        body(sections=[["lower", b""]]),
        body(sections=[["NEW", "text"]]),
        body(pid=-1),
        body(pid=2**63),
        body(pid=1.0),
        body(pid=True),
        body(host=None),
        body(next_number=0),
        body(drops=[[0, 2, "overflow"]]),
        body(drops=[[0, 0, "overflow"]]),
        body(drops=[[2**63 - 1, 2**63 - 1, "overflow"]]),
        [*body(), 0],
        body()[:-1],
        body({"runs": []}, charts=[])[:-2],
        {"host": "here"},
        7,
        None,
    ],
    ids=lambda tree: repr(tree)[:60],
)
def test_tables_that_do_not_hold_together_are_malformed(tree):
    with pytest.raises(Malformed):
        decode(tree)


@pytest.mark.parametrize(
    "steps",
    [
        {"runs": [[0, 0]]},
        {"runs": [[0, 2]]},
        {"runs": [[1, 1]]},
        {"runs": [[-1, 1]]},
        {"runs": [[0, layout.MAX_STEPS + 1]]},
        {"runs": [[0, layout.MAX_STEPS]] * 2},
        {"runs": [], "queued": [1]},
        {"runs": [], "texts": [[0, ["a"]]]},
        {"chart": [1]},
        {"chart": [-1]},
        {"chart": [0, 0]},
        {"shape": [1]},
        {"shape": [-1]},
        {"number": [-1]},
        {"number": [1, 1]},
        {"time": [-1]},
        {"time": [2**63]},
        {"duration": [-1]},
        {"duration": [1, 1]},
        {"queued": [1, 1]},
        {"deferred": [1, 1]},
        {"waited": [1, 1]},
        {"waited": [None]},
        {"cause_serial": [1]},
        {"cause_serial": [1], "cause_number": [1, 1]},
        {"cause_serial": [1], "cause_number": [-1]},
        {"cause_serial": [1, 1], "cause_number": [1, 1]},
        {"cause_number": [1]},
        {"elsewhere": [[1, 1, 1, b"", TRACE, b"", False]]},
        {"elsewhere": [[0, 0, 0, b"", b"", b"", False]]},
        {"elsewhere": [[0, 0, 0, b"", TRACE, b"", False]]},
        {"elsewhere": [[0, 0, 0, b"", b"", SPAN, False]]},
        {"elsewhere": [[0, 0, 1, b"", TRACE, SPAN, False]]},
        {"elsewhere": [[0, 1, 1, b"", TRACE, SPAN, False]]},
        {"elsewhere": [[0, 1, 1, SPAN, b"", b"", False]]},
        {"elsewhere": [[0, 1, 1, b"", TRACE, b"", 1]]},
        {"elsewhere": [[0, 1, 1, TRACE, b"", b"", False]], "cause_serial": [1], "cause_number": [1]},
        {"values": [[1, [[0, 1]]]]},
        {"values": [[0, [[1, 1]]]]},
        {"values": [[0, [[0, None]]]]},
        {"values": [[0, [[0, 1]]], [0, [[0, 1]]]]},
        {"texts": [[1, ["a"]]]},
        {"texts": [[-1, ["a"]]]},
        {"texts": [[0, ["a"]], [0, ["a"]]]},
        {"texts": [[0, "a"]]},
    ],
    ids=str,
)
def test_columns_that_do_not_hold_together_are_malformed(steps):
    with pytest.raises(Malformed):
        decode(body(steps))


@pytest.mark.parametrize("name", ["number", "time"])
def test_sums_of_deltas_that_leave_63_bits_are_malformed(name):
    steps = {"runs": [[0, 3]], name: [2**62, 2**62, 0]}
    with pytest.raises(Malformed, match="63 bits"):
        decode(body(steps, next_number=3))


def test_sums_of_deltas_of_a_chart_that_leave_63_bits_are_malformed():
    steps = {"runs": [[0, 3]], "chart": [1, 1, 0], "number": [2**62, 2**62, 0]}
    with pytest.raises(Malformed, match="63 bits"):
        decode(body(steps, next_number=3, charts=[CHART, chart(serial=2)]))


@pytest.mark.parametrize(
    "tree",
    [
        body(dictionary=dictionary(strings=["a" * (layout.MAX_NAME + 1)])),
        body(host="a" * (layout.MAX_NAME + 1)),
        body(service="a" * (layout.MAX_NAME + 1)),
        body(drops=[[0, 1, "a" * (layout.MAX_NAME + 1)]]),
        body(dictionary=dictionary(strings=["a"] * (layout.MAX_STRINGS + 1))),
        body(dictionary=dictionary(facts=[[FactKind.ENTRY, 0, 0]] * (layout.MAX_FACTS + 1))),
        body(dictionary=dictionary(shapes=[SHAPE] * (layout.MAX_SHAPES + 1))),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, 0, 0, [0] * (layout.MAX_FACTS_IN_SHAPE + 1)]])),
        body(dictionary=dictionary(shapes=[[StepKind.HOOK, 0, [0] * (layout.MAX_LEAVES + 1), 0, [0]]])),
        body(charts=[chart(serial=i + 1) for i in range(layout.MAX_CHARTS + 1)]),
        body(charts=[chart(states=["a"] * (layout.MAX_LEAVES + 1))]),
        body(charts=[chart(values=[["a", 1]] * (layout.MAX_VALUES + 1))]),
        body(charts=[chart(values=[["a" * (layout.MAX_VALUE + 1), 1]])]),
        body(charts=[chart(values=[["a", "a" * (layout.MAX_VALUE + 1)]])]),
        body(charts=[chart(structure=structure(states=[[0, 0, 0]] * (layout.MAX_STATES + 1)))]),
        body(
            charts=[chart(structure=structure(reactions=[[0, 0, 0, 0, [], 0, []]] * (layout.MAX_STATES + 1)))]
        ),
        body(
            charts=[chart(structure=structure(reactions=[[0, 0, 0, 0, [1] * (layout.MAX_FLAGS + 1), 0, []]]))]
        ),
        body(
            charts=[
                chart(structure=structure(reactions=[[0, 0, 0, 0, [], 0, [0] * (layout.MAX_TARGETS + 1)]]))
            ]
        ),
        body(sections=[["NEW", b""]] * (layout.MAX_SECTIONS + 1)),
        body(sections=[["N" * (layout.MAX_KIND_NAME + 1), b""]]),
        body({"values": [[0, [[0, 1]] * (layout.MAX_VALUES + 1)]]}),
        body(
            {"values": [[0, [[0, 1]]]]},
            dictionary=dictionary(strings=["a" * (layout.MAX_VALUE + 1)]),
        ),
        body(drops=[[0, 1, ""]] * (layout.MAX_DROPS + 1)),
        body({"texts": [[0, ["a" * (layout.MAX_TEXT + 1)]]]}),
        body({"texts": [[0, [""] * (layout.MAX_TEXTS + 1)]]}),
        body({"chart": [0] * (layout.MAX_STEPS + 1)}),
        body({"runs": [[0, 1]] * (layout.MAX_STEPS + 1)}),
    ],
    ids=lambda _tree: "",
)
def test_more_than_the_format_allows_is_malformed(tree):
    with pytest.raises(Malformed):
        decode(tree)


@pytest.mark.parametrize("head", [b"\xdd", b"\xdb", b"\xc6", b"\xdf"], ids=["array", "str", "bin", "map"])
@pytest.mark.parametrize("field", range(13))
def test_a_length_that_lies_costs_no_memory(head, field):
    plain = b"\x9d" + b"".join(msgspec.msgpack.encode(value) for value in body()[:field])
    lying = packed(plain + head + b"\xff\xff\xff\xff" + b"\x00" * 100)
    assert peak_of(lying) < 1 << 20


@pytest.mark.parametrize(
    "tree",
    [
        body(
            charts=[
                chart(
                    serial=i + 1,
                    structure=structure(
                        states=[[0, 0, 0]] * (layout.MAX_STATES - i),
                        reactions=[[0, 0, 0, 0, [], 0, []]] * 3_000,
                    ),
                )
                for i in range(22)
            ]
        ),
        body(
            dictionary=dictionary(
                shapes=[[StepKind.HOOK, 0, 0, i % 7, [0] * 4_000] for i in range(500)], strings=["a"] * 7
            )
        ),
        body(
            {
                "runs": [[0, layout.MAX_STEPS]],
                "time": [1] * layout.MAX_STEPS,
                "number": [1000] * layout.MAX_STEPS,
                "waited": [2**40] * layout.MAX_STEPS,
                "cause_serial": [1] * layout.MAX_STEPS,
                "cause_number": [500] * layout.MAX_STEPS,
                "texts": [[i, [""]] for i in range(layout.MAX_STEPS)],
            },
            next_number=layout.MAX_STEPS,
        ),
        body({"texts": [[0, [""] * layout.MAX_TEXTS]]}),
    ],
    ids=["structures", "shapes", "steps", "texts"],
)
def test_the_worst_bodies_stay_within_the_memory_promised(tree):
    data = packed(msgspec.msgpack.encode(tree))
    decode_body(data, PROBE)
    assert peak_of(data) < MEMORY_LIMIT


def peak_of(data: bytes) -> int:
    tracemalloc.start()
    try:
        decode_body(data, PROBE)
    except Malformed:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_a_section_of_a_later_release_is_skipped_and_named():
    decoded = decode(body(sections=[["WEATHER", b"sunny"], ["WEATHER", b""], ["TIDE", b"low"]]))
    assert decoded.skipped == ("WEATHER", "WEATHER", "TIDE")
    assert decoded.numbers == [0]


def test_kinds_of_a_later_release_keep_number_and_name():
    later = dictionary(facts=[[[99, "NEWKIND"], 0, 0]], shapes=[[[77, "ODD"], 0, [], [0, 0], [0]]])
    decoded = decode(body(dictionary=later, charts=[chart(status=[200, "PAUSED"])]))
    shape = decoded.steps[0][2]
    assert (shape.kind.name, shape.kind.value) == ("ODD", 77)
    assert shape.lines() == ("NEWKIND:a:a",)
    assert (shape.start, shape.end, shape.traced) == ("top", "a | a", True)
    assert decoded.charts[0].status.name == "PAUSED"
    assert not decoded.charts[0].stopped


def test_a_body_packed_in_an_unknown_way_is_malformed():
    with pytest.raises(Malformed, match="packed"):
        decode_body(b"\x02" + msgspec.msgpack.encode(body()), PROBE)
    with pytest.raises(Malformed):
        decode_body(b"", PROBE)
