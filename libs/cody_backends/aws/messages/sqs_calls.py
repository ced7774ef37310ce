"""SQS's operations on queues, which people know by their names and SQS by their addresses."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from cody_backends.aws.calls import Calls
from cody_backends.aws.errors import Missing
from cody_backends.aws.messages.parcel import Parcel, pack

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
        MessageTypeDef,
        ReceiveMessageResultTypeDef,
    )

T = TypeVar("T")

AT_ONCE = 10
_LONGEST_POLL = 20
_READY = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
_DELAYED = "ApproximateNumberOfMessagesDelayed"


class SqsCalls:
    """Looks each address up once. Raises `Missing`, with the queue's name, when there is no such queue, and
    `StaleReceipt` where a receipt is used."""

    def __init__(self, client: "SQSClient", calls: Calls) -> None:
        self._client = client
        self._calls = calls
        self._urls: dict[str, str] = {}

    async def ping(self, queue: str) -> None:
        """A single time."""
        try:
            await self._calls.once("GetQueueUrl", lambda: self._client.get_queue_url(QueueName=queue))
        except Missing as error:
            raise self._missing(queue) from error

    async def send(self, queue: str, parcel: Parcel, *, delay: int = 0) -> str:
        packed = pack(parcel)
        sent = await self._run(
            queue, "SendMessage", lambda url: self._client.send_message(QueueUrl=url, DelaySeconds=delay, **packed)
        )
        return sent["MessageId"]

    async def receive(self, queue: str, *, limit: int, wait: float, hidden: int) -> Sequence["MessageTypeDef"]:
        seconds = min(_LONGEST_POLL, math.ceil(max(0.0, wait)))

        async def receive(url: str) -> "ReceiveMessageResultTypeDef":
            return await self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=seconds,
                VisibilityTimeout=hidden,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )

        return (await self._run(queue, "ReceiveMessage", receive)).get("Messages", [])

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        await self._run(
            queue,
            "ChangeMessageVisibility",
            lambda url: self._client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            ),
        )

    async def delete(self, queue: str, receipt: str) -> None:
        await self._run(
            queue, "DeleteMessage", lambda url: self._client.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        )

    async def count(self, queue: str) -> tuple[int, int]:
        """Ready, and not to be had now. A message that is sent with a delay counts as in flight until it is ready."""
        told = await self._run(
            queue,
            "GetQueueAttributes",
            lambda url: self._client.get_queue_attributes(QueueUrl=url, AttributeNames=[_READY, _IN_FLIGHT, _DELAYED]),
        )
        numbers = told["Attributes"]
        return int(numbers[_READY]), int(numbers[_IN_FLIGHT]) + int(numbers[_DELAYED])

    async def receive_all(
        self, queue: str, *, at_most: int | None = None, hidden: int
    ) -> AsyncGenerator[Sequence["MessageTypeDef"]]:
        """As many as are ready now, in tens."""
        left, _ = await self.count(queue)
        left = left if at_most is None else min(left, at_most)
        while left > 0 and (batch := await self.receive(queue, limit=min(AT_ONCE, left), wait=1, hidden=hidden)):
            left -= len(batch)
            yield batch

    async def give_back(self, queue: str, messages: Sequence["MessageTypeDef"]) -> None:
        """What cannot be given back comes by itself when it has been hidden long enough."""
        for start in range(0, len(messages), AT_ONCE):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {**entry, "VisibilityTimeout": 0} for entry in _entries(messages[start : start + AT_ONCE])
            ]
            await self._run(
                queue,
                "ChangeMessageVisibilityBatch",
                lambda url, entries=entries: self._client.change_message_visibility_batch(
                    QueueUrl=url, Entries=entries
                ),
            )

    async def delete_all(self, queue: str, messages: Sequence["MessageTypeDef"]) -> None:
        """Ten at most. What cannot be deleted comes again."""
        await self._run(
            queue,
            "DeleteMessageBatch",
            lambda url: self._client.delete_message_batch(QueueUrl=url, Entries=_entries(messages)),
        )

    async def _run(self, queue: str, name: str, call: Callable[[str], Awaitable[T]]) -> T:
        try:
            url = self._urls.get(queue) or await self._find(queue)
            return await self._calls.run(name, lambda: call(url))
        except Missing as error:
            self._urls.pop(queue, None)
            raise self._missing(queue) from error

    async def _find(self, queue: str) -> str:
        told = await self._calls.run("GetQueueUrl", lambda: self._client.get_queue_url(QueueName=queue))
        return self._urls.setdefault(queue, told["QueueUrl"])

    def _missing(self, queue: str) -> Missing:
        remedy = "look at AWS_REGION, or create it with `cody-batch ops bootstrap`"
        return Missing(f"{self._calls.service}: there is no queue {queue}; {remedy}")


def _entries(messages: Sequence["MessageTypeDef"]) -> "list[DeleteMessageBatchRequestEntryTypeDef]":
    return [
        {"Id": str(place), "ReceiptHandle": message.get("ReceiptHandle", "")} for place, message in enumerate(messages)
    ]
