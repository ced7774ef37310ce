from collections.abc import AsyncGenerator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cody_backends.postgres.database import Database
from cody_jobs.ports import WorkQueue
from tests.servers.aws_server import AwsServer
from tests.support.sqs_queues import use_queues
from tests.unit.cody_dispatcher.room import Room


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


@pytest.fixture
async def sqs(elasticmq: AwsServer) -> AsyncGenerator[WorkQueue]:
    async with use_queues(elasticmq) as queue:
        yield queue


@pytest.fixture(params=["PostgreSQL", "ElasticMQ"])
def room_with_any_queue(request: pytest.FixtureRequest, database: Database) -> Room:
    return Room(database, queue=request.getfixturevalue("sqs") if request.param == "ElasticMQ" else None)


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
