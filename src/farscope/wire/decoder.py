"""Turns a laid-out body back into a batch, validating everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import partial
from itertools import accumulate, chain, repeat
from typing import Any, Final, TypeVar, cast

import msgspec

from farscope.errors import Malformed
from farscope.records.configuration import Configuration
from farscope.records.facts import AnyFactKind, Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, ChartRef, RawStep, Value
from farscope.records.structure import (
    ChartStatus,
    ChartStructure,
    Reaction,
    ReactionFlag,
    StateInfo,
    StateKind,
)
from farscope.records.trace_context import SPAN_ID_BYTES, TRACE_ID_BYTES
from farscope.records.weight import ID_BYTES, structure_bytes, texts_bytes, values_bytes
from farscope.wire.batch import Batch, ChartEntry, Drop, TokenEntry
from farscope.wire.body_schema import (
    MAX_INTEGER,
    MAX_STEPS,
    MAX_VALUE,
    TOKENS,
    Body,
    ChartRow,
    Columns,
    Dictionary,
    ElsewhereRow,
    NamedKind,
    Structure,
    TokenRows,
)
from farscope.wire.envelope import PROBE_BYTES
from farscope.wire.intern import Interned

_Kind = TypeVar("_Kind", bound=IntEnum)
_Laid = TypeVar("_Laid")
_Row = TypeVar("_Row", bound=tuple[Any, ...])

UNREADABLE: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
"""The errors that hostile MessagePack causes: those of msgspec, and of Python's text and number types."""

_NO_TEXTS: tuple[str, ...] = ()
_NO_VALUES: tuple[tuple[str, Value], ...] = ()
_PLAIN_CAUSE = tuple(Cause())[2:]
_cause = partial(tuple.__new__, Cause)  # half the cost of Cause(...), which parses its arguments in Python
_dictionaries = msgspec.msgpack.Decoder(Dictionary)
_token_rows = msgspec.msgpack.Decoder(TokenRows)
_structures = msgspec.msgpack.Decoder(Structure)


def take_up(body: Body, probe: bytes, interned: Interned) -> Batch:
    """Return the batch of a body, reusing the shapes and chart ids that ``interned`` knows already.

    Raises:
        Malformed: indices, lengths, sums or numbers are inconsistent.
    """
    met_bytes = interned.met_bytes
    columns = body.steps
    numbers = _numbers(columns.runs, body.next_number)
    strings, shapes = _dictionary(body.dictionary, interned)
    charts = tuple([_entry(row, interned) for row in body.charts])
    if len({entry.serial for entry in charts}) != len(charts):
        raise Malformed("a batch presents one chart twice")
    probe_id, host, pid, service = probe.hex(), body.host, body.pid, body.service
    ids = [
        interned.chart(ChartId(entry.name, host, pid, entry.serial, probe_id, service)) for entry in charts
    ]
    steps, extra_bytes = _steps(columns, len(numbers), ids, shapes, strings)
    return Batch(
        host=host,
        pid=pid,
        started_ns=body.started_ns,
        sent_ns=body.sent_ns,
        next_number=body.next_number,
        service=service,
        writer=body.writer,
        heartbeat_ns=body.heartbeat_ns,
        charts=charts,
        numbers=numbers,
        steps=steps,
        drops=_drops(body) if body.drops else (),
        tokens=_tokens(body),
        claims=any(row[-1] for row in columns.elsewhere),
        skipped=tuple([name for name, _ in body.sections if name != TOKENS]),
        extra_bytes=interned.met_bytes - met_bytes + extra_bytes,
        renewed=interned.renewed,
    )


def _dictionary(data: bytes, interned: Interned) -> tuple[Sequence[str], Sequence[Shape]]:
    """Return the strings and shapes of a batch."""
    if not data:
        return (), ()
    known = interned.dictionary(data)
    if known is not None:
        return known
    laid = _read(_dictionaries, data)
    strings = laid.strings
    try:
        facts = [Fact(_fact_kind(kind), strings[name], strings[detail]) for kind, name, detail in laid.facts]
        shapes = [
            interned.shape(
                Shape(
                    _kind(StepKind, kind),
                    strings[signal],
                    _leaves(start, strings),
                    _leaves(end, strings),
                    tuple([facts[i] for i in row]),
                )
            )
            for kind, signal, start, end, row in laid.shapes
        ]
    except IndexError as error:
        raise Malformed("a table of the batch refers to an entry that is not there") from error
    interned.keep_dictionary(data, strings, shapes)
    return strings, shapes


