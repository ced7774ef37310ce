"""In Jaeger's place, for the tests: takes traces over OTLP/HTTP on port 4318 and answers Jaeger's
`GET /api/traces/ID` on port 16686, with what a test asks for."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_OTLP, _QUERIES = 4318, 16686

_spans: list[dict[str, object]] = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            _keep(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
        self._answer(b"")

    def do_GET(self) -> None:
        trace_id = self.path.removeprefix("/api/traces/")
        found = [span for span in _spans if span["traceID"] == trace_id]
        services = sorted({str(span["processID"]) for span in found})
        processes = {service: {"serviceName": service} for service in services}
        self._answer(json.dumps({"data": [{"traceID": trace_id, "spans": found, "processes": processes}]}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Requests are not worth a line."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _keep(body: bytes) -> None:
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {pair.key: pair.value.string_value for pair in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            _spans.extend(_as_jaeger(span, resource["service.name"]) for span in scope_spans.spans)


def _as_jaeger(span: Span, service: str) -> dict[str, object]:
    parent = {"refType": "CHILD_OF", "traceID": span.trace_id.hex(), "spanID": span.parent_span_id.hex()}
    return {
        "traceID": span.trace_id.hex(),
        "spanID": span.span_id.hex(),
        "operationName": span.name,
        "references": [parent] if span.parent_span_id else [],
        "processID": service,
    }


def main() -> None:
    queries = ThreadingHTTPServer(("0.0.0.0", _QUERIES), Receiver)
    threading.Thread(target=queries.serve_forever, name="queries", daemon=True).start()
    sys.stdout.write(f"traces come in at port {_OTLP} and are shown at port {_QUERIES}\n")
    ThreadingHTTPServer(("0.0.0.0", _OTLP), Receiver).serve_forever()


if __name__ == "__main__":
    main()
