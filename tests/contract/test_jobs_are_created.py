import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cody_jobs.errors import IdempotencyConflict, JobNotFound, JobRejected
from cody_jobs.identity import new_job_id
from cody_jobs.models import FileCounts, JobStatus, RunCounts, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import create, dispatched, names, new_job


async def test_a_store_that_answers_can_be_pinged(job_store: JobStore) -> None:
    await job_store.ping()


async def test_a_job_is_kept_as_it_was_asked_for(job_store: JobStore) -> None:
    wanted = new_job()

    job = await job_store.create_job(wanted, names(3))

    assert await job_store.get_job(job.id) == job
    assert (job.id, job.spec, job.fingerprint) == (wanted.id, wanted.spec, wanted.fingerprint)
    assert (job.submitted_by, job.traceparent) == (wanted.submitted_by, wanted.traceparent)
    assert (job.status, job.repositories, job.attempt) == (JobStatus.PENDING, 3, 0)
    assert (job.failure, job.ended_at) == (None, None)
    assert abs(datetime.now(UTC) - job.created_at) < timedelta(minutes=5)


async def test_a_new_job_has_one_queued_run_per_repository(job_store: JobStore) -> None:
    job = await create(job_store, ["b/b", "a/a"])

    page = await job_store.list_runs(job.id, status=None, limit=10, cursor=None)

    assert [(run.repository, run.position) for run in page.items] == [("b/b", 0), ("a/a", 1)]
    run = page.items[1]
    assert (run.job_id, run.status, run.files) == (job.id, RunStatus.QUEUED, FileCounts())
    assert (run.attempt, run.shard, run.dispatches, run.losses) == (0, None, 0, 0)
    assert (run.outcome, run.reason, run.failure, run.lease_owner) == (None, None, None, None)
    assert (run.lease_expires_at, run.started_at, run.ended_at) == (None, None, None)


async def test_the_same_job_is_accepted_once(job_store: JobStore) -> None:
    wanted = new_job()

    first = await job_store.create_job(wanted, names(3))
    second = await job_store.create_job(wanted, names(3))

    assert second == first
    assert len((await job_store.list_jobs(status=None, limit=10, cursor=None)).items) == 1


async def test_the_same_id_returns_the_job_as_it_is_by_now(job_store: JobStore) -> None:
    wanted = new_job()
    await job_store.create_job(wanted, names(3))
    await job_store.stop_job(wanted.id, status=JobStatus.CANCELLED, failure=None)

    assert (await job_store.create_job(wanted, names(3))).status is JobStatus.CANCELLED


async def test_the_same_id_for_another_request_is_refused(job_store: JobStore) -> None:
    wanted = new_job()
    await job_store.create_job(wanted, names(3))

    with pytest.raises(IdempotencyConflict):
        await job_store.create_job(new_job(job_id=wanted.id, fingerprint="another"), names(3))
    with pytest.raises(IdempotencyConflict):
        await job_store.create_job(wanted, names(4))
    assert (await job_store.count_runs([wanted.id]))[wanted.id].total == 3


@pytest.mark.parametrize("repositories", [[], ["a/a", "b/b", "a/a"]])
async def test_a_job_without_repositories_or_with_one_twice_is_refused(
    job_store: JobStore, repositories: list[str]
) -> None:
    wanted = new_job()

    with pytest.raises(JobRejected):
        await job_store.create_job(wanted, repositories)
    with pytest.raises(JobNotFound):
        await job_store.get_job(wanted.id)


async def test_a_job_that_is_created_by_many_at_once_is_one_job(job_store: JobStore) -> None:
    wanted = new_job()

    jobs = await asyncio.gather(*(job_store.create_job(wanted, names(2_500)) for _ in range(5)))

    assert {(job.id, job.status, job.created_at) for job in jobs} == {
        (wanted.id, JobStatus.PENDING, jobs[0].created_at)
    }
    assert await job_store.count_runs([wanted.id]) == {wanted.id: RunCounts(queued=2_500)}


