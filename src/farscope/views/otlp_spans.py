"""Steps as OpenTelemetry spans, independent of the transport format."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeAlias

from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step

Attributes: TypeAlias = dict[str, str | int]

SCOPE_NAME = "farscope"

INTERNAL = 1
"""Kind of a span whose event came from outside any chart; the number is the protocol's."""
CONSUMER = 5
"""Kind of a span whose event was posted by a step."""


UNKNOWN_SERVICE = "unknown_service"
"""What the protocol calls a process that does not say what it is."""


class Process(NamedTuple):
    """The OpenTelemetry resource shared by the spans of one process."""

    host: str
    pid: int
    probe: str
    service: str = ""

    @property
    def attributes(self) -> Attributes:
        """What the resource tells of itself."""
        return {
            "service.name": self.service or UNKNOWN_SERVICE,
            "service.instance.id": f"{self.host}:{self.pid}",
            "host.name": self.host,
            "process.pid": self.pid,
            "farscope.probe": self.probe,
        }


class SpanId(NamedTuple):
    """The identity of a span, derived from the step so that it is the same for every export."""

    trace: int
    """128 bits, never 0."""
    span: int
    """64 bits, never 0."""


class Link(NamedTuple):
    """Leads to another span."""

    target: SpanId
    attributes: Attributes


class Event(NamedTuple):
    """What happened during a span."""

    name: str
    attributes: Attributes


class Span(NamedTuple):
    """A step as a span in a separate trace."""

    id: SpanId
    process: Process
    name: str
    kind: int
    start_ns: int
    """In nanoseconds since the epoch."""
    end_ns: int
    """Also the time of its events: facts have no time, and the result of a step holds from its end."""
    attributes: Attributes
    events: tuple[Event, ...]
    """The step's facts."""
    links: tuple[Link, ...]
    """To the span of the step that posted the event, if any did."""
    error: str | None
    """What the handler raised; None where it did not."""


def process_of(step: Step) -> Process:
    """Return the process a step was made in."""
    return Process(step.chart.host, step.chart.pid, step.chart.probe, step.chart.service)


def span_of(step: Step) -> Span:
    """Return a step as a span."""
    chart, shape = step.chart, step.shape
    return Span(
        id=_span_id(chart, chart.serial, step.number),
        process=process_of(step),
        name=f"{chart.name} {shape.signal}",
        kind=INTERNAL if step.cause is None else CONSUMER,
        start_ns=step.time_ns,
        end_ns=step.ended_ns,
        attributes={
            "statechart.chart": chart.name,
            "statechart.serial": chart.serial,
            "statechart.step": step.number,
            "statechart.kind": shape.kind.name.lower(),
            "statechart.signal": shape.signal,
            "statechart.start": shape.start,
            "statechart.end": shape.end,
            "statechart.queued": step.queued,
            "statechart.deferred": step.deferred,
            "statechart.waited_ns": step.waited_ns,
        },
        events=tuple(
            Event(
                line or "(empty)", {"statechart.fact": fact.kind.name.lower(), "statechart.name": fact.name}
            )
            for fact, line in shape.fact_lines(step.texts)
        ),
        links=_links(step),
        error="\n".join(step.texts) if shape.kind is StepKind.FAILED else None,
    )


def _links(step: Step) -> tuple[Link, ...]:
    if step.cause is None or not step.cause.is_local:
        return ()
    target = _span_id(step.chart, step.cause.serial, step.cause.number)
    return (Link(target, {"statechart.link": "posted by"}),)


def _span_id(chart: ChartId, serial: int, number: int) -> SpanId:
    """Make ids from what a cause also knows: never the chart's name."""
    identity = f"{chart.probe}\0{chart.host}\0{chart.pid}\0{serial}\0{number}".encode("utf-8", "replace")
    return SpanId(_digest(b"trace", identity, 16), _digest(b"span", identity, 8))


def _digest(purpose: bytes, identity: bytes, size: int) -> int:
    """Return a number of ``size`` bytes; zeros alone would be no id."""
    digest = hashlib.blake2b(identity, digest_size=size, person=purpose).digest()
    return int.from_bytes(digest, "big") or 1
