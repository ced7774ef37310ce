"""Traces and metrics: exported over OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set, and kept in the ResultStore in the
embedded mode. Context crosses processes as a W3C traceparent, in message attributes and in the environment."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from cody_jobs.spans import SpanRecord
from cody_runtime import names

KeepSpans = Callable[[Sequence[SpanRecord]], Coroutine[Any, Any, None]]
"""Stores finished spans; `ResultStore.append_spans` is one."""

_FLUSH_SECONDS = 0.5
_LAST_FLUSH_SECONDS = 3.0
"""A program that ends does not wait longer for a store that is away."""
_LAST_EXPORT_SECONDS = 8.0
_WAITING_SPANS = 20_000
_BATCH = 500


def get_tracer(name: str) -> trace.Tracer:
    return trace.get_tracer(name)


def get_meter(name: str) -> metrics.Meter:
    return metrics.get_meter(name)


def current_traceparent() -> str | None:
    """The W3C traceparent of the current span, or None outside of one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def context_from(traceparent: str | None) -> otel_context.Context:
    return propagate.extract({"traceparent": traceparent} if traceparent else {})


def link_to(traceparent: str | None) -> list[trace.Link]:
    """A link to the span of that traceparent, for consumers: they link to their producer."""
    span = trace.get_current_span(context_from(traceparent)).get_span_context()
    return [trace.Link(span)] if span.is_valid else []


def configure_telemetry(service: str, environment: Mapping[str, str]) -> "SpanKeeper":
    """Install the global providers once per process. Exporters are only imported where an endpoint is set."""
    resource = Resource.create({"service.name": service, "process.pid": os.getpid()})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    keeper = SpanKeeper(service)
    provider.add_span_processor(keeper)
    if environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _add_otlp(provider, resource)
    trace.set_tracer_provider(provider)
    return keeper


def shut_down_telemetry() -> None:
    """Export what is left, for a few seconds: `OTEL_EXPORTER_OTLP_TIMEOUT` does not bound the wait for a name server,
    and a program that was asked to stop is killed after a while."""
    exporting = threading.Thread(target=_shut_down_providers, name="last-export", daemon=True)
    exporting.start()
    exporting.join(_LAST_EXPORT_SECONDS)


def _shut_down_providers() -> None:
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        shutdown = getattr(provider, "shutdown", None)
        if shutdown is not None:
            shutdown()


def _add_otlp(provider: TracerProvider, resource: Resource) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # A collector that is down must not hold a short-lived program for the SDK's 10 s.
    timeout = float(os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", "3"))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=timeout))
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader], shutdown_on_exit=False))


class SpanKeeper(SpanProcessor):
    """Collects finished spans in memory and hands them to a store in batches, from the event loop.

    Bounded: when the store stays away, the oldest spans are dropped; telemetry never stops the work.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._waiting: deque[SpanRecord] = deque(maxlen=_WAITING_SPANS)
        self._wanted = False

    @property
    def waiting(self) -> int:
        """Spans that are not stored yet."""
        return len(self._waiting)

    @asynccontextmanager
    async def keep(self, store: KeepSpans) -> AsyncGenerator[None]:
        """Store spans while the block runs, and what is left at its end."""
        self._wanted = True
        task = asyncio.create_task(self._flush_for_ever(store), name="keep-spans")
        try:
            yield
        finally:
            self._wanted = False
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                    await self._flush(store)

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        """A child carries its parent's job id, so that every span of a job can be found by it."""
        parent = trace.get_current_span(parent_context)
        attributes = getattr(parent, "attributes", None)
        if attributes and names.JOB_ID in attributes and names.JOB_ID not in (span.attributes or {}):
            span.set_attribute(names.JOB_ID, attributes[names.JOB_ID])

    def on_end(self, span: ReadableSpan) -> None:
        if self._wanted:
            self._waiting.append(_record(span, self._service))

    def shutdown(self) -> None:
        self._wanted = False

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True

    async def _flush_for_ever(self, store: KeepSpans) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush(store)

    async def _flush(self, store: KeepSpans) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                await store(batch)
            except BaseException as error:
                self._waiting.extendleft(reversed(batch))
                if isinstance(error, Exception):
                    return  # telemetry never stops the work; the next flush tries again
                raise


def _record(span: ReadableSpan, service: str) -> SpanRecord:
    context = span.get_span_context()
    assert context is not None
    started, ended = span.start_time or 0, span.end_time or 0
    attributes = {key: value for key, value in (span.attributes or {}).items() if isinstance(value, str | int | float)}
    job_id = attributes.get(names.JOB_ID)
    return SpanRecord(
        trace_id=trace.format_trace_id(context.trace_id),
        span_id=trace.format_span_id(context.span_id),
        parent_span_id=trace.format_span_id(span.parent.span_id) if span.parent else None,
        name=span.name,
        kind=span.kind.name.lower(),
        service=service,
        job_id=str(job_id) if job_id else None,
        started_at=datetime.fromtimestamp(started / 1e9, UTC),
        duration_us=max(0, (ended - started) // 1000),
        status=span.status.status_code.name.lower(),
        status_message=span.status.description,
        attributes=attributes,
        links=tuple(trace.format_span_id(link.context.span_id) for link in span.links),
    )
