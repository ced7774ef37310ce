from datetime import timedelta

import pytest

from cody_jobs.models import JobStatus, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.conftest import SetStatusByHand
from tests.contract.jobs import (
    OWNER,
    PATCH,
    claim,
    create,
    dispatch,
    dispatched,
    ended,
    failed,
    names,
    shards,
)

NOW, LONG = timedelta(0), timedelta(days=1)


async def test_an_ended_job_that_an_operator_sets_back_by_hand_is_dispatched_again(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    job = await ended(job_store, {"a/a": PATCH, "b/b": failed(), "c/c": failed()})

    await set_status_by_hand(job.id, JobStatus.PENDING)

    job = await job_store.get_job(job.id)
    assert (job.status, job.failure, job.ended_at) == (JobStatus.PENDING, None, None)
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == [job.id]
    again = await dispatch(job_store, job.id)
    assert await shards(job_store, job.id, again) == [("b/b", "c/c")]
    run = await job_store.get_run(job.id, "b/b")
    assert (run.status, run.failure, run.ended_at, run.dispatches) == (RunStatus.DISPATCHED, None, None, 1)


async def test_a_late_end_of_an_old_shard_does_not_end_a_job_that_was_set_back(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    job = await ended(job_store, {"a/a": PATCH, "b/b": failed()})
    await set_status_by_hand(job.id, JobStatus.PENDING)

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.job.status, end.job_ended_now) == (JobStatus.PENDING, False)


async def test_a_running_job_that_an_operator_sets_back_goes_on_with_its_workers(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, "owner/r0")

    await set_status_by_hand(job.id, JobStatus.PENDING)

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert (await job_store.get_job(job.id)).status is JobStatus.RUNNING
    assert (await job_store.get_run(job.id, "owner/r0")).lease_owner == OWNER


async def test_a_job_that_was_set_back_although_all_had_succeeded_is_settled(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    job = await ended(job_store, {"a/a": PATCH})
    await set_status_by_hand(job.id, JobStatus.PENDING)

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert await job_store.list_jobs_to_settle(limit=10) == [(job.id, 1, 0)]
    end = await job_store.end_shard(job.id, 1, 0)
    assert (end.job.status, end.job_ended_now) == (JobStatus.SUCCEEDED, True)


async def test_set_pending_does_what_an_operator_does_by_hand(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": PATCH, "b/b": failed()})

    job = await job_store.set_pending(job.id)

    assert (job.status, job.failure, job.ended_at) == (JobStatus.PENDING, None, None)
    assert await job_store.get_job(job.id) == job
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == [job.id]
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("b/b",)]


@pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.FAILED])
async def test_set_pending_takes_a_stopped_job(job_store: JobStore, status: JobStatus) -> None:
    job = await dispatched(job_store)
    await job_store.stop_job(job.id, status=status, failure=None)

    assert (await job_store.set_pending(job.id)).status is JobStatus.PENDING
    attempt = await job_store.begin_attempt(job.id, repositories_per_shard=3)
    assert await shards(job_store, job.id, attempt) == [tuple(names(3))]


async def test_set_pending_may_be_called_on_a_pending_job(job_store: JobStore) -> None:
    job = await create(job_store)

    assert (await job_store.set_pending(job.id)).status is JobStatus.PENDING
    assert (await job_store.count_runs([job.id]))[job.id].queued == 3
