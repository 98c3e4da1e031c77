"""Steps as OpenTelemetry spans in OTLP/JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step
from farscope.views.json_text import json_text

SPANS_A_LINE = 512
"""Spans of a process that are gathered into one line; fewer where the run ends."""

SCOPE = {"name": "farscope"}

_INTERNAL = 1
_CONSUMER = 5
_ERROR = 2


def otlp_lines(steps: Iterable[Step]) -> Iterator[str]:
    """Yield lines each of which is a whole export request, ready to be posted to ``/v1/traces``.

    That is the format collectors read from files. A step is a span in a trace of its own, its facts
    are events of the span, and its cause is a link to the span of the step that posted the event.
    Ids follow from the chart and the step's number: exporting again gives the same ids.
    At most ``SPANS_A_LINE`` spans a process are held in memory.
    """
    waiting: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for step in steps:
        process = (step.chart.host, step.chart.pid, step.chart.probe)
        spans = waiting.setdefault(process, [])
        spans.append(_span(step))
        if len(spans) >= SPANS_A_LINE:
            yield _request(process, spans)
            del waiting[process]
    for process, spans in waiting.items():
        yield _request(process, spans)


def _request(process: tuple[str, int, str], spans: list[dict[str, Any]]) -> str:
    host, pid, probe = process
    resource = {
        "attributes": [
            _text("service.name", "farscope"),
            _text("service.instance.id", f"{host}:{pid}"),
            _text("host.name", host),
            _number("process.pid", pid),
            _text("farscope.probe", probe),
        ]
    }
    scope_spans = [{"scope": SCOPE, "spans": spans}]
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}
    return f"{json_text(request)}\n"


def _span(step: Step) -> dict[str, Any]:
    chart, shape = step.chart, step.shape
    moment = str(step.time_ns)
    span: dict[str, Any] = {
        "traceId": _trace_id(chart, chart.serial, step.number),
        "spanId": _span_id(chart, chart.serial, step.number),
        "name": f"{chart.name} {shape.signal}",
        "kind": _INTERNAL if step.cause is None else _CONSUMER,
        "startTimeUnixNano": moment,
        "endTimeUnixNano": str(step.time_ns + step.duration_ns),
        "attributes": [
            _text("statechart.chart", chart.name),
            _number("statechart.serial", chart.serial),
            _number("statechart.step", step.number),
            _text("statechart.kind", shape.kind.name.lower()),
            _text("statechart.signal", shape.signal),
            _text("statechart.start", shape.start),
            _text("statechart.end", shape.end),
            _number("statechart.queued", step.queued),
            _number("statechart.deferred", step.deferred),
            _number("statechart.waited_ns", step.waited_ns),
        ],
        "events": [
            {
                "timeUnixNano": moment,
                "name": line or "(empty)",
                "attributes": [
                    _text("statechart.fact", fact.kind.name.lower()),
                    _text("statechart.name", fact.name),
                ],
            }
            for fact, line in zip(shape.facts, shape.lines(step.texts), strict=True)
        ],
    }
    if step.cause is not None:
        posted = step.cause
        span["links"] = [
            {
                "traceId": _trace_id(chart, posted.serial, posted.number),
                "spanId": _span_id(chart, posted.serial, posted.number),
                "attributes": [_text("statechart.link", "posted by")],
            }
        ]
    if shape.kind is StepKind.FAILED:
        span["status"] = {"code": _ERROR, "message": "\n".join(step.texts)}
    return span


def _text(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": text}}


def _number(key: str, number: int) -> dict[str, Any]:
    return {"key": key, "value": {"intValue": str(number)}}


def _trace_id(chart: ChartId, serial: int, number: int) -> str:
    return _digest(b"trace", chart, serial, number, 16)


def _span_id(chart: ChartId, serial: int, number: int) -> str:
    return _digest(b"span", chart, serial, number, 8)


def _digest(purpose: bytes, chart: ChartId, serial: int, number: int, size: int) -> str:
    """Make an id from what a cause also knows: never the chart's name, and never all zeros."""
    identity = f"{chart.probe}\0{chart.host}\0{chart.pid}\0{serial}\0{number}"
    digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=size, person=purpose)
    return digest.hexdigest() if any(digest.digest()) else "1".zfill(2 * size)
