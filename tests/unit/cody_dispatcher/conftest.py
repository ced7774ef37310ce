import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cody_backends.postgres.database import Database
from tests.unit.cody_dispatcher.room import Room


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Finished spans of this process. There is one provider per process, whoever needs it first makes it."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter
