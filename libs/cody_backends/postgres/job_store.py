"""Jobs, runs and shards in PostgreSQL. Each step is a file of `jobs/`.

`Database.run` runs an operation again when the answer to its commit was lost. So every operation is conditional (the
second time changes nothing), and where the answer itself matters (who ended the job?) the call leaves a mark, made
here once, by which it knows its own change.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

from cody_backends.postgres.database import Database
from cody_backends.postgres.jobs import again, approve, clean, create, dispatch, end, hold, read, samples
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


class PostgresJobStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ping(self) -> None:
        await self._database.ping()

    async def create_job(self, job: NewJob, repositories: Sequence[str]) -> Job:
        return await create.create_job(self._database, job, repositories)

    async def discard_half_created(self, *, older_than: timedelta) -> list[str]:
        return await clean.discard_half_created(self._database, older_than=older_than)

    async def get_job(self, job_id: str) -> Job:
        return await self._database.run_statement(partial(read.get_job, job_id=job_id))

    async def list_jobs(self, *, status: JobStatus | None, limit: int, cursor: str | None) -> Page[Job]:
        return await self._database.run_statement(partial(read.list_jobs, status=status, limit=limit, cursor=cursor))

    async def count_runs(self, job_ids: Sequence[str]) -> dict[str, RunCounts]:
        return await self._database.run_statement(partial(read.count_runs, job_ids=job_ids))

    async def get_run(self, job_id: str, repository: str) -> RepositoryRun:
        return await self._database.run_statement(partial(read.get_run, job_id=job_id, repository=repository))

    async def list_runs(
        self, job_id: str, *, status: RunStatus | None, limit: int, cursor: str | None
    ) -> Page[RepositoryRun]:
        return await self._database.run_statement(
            partial(read.list_runs, job_id=job_id, status=status, limit=limit, cursor=cursor)
        )

    async def begin_attempt(self, job_id: str, *, repositories_per_shard: int) -> Attempt | None:
        return await self._database.run(
            partial(dispatch.begin_attempt, job_id=job_id, repositories_per_shard=repositories_per_shard)
        )

    async def record_compute(self, job_id: str, attempt: int, compute_id: str) -> bool:
        return await self._database.run(
            partial(dispatch.record_compute, job_id=job_id, attempt=attempt, compute_id=compute_id)
        )

    async def list_compute_ids(self, job_id: str) -> list[str]:
        return await self._database.run_statement(partial(dispatch.list_compute_ids, job_id=job_id))

    async def get_shard(self, job_id: str, attempt: int, index: int) -> Shard:
        return await self._database.run_statement(
            partial(dispatch.get_shard, job_id=job_id, attempt=attempt, index=index)
        )

    async def list_open_shards(self, *, limit: int) -> list[OpenShard]:
        return await self._database.run_statement(partial(dispatch.list_open_shards, limit=limit))

    async def claim_run(self, job_id: str, repository: str, *, owner: str, lease: timedelta) -> RepositoryRun:
        return await hold.claim_run(self._database, job_id=job_id, repository=repository, owner=owner, lease=lease)

    async def renew_leases(
        self, job_id: str, repositories: Sequence[str], *, owner: str, lease: timedelta
    ) -> LeaseRenewal:
        return await self._database.run_statement(
            partial(hold.renew_leases, job_id=job_id, repositories=repositories, owner=owner, lease=lease)
        )

    async def release_run(self, job_id: str, repository: str, *, owner: str) -> None:
        await self._database.run_statement(partial(hold.release_run, job_id=job_id, repository=repository, owner=owner))

    async def finish_run(self, job_id: str, repository: str, *, owner: str, result: RunResult) -> RepositoryRun:
        return await self._database.run_statement(
            partial(hold.finish_run, job_id=job_id, repository=repository, owner=owner, result=result)
        )

    async def record_sample(self, job_id: str, sample: Sequence[SampledRepository]) -> tuple[SampledRepository, ...]:
        return await self._database.run(partial(samples.record_sample, job_id=job_id, sample=sample))

    async def end_shard(self, job_id: str, attempt: int, index: int) -> ShardEnd:
        return await self._database.run(
            partial(end.end_shard, job_id=job_id, attempt=attempt, index=index, mark=uuid4())
        )

    async def recover_shard(self, job_id: str, attempt: int, index: int, *, failure: Failure | None) -> RecoveredRuns:
        return await self._database.run(
            partial(end.recover_shard, job_id=job_id, attempt=attempt, index=index, failure=failure, mark=uuid4())
        )

    async def list_jobs_to_dispatch(self, *, pending_for: timedelta, limit: int) -> list[str]:
        return await self._database.run_statement(
            partial(dispatch.list_jobs_to_dispatch, pending_for=pending_for, limit=limit)
        )

    async def list_jobs_to_settle(self, *, limit: int) -> list[tuple[str, int, int]]:
        return await self._database.run_statement(partial(end.list_jobs_to_settle, limit=limit))

    async def stop_job(self, job_id: str, *, status: JobStatus, failure: Failure | None) -> ShardEnd:
        return await self._database.run(
            partial(end.stop_job, job_id=job_id, status=status, failure=failure, mark=uuid4())
        )

    async def retry_job(self, job_id: str, *, runs: RunFilter = PLAIN, prompt: str | None = None) -> int:
        return await self._database.run(partial(again.retry_job, job_id=job_id, runs=runs, prompt=prompt, mark=uuid4()))

    async def approve_job(self, job_id: str, *, prompt: str | None, again: bool) -> Approved:
        return await self._database.run(
            partial(approve.approve_job, job_id=job_id, prompt=prompt, again=again, mark=uuid4())
        )

    async def set_pending(self, job_id: str) -> Job:
        return await self._database.run(partial(again.set_pending, job_id=job_id))

    async def prune(self, *, ended_before: timedelta) -> list[str]:
        return await clean.prune(self._database, ended_before=ended_before)