def _fact_kind(kind: FactKind | NamedKind) -> AnyFactKind:
    return kind if type(kind) is FactKind else _kind(FactKind, kind)


def _kind(kinds: type[_Kind], kind: _Kind | NamedKind) -> _Kind | UnknownKind:
    """Return a kind of the format's table, or one that came with its name."""
    if not isinstance(kind, tuple):
        return kind
    number, name = kind
    if number in kinds.__members__.values():
        raise Malformed(f"the kind {number} is called {name}")
    return UnknownKind(number, name)


def _leaves(row: int | tuple[int, ...], strings: Sequence[str]) -> Configuration:
    return tuple([strings[index] for index in ((row,) if isinstance(row, int) else row)])


def _read(decoder: msgspec.msgpack.Decoder[_Laid], data: bytes) -> _Laid:
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise Malformed("the body of a batch breaks the format") from error


def _entry(row: ChartRow, interned: Interned) -> ChartEntry:
    return ChartEntry(
        row.serial,
        row.name,
        row.states,
        row.number,
        _kind(ChartStatus, row.status),
        _structure(row.structure, interned) if row.structure else None,
        None if row.parent is None else ChartRef(row.parent[1], _hex(row.parent[0], PROBE_BYTES)),
        row.values,
    )


def _structure(data: bytes, interned: Interned) -> ChartStructure:
    known = interned.structure(data)
    if known is not None:
        return known
    laid = _read(_structures, data)
    strings = laid.strings
    try:
        structure = ChartStructure(
            tuple(
                StateInfo(strings[name], strings[parent], _kind(StateKind, kind))
                for name, parent, kind in laid.states
            ),
            tuple(
                Reaction(
                    strings[state],
                    strings[signal],
                    strings[target],
                    strings[guard],
                    tuple([_kind(ReactionFlag, flag) for flag in flags]) if flags else (),
                    strings[delay],
                    tuple([strings[index] for index in more]) if more else (),
                )
                for state, signal, target, guard, flags, delay, more in laid.reactions
            ),
            strings[laid.initial],
            strings[laid.library],
        )
    except IndexError as error:
        raise Malformed("a structure refers to a name that is not there") from error
    interned.keep_structure(data, structure, structure_bytes(structure))
    return structure


def _hex(data: bytes, size: int) -> str:
    if data and len(data) != size:
        raise Malformed(f"an id of {size} bytes has {len(data)}")
    return data.hex()


def _numbers(runs: list[tuple[int, int]], next_number: int) -> list[int]:
    if sum(count for _, count in runs) > MAX_STEPS:
        raise Malformed(f"a batch claims more than {MAX_STEPS} steps")
    numbers: list[int] = []
    position = 0
    for skipped, count in runs:
        position += skipped
        numbers.extend(range(position, position + count))
        position += count
    if position > next_number:
        raise Malformed("a batch numbers its steps beyond its own next number")
    return numbers


def _drops(body: Body) -> tuple[Drop, ...]:
    if any(row.first + row.count > body.next_number for row in body.drops):
        raise Malformed("a batch declares a loss beyond its own next number")
    return tuple(Drop(row.first, row.count, row.reason) for row in body.drops)


def _tokens(body: Body) -> tuple[TokenEntry, ...]:
    sections = [data for name, data in body.sections if name == TOKENS] if body.sections else []
    if not sections:
        return ()
    if len(sections) > 1:
        raise Malformed("a batch has two sections of tokens")
    rows = _read(_token_rows, sections[0])
    return tuple([TokenEntry(serial, number, span_id.hex()) for serial, number, span_id in rows])


def _steps(
    columns: Columns, size: int, ids: list[ChartId], shapes: Sequence[Shape], strings: Sequence[str]
) -> tuple[list[RawStep], int]:
    """Return the steps, and the memory in bytes of their texts, values and ids."""
    if not size:
        _demand_empty(columns)
        return [], 0
    chart = _full(columns.chart, size)
    shape = _full(columns.shape, size)
    if max(chart) >= len(ids) or max(shape) >= len(shapes):
        raise Malformed("a step refers to a chart or a shape that is not there")
    extra_bytes = sum(texts_bytes(texts) for _, texts in columns.texts) if columns.texts else 0
    extra_bytes += ID_BYTES * len(columns.elsewhere)
    values: Iterable[tuple[tuple[str, Value], ...]] = repeat(_NO_VALUES, size)
    if columns.values:
        values = _values(columns, size, strings)
        extra_bytes += sum(map(values_bytes, values))
    steps = list(
        zip(
            map(ids.__getitem__, chart),
            _numbers_in_chart(columns, chart, size),
            map(shapes.__getitem__, shape),
            _sums(_full(columns.time, size)),
            _full(columns.duration, size),
            _full(columns.queued, size),
            _full(columns.deferred, size),
            _full(columns.waited, size),
            _causes(columns, size),
            _texts(columns, size),
            values,
            strict=True,
        )
    )
    return steps, extra_bytes


