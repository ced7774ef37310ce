"""One span and one log line per request, named by the route's template, and the headers that every answer has."""

import re
import time
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.trace import TracerProvider

from cody_api.auth import caller_name
from cody_jobs.spans import SpanRecord
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import KeepSpans

log = get_logger("cody_api")

NO_ROUTE = "(no route)"
_NOT_TRACED = r"^\w+://[^/]+/(health|health/ready|docs.*|openapi\.json|jobs/[^/]+/events)/?(\?.*)?$"
_QUIET = frozenset({"/health", "/health/ready"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_KIND_OF_PARAMETER = re.compile(r":[a-z]+}")
_HTTP_ROUTE = "http.route"
_METHODS = ("http.request.method", "http.method")

SECURITY_HEADERS: Mapping[bytes, bytes] = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


def observe_requests(app: ASGIApp, tracers: TracerProvider) -> ASGIApp:
    """Wrap the whole application: what it does not route is counted, too."""
    observed = _Observed(app)
    traced = OpenTelemetryMiddleware(
        observed,
        excluded_urls=_NOT_TRACED,
        default_span_details=_first_name,
        exclude_spans=["receive", "send"],
        tracer_provider=tracers,
    )
    return cast("ASGIApp", traced)


def keep_job_spans(store: KeepSpans) -> KeepSpans:
    """Keep what jobs did, not who looked at them: a progress display asks more often than a job works."""

    async def keep(spans: Sequence[SpanRecord]) -> None:
        kept = [span for span in spans if _is_of_a_job(span)]
        if kept:
            await store(kept)

    return keep


def _is_of_a_job(span: SpanRecord) -> bool:
    method = next((span.attributes[name] for name in _METHODS if name in span.attributes), None)
    return span.job_id is not None and method not in _READING


def _first_name(scope: MutableMapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The route is known only later; never the path itself, which would give each job a span name of its own."""
    return str(scope["method"]), {}


class _Observed:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_security(message["headers"])
                _name_span(cast("MutableMapping[str, Any]", scope), status)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            _log_request(cast("MutableMapping[str, Any]", scope), status, time.monotonic() - started)


def _with_security(headers: Any) -> list[tuple[bytes, bytes]]:
    given: list[tuple[bytes, bytes]] = list(headers)
    present = {name.lower() for name, _ in given}
    return given + [(name, value) for name, value in SECURITY_HEADERS.items() if name not in present]


def _name_span(scope: MutableMapping[str, Any], status: int) -> None:
    span = trace.get_current_span()
    route = _route(scope)
    span.update_name(f"{scope['method']} {route}")
    if route != NO_ROUTE:
        span.set_attribute(_HTTP_ROUTE, route)
    # Only now, so that the queries of a request that merely looks at a job do not inherit the job's id.
    job_id = scope.get("path_params", {}).get("job_id")
    if job_id and status < 400:
        span.set_attribute(names.JOB_ID, str(job_id))


def _log_request(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    route = _route(scope)
    facts = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "caller": caller_name(scope.get("state", {})),
    }
    job_id = scope.get("path_params", {}).get("job_id")
    if job_id and status < 400:
        facts["job_id"] = str(job_id)
    if route in _QUIET and status < 400:
        log.debug("request", **facts)
        return
    log.info("request", **facts)


def _route(scope: Mapping[str, Any]) -> str:
    template = scope.get("path_template")
    return _KIND_OF_PARAMETER.sub("}", template) if isinstance(template, str) else NO_ROUTE
