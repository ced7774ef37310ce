"""Queues for one test on a server that all tests share."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from cody_backends.aws.calls import Calls
from cody_backends.aws.definitions import Queue, create_queue_attributes, queue_with_dead_letters
from cody_backends.aws.messages.sqs_calls import SqsCalls
from cody_backends.aws.work_queue import SqsWorkQueue
from tests.servers.aws_server import AwsServer

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import GetQueueUrlResultTypeDef


@asynccontextmanager
async def use_queues(server: AwsServer) -> AsyncGenerator[SqsWorkQueue]:
    """A work queue where every name is that of an empty queue at first."""
    async with server.sqs() as client:
        client_with_queues = cast("SQSClient", _QueuesOnDemand(client, server))
        yield SqsWorkQueue(SqsCalls(client_with_queues, Calls("SQS of this test", patience=5)))


async def create_queues(client: "SQSClient", name: str) -> None:
    """The queue and its dead letters, as a stack has them."""
    dead, queue = queue_with_dead_letters(name)
    dead_url = await _create(client, dead)
    told = await client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
    await _create(client, queue, dead_letters_arn=told["Attributes"]["QueueArn"])


async def _create(client: "SQSClient", queue: Queue, *, dead_letters_arn: str | None = None) -> str:
    attributes: dict[Any, str] = dict(create_queue_attributes(queue, dead_letters_arn=dead_letters_arn))
    return (await client.create_queue(QueueName=queue.name, Attributes=attributes))["QueueUrl"]


class _QueuesOnDemand:
    """A client that makes the queues it is asked for, under names that no other test has."""

    def __init__(self, client: "SQSClient", server: AwsServer) -> None:
        self._client = client
        self._server = server
        self._names: dict[str, str] = {}
        self._making = asyncio.Lock()

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    async def get_queue_url(self, *, QueueName: str) -> "GetQueueUrlResultTypeDef":
        async with self._making:
            if QueueName not in self._names:
                await self._make(QueueName.removesuffix("-dead-letters"))
        return await self._client.get_queue_url(QueueName=self._names[QueueName])

    async def _make(self, name: str) -> None:
        own = self._server.unused_name(name)
        await create_queues(self._client, own)
        self._names |= {name: own, f"{name}-dead-letters": f"{own}-dead-letters"}
