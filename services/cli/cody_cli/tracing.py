"""A job's trace begins where it is submitted: with OTEL_EXPORTER_OTLP_ENDPOINT, requests are spans of ours, too."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import httpx


@contextmanager
def traced(client: httpx.AsyncClient, environment: Mapping[str, str]) -> Generator[None]:
    """Trace the client's requests while the block runs, and export what is left at its end."""
    if not environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip():
        yield
        return
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

    from cody_runtime.telemetry import configure_telemetry, shut_down_telemetry

    configure_telemetry("cody-batch", environment)
    HTTPXClientInstrumentor.instrument_client(client)
    try:
        yield
    finally:
        shut_down_telemetry()