@pytest.mark.thousands_of_transactions
async def test_ten_thousand_repositories_are_one_job_in_the_order_of_the_request(job_store: JobStore) -> None:
    repositories = names(10_000)
    job = await create(job_store, repositories)

    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=10_000)
    attempt = await job_store.begin_attempt(job.id, repositories_per_shard=8)
    assert attempt is not None
    assert attempt.shards == 1_250
    assert (await job_store.get_shard(job.id, 1, 1_249)).repositories == tuple(repositories[-8:])
    seen: list[str] = []
    cursor = None
    while True:
        page = await job_store.list_runs(job.id, status=None, limit=3_000, cursor=cursor)
        seen += [run.repository for run in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == repositories


async def leave_half_created(store: JobStore, *, repositories: int = 8_000) -> str:
    """Cancel the creation of a job as soon as its row is there; the id."""
    wanted = new_job()
    creation = asyncio.create_task(store.create_job(wanted, names(repositories)))
    while not (await store.list_jobs(status=JobStatus.CREATING, limit=1, cursor=None)).items:
        assert not creation.done()
    creation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creation
    assert (await store.get_job(wanted.id)).status is JobStatus.CREATING
    return wanted.id


async def test_a_creation_that_was_cancelled_half_way_is_finished_by_the_same_call(job_store: JobStore) -> None:
    job_id = await leave_half_created(job_store)

    job = await job_store.create_job(new_job(job_id=job_id), names(8_000))

    assert job.status is JobStatus.PENDING
    assert (await job_store.count_runs([job_id]))[job_id] == RunCounts(queued=8_000)


async def test_a_half_created_job_is_not_handed_over(job_store: JobStore) -> None:
    job_id = await leave_half_created(job_store)

    assert await job_store.list_jobs_to_dispatch(pending_for=timedelta(0), limit=10) == []
    assert await job_store.begin_attempt(job_id, repositories_per_shard=8) is None
    assert (await job_store.get_job(job_id)).status is JobStatus.CREATING


async def test_a_half_created_job_that_nobody_writes_to_is_discarded(job_store: JobStore) -> None:
    job_id = await leave_half_created(job_store)
    whole = await create(job_store)

    assert await job_store.discard_half_created(older_than=timedelta(minutes=5)) == []
    assert await job_store.discard_half_created(older_than=timedelta(0)) == [job_id]
    assert await job_store.discard_half_created(older_than=timedelta(0)) == []

    with pytest.raises(JobNotFound):
        await job_store.get_job(job_id)
    assert (await job_store.count_runs([job_id]))[job_id] == RunCounts()
    assert await job_store.get_job(whole.id) == whole


async def test_a_job_that_is_stopped_while_it_is_created_stays_stopped(job_store: JobStore) -> None:
    wanted = new_job()
    creation = asyncio.create_task(job_store.create_job(wanted, names(8_000)))
    while not (await job_store.list_jobs(status=JobStatus.CREATING, limit=1, cursor=None)).items:
        assert not creation.done()

    await job_store.stop_job(wanted.id, status=JobStatus.CANCELLED, failure=None)

    assert (await creation).status is JobStatus.CANCELLED
    assert (await job_store.count_runs([wanted.id]))[wanted.id].unfinished == 0


async def test_a_discarded_job_can_be_created_again(job_store: JobStore) -> None:
    job_id = await leave_half_created(job_store)
    await job_store.discard_half_created(older_than=timedelta(0))

    job = await job_store.create_job(new_job(job_id=job_id, fingerprint="another"), names(2))

    assert (job.status, job.repositories) == (JobStatus.PENDING, 2)


async def test_jobs_that_ended_long_ago_are_pruned_with_all_they_have(job_store: JobStore) -> None:
    running = await dispatched(job_store)
    over = await dispatched(job_store)
    await job_store.stop_job(over.id, status=JobStatus.CANCELLED, failure=None)

    assert await job_store.prune(ended_before=timedelta(days=1)) == []
    assert await job_store.prune(ended_before=timedelta(0)) == [over.id]
    assert await job_store.prune(ended_before=timedelta(0)) == []

    with pytest.raises(JobNotFound):
        await job_store.get_job(over.id)
    with pytest.raises(JobNotFound):
        await job_store.get_run(over.id, "owner/r0")
    with pytest.raises(JobNotFound):
        await job_store.get_shard(over.id, 1, 0)
    assert await job_store.get_job(running.id) == running
    assert (await job_store.count_runs([running.id]))[running.id].total == 3


@pytest.mark.many_at_once
async def test_more_jobs_are_pruned_than_are_deleted_at_once(job_store: JobStore) -> None:
    ids: list[str] = []
    for _ in range(45):
        job = await create(job_store, 1)
        await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
        ids.append(job.id)

    assert await job_store.prune(ended_before=timedelta(0)) == ids


async def test_unknown_jobs_are_not_found(job_store: JobStore) -> None:
    for job_id in (new_job_id(), "", "job-\0"):
        with pytest.raises(JobNotFound):
            await job_store.get_job(job_id)
        with pytest.raises(JobNotFound):
            await job_store.get_run(job_id, "a/a")
        with pytest.raises(JobNotFound):
            await job_store.list_runs(job_id, status=None, limit=1, cursor=None)
        with pytest.raises(JobNotFound):
            await job_store.begin_attempt(job_id, repositories_per_shard=1)
        with pytest.raises(JobNotFound):
            await job_store.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)
        with pytest.raises(JobNotFound):
            await job_store.retry_job(job_id)
        with pytest.raises(JobNotFound):
            await job_store.set_pending(job_id)
