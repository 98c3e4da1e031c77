"""A collector accessed through OpenTelemetry's exporter; needs the extra ``otel``.

The exporter is called directly, without the SDK's batch processor, which silently drops a batch when an
attempt fails. As the exporter reports only success or failure, its connection records the
response, and never lets it repeat a request by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from farscope.cli.otlp.sender import Answer, Verdict
from farscope.errors import UsageError
from farscope.logs.url import is_cut_in_password, redacted
from farscope.views.json_text import whole_text
from farscope.views.otlp import MOST_INT
from farscope.views.otlp_spans import CONSUMER, SCOPE_NAME, Attributes, Process, Span, SpanId

TRACES_PATH: Final = "/v1/traces"
"""Default path for spans on a collector."""

_LATER = frozenset({429, 502, 503, 504})
"""Statuses the protocol wants repeated; it forbids that for all others."""
_HOPELESS = frozenset({401, 403, 404, 405, 407, 415})
_TOO_LARGE = 413

_RESOURCES_KEPT = 1_024
"""Processes whose resource is remembered; beyond that it is made again."""

_SCOPE = InstrumentationScope(SCOPE_NAME)


@contextmanager
def open_collector(address: str) -> Iterator[HttpCollector]:
    """Give what delivers to ``address``, which may be that of a collector or of its ``/v1/traces``.

    What OpenTelemetry's variables say (``OTEL_EXPORTER_OTLP_HEADERS``, ``_TIMEOUT``, ``_CERTIFICATE``,
    ``_COMPRESSION``) holds. Meanwhile OpenTelemetry's own complaints are not logged: all is in the answers.

    Raises:
        UsageError: no address to send to, or a variable that makes no sense.
    """
    endpoint = _endpoint(address)
    line = _Line()
    try:
        exporter = OTLPSpanExporter(endpoint, session=line)
    except ValueError as error:
        raise UsageError(
            f"OpenTelemetry does not accept a setting: {error}", "see the variables OTEL_EXPORTER_OTLP_*"
        ) from error
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield HttpCollector(redacted(endpoint), exporter, line)
    finally:
        line.close()
        logger.setLevel(level)


class HttpCollector:
    """Delivers spans over HTTP, as protobuf; for one thread."""

    def __init__(self, address: str, exporter: OTLPSpanExporter, line: _Line) -> None:
        self.address = address
        self._exporter = exporter
        self._line = line

    def deliver(self, spans: Sequence[Span]) -> Answer:
        """Make one attempt; returns when it is answered, or after 10 seconds without an answer."""
        # Releases of OpenTelemetry differ in whether they let an error of the connection through.
        with suppress(_NotTakenError):
            self._exporter.export([readable(span) for span in spans])
        # Nothing was sent: the spans are more than the exporter sends at once, or not to be encoded.
        return self._line.take_answer() or Answer(Verdict.TOO_LARGE, "it does not fit into a request")


def readable(span: Span) -> ReadableSpan:
    """Return the span as OpenTelemetry's exporters want it."""
    return ReadableSpan(
        name=whole_text(span.name),
        context=_context(span.id),
        resource=_resource(span.process),
        attributes=_whole(span.attributes),
        events=[
            Event(whole_text(event.name), _whole(event.attributes), span.end_ns) for event in span.events
        ],
        parent=None if span.parent is None else _context(SpanId(span.id.trace, span.parent)),
        links=[Link(_context(link.target), _whole(link.attributes)) for link in span.links],
        kind=SpanKind.CONSUMER if span.kind == CONSUMER else SpanKind.INTERNAL,
        status=Status() if span.error is None else Status(StatusCode.ERROR, whole_text(span.error)),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )


class _NotTakenError(Exception):
    """Keeps the exporter from repeating a request: that is our decision, and ends when we are asked to."""


class _Line(requests.Session):
    """Takes note of the answer to the last request."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None

    def take_answer(self) -> Answer | None:
        """Return the answer to the request made since this was last asked; None if none was made."""
        answer, self._answer = self._answer, None
        return answer

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; raises ``_NotTakenError`` unless it was accepted."""
        # A redirected POST becomes a GET, whose success would mean nothing.
        options["allow_redirects"] = False
        try:
            response = super().request(*arguments, **options)
        except OSError as error:
            # What cannot even be asked for, such as a header with a newline, is a ValueError too.
            verdict = Verdict.HOPELESS if isinstance(error, ValueError) else Verdict.LATER
            self._answer = Answer(verdict, _reason(error))
            raise _NotTakenError from error
        answer = self._answer = _answer(response)
        if answer.verdict is not Verdict.TAKEN:
            raise _NotTakenError
        return response


def _answer(response: requests.Response) -> Answer:
    status = response.status_code
    reason = f"{status} {response.reason}".strip()
    if 200 <= status < 300:
        return _taken(response.content)
    if status in _LATER:
        return Answer(Verdict.LATER, reason, wait_s=_wait_s(response.headers.get("Retry-After", "")))
    if status == _TOO_LARGE:
        return Answer(Verdict.TOO_LARGE, reason)
    hopeless = status in _HOPELESS or 300 <= status < 400
    return Answer(Verdict.HOPELESS if hopeless else Verdict.REFUSED, reason)


def _taken(body: bytes) -> Answer:
    """A collector may accept a request and report that it rejected some of the spans."""
    said = ExportTraceServiceResponse()
    try:
        said.ParseFromString(body)
    except DecodeError:
        # Some answer with JSON or a page; only the status matters.
        return Answer(Verdict.TAKEN)
    partial = said.partial_success
    return Answer(
        Verdict.TAKEN, partial.error_message or "no reason given", rejected=max(0, partial.rejected_spans)
    )


def _wait_s(retry_after: str) -> float:
    """Return the seconds asked for; a date instead of them is left to our own waits."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _reason(error: BaseException) -> str:
    """Return the root cause of an error; the outer errors only repeat address and path."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    reason = str(error) or type(error).__name__
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            reason = seen.strerror
        seen = seen.__cause__ or seen.__context__
    return reason[:1].lower() + reason[1:]


def _endpoint(address: str) -> str:
    hint = "for example --to http://localhost:4318"
    if is_cut_in_password(address):
        hint = "a '/', '?' or '#' in a password is written %2F, %3F or %23, and an '@' in a path %40"
        raise UsageError(f"{redacted(address)} has an '@' after the host", hint)
    try:
        parts = urlsplit(address)
        requests.Request("POST", address).prepare()
    except ValueError:
        # The message may contain a password.
        raise UsageError(f"{redacted(address)} is not an address to send to", hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{redacted(address)} is not an address to send to", hint)
    return address if parts.path.strip("/") else parts._replace(path=TRACES_PATH).geturl()


@lru_cache(_RESOURCES_KEPT)
def _resource(process: Process) -> Resource:
    return Resource(_whole(process.attributes))


def _context(span_id: SpanId) -> SpanContext:
    return SpanContext(
        span_id.trace, span_id.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _whole(attributes: Attributes) -> Attributes:
    """Protobuf has no half surrogates in its texts."""
    return {whole_text(key): _whole_value(value) for key, value in attributes.items()}


def _whole_value(value: str | float | tuple[str, ...]) -> str | bool | int | float | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(map(whole_text, value))
    if isinstance(value, str):
        return whole_text(value)
    # The protocol's whole numbers have 64 bits.
    return str(value) if isinstance(value, int) and not -MOST_INT <= value < MOST_INT else value