def _demand_empty(columns: Columns) -> None:
    if any(getattr(columns, name) for name in columns.__struct_fields__):
        raise Malformed("a batch without steps has columns of them")


def _full(column: list[int], size: int) -> list[int]:
    if not column:
        return [0] * size
    if len(column) != size:
        raise Malformed(f"a column of {len(column)} entries in a batch of {size} steps")
    return column


def _sums(deltas: list[int]) -> list[int]:
    sums = list(accumulate(deltas))
    if sums and (min(sums) < 0 or max(sums) > MAX_INTEGER):
        raise Malformed("the deltas of a column leave the range of 63 bits")
    return sums


def _numbers_in_chart(columns: Columns, chart: list[int], size: int) -> list[int]:
    deltas = _full(columns.number, size)
    return _sums_by(chart, deltas) if columns.chart else _sums(deltas)


def _sums_by(owners: Iterable[int], deltas: list[int]) -> list[int]:
    before = dict.fromkeys(owners, 0)
    sums = []
    for owner, delta in zip(owners, deltas, strict=True):
        before[owner] = number = before[owner] + delta
        sums.append(number)
    if sums and (min(sums) < 0 or max(sums) > MAX_INTEGER):
        raise Malformed("the deltas of a column leave the range of 63 bits")
    return sums


def _causes(columns: Columns, size: int) -> Iterable[Cause | None]:
    serials = _full(columns.cause_serial, size)
    named = [serial for serial in serials if serial]
    if len(named) != len(columns.cause_number):
        raise Malformed(f"{len(named)} steps have a cause, {len(columns.cause_number)} numbers are given")
    if not named and not columns.elsewhere:
        return repeat(None, size)
    numbers = _sums_by(named, columns.cause_number)
    own = cast(
        "Iterator[Cause]",
        map(_cause, zip(named, numbers, *map(repeat, _PLAIN_CAUSE), strict=False)),
    )
    causes = [next(own) if serial else None for serial in serials]
    for row in _placed(columns.elsewhere, size):
        if causes[row[0]] is not None:
            raise Malformed("a step has two causes")
        causes[row[0]] = _elsewhere(row)
    return causes


def _elsewhere(row: ElsewhereRow) -> Cause:
    _, serial, number, probe, trace_id, span_id, claimed = row
    only_span = trace_id and span_id and not (serial or number or probe)
    if not only_span and (not serial or span_id):
        raise Malformed("a cause is neither a step nor the span of a trace")
    trace, span = _hex(trace_id, TRACE_ID_BYTES), _hex(span_id, SPAN_ID_BYTES)
    return Cause(serial, number, _hex(probe, PROBE_BYTES), trace, span, claimed)


def _texts(columns: Columns, size: int) -> Iterable[tuple[str, ...]]:
    if not columns.texts:
        return repeat(_NO_TEXTS, size)
    texts = [_NO_TEXTS] * size
    for position, some in _placed(columns.texts, size):
        texts[position] = some
    return texts


def _values(columns: Columns, size: int, strings: Sequence[str]) -> list[tuple[tuple[str, Value], ...]]:
    values = [_NO_VALUES] * size
    try:
        for position, some in _placed(columns.values, size):
            values[position] = tuple([(strings[name], value) for name, value in some])
            if any(len(name) > MAX_VALUE for name, _ in values[position]):
                raise Malformed(f"the name of a value is over the limit of {MAX_VALUE} characters")
    except IndexError as error:
        raise Malformed("a value's name is not there") from error
    return values


def _placed(rows: Sequence[_Row], size: int) -> Sequence[_Row]:
    """Check that rows begin with the positions of steps, in ascending order; return them."""
    if not rows:
        return rows
    positions = [row[0] for row in rows]
    if any(later <= earlier for earlier, later in zip(chain((-1,), positions), positions, strict=False)):
        raise Malformed("rows about the steps of a batch are out of order")
    if positions[-1] >= size:
        raise Malformed("a row is about a step that is not there")
    return rows
