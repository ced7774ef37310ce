"""Batch Job State Change events, which EventBridge puts on an SQS queue: ends are known without asking for them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from cody_backends.aws.batch.memory import Memory
from cody_backends.aws.batch.seen_job import read_job, shard_of
from cody_backends.aws.calls import Calls
from cody_backends.aws.errors import Missing
from cody_jobs.errors import CodyError, SettingsError
from cody_runtime.logs import get_logger

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef, ReceiveMessageResultTypeDef

log = get_logger(__name__)

POLL_SECONDS = 60.0
"""How old a state may be that is no end. Events may be lost, and other dispatchers take their share of them."""
_AT_ONCE = 10
_LONG_POLL = 20
_LONGEST_PAUSE = 30.0


class _Event(Struct, frozen=True, kw_only=True):
    detail: Mapping[str, Any]


class JobEvents:
    def __init__(self, client: "SQSClient", calls: Calls, memory: Memory, *, queue: str) -> None:
        self._client = client
        self._calls = calls
        self._memory = memory
        self._queue = queue
        self._url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Receive in the background. Raises `SettingsError` when there is no such queue."""
        await self._find_queue()
        task = asyncio.create_task(self._receive_all(), name="receive-batch-events")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _find_queue(self) -> None:
        try:
            told = await self._calls.run("GetQueueUrl", lambda: self._client.get_queue_url(QueueName=self._queue))
        except Missing as error:
            raise SettingsError(f"BATCH_EVENTS_QUEUE: there is no queue {self._queue} ({error})") from error
        self._url = told["QueueUrl"]

    async def _receive_all(self) -> None:
        """For ever. While events do not come, every look at a shard asks Batch."""
        pause = 1.0
        while True:
            try:
                await self._receive()
            except Exception as error:  # noqa: BLE001 (an outer loop: it logs and goes on)
                self._memory.good_for = 0.0
                facts = {} if isinstance(error, CodyError) else {"exc_info": error}
                log.warning("batch_events_not_received", queue=self._queue, error=str(error), **facts)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                self._memory.good_for = POLL_SECONDS
                pause = 1.0

    async def _receive(self) -> None:
        told = await self._calls.once("ReceiveMessage", self._take)
        messages = told.get("Messages", [])
        for message in messages:
            self.take_in(message)
        if messages:
            await self._delete(messages)

    async def _take(self) -> "ReceiveMessageResultTypeDef":
        return await self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=_LONG_POLL
        )

    def take_in(self, message: "MessageTypeDef") -> None:
        """Ends alone: events come late and out of order, and nothing follows an end."""
        try:
            told = msgspec.json.decode(message.get("Body", ""), type=_Event).detail
            compute_id, index = shard_of(told["jobId"])
            job = read_job(told)
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            log.warning("batch_event_unreadable", error=str(error), message_id=message.get("MessageId"))
            return
        is_parent = "size" in (told.get("arrayProperties") or {})
        if job.ended and not is_parent:
            self._memory.remember(compute_id, {index: job})

    async def _delete(self, messages: Sequence["MessageTypeDef"]) -> None:
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": message.get("ReceiptHandle", "")}
            for number, message in enumerate(messages)
        ]
        await self._calls.run(
            "DeleteMessageBatch", lambda: self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        )
