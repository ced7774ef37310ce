import asyncio
from collections.abc import Mapping

import pytest

from cody_jobs.errors import LeaseLost
from cody_jobs.lifecycle import DISPATCHES_ALLOWED
from cody_jobs.models import Failure, FailureCode, JobStatus, RunCounts, RunResult, RunStatus
from cody_jobs.ports import JobStore, RecoveredRuns
from tests.contract.jobs import (
    NO_CHANGES,
    OWNER,
    PATCH,
    claim,
    create,
    dispatch,
    dispatched,
    do,
    ended,
    failed,
)

FAILURE = Failure(code=FailureCode.CLAUDE_KEY_REFUSED, message="the key was refused", retryable=False)
LOST, BROKEN = FailureCode.WORKER_LOST, FailureCode.FILES_FAILED


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ({"a/a": PATCH, "b/b": NO_CHANGES}, JobStatus.SUCCEEDED),
        ({"a/a": PATCH, "b/b": failed()}, JobStatus.PARTIALLY_SUCCEEDED),
        ({"a/a": failed(), "b/b": failed()}, JobStatus.FAILED),
    ],
)
async def test_a_job_ends_as_its_runs_did(
    job_store: JobStore, results: Mapping[str, RunResult], status: JobStatus
) -> None:
    job = await ended(job_store, dict(results))

    assert job.status is status
    assert job.ended_at is not None
    assert job == await job_store.get_job(job.id)
    assert (job.failure is None) == (status is JobStatus.SUCCEEDED)


async def test_a_job_goes_on_while_a_run_is_unfinished(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2, per_shard=1)
    await do(job_store, job.id, {"owner/r0": PATCH})

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.job.status, end.job_ended_now) == (JobStatus.RUNNING, False)
    assert (await job_store.get_shard(job.id, 1, 0)).ended_at is not None
    assert (await job_store.get_shard(job.id, 1, 1)).ended_at is None


async def test_a_job_whose_other_runs_are_queued_again_does_not_end(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2)
    await do(job_store, job.id, {"owner/r0": PATCH})
    await claim(job_store, job.id, "owner/r1")
    await job_store.release_run(job.id, "owner/r1", owner=OWNER)

    assert not (await job_store.end_shard(job.id, 1, 0)).job_ended_now
    assert await job_store.list_jobs_to_settle(limit=10) == []


async def test_ten_who_end_the_last_shard_at_once_end_the_job_once(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": PATCH})

    ends = await asyncio.gather(*(job_store.end_shard(job.id, 1, 0) for _ in range(10)))

    assert sorted(end.job_ended_now for end in ends) == [False] * 9 + [True]
    assert {end.job.status for end in ends} == {JobStatus.SUCCEEDED}
    assert not (await job_store.end_shard(job.id, 1, 0)).job_ended_now


@pytest.mark.many_at_once
async def test_shards_that_end_side_by_side_end_the_job_once(job_store: JobStore) -> None:
    job = await dispatched(job_store, 40, per_shard=2)

    async def work(index: int) -> bool:
        shard = await job_store.get_shard(job.id, 1, index)
        await do(job_store, job.id, dict.fromkeys(shard.repositories, PATCH), owner=f"w{index}")
        return (await job_store.end_shard(job.id, 1, index)).job_ended_now

    ended_now = await asyncio.gather(*(work(index) for index in range(20)))

    assert sorted(ended_now) == [False] * 19 + [True]
    assert (await job_store.get_job(job.id)).status is JobStatus.SUCCEEDED
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=40, patches=40)
    assert await job_store.list_open_shards(limit=10) == []


async def test_a_shard_stays_open_while_another_worker_holds_a_run_of_it(job_store: JobStore) -> None:
    """Compute may start a shard twice. When the second worker dies, its run must not be forgotten."""
    job = await dispatched(job_store, 2)
    await claim(job_store, job.id, "owner/r1", owner="worker-2")
    await do(job_store, job.id, {"owner/r0": PATCH})

    await job_store.end_shard(job.id, 1, 0)

    [found] = await job_store.list_open_shards(limit=10)
    assert found.shard.ended_at is None
    assert (await job_store.recover_shard(job.id, 1, 0, failure=None)).requeued == ("owner/r1",)
    assert await job_store.list_open_shards(limit=10) == []


