"""Send a batch once, whoever dies: what is to be sent is written down before, and its id afterwards. In between, the
batch is looked for among all that Claude has."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from cody_jobs.models import FailureCode
from cody_jobs.ports.batch_store import BatchStore, Submission
from cody_runtime.logs import get_logger
from cody_runtime.tasks import task_group
from cody_worker.claude.batches.batch_calls import BatchCalls, MaybeMade
from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.batches.tickets import Ticket
from cody_worker.claude.claude import ClaudeFailed, NoMoreAnswers

if TYPE_CHECKING:
    from anthropic.types.messages import MessageBatch

log = get_logger(__name__)

_CLOCKS_DIFFER = timedelta(minutes=5)


class Submissions:
    """Those of one job, in one `round` of it. `owner` stands for this process."""

    def __init__(
        self, store: BatchStore, calls: BatchCalls, pace: Pace, *, job_id: str, round_number: int, owner: str
    ) -> None:
        self._store = store
        self._calls = calls
        self._pace = pace
        self._job_id = job_id
        self._round = round_number
        self._owner = owner

    async def intend(self, submission_id: str, custom_ids: Sequence[str]) -> Mapping[str, str]:
        return await self._store.intend(
            submission_id,
            job_id=self._job_id,
            round_number=self._round,
            owner=self._owner,
            lease=self._pace.lease,
            custom_ids=custom_ids,
        )

    async def holds(self, custom_id: str) -> bool:
        return custom_id in await self._store.held(self._job_id, [custom_id], round_number=self._round)

    async def send(self, submission_id: str, tickets: Sequence[Ticket]) -> str | None:
        """The batch's id, once it is written down; None where somebody else has taken over. Raises `ClaudeFailed` where
        the batch is refused: then nobody waits for it any more."""
        async with self._holding(submission_id):
            batch_id = await self._make(submission_id, tickets)
            if batch_id is not None:
                await self._store.sent(submission_id, batch_id)
        return batch_id

    async def batch_of(self, submission_id: str) -> str | None:
        """Of a submission that somebody has made; None where nothing came of it: its requests are free again."""
        while (submission := await self._store.find(submission_id)) is not None:
            if submission.batch_id is not None:
                return submission.batch_id
            if await self._store.claim(submission_id, owner=self._owner, lease=self._pace.lease):
                return await self._take_over(submission)
            await asyncio.sleep(self._pace.first_look)
        return None

    async def leave_out(self, submission_id: str, custom_ids: Collection[str]) -> None:
        if custom_ids:
            await self._store.leave_out(submission_id, custom_ids)

    async def ended(self, submission_id: str) -> None:
        await self._store.ended(submission_id)

    async def open_batches(self) -> Sequence[str]:
        return await self._store.open_batches(self._job_id)

    async def _make(self, submission_id: str, tickets: Sequence[Ticket]) -> str | None:
        clock = asyncio.get_running_loop().time
        until = clock() + self._pace.patience
        while True:
            try:
                return (await self._calls.create(tickets)).id
            except ClaudeFailed:
                await self._store.take_back(submission_id, owner=self._owner)
                raise
            except MaybeMade as error:
                log.warning("claude_batch_answer_lost", submission=submission_id, reason=type(error.__cause__).__name__)
            submission = await self._store.find(submission_id)
            if submission is None or submission.owner != self._owner:
                return None
            found = await self._search(submission)
            if found is not None:
                return found
            if clock() > until:
                message = "the Message Batches API made no batch for long"
                raise NoMoreAnswers(FailureCode.CLAUDE_UNAVAILABLE, message, retryable=True)

    async def _take_over(self, submission: Submission) -> str | None:
        log.info("claude_batch_taken_over", submission=submission.id, requests=len(submission.custom_ids))
        async with self._holding(submission.id):
            found = await self._search(submission)
            if found is not None:
                await self._store.sent(submission.id, found)
                return found
            await self._store.take_back(submission.id, owner=self._owner)
        return None

    async def _search(self, submission: Submission) -> str | None:
        """None when none of Claude's batches can be it, and enough time has passed for one to appear. A batch says what
        is in it only when it has ended: one that might be it is waited for."""
        clock, strangers = asyncio.get_running_loop().time, set[str]()
        until, pause = clock() + self._pace.search, self._pace.first_look
        while True:
            candidates = await self._candidates(submission, strangers)
            for batch in candidates:
                if batch.processing_status == "ended":
                    if await self._is(submission, batch):
                        return batch.id
                    strangers.add(batch.id)
            if clock() >= until and all(batch.id in strangers for batch in candidates):
                return None
            await asyncio.sleep(min(pause, max(0.05, until - clock())) if clock() < until else pause)
            pause = min(self._pace.rarest_look, pause * 1.5)

    async def _candidates(self, submission: Submission, strangers: Collection[str]) -> list["MessageBatch"]:
        made = await self._calls.made_since(submission.intended_at - _CLOCKS_DIFFER)
        fitting = [batch for batch in made if batch.id not in strangers and _fits(batch, submission)]
        known = await self._store.known([batch.id for batch in fitting]) if fitting else frozenset[str]()
        return [batch for batch in fitting if batch.id not in known]

    async def _is(self, submission: Submission, batch: "MessageBatch") -> bool:
        ours = set(submission.custom_ids)
        results = self._calls.results(batch)
        try:
            async for line in results:
                return line.custom_id in ours
            return False
        finally:
            await results.aclose()

    @asynccontextmanager
    async def _holding(self, submission_id: str) -> AsyncGenerator[None]:
        async with task_group() as group:
            keeper = group.create_task(self._keep(submission_id), name="keep-submission")
            try:
                yield
            finally:
                keeper.cancel()

    async def _keep(self, submission_id: str) -> None:
        while True:
            await asyncio.sleep(self._pace.lease.total_seconds() / 3)
            await self._store.claim(submission_id, owner=self._owner, lease=self._pace.lease)


def _fits(batch: "MessageBatch", submission: Submission) -> bool:
    counts = batch.request_counts
    total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
    return total == len(submission.custom_ids)
