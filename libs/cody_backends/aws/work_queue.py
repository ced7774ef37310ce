"""Messages on SQS: standard queues, each with a queue of dead letters beside it."""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.definitions import dead_letters_of
from cody_backends.aws.errors import StaleReceipt
from cody_backends.aws.messages.dead_letters import buried, dead_letter, sent_at
from cody_backends.aws.messages.deliveries import Deliveries
from cody_backends.aws.messages.parcel import Parcel, check, unpack
from cody_backends.aws.messages.sqs_calls import AT_ONCE, SqsCalls
from cody_jobs.messages import JOBS_QUEUE
from cody_jobs.ports.work_queue import DeadLetter, QueueDepth, ReceivedMessage
from cody_runtime.tasks import task_group

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

_LONGEST_HIDDEN = timedelta(hours=12)
_LONGEST_DELAY = timedelta(minutes=15)
_BURIAL_SECONDS = 60
_LOOK_SECONDS = 120
_LOOKED_AT = 1_000


@asynccontextmanager
async def open_work_queue(aws: Aws, *, operation_patience: float) -> AsyncGenerator["SqsWorkQueue"]:
    """Each operation waits out trouble with SQS for that many seconds."""
    async with aws.sqs() as client:
        yield SqsWorkQueue(SqsCalls(client, Calls(aws.name_of("SQS"), patience=operation_patience)))


class SqsWorkQueue:
    """Times are rounded up to whole seconds. An answer that is lost may make two messages of one that was sent, and SQS
    itself may deliver one twice. Depths are approximate: SQS tells of a change up to a minute later.

    Raises `Missing` (a `SettingsError`) when there is no such queue, `ValueError` for what SQS cannot carry.
    """

    def __init__(self, sqs: SqsCalls) -> None:
        self._sqs = sqs
        self._deliveries = Deliveries()

    async def ping(self) -> None:
        await self._sqs.ping(JOBS_QUEUE)

    async def send(
        self,
        queue: str,
        body: bytes,
        *,
        attributes: Mapping[str, str] | None = None,
        delay: timedelta = timedelta(0),
    ) -> str:
        parcel = Parcel(body=body, attributes=attributes or {})
        check(parcel)
        return await self._sqs.send(queue, parcel, delay=_whole_seconds(delay, most=_LONGEST_DELAY))

    async def receive(self, queue: str, *, limit: int, wait: timedelta, visibility: timedelta) -> list[ReceivedMessage]:
        """A wait of nothing asks twice: SQS may not have asked all its servers, or have found only what it buries."""
        if not 1 <= limit <= AT_ONCE:
            raise ValueError(f"a receive takes 1 to {AT_ONCE} messages, not {limit}")
        hidden = _whole_seconds(visibility, most=_LONGEST_HIDDEN)
        clock = asyncio.get_running_loop().time
        left, until = wait.total_seconds(), clock() + wait.total_seconds()
        asked_twice = False
        while True:
            found = await self._sqs.receive(queue, limit=limit, wait=left, hidden=hidden)
            left = until - clock()
            if found or (asked_twice and left <= 0):
                return self._received(map(_message_from, found))
            asked_twice = True

    async def extend(self, queue: str, message: ReceivedMessage, *, visibility: timedelta) -> None:
        await self._hide(queue, message, _whole_seconds(visibility, most=_LONGEST_HIDDEN))

    async def delete(self, queue: str, message: ReceivedMessage) -> None:
        if self._deliveries.is_stale(message):
            return
        with contextlib.suppress(StaleReceipt):
            await self._sqs.delete(queue, message.receipt)
        self._deliveries.forget(message)

    async def bury(self, queue: str, message: ReceivedMessage, *, reason: str) -> None:
        """Whoever ends in the midst of it leaves a message that is dead and comes again: harmless, as every message may
        come twice. Nothing happens unless the message is still ours."""
        if await self._hide(queue, message, _BURIAL_SECONDS):
            await self._sqs.send(dead_letters_of(queue), buried(message, reason))
            await self.delete(queue, message)

    async def list_dead_letters(self, queue: str, *, limit: int) -> list[DeadLetter]:
        """SQS cannot be browsed: up to a thousand dead letters are received and given back at once. Meanwhile another
        listing, or a redrive, does not see them; and those of the last minute may be missing here. Nobody tells when
        SQS itself moved a letter: it stands at the time of its sending."""
        dead, seen = dead_letters_of(queue), list["MessageTypeDef"]()
        try:
            async for batch in self._sqs.receive_all(dead, at_most=_LOOKED_AT, hidden=_LOOK_SECONDS):
                seen += batch
        finally:
            await self._sqs.give_back(dead, seen)
        return sorted(map(dead_letter, seen), key=lambda letter: letter.died_at, reverse=True)[:limit]

    async def redrive(self, queue: str) -> int:
        """As many as there were in the beginning, however fast they die again. Whoever ends in the midst of it leaves
        some that are dead and sent, too."""
        dead, moved = dead_letters_of(queue), 0
        async for batch in self._sqs.receive_all(dead, hidden=_LOOK_SECONDS):
            async with task_group() as tasks:
                for message in batch:
                    letter = unpack(message)
                    again = Parcel(body=letter.body, attributes=letter.attributes)
                    tasks.create_task(self._sqs.send(queue, again), name="redrive")
            await self._sqs.delete_all(dead, batch)
            moved += len(batch)
        return moved

    async def depth(self, queue: str) -> QueueDepth:
        ready, in_flight = await self._sqs.count(queue)
        return QueueDepth(ready=ready, in_flight=in_flight, dead=sum(await self._sqs.count(dead_letters_of(queue))))

    async def _hide(self, queue: str, message: ReceivedMessage, seconds: int) -> bool:
        """Whether it could be done: not by a stale receipt."""
        if self._deliveries.is_stale(message):
            return False
        try:
            await self._sqs.hide(queue, message.receipt, seconds=seconds)
        except StaleReceipt:
            return False
        return True

    def _received(self, messages: Iterable[ReceivedMessage]) -> list[ReceivedMessage]:
        received = list(messages)
        for message in received:
            self._deliveries.note(message)
        return received


def _message_from(message: "MessageTypeDef") -> ReceivedMessage:
    parcel = unpack(message)
    return ReceivedMessage(
        id=message.get("MessageId", ""),
        receipt=message.get("ReceiptHandle", ""),
        body=parcel.body,
        attributes=parcel.attributes,
        receives=int(message.get("Attributes", {})["ApproximateReceiveCount"]),
        sent_at=sent_at(message),
    )


def _whole_seconds(time: timedelta, *, most: timedelta) -> int:
    if not timedelta(0) <= time <= most:
        raise ValueError(f"SQS counts from 0 to {most.total_seconds():.0f} seconds here, not {time.total_seconds():g}")
    return math.ceil(time.total_seconds())
