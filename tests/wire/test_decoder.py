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

CHART = [1, 0, 0, 1, False, None]
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
    "texts",
)


def body(steps=None, **fields):
    """A body of one step, laid out by hand after docs/wire-format.md."""
    columns = {name: [] for name in COLUMNS}
    columns["runs"] = [[0, 1]]
    columns.update(steps or {})
    given = {
        "host": "here",
        "pid": 7,
        "started_ns": 1,
        "sent_ns": 2,
        "next_number": 1,
        "strings": ["a"],
        "facts": [[FactKind.ENTRY, 0, 0]],
        "shapes": [SHAPE],
        "charts": [CHART],
        "drops": [],
        "steps": list(columns.values()),
    }
    assert set(columns) == set(COLUMNS)
    assert not set(fields) - set(given)
    return list({**given, **fields}.values())


def decode(tree):
    return decode_body(zlib.compress(msgspec.msgpack.encode(tree)), PROBE)


def test_the_body_by_hand_is_good():
    decoded = decode(body())
    assert decoded.numbers == [0]
    assert decoded.steps[0][1:] == (0, decoded.steps[0][2], 0, 0, 0, 0, 0, None, ())


@pytest.mark.parametrize(
    "tree",
    [
        body(strings=[]),
        body(facts=[]),
        body(shapes=[]),
        body(charts=[]),
        body(facts=[[FactKind.ENTRY, 1, 0]]),
        body(facts=[[0, 0, 0]]),
        body(facts=[[99, 0, 0]]),
        body(facts=[[FactKind.ENTRY, -1, 0]]),
        body(shapes=[[StepKind.HOOK, 0, 0, 0, [1]]]),
        body(shapes=[[StepKind.HOOK, 0, 0, 0, [-1]]]),
        body(shapes=[[99, 0, 0, 0, [0]]]),
        body(shapes=[[StepKind.HOOK, 0, 0, 1, [0]]]),
        body(charts=[[0, 0, 0, 1, False, None]]),
        body(charts=[[1, 1, 0, 1, False, None]]),
        body(charts=[CHART, CHART]),
        body(charts=[[1, 0, 0, 1, False, [[[1, 0]], []]]]),
        body(charts=[[1, 0, 0, 1, False, [[], [[0, 0, 1]]]]]),
        body(charts=[[*CHART, 0]]),
        body(charts=[CHART[:-1]]),
        body(strings=[7]),
        body(strings=[b"a"]),
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
        body({"runs": []}, strings=[], charts=[])[:-2],
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
        decode(body(steps, next_number=3, charts=[CHART, [2, *CHART[1:]]]))


@pytest.mark.parametrize(
    "tree",
    [
        body(strings=["a" * (layout.MAX_NAME + 1)]),
        body(host="a" * (layout.MAX_NAME + 1)),
        body(drops=[[0, 1, "a" * (layout.MAX_NAME + 1)]]),
        body(strings=["a"] * (layout.MAX_STRINGS + 1)),
        body(facts=[[FactKind.ENTRY, 0, 0]] * (layout.MAX_FACTS + 1)),
        body(shapes=[SHAPE] * (layout.MAX_SHAPES + 1)),
        body(shapes=[[StepKind.HOOK, 0, 0, 0, [0] * (layout.MAX_FACTS_IN_SHAPE + 1)]]),
        body(charts=[[i + 1, *CHART[1:]] for i in range(layout.MAX_CHARTS + 1)]),
        body(charts=[[*CHART[:-1], [[[0, 0]] * (layout.MAX_STATES + 1), []]]]),
        body(charts=[[*CHART[:-1], [[], [[0, 0, 0]] * (layout.MAX_STATES + 1)]]]),
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
@pytest.mark.parametrize("field", range(11))
def test_a_length_that_lies_costs_no_memory(head, field):
    plain = b"\x9b" + b"".join(msgspec.msgpack.encode(value) for value in body()[:field])
    lying = zlib.compress(plain + head + b"\xff\xff\xff\xff" + b"\x00" * 100)
    assert peak_of(lying) < 1 << 20


@pytest.mark.parametrize(
    "tree",
    [
        body(
            charts=[
                [i + 1, 0, 0, 1, False, [[[0, 0]] * (layout.MAX_STATES - 1), [[0, 0, 0]] * 8_000]]
                for i in range(25)
            ]
        ),
        body(
            shapes=[[StepKind.HOOK, 0, 0, i % 7, [0] * 4_000] for i in range(500)],
            strings=["a"] * 7,
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
    packed = zlib.compress(msgspec.msgpack.encode(tree))
    decode_body(packed, PROBE)
    assert peak_of(packed) < MEMORY_LIMIT


def peak_of(packed: bytes) -> int:
    tracemalloc.start()
    try:
        decode_body(packed, PROBE)
    except Malformed:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak
