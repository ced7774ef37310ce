"""Tables for one test on a server that all tests share."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from opentelemetry.metrics import Meter

from cody_backends.aws.calls import Calls
from cody_backends.aws.definitions import create_table_arguments, tables
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.settings import AwsSettings
from tests.servers.aws_server import REGION, AwsServer

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

Wrap = Callable[["DynamoDBClient"], Any]


class EveryAnswerLost:
    """A client whose every request arrives, and whose every answer is lost once: it is made again."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def twice(**arguments: Any) -> Any:
            with suppress(ClientError):
                await call(**arguments)
            return await call(**arguments)

        return twice


class InTurn:
    """A client whose requests take turns, also those of which nobody waits for the answer any more. moto undoes a
    refused transaction by putting back a copy of the whole table: what others wrote meanwhile would be lost."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._turn = asyncio.Lock()

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def in_turn(**arguments: Any) -> Any:
            async with self._turn:
                request = asyncio.create_task(call(**arguments), name=operation)
                try:
                    return await asyncio.shield(request)
                finally:
                    await asyncio.wait([request])

        return in_turn


@asynccontextmanager
async def use_tables(
    server: AwsServer,
    *,
    wrap: Wrap = lambda client: client,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    meter: Meter | None = None,
    patience: float = 10.0,
) -> AsyncGenerator[Tables]:
    """Empty tables that no other test has; `wrap` puts something between them and their client."""
    async with server.dynamodb() as client, create_tables(client, server) as settings:
        yield tables_of(wrap(client), settings, clock=clock, meter=meter, patience=patience)


@asynccontextmanager
async def create_tables(client: "DynamoDBClient", server: AwsServer) -> AsyncGenerator[AwsSettings]:
    settings = AwsSettings(
        aws_region=REGION, jobs_table=server.unused_name("jobs"), runs_table=server.unused_name("runs")
    )
    for table in tables(settings):
        await client.create_table(**create_table_arguments(table))
    yield settings
    for table in tables(settings):
        await client.delete_table(TableName=table.name)


def tables_of(
    client: "DynamoDBClient",
    settings: AwsSettings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    meter: Meter | None = None,
    patience: float = 10.0,
) -> Tables:
    return Tables(
        client,
        Calls("DynamoDB of this test", patience=patience),
        jobs=settings.jobs_table,
        runs=settings.runs_table,
        retention=timedelta(days=settings.job_retention_days),
        clock=clock,
        meter=meter,
    )
