"""A job store whose client and clock are in the hands of the test."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.ports import JobStore
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import use_tables
from tests.support.watched_dynamodb import Clock, Watched

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
async def opened(
    dynamodb_local: AwsServer, clock: Clock, metrics: InMemoryMetricReader
) -> AsyncGenerator[tuple[Tables, Watched]]:
    meter = MeterProvider(metric_readers=[metrics]).get_meter("test")
    clients: list[Watched] = []

    def watch(client: "DynamoDBClient") -> Watched:
        clients.append(Watched(client))
        return clients[-1]

    async with use_tables(dynamodb_local, wrap=watch, clock=clock, meter=meter) as tables:
        yield tables, clients[-1]


@pytest.fixture
def tables(opened: tuple[Tables, Watched]) -> Tables:
    return opened[0]


@pytest.fixture
def client(opened: tuple[Tables, Watched]) -> Watched:
    return opened[1]


@pytest.fixture
def store(tables: Tables) -> JobStore:
    return DynamoJobStore(tables)
