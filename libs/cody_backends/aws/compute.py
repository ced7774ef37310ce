"""Compute on AWS Batch: one SubmitJob for each attempt, however many shards it has."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from cody_backends.aws.batch.batch_calls import BatchCalls
from cody_backends.aws.batch.find_shards import find_shards, is_array
from cody_backends.aws.batch.job_events import JobEvents
from cody_backends.aws.batch.last_words import LastWords
from cody_backends.aws.batch.memory import Memory
from cody_backends.aws.batch.pace import Pace
from cody_backends.aws.batch.seen_job import SeenJob
from cody_backends.aws.batch.submission import submission
from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.settings import BatchSettings
from cody_backends.settings import OPERATION_PATIENCE
from cody_jobs.ports.compute import ComputeRequest, ShardReport, ShardState
from cody_runtime.tasks import task_group
from cody_runtime.waiting import wait_for

_CALLS_PER_SECOND = 5.0
"""Of DescribeJobs and its like: an account has few of them, and people's consoles use them, too."""
_BURST = 10
_LOGS_AT_ONCE = 25
_LOG_PATIENCE = 2.0
_REASONS_KEPT = 10_000
_STOPPED = "stopped by Cody Batch"
_UNKNOWN = ShardReport(state=ShardState.UNKNOWN, exit_code=None, reason=None)


@asynccontextmanager
async def open_batch_compute(
    aws: Aws,
    settings: BatchSettings,
    *,
    patience: float = 60.0,
    operation_patience: float = OPERATION_PATIENCE,
    calls_per_second: float = _CALLS_PER_SECOND,
) -> AsyncGenerator["BatchCompute"]:
    """AWS Batch is waited for, `patience` seconds at first and `operation_patience` seconds by each operation later.

    Workers go on when this is closed. Raises `Unavailable`, or `SettingsError` when the job queue (or the queue of
    events) is not there.
    """
    memory = Memory(asyncio.get_running_loop().time)
    async with AsyncExitStack() as opened:
        batch = await opened.enter_async_context(aws.batch())
        logs = await opened.enter_async_context(aws.logs())
        calls = Calls(aws.name_of("AWS Batch"), patience=operation_patience)
        words = LastWords(
            logs, Calls(aws.name_of("CloudWatch Logs"), patience=_LOG_PATIENCE), group=settings.batch_log_group
        )
        pace = Pace(per_second=calls_per_second, burst=_BURST)
        compute = BatchCompute(BatchCalls(batch, calls, pace), words, memory, settings)
        await wait_for(f"{calls.service} (AWS_ENDPOINT_URL_BATCH, AWS_REGION)", compute.ping, patience=patience)
        if settings.batch_events_queue:
            sqs = await opened.enter_async_context(aws.sqs())
            events = JobEvents(
                sqs,
                Calls(aws.name_of("SQS"), patience=operation_patience),
                memory,
                queue=settings.batch_events_queue,
            )
            await opened.enter_async_context(events.listening())
        yield compute


class BatchCompute:
    def __init__(self, batch: BatchCalls, words: LastWords, memory: Memory, settings: BatchSettings) -> None:
        self._batch = batch
        self._words = words
        self._memory = memory
        self._settings = settings
        self._reasons: OrderedDict[tuple[str, int], str] = OrderedDict()

    async def ping(self) -> None:
        await self._batch.check_queue(self._settings.batch_job_queue)

    async def start(self, request: ComputeRequest) -> str:
        return await self._batch.submit(submission(request, self._settings))

    async def describe(self, compute_id: str, indexes: Sequence[int]) -> dict[int, ShardReport]:
        jobs = self._memory.recall(compute_id, indexes)
        unsure = [index for index in indexes if index not in jobs]
        if unsure:
            found = await find_shards(self._batch, compute_id, unsure)
            self._memory.remember(compute_id, found)
            jobs.update(found)
        await self._read_reasons(compute_id, jobs)
        return {index: self._report(compute_id, index, jobs.get(index)) for index in indexes}

    async def stop(self, compute_id: str, *, indexes: Sequence[int] | None = None) -> None:
        if indexes is None:
            await self._batch.terminate(compute_id, _STOPPED)
            return
        array = await is_array(self._batch, compute_id)
        if array is None:
            return
        if array:
            # From the last one on: what still waits must not get the place of what ends.
            for index in sorted(indexes, reverse=True):
                await self._batch.terminate(f"{compute_id}:{index}", _STOPPED)
        elif 0 in indexes:
            await self._batch.terminate(compute_id, _STOPPED)

    def _report(self, compute_id: str, index: int, job: SeenJob | None) -> ShardReport:
        if job is None:
            return _UNKNOWN
        reason = None
        if job.state is ShardState.FAILED:
            reason = self._reasons.get((compute_id, index)) or job.said
        return ShardReport(state=job.state, exit_code=job.exit_code, reason=reason)

    async def _read_reasons(self, compute_id: str, jobs: Mapping[int, SeenJob]) -> None:
        """Once for each failure, and of many failures a few: they tend to have one reason."""
        new = [
            (index, job)
            for index, job in jobs.items()
            if job.state is ShardState.FAILED and (compute_id, index) not in self._reasons
        ]
        async with task_group() as tasks:
            for index, job in new[:_LOGS_AT_ONCE]:
                tasks.create_task(self._read_reason(compute_id, index, job), name=f"log of {compute_id}:{index}")

    async def _read_reason(self, compute_id: str, index: int, job: SeenJob) -> None:
        self._reasons[compute_id, index] = await self._words.reason(job)
        while len(self._reasons) > _REASONS_KEPT:
            self._reasons.popitem(last=False)
