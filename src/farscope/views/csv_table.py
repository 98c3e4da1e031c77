"""Steps as a CSV table, one row per step."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from farscope.records.step import Cause, Step
from farscope.views.json_text import json_text
from farscope.views.step_facts import logs_of, plain_values
from farscope.views.text import escape
from farscope.views.timestamps import Clock, own_clock, utc_text

COLUMNS = (
    "time",
    "time_ns",
    "corrected_ns",
    "chart",
    "host",
    "pid",
    "service",
    "serial",
    "probe",
    "number",
    "kind",
    "signal",
    "start",
    "end",
    "start_states",
    "end_states",
    "duration_ns",
    "ended_ns",
    "waited_ns",
    "queued",
    "deferred",
    "cause_serial",
    "cause_number",
    "cause_probe",
    "cause_claimed",
    "cause_trace_id",
    "cause_span_id",
    "values",
    "logs",
    "spy",
)

_FORMULA = tuple("=+-@")


def csv_rows(steps: Iterable[Step], clock: Clock = own_clock) -> Iterator[str]:
    """Yield the header and a row for each step, each ending in CR LF as required by RFC 4180.

    Text is on one line with control characters made visible, and log records and spy lines are joined by
    `` | ``. The active states before and after are JSON arrays, and values are a JSON object. Text that
    a spreadsheet would interpret as a formula is prefixed with an apostrophe; JSON lines contain it
    unchanged. ``time`` and ``time_ns`` are when the step began and ``ended_ns`` when it ended, by the
    machine's own clock; ``corrected_ns`` is when it began according to ``clock``, if one is given.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for step in steps:
        yield _taken(buffer)
        writer.writerow(_row(step, "" if clock is own_clock else clock(step)))
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _row(step: Step, corrected_ns: int | str) -> tuple[str | int, ...]:
    chart, shape = step.chart, step.shape
    return (
        utc_text(step.time_ns),
        step.time_ns,
        corrected_ns,
        _cell(chart.name),
        _cell(chart.host),
        chart.pid,
        _cell(chart.service),
        chart.serial,
        _cell(chart.probe),
        step.number,
        shape.kind.name.lower(),
        _cell(shape.signal),
        _cell(shape.start),
        _cell(shape.end),
        _json_cell(shape.start_states),
        _json_cell(shape.end_states),
        step.duration_ns,
        step.ended_ns,
        step.waited_ns,
        step.queued,
        step.deferred,
        *_cause_cells(step.cause),
        _json_cell(plain_values(step.values)) if step.values else "",
        _cell(" | ".join(f"{record.level} {record.logger}: {record.message}" for record in logs_of(step))),
        _cell(" | ".join(step.spy())),
    )


def _json_cell(thing: Any) -> str:
    """Write JSON, which no spreadsheet takes for a formula: it begins with a bracket."""
    return json_text(thing)


def _cause_cells(cause: Cause | None) -> tuple[str | int, ...]:
    if cause is None:
        return ("",) * 6
    place: tuple[str | int, ...] = (cause.serial, cause.number, cause.probe) if cause.serial else ("", "", "")
    return *place, "claimed" if cause.claimed else "", cause.trace_id, cause.span_id


def _cell(text: str) -> str:
    shown = escape(text).encode("utf-8", "backslashreplace").decode()
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