async def test_a_job_whose_last_worker_died_before_it_ended_its_shard_is_settled(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2, per_shard=1)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": PATCH})
    assert await job_store.list_jobs_to_settle(limit=10) == []
    for index in range(2):
        assert await job_store.recover_shard(job.id, 1, index, failure=None) == RecoveredRuns(requeued=(), failed=())

    [(job_id, attempt, index)] = await job_store.list_jobs_to_settle(limit=10)

    end = await job_store.end_shard(job_id, attempt, index)
    assert (job_id, end.job.status, end.job_ended_now) == (job.id, JobStatus.SUCCEEDED, True)
    assert await job_store.list_jobs_to_settle(limit=10) == []


async def test_one_failure_of_all_failed_runs_is_the_failure_of_the_job(job_store: JobStore) -> None:
    results = {"a/a": PATCH, "b/b": failed(BROKEN, "b broke", retryable=True), "c/c": failed(BROKEN, "c broke")}
    job = await ended(job_store, results)

    assert job.failure is not None
    assert (job.failure.code, job.failure.retryable) == (BROKEN, True)
    assert job.failure.message == "2 of 3 repositories failed: b broke"


async def test_the_failure_of_the_only_run_is_the_failure_of_the_job(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": failed(BROKEN, "it broke")})

    assert job.failure == Failure(code=BROKEN, message="it broke", retryable=False)


async def test_different_failures_are_summed_up(job_store: JobStore) -> None:
    results = {"a/a": failed(LOST), "b/b": failed(BROKEN), "c/c": failed(BROKEN), "d/d": PATCH}
    job = await ended(job_store, results)

    assert job.failure == Failure(
        code=FailureCode.RUNS_FAILED,
        message="3 of 4 repositories failed: files_failed 2, worker_lost 1",
        retryable=False,
    )


async def test_a_lost_shard_puts_its_unfinished_runs_back_into_the_queue(job_store: JobStore) -> None:
    job = await dispatched(job_store, 6, per_shard=4)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": failed()})
    await claim(job_store, job.id, "owner/r2")
    await claim(job_store, job.id, "owner/r4")

    recovered = await job_store.recover_shard(job.id, 1, 0, failure=None)

    assert recovered == RecoveredRuns(requeued=("owner/r2", "owner/r3"), failed=())
    assert (await job_store.get_shard(job.id, 1, 0)).ended_at is not None
    runs = (await job_store.list_runs(job.id, status=None, limit=10, cursor=None)).items
    assert [(run.status.lower(), run.losses) for run in runs] == [
        ("succeeded", 0),
        ("failed", 0),
        ("queued", 1),
        ("queued", 0),
        ("running", 0),
        ("dispatched", 0),
    ]
    assert (runs[2].lease_owner, runs[2].shard, runs[2].started_at) == (None, None, None)
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, "owner/r2", owner=OWNER, result=PATCH)


async def test_a_shard_that_is_recovered_again_has_nothing_left(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, "owner/r0")
    await job_store.recover_shard(job.id, 1, 0, failure=None)
    await dispatch(job_store, job.id)

    assert await job_store.recover_shard(job.id, 1, 0, failure=None) == RecoveredRuns(requeued=(), failed=())
    assert (await job_store.get_run(job.id, "owner/r0")).losses == 1


async def test_a_worker_that_cannot_start_fails_the_runs_of_its_shard(job_store: JobStore) -> None:
    job = await dispatched(job_store, 3, per_shard=2)
    await claim(job_store, job.id, "owner/r0")

    recovered = await job_store.recover_shard(job.id, 1, 0, failure=FAILURE)

    assert recovered == RecoveredRuns(requeued=(), failed=("owner/r0", "owner/r1"))
    for repository in recovered.failed:
        run = await job_store.get_run(job.id, repository)
        assert (run.status, run.failure, run.lease_owner) == (RunStatus.FAILED, FAILURE, None)
        assert run.ended_at is not None
    assert (await job_store.get_run(job.id, "owner/r2")).status is RunStatus.DISPATCHED


async def test_a_run_that_is_dispatched_again_and_again_without_a_start_fails(job_store: JobStore) -> None:
    job = await create(job_store, 1)
    for _ in range(DISPATCHES_ALLOWED - 1):
        attempt = await dispatch(job_store, job.id)
        assert (await job_store.recover_shard(job.id, attempt.number, 0, failure=None)).failed == ()
    attempt = await dispatch(job_store, job.id)

    assert (await job_store.recover_shard(job.id, attempt.number, 0, failure=None)).failed == ("owner/r0",)

    run = await job_store.get_run(job.id, "owner/r0")
    assert (run.status, run.losses, run.dispatches) == (RunStatus.FAILED, 0, DISPATCHES_ALLOWED)
    assert run.failure is not None
    assert run.failure.code is LOST
