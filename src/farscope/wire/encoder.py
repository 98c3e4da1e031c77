"""Turns a batch into its laid-out body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from operator import is_, sub
from typing import Any, TypeVar

import msgspec

from farscope.errors import Invariant
from farscope.records.step import ROOT, Cause, ChartId, Step, Value
from farscope.records.trace_context import SPAN_ID_BYTES, TRACE_ID_BYTES
from farscope.wire.batch import Batch, ChartEntry, TokenEntry
from farscope.wire.body_schema import (
    MAX_CHARTS,
    MAX_DROPS,
    MAX_INTEGER,
    MAX_NAME,
    MAX_STEPS,
    MAX_TOKENS,
    TOKENS,
    Body,
    ChartRow,
    Columns,
    DropRow,
    ElsewhereRow,
    TextRow,
    TokenRow,
    ValueRow,
)
from farscope.wire.envelope import PROBE_BYTES
from farscope.wire.tables import (
    Tables,
    check_leaves,
    coded,
    encodable,
    encodable_texts,
    encodable_values,
    laid_out,
    too_large,
)

_Thing = TypeVar("_Thing")

STEP_FIELDS = len(Step._fields)
FEW = 4
"""Up to this many distinct values in a column are searched one by one; more are put into a table."""

_NO_STEPS = Columns(
    runs=[],
    chart=[],
    number=[],
    shape=[],
    time=[],
    duration=[],
    queued=[],
    deferred=[],
    waited=[],
    cause_serial=[],
    cause_number=[],
    elsewhere=[],
    texts=[],
    values=[],
)
_PLAIN_CAUSE = tuple(Cause())[2:ROOT]
_pack = msgspec.msgpack.Encoder().encode


def lay_out(batch: Batch) -> Body:
    """Return the body of a batch.

    Raises:
        BatchTooLarge: the batch exceeds a limit.
        Invariant: the batch is inconsistent.
    """
    for things, count, limit in (
        ("steps", len(batch.steps), MAX_STEPS),
        ("charts", len(batch.charts), MAX_CHARTS),
        ("declared losses", len(batch.drops), MAX_DROPS),
        ("tokens", len(batch.tokens), MAX_TOKENS),
    ):
        if count > limit:
            raise too_large(things, limit)
    tables = Tables()
    positions = {entry.serial: position for position, entry in enumerate(batch.charts)}
    if len(positions) != len(batch.charts) or not all(1 <= serial <= MAX_INTEGER for serial in positions):
        raise Invariant("the charts of a batch need serials from 1, each its own")
    charts = [_chart_row(entry) for entry in batch.charts]
    drops = [DropRow(drop.first, drop.count, encodable(drop.reason, MAX_NAME)) for drop in batch.drops]
    end = batch.next_number
    if not 0 <= end <= MAX_INTEGER:
        raise Invariant(f"a probe cannot reach the number {end}")
    if any(drop.first < 0 or drop.count < 1 or drop.first + drop.count > end for drop in batch.drops):
        raise Invariant("a batch declares a loss of numbers its probe has not reached")
    # Encoding the steps fills the tables that precede them.
    steps = _columns(batch, positions, tables)
    return Body(
        encodable(batch.host, MAX_NAME),
        _bounded(batch.pid),
        encodable(batch.service, MAX_NAME),
        encodable(batch.writer, MAX_NAME),
        _bounded(batch.heartbeat_ns),
        _bounded(batch.started_ns),
        _bounded(batch.sent_ns),
        end,
        _pack(tables.dictionary()) if batch.steps else b"",
        charts,
        drops,
        steps,
        [(TOKENS, _pack(_token_rows(batch.tokens)))] if batch.tokens else [],
    )


def _token_rows(tokens: Sequence[TokenEntry]) -> list[TokenRow]:
    rows = [
        (entry.serial, _bounded(entry.number), _id_bytes(entry.span_id, SPAN_ID_BYTES)) for entry in tokens
    ]
    if not all(1 <= serial <= MAX_INTEGER and span_id for serial, _, span_id in rows):
        raise Invariant("a token names no step, or has no span id")
    return rows


def _chart_row(entry: ChartEntry) -> ChartRow:
    check_leaves(entry.states)
    parent = entry.parent
    return ChartRow(
        entry.serial,
        encodable(entry.name, MAX_NAME),
        tuple([encodable(state, MAX_NAME) for state in entry.states]),
        _bounded(entry.number),
        coded(entry.status),
        None if parent is None else (_id_bytes(parent.probe, PROBE_BYTES), parent.serial),
        tuple(encodable_values(entry.values)) if entry.values else (),
        b"" if entry.structure is None else _pack(laid_out(entry.structure)),
    )


def _columns(batch: Batch, positions: dict[int, int], tables: Tables) -> Columns:
    runs = _runs(batch)
    if not batch.steps:
        return _NO_STEPS
    # zip(*steps) would make an iterator per step, and cause several garbage collections per batch.
    cells: list[Any] = list(chain.from_iterable(batch.steps))
    if set(map(len, batch.steps)) != {STEP_FIELDS}:
        raise Invariant("a step has more or fewer fields than steps have")
    charts, numbers, shapes, times, durations, queued, deferred, waited, causes, texts, values = (
        cells[field::STEP_FIELDS] for field in range(STEP_FIELDS)
    )
    chart_column = _chart_column(charts, positions)
    cause_serials, cause_numbers, elsewhere = _cause_columns(causes) if any(causes) else ([], [], [])
    return Columns(
        runs=runs,
        chart=_sparse(chart_column),
        number=_steps_per_chart(chart_column, _bounded_column(numbers)),
        shape=_sparse(_indices(shapes, tables.shape)),
        time=_deltas(_bounded_column(times)),
        duration=_sparse(durations),
        queued=_sparse(queued),
        deferred=_sparse(deferred),
        waited=_sparse(waited),
        cause_serial=cause_serials,
        cause_number=cause_numbers,
        elsewhere=elsewhere,
        texts=_text_column(texts) if any(texts) else [],
        values=_value_column(values, tables) if any(values) else [],
    )


def _runs(batch: Batch) -> list[tuple[int, int]]:
    numbers = batch.numbers
    if len(numbers) != len(batch.steps):
        raise Invariant(f"a batch of {len(batch.steps)} steps has {len(numbers)} numbers")
    if not numbers:
        return []
    if not 0 <= numbers[0] <= numbers[-1] < batch.next_number:
        raise Invariant("the numbers of a batch must lie below the next one")
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return [(numbers[0], len(numbers))]
    runs: list[tuple[int, int]] = []
    expected = start = skipped = numbers[0]
    for number in numbers[1:]:
        expected += 1
        if number != expected:
            if number < expected:
                raise Invariant("the numbers of a batch must rise")
            runs.append((skipped, expected - start))
            skipped = number - expected
            expected = start = number
    runs.append((skipped, expected + 1 - start))
    return runs


def _chart_column(charts: Sequence[ChartId], positions: dict[int, int]) -> list[int]:
    try:
        return _indices(charts, lambda chart: positions[chart.serial])
    except KeyError as error:
        raise Invariant(f"a batch has steps of chart {error.args[0]}, but no entry for it") from error


def _indices(column: Sequence[_Thing], index_of: Callable[[_Thing], int]) -> list[int]:
    # Steps share the same few chart and shape objects. Distinguishing them by identity means that each is
    # looked up, and its text hashed, once per batch instead of once per step.
    first = column[0]
    if all(map(is_, column, repeat(first))):
        return [index_of(first)] * len(column)
    identities = list(map(id, column))
    different = set(identities)
    if len(different) <= FEW:
        firsts = sorted(map(identities.index, different))
        things = {identities[first]: column[first] for first in firsts}
    else:
        things = dict(zip(identities, column, strict=True))
    indices = {identity: index_of(thing) for identity, thing in things.items()}
    return list(map(indices.__getitem__, identities))


def _steps_per_chart(charts: list[int], numbers: Sequence[int]) -> list[int]:
    if not any(charts):
        return _deltas(numbers)
    before = dict.fromkeys(charts, 0)
    column = []
    for chart, number in zip(charts, numbers, strict=True):
        column.append(number - before[chart])
        before[chart] = number
    return column


def _cause_columns(causes: Sequence[Cause | None]) -> tuple[list[int], list[int], list[ElsewhereRow]]:
    elsewhere = [
        _elsewhere_row(position, cause)
        for position, cause in enumerate(causes)
        if cause is not None and cause[2:ROOT] != _PLAIN_CAUSE
    ]
    if elsewhere:
        kept: list[Cause | None] = list(causes)
        for row in elsewhere:
            kept[row[0]] = None
        causes = kept
        if not any(causes):
            return [], [], elsewhere
    serials = [0 if cause is None else cause[0] for cause in causes]
    numbers: list[int] = []
    before = dict.fromkeys(serials, 0)
    for cause in filter(None, causes):
        serial, number = cause[:2]
        if not 0 <= number <= MAX_INTEGER:
            number = _bounded(number)
        numbers.append(number - before[serial])
        before[serial] = number
    if len(numbers) + serials.count(0) != len(serials) or not 0 <= min(before) <= max(before) <= MAX_INTEGER:
        raise Invariant("a step's cause names a chart by a serial that no chart has")
    return serials, numbers, elsewhere


def _elsewhere_row(position: int, cause: Cause) -> ElsewhereRow:
    serial, number, probe, trace_id, span_id, claimed, _ = cause
    only_span = bool(trace_id and span_id) and not (serial or number or probe)
    if not only_span and (not 1 <= serial <= MAX_INTEGER or span_id):
        raise Invariant("a cause needs either a step or the span of a trace")
    return (
        position,
        serial,
        _bounded(number),
        _id_bytes(probe, PROBE_BYTES),
        _id_bytes(trace_id, TRACE_ID_BYTES),
        _id_bytes(span_id, SPAN_ID_BYTES),
        claimed,
    )


def _id_bytes(digits: str, size: int) -> bytes:
    """Return an id of ``size`` bytes given in hex; no bytes if there is none."""
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        raise Invariant(f"an id of {size} bytes is not hex") from None
    if found and len(found) != size:
        raise Invariant(f"an id of {size} bytes has {len(found)}")
    return found


def _value_column(values: Sequence[tuple[tuple[str, Value], ...]], tables: Tables) -> list[ValueRow]:
    return [
        (position, tuple([(tables.index(name), value) for name, value in encodable_values(some)]))
        for position, some in enumerate(values)
        if some
    ]


def _text_column(texts: Sequence[tuple[str, ...]]) -> list[TextRow]:
    return [(position, encodable_texts(some)) for position, some in enumerate(texts) if some]


def _deltas(column: Sequence[int]) -> list[int]:
    return [column[0], *map(sub, column[1:], column)]


def _sparse(column: Sequence[int]) -> list[int]:
    """Return an empty column in place of zeros only: most charts never defer, and many never wait."""
    return list(_bounded_column(column)) if any(column) else []


def _bounded_column(column: Sequence[int]) -> Sequence[int]:
    if min(column) >= 0 and max(column) <= MAX_INTEGER:
        return column
    return [_bounded(number) for number in column]


def _bounded(number: int) -> int:
    """Clamp a number to the format's range: a clock that ran backwards must not cost a batch."""
    return min(max(number, 0), MAX_INTEGER)
