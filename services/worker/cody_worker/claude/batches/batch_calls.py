"""The calls of the Message Batches API, repeated where that is safe."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from cody_jobs.models import FailureCode
from cody_runtime.logs import get_logger
from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.batches.tickets import Ticket
from cody_worker.claude.claude import ClaudeFailed, NoMoreAnswers
from cody_worker.claude.errors import TryAgain, judge
from cody_worker.claude.patience import Backoff
from cody_worker.claude.read_stream import BrokenStream
from cody_worker.claude.request_params import request_params

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
    from anthropic.types.messages.batch_create_params import Request

log = get_logger(__name__)
T = TypeVar("T")

_PAGE = 100


class MaybeMade(Exception):
    """Nobody knows whether the batch was made: the answer was lost."""


class BatchGone(Exception):
    """There is no such batch: deleted, or another account's."""


class BatchCalls:
    def __init__(self, sdk: "AsyncAnthropic", pace: Pace, backoff: Backoff, chance: random.Random) -> None:
        self._sdk = sdk
        self._pace = pace
        self._backoff = backoff
        self._chance = chance

    async def create(self, tickets: Sequence[Ticket]) -> "MessageBatch":
        """Raises `MaybeMade`, and `ClaudeFailed` where it was not made and never will be."""
        requests: list[Request] = await asyncio.to_thread(_requests, tickets)
        patience = self._patience()
        while True:
            try:
                return _checked(await self._sdk.messages.batches.create(requests=requests))
            except Exception as error:
                verdict = judge(error, tickets[0].request.model)
                if not _surely_not_made(error):
                    raise MaybeMade from error
                await patience.bear(verdict, error)

    async def look(self, batch_id: str) -> "MessageBatch":
        """Raises `BatchGone`, and `NoMoreAnswers`."""
        return await self._repeat(lambda: self._retrieve(batch_id))

    async def cancel(self, batch_id: str) -> None:
        """Tried once; raises what the SDK raises."""
        await self._sdk.messages.batches.cancel(batch_id)

    async def made_since(self, since: datetime) -> Sequence["MessageBatch"]:
        return await self._repeat(lambda: self._list(since))

    async def results(self, batch: "MessageBatch") -> AsyncGenerator["MessageBatchIndividualResponse"]:
        """Each result once, in any order. A connection that breaks off is followed by another one."""
        seen: set[str] = set()
        counts = batch.request_counts
        total = counts.succeeded + counts.errored + counts.canceled + counts.expired
        patience = self._patience()
        while True:
            try:
                async with aclosing(self._read(batch)) as lines:
                    async for line in lines:
                        if line.custom_id not in seen:
                            seen.add(line.custom_id)
                            yield line
            except Exception as error:  # noqa: BLE001 (judged: what is none of Claude's is raised again)
                await patience.bear(_judge(error), error)
                continue
            if len(seen) >= total:
                return
            broken = BrokenStream(f"the results of a batch ended after {len(seen)} of {total}")
            await patience.bear(_judge(broken), broken)

    async def _read(self, batch: "MessageBatch") -> AsyncGenerator["MessageBatchIndividualResponse"]:
        try:
            lines = await self._sdk.messages.batches.results(batch.id)
            try:
                async for line in lines:
                    if not isinstance(getattr(line, "custom_id", None), str):  # the SDK takes any JSON for a result
                        raise BrokenStream("the results of a batch have something unreadable in them")
                    yield line
            finally:
                await lines.close()
        except (AttributeError, TypeError, ValueError) as error:
            raise BrokenStream(f"the results of a batch are unreadable ({type(error).__name__})") from error

    async def _retrieve(self, batch_id: str) -> "MessageBatch":
        import anthropic

        try:
            return _checked(await self._sdk.messages.batches.retrieve(batch_id))
        except anthropic.NotFoundError as error:
            if error.type == "not_found_error":
                raise BatchGone(batch_id) from error
            raise

    async def _list(self, since: datetime) -> Sequence["MessageBatch"]:
        """The latest come first."""
        found: list[MessageBatch] = []
        async for batch in self._sdk.messages.batches.list(limit=_PAGE):
            if _checked(batch).created_at < since:
                break
            found.append(batch)
        return found

    async def _repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        patience = self._patience()
        while True:
            try:
                return await call()
            except BatchGone:
                raise
            except Exception as error:  # noqa: BLE001 (judged: what is none of Claude's is raised again)
                await patience.bear(_judge(error), error)

    def _patience(self) -> "_Patience":
        return _Patience(self._pace, self._backoff, self._chance)


class _Patience:
    """Of one call: waits before it is made again, and ends it when that takes too long."""

    def __init__(self, pace: Pace, backoff: Backoff, chance: random.Random) -> None:
        self._pace = pace
        self._backoff = backoff
        self._chance = chance
        self._attempts = count()
        self._since = asyncio.get_running_loop().time()

    async def bear(self, verdict: TryAgain | ClaudeFailed, error: Exception) -> None:
        if isinstance(verdict, ClaudeFailed):
            raise verdict from error
        wait = self._backoff.wait(next(self._attempts), verdict.after, self._chance)
        if asyncio.get_running_loop().time() - self._since + wait > self._pace.patience:
            message = f"the Message Batches API gave no answer for long; last: {verdict.reason}"
            raise NoMoreAnswers(FailureCode.CLAUDE_UNAVAILABLE, message, retryable=True) from error
        log.warning("claude_batch_waiting", reason=verdict.reason, seconds=round(wait, 1))
        await asyncio.sleep(wait)


def _judge(error: Exception) -> TryAgain | ClaudeFailed:
    """About a batch, where no model can be the reason."""
    verdict = judge(error, "of the batch")
    if isinstance(verdict, ClaudeFailed) and not isinstance(verdict, NoMoreAnswers):
        return TryAgain(reason=verdict.message)
    return verdict


def _surely_not_made(error: Exception) -> bool:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return error.status_code == 529 or error.status_code in set(range(400, 500)) - {408, 409, 499}
    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _checked(batch: "MessageBatch") -> "MessageBatch":
    """The SDK takes any JSON for a batch."""
    said: object = getattr(batch, "id", None), getattr(batch, "created_at", None)
    if isinstance(said[0], str) and isinstance(said[1], datetime):
        return batch
    raise BrokenStream("the answer of the Message Batches API has no batch in it")


def _requests(tickets: Sequence[Ticket]) -> "list[Request]":
    return [{"custom_id": ticket.custom_id, "params": {**request_params(ticket.request)}} for ticket in tickets]


def results_of(batch: "MessageBatch") -> dict[str, int]:
    counts = batch.request_counts
    return {
        "succeeded": counts.succeeded,
        "errored": counts.errored,
        "canceled": counts.canceled,
        "expired": counts.expired,
    }
