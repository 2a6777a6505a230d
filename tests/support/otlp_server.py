"""An OpenTelemetry collector for traces that keeps what comes: OTLP over HTTP, in protobuf.

The protocol is https://opentelemetry.io/docs/specs/otlp/#otlphttp, its messages are OpenTelemetry's own.
"""

from __future__ import annotations

import gzip
import http.server
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

PATH = "/v1/traces"

Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Span:
    """One span, as it was exported.

    Attributes:
        name: its name.
        trace_id, span_id, parent_id: in hexadecimal; no parent is an empty string.
        attributes: by name.
        failed: whether its status is an error.
        status: the words of its status.
        events: attributes by the event's name.
        start, end: nanoseconds since 1970.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Attributes
    failed: bool
    status: str
    events: Mapping[str, Attributes]
    start: int
    end: int


class OtlpServer(http.server.ThreadingHTTPServer):
    """Listens on loopback while it is a context manager's.

    Attributes:
        requests: all that came: headers, and the body as it is when uncompressed.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[bytes] = []
        self._bodies: list[bytes] = []

    @property
    def url(self) -> str:
        """Where traces are sent to."""
        return f"http://127.0.0.1:{self.server_address[1]}{PATH}"

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order in which they came.

        Raises:
            google.protobuf.message.DecodeError: something came that is no export of traces.
        """
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return [
            _span(each)
            for body in self._bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for each in scope.spans
        ]

    def take(self, headers: bytes, body: bytes) -> None:
        """Keep a request."""
        self.requests.append(headers + body)
        self._bodies.append(body)


def _span(sent: SentSpan) -> Span:
    return Span(
        name=sent.name,
        trace_id=sent.trace_id.hex(),
        span_id=sent.span_id.hex(),
        parent_id=sent.parent_span_id.hex(),
        attributes=_values(sent.attributes),
        failed=sent.status.code == sent.status.STATUS_CODE_ERROR,
        status=sent.status.message,
        events={event.name: _values(event.attributes) for event in sent.events},
        start=sent.start_time_unix_nano,
        end=sent.end_time_unix_nano,
    )


def _values(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        assert isinstance(self.server, OtlpServer)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.path != PATH or self.headers["Content-Type"] != "application/x-protobuf":
            self.send_error(400)
            return
        self.server.take(bytes(self.headers), body)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass
