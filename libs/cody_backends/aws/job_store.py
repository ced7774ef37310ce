"""Jobs, runs and shards in DynamoDB. Each step is a file of `jobs/`; the layout is in
docs/decisions/0011-dynamodb-layout.md.

Every request is made again when its answer was lost. So every write is conditional, and leaves a mark by which a call
knows its own change.
"""

from collections.abc import Sequence
from datetime import timedelta

from cody_backends.aws.jobs import again, approve, clean, create, dispatch, end, hold, read, samples, shards
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.models import (
    Attempt,
    Failure,
    Job,
    JobStatus,
    NewJob,
    Page,
    RepositoryRun,
    RunCounts,
    RunResult,
    RunStatus,
    SampledRepository,
    Shard,
)
from cody_jobs.ports.job_store import Approved, LeaseRenewal, OpenShard, RecoveredRuns, ShardEnd
from cody_jobs.run_filter import PLAIN, RunFilter


class DynamoJobStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def ping(self) -> None:
        await self._tables.ping()

    async def create_job(self, job: NewJob, repositories: Sequence[str]) -> Job:
        return await create.create_job(self._tables, job=job, repositories=repositories)

    async def discard_half_created(self, *, older_than: timedelta) -> list[str]:
        return await clean.discard_half_created(self._tables, older_than=older_than)

    async def get_job(self, job_id: str) -> Job:
        return await read.get_job(self._tables, job_id=job_id)

    async def list_jobs(self, *, status: JobStatus | None, limit: int, cursor: str | None) -> Page[Job]:
        return await read.list_jobs(self._tables, status=status, limit=limit, cursor=cursor)

    async def count_runs(self, job_ids: Sequence[str]) -> dict[str, RunCounts]:
        return await shards.count_runs(self._tables, job_ids=job_ids)

    async def get_run(self, job_id: str, repository: str) -> RepositoryRun:
        return await read.get_run(self._tables, job_id=job_id, repository=repository)

    async def list_runs(
        self, job_id: str, *, status: RunStatus | None, limit: int, cursor: str | None
    ) -> Page[RepositoryRun]:
        return await read.list_runs(self._tables, job_id=job_id, status=status, limit=limit, cursor=cursor)

    async def begin_attempt(self, job_id: str, *, repositories_per_shard: int) -> Attempt | None:
        return await dispatch.begin_attempt(self._tables, job_id=job_id, repositories_per_shard=repositories_per_shard)

    async def record_compute(self, job_id: str, attempt: int, compute_id: str) -> bool:
        return await dispatch.record_compute(self._tables, job_id=job_id, attempt=attempt, compute_id=compute_id)

    async def list_compute_ids(self, job_id: str) -> list[str]:
        return await dispatch.list_compute_ids(self._tables, job_id=job_id)

    async def get_shard(self, job_id: str, attempt: int, index: int) -> Shard:
        return await shards.get_shard(self._tables, job_id=job_id, attempt=attempt, index=index)

    async def list_open_shards(self, *, limit: int) -> list[OpenShard]:
        return await dispatch.list_open_shards(self._tables, limit=limit)

    async def claim_run(self, job_id: str, repository: str, *, owner: str, lease: timedelta) -> RepositoryRun:
        return await hold.claim_run(self._tables, job_id=job_id, repository=repository, owner=owner, lease=lease)

    async def renew_leases(
        self, job_id: str, repositories: Sequence[str], *, owner: str, lease: timedelta
    ) -> LeaseRenewal:
        return await hold.renew_leases(self._tables, job_id=job_id, repositories=repositories, owner=owner, lease=lease)

    async def release_run(self, job_id: str, repository: str, *, owner: str) -> None:
        await hold.release_run(self._tables, job_id=job_id, repository=repository, owner=owner)

    async def finish_run(self, job_id: str, repository: str, *, owner: str, result: RunResult) -> RepositoryRun:
        return await hold.finish_run(self._tables, job_id=job_id, repository=repository, owner=owner, result=result)

    async def record_sample(self, job_id: str, sample: Sequence[SampledRepository]) -> tuple[SampledRepository, ...]:
        return await samples.record_sample(self._tables, job_id=job_id, sample=sample)

    async def end_shard(self, job_id: str, attempt: int, index: int) -> ShardEnd:
        return await end.end_shard(self._tables, job_id=job_id, attempt=attempt, index=index)

    async def recover_shard(self, job_id: str, attempt: int, index: int, *, failure: Failure | None) -> RecoveredRuns:
        return await end.recover_shard(self._tables, job_id=job_id, attempt=attempt, index=index, failure=failure)

    async def list_jobs_to_dispatch(self, *, pending_for: timedelta, limit: int) -> list[str]:
        return await dispatch.list_jobs_to_dispatch(self._tables, pending_for=pending_for, limit=limit)

    async def list_jobs_to_settle(self, *, limit: int) -> list[tuple[str, int, int]]:
        return await end.list_jobs_to_settle(self._tables, limit=limit)

    async def stop_job(self, job_id: str, *, status: JobStatus, failure: Failure | None) -> ShardEnd:
        return await end.stop_job(self._tables, job_id=job_id, status=status, failure=failure)

    async def retry_job(self, job_id: str, *, runs: RunFilter = PLAIN, prompt: str | None = None) -> int:
        return await again.retry_job(self._tables, job_id=job_id, runs=runs, prompt=prompt)

    async def approve_job(self, job_id: str, *, prompt: str | None, again: bool) -> Approved:
        return await approve.approve_job(self._tables, job_id=job_id, prompt=prompt, again=again)

    async def set_pending(self, job_id: str) -> Job:
        return await again.set_pending(self._tables, job_id=job_id)

    async def prune(self, *, ended_before: timedelta) -> list[str]:
        return await clean.prune(self._tables, ended_before=ended_before)
