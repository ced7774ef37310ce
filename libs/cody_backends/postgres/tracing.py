"""Spans for what is asked of the database, but only inside of a trace: background polls make none of their own. A
transaction is one span, whatever it consists of: a file's outcome alone takes eight statements."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

_tracer = trace.get_tracer(__name__)
_inside_one = ContextVar("inside_one", default=False)
_QUIET = frozenset({"BEGIN;", "COMMIT;", "ROLLBACK;", "SAVEPOINT", "RELEASE", "LISTEN", "UNLISTEN"})


def trace_queries() -> None:
    """Instrument asyncpg, once per process."""
    instrumentor = AsyncPGInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(tracer_provider=InsideTraces(), skip_dep_check=True)


class InsideTraces(trace.TracerProvider):
    """Makes spans of the global provider, as children only."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> trace.Tracer:
        return _InsideTracesTracer(trace.get_tracer(instrumenting_module_name, instrumenting_library_version))


class _InsideTracesTracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> trace.Span:
        return self._tracer.start_span(name, *args, **kwargs) if _wanted(name) else trace.INVALID_SPAN

    @contextmanager
    def start_as_current_span(  # pyright: ignore[reportIncompatibleMethodOverride] (its decorator is a private one)
        self, name: str, *args: Any, **kwargs: Any
    ) -> Generator[trace.Span]:
        if not _wanted(name):
            yield trace.INVALID_SPAN
            return
        with self._tracer.start_as_current_span(name, *args, **kwargs) as span:
            yield span


@contextmanager
def one_span(name: str) -> Generator[None]:
    """Statements inside make none of their own."""
    if not trace.get_current_span().is_recording():
        yield
        return
    with _tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT):
        inside = _inside_one.set(True)
        try:
            yield
        finally:
            _inside_one.reset(inside)


def _wanted(name: str) -> bool:
    return not _inside_one.get() and name not in _QUIET and trace.get_current_span().is_recording()
