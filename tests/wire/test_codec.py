"""Batches survive the way through bytes; nothing but batches survives it."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import BatchTooLarge, Malformed
from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, ChartRef
from farscope.records.structure import (
    ChartStatus,
    ChartStructure,
    Reaction,
    ReactionFlag,
    StateInfo,
    StateKind,
)
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.body_schema import MAX_BODY_BYTES, MAX_INTEGER, PLAIN, ZLIB
from farscope.wire.codec import MAX_COMPRESSED_BYTES, Decoder, decode_body, encode_body

PROBE = bytes(range(16))

names = st.text(max_size=12)
integers = st.one_of(st.integers(0, 300), st.integers(0, MAX_INTEGER))
leaves = st.lists(names, max_size=3).map(tuple)
later_kinds = st.builds(
    UnknownKind, st.integers(100, 255), st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True)
)
ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
span_ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
values = st.lists(
    st.tuples(
        names,
        st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(allow_nan=False) | st.booleans() | names,
    ),
    max_size=4,
).map(tuple)
facts = st.builds(Fact, st.sampled_from(FactKind) | later_kinds, names, names)
shapes = st.builds(
    Shape,
    st.sampled_from(StepKind) | later_kinds,
    names,
    leaves,
    leaves,
    st.lists(facts, max_size=5).map(tuple),
)
structures = st.builds(
    ChartStructure,
    st.lists(st.builds(StateInfo, names, names, st.sampled_from(StateKind) | later_kinds), max_size=4).map(
        tuple
    ),
    st.lists(
        st.builds(
            Reaction,
            names,
            names,
            names,
            names,
            st.lists(st.sampled_from(ReactionFlag) | later_kinds, max_size=3).map(tuple),
            names,
            leaves,
        ),
        max_size=4,
    ).map(tuple),
    names,
    names,
)
serials = st.integers(1, 2**40)
causes = (
    st.none()
    | st.tuples(serials, integers).map(lambda step: Cause(*step))
    | st.builds(Cause, serials, integers, st.just("") | ids, st.just("") | ids, st.just(""), st.booleans())
    | st.builds(Cause, st.just(0), st.just(0), st.just(""), ids, span_ids, st.booleans())
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    host, pid, service = draw(names), draw(integers), draw(names)
    charts = tuple(
        ChartEntry(
            serial,
            draw(names),
            draw(leaves),
            draw(integers),
            draw(st.sampled_from(ChartStatus) | later_kinds),
            draw(st.none() | structures),
            draw(st.none() | st.builds(ChartRef, serials, st.just("") | ids)),
            draw(values),
        )
        for serial in draw(st.lists(serials, min_size=1, max_size=4, unique=True))
    )
    chart_ids = [ChartId(entry.name, host, pid, entry.serial, PROBE.hex(), service) for entry in charts]
    known = draw(st.lists(shapes, min_size=1, max_size=4))
    texts = st.lists(names, max_size=3).map(tuple)
    step = st.tuples(
        st.sampled_from(chart_ids),
        integers,
        st.sampled_from(known),
        integers,
        integers,
        integers,
        integers,
        integers,
        causes,
        texts,
        values,
    )
    steps = draw(st.lists(step, max_size=20))
    gaps = draw(st.lists(st.integers(1, 5) | st.integers(1, 2**40), min_size=len(steps), max_size=len(steps)))
    numbers = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    next_number = max(numbers, default=0) + draw(st.integers(1, 2**40))
    drops = tuple(
        Drop(first, draw(st.integers(1, next_number - first)), draw(names))
        for first in draw(st.lists(st.integers(0, next_number - 1), max_size=3))
    )
    return Batch(
        host=host,
        pid=pid,
        service=service,
        writer=draw(names),
        heartbeat_ns=draw(integers),
        started_ns=draw(integers),
        sent_ns=draw(integers),
        next_number=next_number,
        charts=charts,
        numbers=numbers,
        steps=steps,
        drops=drops,
    )


def a_batch(*steps, charts=None, **fields) -> Batch:
    """A small batch: steps of chart 1, numbered from 0, unless told otherwise."""
    given = {
        "host": "here",
        "pid": 7,
        "started_ns": 1,
        "sent_ns": 2,
        "next_number": len(steps),
        "charts": (ChartEntry(1, "chart", ("b",), len(steps)),) if charts is None else charts,
        "numbers": list(range(len(steps))),
        "steps": list(steps),
    }
    return Batch(**{**given, **fields})


def a_step(number=1, **fields):
    given = {
        "chart": ChartId("chart", "here", 7, 1, PROBE.hex()),
        "number": number,
        "shape": Shape(StepKind.TRANSITION, "B", "a", "b", (Fact(FactKind.ENTRY, "b"),)),
        "time_ns": 10**18 + number,
        "duration_ns": 5,
        "queued": 0,
        "deferred": 0,
        "waited_ns": 0,
        "cause": None,
        "texts": (),
        "values": (),
    }
    return tuple({**given, **fields}.values())


def packed(plain: bytes, level: int = 1) -> bytes:
    return bytes([ZLIB]) + zlib.compress(plain, level)


def plain_of(batch: Batch) -> bytes:
    body = encode_body(batch)
    return body[1:] if body[0] == PLAIN else zlib.decompress(body[1:])


def through(batch: Batch) -> Batch:
    return decode_body(encode_body(batch), PROBE)


@given(batches())
def test_what_was_encoded_is_decoded(batch):
    assert through(batch) == batch


def test_a_batch_without_charts_or_steps_survives():
    batch = a_batch(charts=(), next_number=12)
    assert through(batch) == batch


def test_chart_ids_are_made_of_entry_batch_and_probe_whatever_the_step_says():
    elsewhere = ChartId("old name", "there", 1, 1)
    (step,) = through(a_batch(a_step(chart=elsewhere))).steps
    assert step[0] == ChartId("chart", "here", 7, 1, PROBE.hex())


def test_decoded_steps_carry_the_types_of_the_records():
    batch = a_batch(
        a_step(cause=Cause(3, 4)),
        charts=(ChartEntry(1, "chart", ("b",), 1, structure=ChartStructure((StateInfo("b"),))),),
    )
    decoded = through(batch)
    chart, _, shape, *_, cause, texts, _ = decoded.steps[0]
    assert (type(chart), type(shape), type(cause), type(texts)) == (ChartId, Shape, Cause, tuple)
    assert type(shape.kind) is StepKind
    assert type(shape.facts[0]) is Fact
    assert type(shape.facts[0].kind) is FactKind
    assert type(decoded.charts[0].structure) is ChartStructure
    assert type(decoded.charts[0].structure.states[0]) is StateInfo


def test_repetitive_steps_take_few_bytes():
    shape = a_step()[2]
    steps = [a_step(i, shape=shape, time_ns=10**18 + 1000 * i, duration_ns=400 + i % 7) for i in range(3000)]
    assert len(encode_body(a_batch(*steps))) < 2 * len(steps)


def test_a_decoder_gives_equal_shapes_and_charts_of_all_batches_as_the_same_object():
    decoder = Decoder()
    first = decoder.decode(encode_body(a_batch(a_step(1))), PROBE)
    second = decoder.decode(encode_body(a_batch(a_step(2))), PROBE)
    assert first.steps[0][2] is second.steps[0][2]
    assert first.steps[0][0] is second.steps[0][0]


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed(data):
    with pytest.raises(Malformed):
        decode_body(data, PROBE)


@given(st.binary(max_size=300))
def test_random_bytes_properly_compressed_are_malformed(data):
    with pytest.raises(Malformed):
        decode_body(packed(data), PROBE)


@given(batches(), st.data())
def test_mutated_bodies_are_malformed_or_another_batch_and_nothing_else(batch, data):
    plain = bytearray(plain_of(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(plain) - 1))
        plain[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    assert_batch_or_malformed(bytes(plain))


@given(batches(), st.data())
def test_bodies_with_other_values_in_their_places_are_malformed_or_another_batch(batch, data):
    tree = msgspec.msgpack.decode(plain_of(batch))
    node = tree
    while True:
        position = data.draw(st.integers(0, len(node) - 1))
        if not (isinstance(node[position], list) and node[position] and data.draw(st.booleans())):
            break
        node = node[position]
    hostile = st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 70_000) | st.none() | st.floats() | names
    node[position] = data.draw(hostile | st.lists(hostile, max_size=3) | st.binary(max_size=4))
    assert_batch_or_malformed(msgspec.msgpack.encode(tree))


def assert_batch_or_malformed(plain: bytes) -> None:
    try:
        decoded = decode_body(packed(plain), PROBE)
    except Malformed:
        return
    assert through(decoded) == decoded


@given(batches(), st.integers(0, 10_000))
def test_a_body_cut_short_is_malformed(batch, keep):
    body = encode_body(batch)
    with pytest.raises(Malformed):
        decode_body(body[: keep % len(body)], PROBE)


def test_a_body_with_something_behind_it_is_malformed():
    with pytest.raises(Malformed):
        decode_body(encode_body(a_batch(a_step())) + b"\0", PROBE)


def test_a_second_value_behind_the_first_is_malformed():
    plain = plain_of(a_batch(a_step()))
    with pytest.raises(Malformed):
        decode_body(packed(plain + plain), PROBE)


def test_a_zip_bomb_is_refused_at_the_limit():
    with pytest.raises(Malformed, match=str(MAX_BODY_BYTES)):
        decode_body(packed(bytes(50 * MAX_BODY_BYTES), 9), PROBE)


def test_a_body_over_the_limit_is_malformed_before_it_is_decompressed():
    with pytest.raises(Malformed, match=str(MAX_COMPRESSED_BYTES)):
        decode_body(bytes(MAX_COMPRESSED_BYTES + 1), PROBE)


def test_a_batch_too_large_to_send_can_be_sent_in_halves():
    noise = [zlib.crc32(bytes([i % 256, i // 256])).to_bytes(4, "big").hex() * 8 for i in range(40_000)]
    steps = [a_step(i + 1, texts=(noise[i],)) for i in range(len(noise))]
    whole = a_batch(*steps)
    with pytest.raises(BatchTooLarge):
        encode_body(whole)
    middle = len(steps) // 2
    first = replace(whole, numbers=whole.numbers[:middle], steps=whole.steps[:middle])
    second = replace(whole, numbers=whole.numbers[middle:], steps=whole.steps[middle:])
    assert through(first).steps + through(second).steps == steps
