"""Steps as OpenTelemetry spans in OTLP/JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from farscope.records.step import Step
from farscope.records.weight import texts_bytes
from farscope.views.json_text import json_text
from farscope.views.otlp_spans import SCOPE_NAME, Attributes, Process, Span, SpanId, Spans, process_of

SPANS_A_LINE = 512
"""Number of spans of a process collected into one line; fewer at the end of the run."""

WAITING_BYTES = 16 << 20
"""Maximum size of the steps of all collected spans, in bytes; at the limit all are written."""

_SPAN_BYTES = 4_000
"""Bytes that a span takes besides the texts and names of its step."""

_ERROR = 2

MOST_INT = 1 << 63
"""Whole numbers from here on do not fit into the protocol's, and are written as text."""


def otlp_lines(steps: Iterable[Step]) -> Iterator[str]:
    """Yield lines that are each a complete export request, ready to be posted to ``/v1/traces``.

    Collectors read this format from files. Each step is a span, and a causal chain is a trace: the parent of
    a span, to which it also has a link, is the step that posted the event. Facts are events of the span. Ids
    are derived from the chart and the step number, so exporting again produces the same ids.
    At most ``SPANS_A_LINE`` spans per process are held in memory.
    """
    waiting: dict[Process, list[dict[str, Any]]] = {}
    size, made = 0, Spans()
    for step in steps:
        size += _SPAN_BYTES + texts_bytes(step.texts) + 4 * step.shape.line_characters
        process = process_of(step)
        spans = waiting.setdefault(process, [])
        spans.append(_json_span(made.span_of(step)))
        if len(spans) >= SPANS_A_LINE:
            yield _request(process, spans)
            del waiting[process]
        if size > WAITING_BYTES:
            for process, spans in waiting.items():
                yield _request(process, spans)
            waiting.clear()
            size = 0
    for process, spans in waiting.items():
        yield _request(process, spans)


def _request(process: Process, spans: list[dict[str, Any]]) -> str:
    resource = {"attributes": _attributes(process.attributes)}
    scope_spans = [{"scope": {"name": SCOPE_NAME}, "spans": spans}]
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}
    return f"{json_text(request)}\n"


def _json_span(span: Span) -> dict[str, Any]:
    end = str(span.end_ns)
    made: dict[str, Any] = {
        **_ids(span.id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": end,
        "attributes": _attributes(span.attributes),
        "events": [
            {"timeUnixNano": end, "name": event.name, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
    }
    if span.parent is not None:
        made["parentSpanId"] = f"{span.parent:016x}"
    if span.links:
        made["links"] = [
            {**_ids(link.target), "attributes": _attributes(link.attributes)} for link in span.links
        ]
    if span.error is not None:
        made["status"] = {"code": _ERROR, "message": span.error}
    return made


def _ids(span_id: SpanId) -> dict[str, str]:
    """Write ids in hex, where OTLP/JSON departs from protobuf's own JSON."""
    return {"traceId": f"{span_id.trace:032x}", "spanId": f"{span_id.span:016x}"}


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: str | float | tuple[str, ...]) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [{"stringValue": each} for each in value]}}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -MOST_INT <= value < MOST_INT else {"stringValue": str(value)}
    return {"doubleValue": value}
