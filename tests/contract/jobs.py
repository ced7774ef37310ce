"""Jobs to test with, and short ways to bring them where a test begins."""

from collections.abc import Sequence
from datetime import timedelta

from cody_jobs.identity import new_job_id
from cody_jobs.models import (
    Attempt,
    Failure,
    FailureCode,
    FileCounts,
    Job,
    JobSpec,
    JobType,
    NewJob,
    RunFailed,
    RunOutcome,
    RunResult,
    RunSucceeded,
    SampledRepository,
)
from cody_jobs.ports import JobStore

OWNER = "worker-1"
LEASE = timedelta(minutes=5)
OVER = timedelta(0)
"""A lease that has expired as soon as it is given."""

PATCH = RunSucceeded(
    outcome=RunOutcome.PATCH,
    reason="there is no publisher",
    files=FileCounts(examined=9, candidates=4, edited=2, unchanged=2, reused=1, skipped={"binary": 3}),
)
ESTIMATED = RunSucceeded(outcome=RunOutcome.ESTIMATED, reason="would ask about 2 files", files=FileCounts(examined=9))
NO_CHANGES = RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason="nothing to do", files=FileCounts(examined=9))


def names(count: int) -> list[str]:
    return [f"owner/r{number}" for number in range(count)]


def failed(
    code: FailureCode = FailureCode.FILES_FAILED, message: str = "broken", *, retryable: bool = False
) -> RunResult:
    failure = Failure(code=code, message=message, retryable=retryable)
    return RunFailed(failure=failure, files=FileCounts(examined=1, candidates=1, failed=1))


def new_job(*, job_id: str | None = None, fingerprint: str = "f1", sample: int = 0) -> NewJob:
    spec = JobSpec(
        name='Übung "1"',
        type=JobType.CODE_PATTERN_UPDATE,
        prompt="Replace\n\0 everything",
        include=("*.py", "!x"),
        match="a|b",
        model="claude-x",
        sample=sample,
    )
    return NewJob(
        id=job_id or new_job_id(),
        spec=spec,
        fingerprint=fingerprint,
        submitted_by="ci",
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    )


async def create(store: JobStore, repositories: int | Sequence[str] = 3, *, sample: int = 0) -> Job:
    chosen = names(repositories) if isinstance(repositories, int) else repositories
    return await store.create_job(new_job(sample=sample), chosen)


async def dispatch(store: JobStore, job_id: str, *, per_shard: int = 10) -> Attempt:
    attempt = await store.begin_attempt(job_id, repositories_per_shard=per_shard)
    assert attempt is not None
    assert await store.record_compute(job_id, attempt.number, f"compute-{attempt.number}")
    return attempt


async def dispatched(store: JobStore, repositories: int | Sequence[str] = 3, *, per_shard: int = 10) -> Job:
    job = await create(store, repositories)
    await dispatch(store, job.id, per_shard=per_shard)
    return await store.get_job(job.id)


async def claim(store: JobStore, job_id: str, repository: str, *, owner: str = OWNER, lease: timedelta = LEASE) -> None:
    await store.claim_run(job_id, repository, owner=owner, lease=lease)


async def do(store: JobStore, job_id: str, results: dict[str, RunResult], *, owner: str = OWNER) -> None:
    for repository, result in results.items():
        await claim(store, job_id, repository, owner=owner)
        await store.finish_run(job_id, repository, owner=owner, result=result)


async def lose(store: JobStore, job_id: str, repository: str) -> None:
    """Its worker takes the run and dies; compute tells of it."""
    await claim(store, job_id, repository, owner="a worker that dies")
    run = await store.get_run(job_id, repository)
    assert run.shard is not None
    await store.recover_shard(job_id, run.attempt, run.shard, failure=None)


async def ended(store: JobStore, results: dict[str, RunResult]) -> Job:
    """A job whose runs ended so."""
    job = await dispatched(store, list(results), per_shard=len(results))
    await do(store, job.id, results)
    end = await store.end_shard(job.id, 1, 0)
    assert end.job_ended_now
    return end.job


def sample_of(*repositories: str) -> tuple[SampledRepository, ...]:
    return tuple(SampledRepository(repository=name, why=f"{name} is large") for name in repositories)


async def pilot(store: JobStore, job_id: str, *chosen: str) -> None:
    """The pilot's worker: dispatched, it chooses a sample and gives the other repositories back."""
    attempt = await dispatch(store, job_id)
    await store.record_sample(job_id, sample_of(*chosen))
    for repository in (await store.get_shard(job_id, attempt.number, 0)).repositories:
        if repository not in chosen:
            await claim(store, job_id, repository)
            await store.release_run(job_id, repository, owner=OWNER)


async def sampled(store: JobStore, results: dict[str, RunResult], *, repositories: int = 8) -> Job:
    """A job that awaits approval: its sample ended so."""
    job = await create(store, repositories, sample=len(results))
    await pilot(store, job.id, *results)
    await do(store, job.id, results)
    end = await store.end_shard(job.id, 1, 0)
    assert end.awaits_approval_now
    return end.job


async def shards(store: JobStore, job_id: str, attempt: Attempt | None) -> list[tuple[str, ...]]:
    assert attempt is not None
    return [(await store.get_shard(job_id, attempt.number, index)).repositories for index in range(attempt.shards)]
