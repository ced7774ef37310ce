"""Claude, asked in batches: requests are collected, sent together, and each is woken by its answer."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from cody_jobs.errors import CodyError
from cody_jobs.events import BatchEnded, BatchSent, EventBody
from cody_jobs.models import FailureCode
from cody_jobs.ports.batch_store import BatchStore
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import get_tracer
from cody_worker.claude.batches.batch_calls import BatchCalls, BatchGone, results_of
from cody_worker.claude.batches.collected import Collected
from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.batches.read_result import read_result
from cody_worker.claude.batches.submissions import Submissions
from cody_worker.claude.batches.tickets import Ticket, Unanswered, custom_id
from cody_worker.claude.claude import ClaudeFailed, ClaudeReply, ClaudeRequest, PromptTooLong
from cody_worker.claude.client import open_sdk
from cody_worker.claude.meters import BatchMeters, ClaudeMeters
from cody_worker.claude.patience import Backoff
from cody_worker.claude.prices import Prices, read_prices
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.worker_stopping import WorkerStopping

if TYPE_CHECKING:
    from anthropic.types.messages import MessageBatch

log = get_logger(__name__)
tracer = get_tracer(__name__)

Tell = Callable[[str, EventBody], Awaitable[None]]
"""Appends an event, by a key, unless it was appended under that key before."""


@asynccontextmanager
async def open_batched_claude(
    settings: ClaudeSettings,
    store: BatchStore,
    tell: Tell,
    *,
    job_id: str,
    owner: str,
    pace: Pace | None = None,
    backoff: Backoff | None = None,
    chance: random.Random | None = None,
) -> AsyncGenerator["BatchedClaude"]:
    """For the requests of one job. Raises as `open_claude` does."""
    pace, chance = pace or Pace(), chance or random.Random()  # noqa: S311 (jitter)
    async with await open_sdk(settings) as sdk:
        calls = BatchCalls(sdk, pace, backoff or Backoff(), chance)
        round_number = await store.round_of(job_id)
        submissions = Submissions(store, calls, pace, job_id=job_id, round_number=round_number, owner=owner)
        batched = BatchedClaude(
            submissions,
            calls,
            tell,
            pace,
            read_prices(settings.claude_prices or ""),
            job_id=job_id,
            round_number=round_number,
            max_output_tokens=settings.claude_max_output_tokens,
        )
        async with batched:
            yield batched


class BatchedClaude:
    """Implements `Claude`. The same request is sent once, however often and by whomever it is asked; what it has cost
    is told to the first one who asks."""

    def __init__(
        self,
        submissions: Submissions,
        calls: BatchCalls,
        tell: Tell,
        pace: Pace,
        prices: Prices,
        *,
        job_id: str,
        round_number: int,
        max_output_tokens: int,
    ) -> None:
        self._submissions = submissions
        self._calls = calls
        self._tell = tell
        self._pace = pace
        self._prices = prices
        self._job_id = job_id
        self._round = round_number
        self._limit = max_output_tokens
        self._waiting: dict[str, Ticket] = {}
        self._collected = Collected(pace)
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[str | None]] = set()
        self._meters, self._batch_meters = ClaudeMeters(), BatchMeters()

    async def __aenter__(self) -> "BatchedClaude":
        self._start(self._collect(), [], "collect")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        if self._sending:
            await asyncio.wait(self._sending, timeout=self._pace.leave)
        running = [*self._tasks, *self._sending]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    @property
    def max_output_tokens(self) -> int:
        return self._limit

    def name(self, request: ClaudeRequest) -> str:
        """Of the money that is reserved for it: asked again, it is the same money."""
        return f"{custom_id(self._job_id, request)} {self._round}"

    async def holds(self, request: ClaudeRequest) -> bool:
        """It was sent before: asking it costs nothing more."""
        return await self._submissions.holds(custom_id(self._job_id, request))

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        """Raises `WorkerStopping` once the worker leaves."""
        wanted = custom_id(self._job_id, request)
        first, tries, reason = wanted not in self._waiting, 0, ""
        while tries < self._pace.tries:
            answer = await self._ticket(wanted, request).answer()
            if isinstance(answer, ClaudeReply):
                return answer if first else replace(answer, calls=())
            if isinstance(answer, ClaudeFailed):
                # A new one for each: its calls grow on its way up.
                raise type(answer)(
                    FailureCode(answer.code),
                    answer.message,
                    retryable=answer.retryable,
                    calls=answer.calls if first else (),
                )
            if not isinstance(answer, Unanswered):
                raise answer
            tries, reason = tries + answer.counts, answer.reason
        message = f"Claude gave no answer in {tries} batches; last: {reason}"
        raise ClaudeFailed(FailureCode.CLAUDE_UNAVAILABLE, message, retryable=True)

    def leave(self) -> None:
        """Nobody waits any longer; what was sent goes on, for whoever asks next."""
        self._stopping = True
        for ticket in list(self._waiting.values()):
            self._settle(ticket, WorkerStopping())
        self._collected.clear()

    async def cancel_batches(self) -> None:
        """Nobody will ever want the answers that are not there yet. What cannot be cancelled goes on."""
        for batch_id in await self._submissions.open_batches():
            try:
                async with asyncio.timeout(self._pace.leave):
                    await self._calls.cancel(batch_id)
            except Exception as error:  # noqa: BLE001 (best effort: it has ended, or Claude does not answer)
                log.info("claude_batch_not_cancelled", batch_id=batch_id, reason=type(error).__name__)
            else:
                log.info("claude_batch_cancelled", batch_id=batch_id)

    def _ticket(self, wanted: str, request: ClaudeRequest) -> Ticket:
        if self._stopping:
            raise WorkerStopping
        ticket = self._waiting.get(wanted)
        if ticket is None:
            ticket = self._waiting[wanted] = Ticket(wanted, request)
            self._collected.add(ticket)
        return ticket

    def _settle(self, ticket: Ticket, answer: "ClaudeReply | ClaudeFailed | Unanswered | Exception") -> None:
        if self._waiting.get(ticket.custom_id) is ticket:
            del self._waiting[ticket.custom_id]
        ticket.settle(answer)

    async def _collect(self) -> None:
        while True:
            tickets = await self._collected.next_batch()
            if tickets:
                self._start(self._submit(tickets), tickets, "submit")

    def _start(self, work: Coroutine[None, None, None], tickets: Sequence[Ticket], name: str) -> None:
        task = asyncio.create_task(self._guarded(work, tickets), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None], tickets: Sequence[Ticket]) -> None:
        """What goes wrong is told to those who wait."""
        try:
            await work
        except Exception as error:
            if not isinstance(error, CodyError):
                log.exception("claude_batch_surprised")
            for ticket in tickets:
                self._settle(ticket, error)

    async def _submit(self, tickets: Sequence[Ticket]) -> None:
        """What is on its way already is waited for, and the rest is sent."""
        submission_id = uuid4().hex
        owners = await self._submissions.intend(submission_id, [ticket.custom_id for ticket in tickets])
        waiting: defaultdict[str, list[Ticket]] = defaultdict(list)
        for ticket in tickets:
            waiting[owners[ticket.custom_id]].append(ticket)
        for earlier, these in waiting.items():
            work = self._send(earlier, these) if earlier == submission_id else self._await(earlier, these)
            self._start(work, these, "batch")

    async def _send(self, submission_id: str, tickets: Sequence[Ticket]) -> None:
        sending = asyncio.create_task(self._submissions.send(submission_id, tickets), name="send")
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        try:
            batch_id = await asyncio.shield(sending)
        except PromptTooLong:
            # The batch is, for whatever stands between us and Claude: no prompt has been looked at yet.
            if len(tickets) == 1:
                raise
            for half in (tickets[: len(tickets) // 2], tickets[len(tickets) // 2 :]):
                self._start(self._submit(half), half, "submit")
            return
        if batch_id is not None:
            log.info("claude_batch_sent", batch_id=batch_id, requests=len(tickets))
            await self._tell(f"batch_sent {batch_id}", BatchSent(batch_id=batch_id, requests=len(tickets)))
        await self._await(submission_id, tickets)

    async def _await(self, submission_id: str, tickets: Sequence[Ticket]) -> None:
        batch_id = await self._submissions.batch_of(submission_id)
        if batch_id is None:
            for ticket in tickets:
                self._settle(ticket, Unanswered(reason="the batch was never made", counts=False))
            return
        attributes = {names.BATCH_ID: batch_id, names.BATCH_REQUESTS: len(tickets), names.JOB_ID: self._job_id}
        with tracer.start_as_current_span(names.SPAN_BATCH, attributes=attributes):
            try:
                batch = await self._end_of(batch_id)
                left = await self._read(batch, {ticket.custom_id: ticket for ticket in tickets})
            except BatchGone:
                left = {ticket: Unanswered(reason=f"batch {batch_id} is gone") for ticket in tickets}
        # Only then may they be sent again.
        await self._submissions.leave_out(submission_id, [ticket.custom_id for ticket in left])
        await self._submissions.ended(submission_id)
        for ticket, unanswered in left.items():
            self._settle(ticket, unanswered)

    async def _end_of(self, batch_id: str) -> "MessageBatch":
        pause = self._pace.first_look
        while (batch := await self._calls.look(batch_id)).processing_status != "ended":
            await asyncio.sleep(pause)
            pause = min(self._pace.rarest_look, pause * 1.5)
        log.info("claude_batch_ended", batch_id=batch_id, **results_of(batch))
        ended = BatchEnded(batch_id=batch_id, **results_of(batch))
        await self._tell(f"batch_ended {batch_id}", ended)
        return batch

    async def _read(self, batch: "MessageBatch", waiting: dict[str, Ticket]) -> dict[Ticket, Unanswered]:
        """Wake those who have an answer; the others are left."""
        left = {ticket: Unanswered(reason=f"batch {batch.id} says nothing about it") for ticket in waiting.values()}
        results = self._calls.results(batch)
        try:
            async for line in results:
                ticket = waiting.get(line.custom_id)
                if ticket is None:
                    continue
                answer = read_result(line, batch, model=ticket.request.model, prices=self._prices)
                if isinstance(answer, Unanswered):
                    left[ticket] = answer
                    continue
                left.pop(ticket, None)
                self._count(answer)
                self._settle(ticket, answer)
        finally:
            await results.aclose()
        self._measure(batch)
        return left

    def _count(self, answer: object) -> None:
        if isinstance(answer, ClaudeReply):
            for call in answer.calls:
                self._meters.record(call, timed=False)

    def _measure(self, batch: "MessageBatch") -> None:
        if batch.ended_at is not None:
            seconds = (batch.ended_at - batch.created_at).total_seconds()
            self._batch_meters.ended(seconds, results_of(batch))
