"""Jobs, repository runs and shards: every change is a conditional write, so that it may be tried twice."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from msgspec import Struct

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
from cody_jobs.run_filter import PLAIN, RunFilter


class LeaseRenewal(Struct, frozen=True, kw_only=True):
    """`held` are the runs that still belong to the owner; the others were stopped or given to somebody else."""

    held: frozenset[str]
    job_status: JobStatus


class ShardEnd(Struct, frozen=True, kw_only=True):
    """`job_ended_now` is true for exactly one caller: the one whose call moved the job to its final status;
    `awaits_approval_now` for the one whose call ended the job's sample."""

    job: Job
    job_ended_now: bool
    awaits_approval_now: bool = False


class Approved(Struct, frozen=True, kw_only=True):
    """`now` is false when the same approval was given before. `runs` were queued again by it."""

    job: Job
    runs: int
    now: bool


class OpenShard(Struct, frozen=True, kw_only=True):
    """A shard without an end. `silent`: one of its runs is RUNNING under a lease that has expired."""

    shard: Shard
    job_status: JobStatus
    silent: bool


class RecoveredRuns(Struct, frozen=True, kw_only=True):
    """What became of a lost shard's unfinished runs."""

    requeued: tuple[str, ...]
    failed: tuple[str, ...]


@runtime_checkable
class JobStore(Protocol):
    """Raises `JobNotFound` or `RunNotFound` for unknown ids, `Unavailable` when the database stays away."""

    async def ping(self) -> None:
        """Return when the store answers a trivial read; raise `Unavailable` otherwise, without retrying."""
        ...

    async def create_job(self, job: NewJob, repositories: Sequence[str]) -> Job:
        """Write the job with one QUEUED run per repository and return it as PENDING.

        The job is CREATING while its runs are written in batches. The same id again finishes a half-created job,
        returns an existing one as it is, or raises `IdempotencyConflict` when its fingerprint differs.
        """
        ...

    async def discard_half_created(self, *, older_than: timedelta) -> list[str]:
        """Delete jobs (with their runs) that are CREATING and were not written to for that long; return their ids.
        No client was ever told of them."""
        ...

    async def get_job(self, job_id: str) -> Job: ...

    async def list_jobs(self, *, status: JobStatus | None, limit: int, cursor: str | None) -> Page[Job]:
        """Newest first. Raises `JobRejected` for a cursor that this store did not make."""
        ...

    async def count_runs(self, job_ids: Sequence[str]) -> dict[str, RunCounts]: ...

    async def get_run(self, job_id: str, repository: str) -> RepositoryRun: ...

    async def list_runs(
        self, job_id: str, *, status: RunStatus | None, limit: int, cursor: str | None
    ) -> Page[RepositoryRun]:
        """In the order of the request."""
        ...

    async def begin_attempt(self, job_id: str, *, repositories_per_shard: int) -> Attempt | None:
        """Cut the queued runs of a PENDING or RUNNING job into the shards of a new attempt.

        The job becomes RUNNING, the runs DISPATCHED; a run that was lost before gets a shard of its own, so that it
        cannot take others with it again. An attempt that exists without a compute id (its dispatcher died) is
        returned `again` instead. None when there is nothing to hand over. A PENDING job that has no unfinished run
        (an operator set it back) gets its failed and cancelled runs queued again first.

        Of a job that is `sampling`, only its sample is handed over. Before that is chosen, one shard, the pilot's, has
        more repositories to choose from (`pilot_positions`), and there is no other as long as it is open.
        """
        ...

    async def record_compute(self, job_id: str, attempt: int, compute_id: str) -> bool:
        """Note which compute job runs the attempt; False when another one was noted before."""
        ...

    async def list_compute_ids(self, job_id: str) -> list[str]:
        """Compute jobs that were noted for any attempt of the job, oldest first; [] also for an unknown job."""
        ...

    async def get_shard(self, job_id: str, attempt: int, index: int) -> Shard:
        """Raises `RunNotFound` when there is no such shard."""
        ...

    async def list_open_shards(self, *, limit: int) -> list[OpenShard]:
        """Oldest first."""
        ...

    async def claim_run(self, job_id: str, repository: str, *, owner: str, lease: timedelta) -> RepositoryRun:
        """Take a DISPATCHED run (or a RUNNING one whose lease has expired): RUNNING, held by the owner for `lease`.

        The same owner may claim again. Raises `LeaseLost` when it is held or has ended; `RunLost` when it was lost too
        often and this owner's claim ended it as failed, `worker_lost`.
        """
        ...

    async def renew_leases(
        self, job_id: str, repositories: Sequence[str], *, owner: str, lease: timedelta
    ) -> LeaseRenewal: ...

    async def release_run(self, job_id: str, repository: str, *, owner: str) -> None:
        """Give a run back unfinished: QUEUED, no loss counted. Nothing happens when the owner does not hold it."""
        ...

    async def finish_run(self, job_id: str, repository: str, *, owner: str, result: RunResult) -> RepositoryRun:
        """The run's final state. Raises `LeaseLost` when the owner does not hold it."""
        ...

    async def record_sample(self, job_id: str, sample: Sequence[SampledRepository]) -> tuple[SampledRepository, ...]:
        """Store which repositories the job's sample is, unless it was chosen before; the sample as it is stored.
        Raises `IllegalTransition` when the job is not RUNNING, or not `sampling` (any more)."""
        ...

    async def end_shard(self, job_id: str, attempt: int, index: int) -> ShardEnd:
        """Note that the shard's worker is done. When no run of the job is unfinished, the job ends, exactly once.
        When it is `sampling`, and its sample has ended but not all of its runs, it waits for an approval instead.
        May be called again; that settles a job whose last worker died between its last run and this call."""
        ...

    async def recover_shard(self, job_id: str, attempt: int, index: int, *, failure: Failure | None) -> RecoveredRuns:
        """The shard's worker is gone: end the shard and put its unfinished runs back into the queue.

        RUNNING runs count a loss; a run lost `LOSSES_ALLOWED` times or dispatched `DISPATCHES_ALLOWED` times fails
        (`worker_lost`). With `failure`, all of them fail with it instead (its worker cannot ever start).
        """
        ...

    async def list_jobs_to_dispatch(self, *, pending_for: timedelta, limit: int) -> list[str]:
        """Ids of jobs PENDING and unchanged for that long, and of RUNNING jobs that have queued runs (while they are
        `sampling`: queued runs that `begin_attempt` would hand over), or an attempt without a compute id for that
        long."""
        ...

    async def list_jobs_to_settle(self, *, limit: int) -> list[tuple[str, int, int]]:
        """(job id, attempt, shard index) of RUNNING jobs without an open shard, and without an unfinished run or, while
        they are `sampling`, without one in their sample: an `end_shard` for it ends the job, or its sample."""
        ...

    async def stop_job(self, job_id: str, *, status: JobStatus, failure: Failure | None) -> ShardEnd:
        """End a job now, as CANCELLED or FAILED: its unfinished runs become CANCELLED (leases are void, shards end).
        Raises `IllegalTransition` when it has ended already, except with the same status, which changes nothing."""
        ...

    async def retry_job(self, job_id: str, *, runs: RunFilter = PLAIN, prompt: str | None = None) -> int:
        """Queue these runs of a job again that has ended or awaits approval, and make it PENDING; their number.

        With `prompt`, that is the job's from now on (`amend_prompt`). While the job is `sampling`, only its sample is
        worked on, as before. Raises `IllegalTransition` when the job has not ended, or has no such run.
        """
        ...

    async def approve_job(self, job_id: str, *, prompt: str | None, again: bool) -> Approved:
        """Let a job that awaits approval go on with all its repositories: it becomes PENDING.

        With `prompt`, that is the job's from now on, and the failed runs of its sample are queued again; with `again`,
        the succeeded ones too. Approving again the same way changes nothing. Raises `IllegalTransition` when the job
        does not await approval, or was approved in another way.
        """
        ...

    async def set_pending(self, job_id: str) -> Job:
        """What an operator does by hand to a stuck job: PENDING, whatever it was (but CREATING)."""
        ...

    async def prune(self, *, ended_before: timedelta) -> list[str]:
        """Delete jobs that ended longer ago than that, with all their runs and shards; return their ids."""
        ...
