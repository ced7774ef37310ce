import asyncio
import itertools

import pytest

from cody_jobs.errors import IllegalTransition, LeaseLost
from cody_jobs.lifecycle import JOB_ENDED, JOB_STEPS
from cody_jobs.models import Failure, FailureCode, JobStatus, RunCounts, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.conftest import SetStatusByHand
from tests.contract.jobs import (
    NO_CHANGES,
    OVER,
    OWNER,
    PATCH,
    claim,
    create,
    dispatch,
    dispatched,
    do,
    ended,
    failed,
    names,
)

FAILURE = Failure(code=FailureCode.CLAUDE_KEY_REFUSED, message="the key was refused", retryable=False)


@pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.FAILED])
async def test_a_stopped_job_ends_now_and_its_unfinished_runs_are_cancelled(
    job_store: JobStore, status: JobStatus
) -> None:
    job = await dispatched(job_store, 4, per_shard=2)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": failed()})
    await claim(job_store, job.id, "owner/r2")

    end = await job_store.stop_job(job.id, status=status, failure=FAILURE)

    assert (end.job_ended_now, end.job.status, end.job.failure) == (True, status, FAILURE)
    assert end.job.ended_at is not None
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=1, patches=1, failed=1, cancelled=2)
    assert await job_store.list_open_shards(limit=10) == []
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, "owner/r2", owner=OWNER, result=PATCH)
    assert (await job_store.get_run(job.id, "owner/r2")).lease_owner is None


async def test_a_job_can_be_stopped_before_it_was_dispatched(job_store: JobStore) -> None:
    job = await create(job_store)

    end = await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    assert (end.job.status, end.job.failure, end.job_ended_now) == (JobStatus.CANCELLED, None, True)
    assert (await job_store.get_run(job.id, "owner/r0")).status is RunStatus.CANCELLED


async def test_stopping_again_the_same_way_changes_nothing(job_store: JobStore) -> None:
    job = await dispatched(job_store)

    ends = await asyncio.gather(
        *(job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None) for _ in range(5))
    )

    assert sorted(end.job_ended_now for end in ends) == [False] * 4 + [True]
    assert len({(end.job.status, end.job.ended_at, end.job.updated_at) for end in ends}) == 1
    with pytest.raises(IllegalTransition):
        await job_store.stop_job(job.id, status=JobStatus.FAILED, failure=FAILURE)


async def test_the_worker_of_a_stopped_job_may_end_its_shard(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    stopped = await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.job, end.job_ended_now) == (stopped.job, False)


@pytest.mark.many_at_once
async def test_heartbeats_and_ends_during_a_stop_do_not_collide(job_store: JobStore) -> None:
    job = await dispatched(job_store, 60, per_shard=60)
    for repository in names(60):
        await claim(job_store, job.id, repository)

    async def work() -> None:
        for repository in reversed(names(60)):
            await job_store.renew_leases(job.id, list(reversed(names(60))), owner=OWNER, lease=OVER)
            await job_store.finish_run(job.id, repository, owner=OWNER, result=PATCH)

    worker = asyncio.create_task(work())
    await job_store.renew_leases(job.id, names(60), owner=OWNER, lease=OVER)
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    with pytest.raises(LeaseLost):
        await worker

    counts = (await job_store.count_runs([job.id]))[job.id]
    assert (counts.unfinished, counts.total) == (0, 60)


async def test_a_job_is_stopped_only_where_its_lifecycle_allows_it(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    for present, following in itertools.product(JobStatus, JobStatus):
        job = await create(job_store, 1)
        await set_status_by_hand(job.id, present)
        may_stop = following in {JobStatus.CANCELLED, JobStatus.FAILED}

        if may_stop and (following is present or following in JOB_STEPS[present]):
            end = await job_store.stop_job(job.id, status=following, failure=None)
            assert (end.job.status, end.job_ended_now) == (following, following is not present)
            continue
        with pytest.raises(IllegalTransition):
            await job_store.stop_job(job.id, status=following, failure=None)
        assert (await job_store.get_job(job.id)).status is present


async def test_a_job_is_retried_only_where_its_lifecycle_allows_it(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    for present in JobStatus:
        job = await dispatched(job_store, 1)
        await do(job_store, job.id, {"owner/r0": failed()})
        await set_status_by_hand(job.id, present)

        if present in JOB_ENDED or present is JobStatus.AWAITING_APPROVAL:
            assert await job_store.retry_job(job.id) == 1
            assert (await job_store.get_job(job.id)).status is JobStatus.PENDING
            continue
        with pytest.raises(IllegalTransition):
            await job_store.retry_job(job.id)
        assert (await job_store.get_job(job.id)).status is present


async def test_any_job_but_one_that_is_being_created_can_be_set_pending(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    for present in set(JobStatus) - {JobStatus.CREATING}:
        job = await create(job_store, 1)
        await set_status_by_hand(job.id, present)
        assert (await job_store.set_pending(job.id)).status is JobStatus.PENDING

    job = await create(job_store, 1)
    await set_status_by_hand(job.id, JobStatus.CREATING)
    with pytest.raises(IllegalTransition):
        await job_store.set_pending(job.id)


async def test_a_retry_queues_what_failed_or_was_cancelled_from_nothing(job_store: JobStore) -> None:
    job = await dispatched(job_store, 3)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": failed()})
    await claim(job_store, job.id, "owner/r2")
    await job_store.stop_job(job.id, status=JobStatus.FAILED, failure=FAILURE)
    kept = await job_store.get_run(job.id, "owner/r0")

    assert await job_store.retry_job(job.id) == 2

    job = await job_store.get_job(job.id)
    assert (job.status, job.failure, job.ended_at) == (JobStatus.PENDING, None, None)
    assert await job_store.get_run(job.id, "owner/r0") == kept
    for repository in ("owner/r1", "owner/r2"):
        run = await job_store.get_run(job.id, repository)
        assert (run.status, run.failure, run.shard, run.dispatches) == (RunStatus.QUEUED, None, None, 0)
        assert (run.started_at, run.ended_at, run.files.examined) == (None, None, 0)


async def test_a_retried_job_ends_again(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": PATCH, "b/b": failed()})
    await job_store.retry_job(job.id)
    await dispatch(job_store, job.id)
    await do(job_store, job.id, {"b/b": NO_CHANGES})

    end = await job_store.end_shard(job.id, 2, 0)

    assert (end.job.status, end.job.failure, end.job_ended_now) == (JobStatus.SUCCEEDED, None, True)


async def test_a_job_without_anything_to_retry_is_not_retried(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": PATCH})

    with pytest.raises(IllegalTransition):
        await job_store.retry_job(job.id)
    assert await job_store.get_job(job.id) == job


async def test_two_who_retry_at_once_queue_the_runs_once(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": failed(), "b/b": failed()})

    retries = await asyncio.gather(*(job_store.retry_job(job.id) for _ in range(5)), return_exceptions=True)

    assert [retry for retry in retries if not isinstance(retry, IllegalTransition)] == [2]
