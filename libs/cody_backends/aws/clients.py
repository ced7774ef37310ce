"""Clients of AWS's services: one session, connections kept open, no retries of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import aioboto3
from aiobotocore.config import AioConfig

from cody_backends.aws.settings import AwsSettings
from cody_jobs.errors import SettingsError

if TYPE_CHECKING:
    from types_aiobotocore_batch.client import BatchClient
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_logs.client import CloudWatchLogsClient
    from types_aiobotocore_sqs.client import SQSClient

_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_LONG_POLL_SECONDS = 20
_CONNECTIONS = 50


class Aws:
    """Opens clients for one region; whoever opens a client closes it."""

    def __init__(self, settings: AwsSettings) -> None:
        """Raises `SettingsError` when no region is set."""
        if settings.aws_region is None:
            raise SettingsError("AWS_REGION is not set. Region of tables, queues and AWS Batch, such as eu-central-1")
        self.region = settings.aws_region
        self._session = aioboto3.Session(region_name=self.region)

    def name_of(self, service: str) -> str:
        """For people: which service it is, and where."""
        return f"{service} in {self.region}"

    @asynccontextmanager
    async def dynamodb(self) -> AsyncGenerator["DynamoDBClient"]:
        # Our own types say what is sent; botocore's check of it would be a third of a dispatch's CPU time.
        async with self._client("dynamodb", validate=False) as client:
            yield cast("DynamoDBClient", client)

    @asynccontextmanager
    async def sqs(self) -> AsyncGenerator["SQSClient"]:
        async with self._client("sqs", read_seconds=_LONG_POLL_SECONDS + _READ_SECONDS) as client:
            yield cast("SQSClient", client)

    @asynccontextmanager
    async def batch(self) -> AsyncGenerator["BatchClient"]:
        async with self._client("batch") as client:
            yield cast("BatchClient", client)

    @asynccontextmanager
    async def logs(self) -> AsyncGenerator["CloudWatchLogsClient"]:
        async with self._client("logs") as client:
            yield cast("CloudWatchLogsClient", client)

    @asynccontextmanager
    async def client_at(self, service: str, endpoint: str) -> AsyncGenerator[Any]:
        """Of any other service, at this endpoint."""
        async with self._client(service, endpoint=endpoint) as client:
            yield client

    @asynccontextmanager
    async def _client(
        self, service: str, *, read_seconds: int = _READ_SECONDS, endpoint: str | None = None, validate: bool = True
    ) -> AsyncGenerator[Any]:
        config = AioConfig(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=read_seconds,
            max_pool_connections=_CONNECTIONS,
            parameter_validation=validate,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        session: Any = self._session
        async with session.client(service, config=config, endpoint_url=endpoint) as client:
            yield client
