"""Turns a laid-out body back into a batch, validating everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate, chain, repeat
from typing import cast

from farscope.errors import Malformed
from farscope.records.facts import Fact
from farscope.records.shape import Shape
from farscope.records.step import Cause, ChartId, RawStep
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.records.weight import texts_bytes
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.body_schema import MAX_INTEGER, MAX_STEPS, Body, Columns, StructureRow
from farscope.wire.intern import Interned

_NO_TEXTS: tuple[str, ...] = ()
_cause = partial(tuple.__new__, Cause)  # half the cost of Cause(...), which parses its arguments in Python


def take_up(body: Body, probe: bytes, interned: Interned) -> Batch:
    """Return the batch of a body, reusing the shapes and chart ids that ``interned`` knows already.

    Raises:
        Malformed: indices, lengths, sums or numbers are inconsistent.
    """
    strings, met_bytes = body.strings, interned.met_bytes
    numbers = _numbers(body.steps.runs, body.next_number)
    try:
        charts = tuple(
            ChartEntry(
                row.serial,
                strings[row.name],
                strings[row.state],
                row.number,
                row.stopped,
                None if row.structure is None else _structure(row.structure, strings),
            )
            for row in body.charts
        )
        facts = [Fact(kind, strings[name], strings[detail]) for kind, name, detail in body.facts]
        shapes = [
            interned.shape(
                Shape(kind, strings[signal], strings[start], strings[end], tuple([facts[i] for i in row]))
            )
            for kind, signal, start, end, row in body.shapes
        ]
    except IndexError as error:
        raise Malformed("a table of the batch refers to an entry that is not there") from error
    if len({entry.serial for entry in charts}) != len(charts):
        raise Malformed("a batch presents one chart twice")
    probe_id = probe.hex()
    ids = [
        interned.chart(ChartId(entry.name, body.host, body.pid, entry.serial, probe_id)) for entry in charts
    ]
    return Batch(
        host=body.host,
        pid=body.pid,
        started_ns=body.started_ns,
        sent_ns=body.sent_ns,
        next_number=body.next_number,
        charts=charts,
        numbers=numbers,
        steps=_steps(body.steps, len(numbers), ids, shapes),
        drops=_drops(body),
        extra_bytes=interned.met_bytes - met_bytes + sum(texts_bytes(texts) for _, texts in body.steps.texts),
        renewed=interned.renewed,
    )


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


def _structure(row: StructureRow, strings: list[str]) -> ChartStructure:
    states, reactions = row
    return ChartStructure(
        tuple(StateInfo(strings[name], strings[parent]) for name, parent in states),
        tuple(
            Reaction(strings[state], strings[signal], strings[target]) for state, signal, target in reactions
        ),
    )


def _steps(columns: Columns, size: int, ids: list[ChartId], shapes: list[Shape]) -> list[RawStep]:
    if not size:
        _demand_empty(columns)
        return []
    chart = _full(columns.chart, size)
    shape = _full(columns.shape, size)
    if max(chart) >= len(ids) or max(shape) >= len(shapes):
        raise Malformed("a step refers to a chart or a shape that is not there")
    return list(
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
            strict=True,
        )
    )


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
    if not named:
        return repeat(None, size)
    causes = cast(
        "Iterator[Cause]", map(_cause, zip(named, _sums_by(named, columns.cause_number), strict=True))
    )
    return [next(causes) if serial else None for serial in serials]


def _texts(columns: Columns, size: int) -> Iterable[tuple[str, ...]]:
    if not columns.texts:
        return repeat(_NO_TEXTS, size)
    positions = [position for position, _ in columns.texts]
    if any(later <= earlier for earlier, later in zip(chain((-1,), positions), positions, strict=False)):
        raise Malformed("the texts of a batch are out of order")
    if positions[-1] >= size:
        raise Malformed("a text belongs to a step that is not there")
    texts = [_NO_TEXTS] * size
    for position, some in columns.texts:
        texts[position] = some
    return texts
