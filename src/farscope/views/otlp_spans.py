"""Steps as OpenTelemetry spans, independent of the transport format."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeAlias

from farscope.records.configuration import TOP
from farscope.records.facts import Fact
from farscope.records.shape import StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.structure import ChartStatus
from farscope.records.trace_context import span_id, trace_id
from farscope.views.step_facts import completed_in, failure_in, plain_values, transitions_of

Attributes: TypeAlias = dict[str, str | bool | int | float | tuple[str, ...]]

SCOPE_NAME = "farscope"

VALUE_PREFIX = "statechart.value."
"""Begins the names of attributes that are values of a chart."""

INTERNAL = 1
"""Kind of a span whose event came from outside any chart; the number is the protocol's."""
CONSUMER = 5
"""Kind of a span whose event was posted by a step."""


MAX_TRACES = 100_000
"""Steps whose trace is remembered, some 20 MB; at the limit the oldest is forgotten, and what it causes from
then on begins another trace."""

_StepKey: TypeAlias = tuple[str, str, int, int, int]
"""(probe, host, process, serial, number); host and process only if there is no probe."""

UNKNOWN_SERVICE = "unknown_service"
"""The protocol's name for a process without a service name."""


class Process(NamedTuple):
    """The OpenTelemetry resource shared by the spans of one process."""

    host: str
    pid: int
    probe: str
    service: str = ""

    @property
    def attributes(self) -> Attributes:
        """The resource's attributes."""
        return {
            "service.name": self.service or UNKNOWN_SERVICE,
            "service.instance.id": f"{self.host}:{self.pid}",
            "host.name": self.host,
            "process.pid": self.pid,
            "farscope.probe": self.probe,
        }


class SpanId(NamedTuple):
    """The identity of a span.

    The span is derived from the step, and the trace from the first step of the causal chain, so that they are
    the same for every export, and the same as in the tokens that the step handed out.
    """

    trace: int
    """128 bits, never 0."""
    span: int
    """64 bits, never 0."""


class Link(NamedTuple):
    """Leads to another span."""

    target: SpanId
    attributes: Attributes


class Event(NamedTuple):
    """A fact of the step, as an event of its span."""

    name: str
    attributes: Attributes


class Span(NamedTuple):
    """A step as a span in the trace of its causal chain."""

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
    parent: int | None
    """The span of the step, or of another program, that caused it; None for the first of its trace."""
    error: str | None
    """The error that the handler raised; None if it raised none."""


def process_of(step: Step) -> Process:
    """Return the process a step was made in."""
    return Process(step.chart.host, step.chart.pid, step.chart.probe, step.chart.service)


class Spans:
    """Makes spans of steps, one trace for each causal chain; for one thread.

    A chain that comes from another program with its trace keeps that trace. Other chains have one that is
    derived from their first step. If that step is not among those given here, because they begin later, it
    is the first known one. Steps must be given after the steps that caused them.
    """

    def __init__(self, limit: int = MAX_TRACES) -> None:
        self._limit = limit
        self._traces: dict[_StepKey, int] = {}

    def span_of(self, step: Step) -> Span:
        """Return a step as a span."""
        chart, shape = step.chart, step.shape
        cause = None if step.cause is None else self._cause_of(step, step.cause)
        own = _key(chart, chart.serial, step.number)
        span_id = SpanId(_trace_of(own) if cause is None else cause.trace, _span_of(own))
        self._remember(own, span_id.trace)
        return Span(
            id=span_id,
            process=process_of(step),
            name=f"{chart.name} {shape.signal}",
            kind=INTERNAL if step.cause is None else CONSUMER,
            start_ns=step.time_ns,
            end_ns=step.ended_ns,
            attributes=_attributes_of(step),
            events=tuple(
                Event(
                    line or "(empty)",
                    _attributes_of_fact(fact),
                )
                for fact, line in shape.fact_lines(step.texts)
            ),
            links=() if cause is None or step.cause is None else (Link(cause, _link_of(step.cause)),),
            parent=None if cause is None else cause.span,
            error=_error_of(step),
        )

    def _cause_of(self, step: Step, cause: Cause) -> SpanId:
        if not cause.serial:
            return SpanId(int(cause.trace_id, 16), int(cause.span_id, 16))
        chart = step.chart._replace(probe=cause.probe) if cause.probe else step.chart
        key = _key(chart, cause.serial, cause.number)
        trace = int(cause.trace_id, 16) if cause.trace_id else self._traces.get(key)
        return SpanId(_trace_of(key) if trace is None else trace, _span_of(key))

    def _remember(self, key: _StepKey, trace: int) -> None:
        self._traces[key] = trace
        if len(self._traces) > self._limit:
            del self._traces[next(iter(self._traces))]


def _attributes_of(step: Step) -> Attributes:
    chart, shape = step.chart, step.shape
    finished = not step.end_states and TOP in completed_in(step)
    known: Attributes = {
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
        "statechart.start_states": step.start_states,
        "statechart.end_states": step.end_states,
        "statechart.status": (ChartStatus.FINISHED if finished else ChartStatus.RUNNING).name.lower(),
    }
    if transitions := transitions_of(step):
        known["statechart.transitions"] = tuple(f"{each.source} -> {each.target}" for each in transitions)
    values = plain_values(step.values)
    return known | {f"{VALUE_PREFIX}{name}": value for name, value in values.items()}


def _attributes_of_fact(fact: Fact) -> Attributes:
    known: Attributes = {"statechart.fact": fact.kind.name.lower(), "statechart.name": fact.name}
    return known | ({"statechart.detail": fact.detail} if fact.detail else {})


def _error_of(step: Step) -> str | None:
    """Return the error that a handler raised, even if the step then went on; None if none did."""
    failure = failure_in(step)
    if failure is not None:
        return failure.text or failure.message
    return "\n".join(step.texts) if step.kind is StepKind.FAILED else None


def _link_of(cause: Cause) -> Attributes:
    return {"statechart.link": "claimed" if cause.claimed else "posted by"}


def _key(chart: ChartId, serial: int, number: int) -> _StepKey:
    """Return what a cause also knows of a step: never the chart's name."""
    host, pid = ("", 0) if chart.probe else (chart.host, chart.pid)
    return chart.probe, host, pid, serial, number


def _trace_of(key: _StepKey) -> int:
    probe, _, _, serial, number = key
    return int(trace_id(probe, serial, number), 16) if probe else _digest(b"trace", key, 16)


def _span_of(key: _StepKey) -> int:
    probe, _, _, serial, number = key
    return int(span_id(probe, serial, number), 16) if probe else _digest(b"span", key, 8)


def _digest(purpose: bytes, key: _StepKey, size: int) -> int:
    """Return an id for a step without a probe, such as one read from text; zeros alone would be no id."""
    identity = "\0".join(map(str, key)).encode("utf-8", "replace")
    digest = hashlib.blake2b(identity, digest_size=size, person=purpose).digest()
    return int.from_bytes(digest, "big") or 1
