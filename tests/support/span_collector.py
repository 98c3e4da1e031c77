"""An OpenTelemetry collector for tests: real HTTP on loopback, spans read by OpenTelemetry's own parser."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Reply:
    """How a request is answered; spans are kept only where it is taken."""

    status: int = 200
    rejected: int = 0
    """How many spans it says it threw away."""
    headers: dict[str, str] = field(default_factory=dict)


class SpanCollector:
    """What arrived. Every member may be used from any thread."""

    def __init__(self) -> None:
        self.address = ""
        self.replies: deque[Reply] = deque()
        """How the next requests are answered; those behind them are taken."""
        self.statuses: list[int] = []
        """How each request was answered."""
        self.headers: list[dict[str, str]] = []
        self.taken: list[ExportTraceServiceRequest] = []
        self.most: int | None = None
        """More spans than that in a request are answered with 413."""
        self.asked = threading.Event()
        """Set when the first request has come."""
        self.answering = threading.Event()
        """Requests wait while this is not set."""
        self.answering.set()

    @property
    def spans(self) -> list[Any]:
        """Every span taken, in the order of arrival."""
        return [
            span
            for request in list(self.taken)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[Reply, bytes]:
        """Return the answer to a request and its body, and keep the spans of what is taken."""
        self.asked.set()
        self.answering.wait()
        request = ExportTraceServiceRequest.FromString(body)
        count = sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
        reply = self.replies.popleft() if self.replies else Reply()
        if path != "/v1/traces":
            reply = Reply(404)
        elif self.most is not None and count > self.most:
            reply = Reply(413)
        said = ExportTraceServiceResponse()
        if reply.rejected:
            said.partial_success.rejected_spans = reply.rejected
            said.partial_success.error_message = "too old"
        if reply.status == 200:
            self.taken.append(request)
        self.headers.append(headers)
        self.statuses.append(reply.status)
        return reply, said.SerializeToString()


@contextmanager
def span_collector() -> Iterator[SpanCollector]:
    """Run a collector on a free port of loopback for as long as the block lasts."""
    collector = SpanCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply, said = collector.take(self.path, body, dict(self.headers))
            with suppress(BrokenPipeError, ConnectionResetError):  # a sender may be tired of waiting
                self._answer(reply, said)

        def _answer(self, reply: Reply, said: bytes) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Tests look at what arrived, not at a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing the server waits for those who still answer
    collector.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.answering.set()
        server.shutdown()
        thread.join()
        server.server_close()
