"""Whoever comes after a process that died at any of its writes completes, or undoes, what it began."""

from datetime import timedelta
from typing import Any

import pytest

from cody_backends.aws.jobs.tables import Tables
from cody_jobs.errors import JobNotFound, JobRejected
from cody_jobs.models import JobStatus, RunCounts, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import create, dispatched, names, new_job
from tests.support.watched_dynamodb import Clock, Watched, crash, crashes, writes_of


async def items_of(tables: Tables, client: Watched, job_id: str) -> list[Any]:
    """Whatever there is of a job, in both tables."""
    found: list[Any] = []
    for table, key in ((tables.jobs, "jobId"), (tables.runs, "part")):
        answer = await client.scan(TableName=table)
        found += [item for item in answer["Items"] if item[key]["S"].partition("#")[0] == job_id]
    return found


@pytest.mark.parametrize(("repositories", "first"), [(250, 1), (1_650, 17)], ids=["all pages at once", "in portions"])
async def test_a_creation_that_died_at_any_write_is_finished_by_the_same_call(
    store: JobStore, client: Watched, repositories: int, first: int
) -> None:
    writes = await writes_of(client, create(store, repositories))
    for die in crashes(client, writes, first=first):
        wanted = new_job()
        die()
        await crash(store.create_job(wanted, names(repositories)))
        client.live()

        job = await store.create_job(wanted, names(repositories))

        assert job.status is JobStatus.PENDING
        page = await store.list_runs(job.id, status=RunStatus.QUEUED, limit=repositories, cursor=None)
        assert [run.repository for run in page.items] == names(repositories)


async def test_a_creation_that_died_at_any_write_is_undone_when_nobody_finishes_it(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    repositories = names(250)
    writes = await writes_of(client, create(store, repositories))
    for die in crashes(client, writes - 1):
        wanted = new_job()
        die()
        await crash(store.create_job(wanted, repositories))
        client.live()

        discarded = await store.discard_half_created(older_than=timedelta(0))

        assert await items_of(tables, client, wanted.id) == []
        assert discarded in ([wanted.id], [])


async def half_created(store: JobStore, client: Watched) -> str:
    wanted = new_job()
    client.die(at_write=3, hears=False)
    await crash(store.create_job(wanted, names(250)))
    client.live()
    return wanted.id


async def test_a_discard_that_died_at_any_write_is_completed_by_the_next_one(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    await half_created(store, client)
    writes = await writes_of(client, store.discard_half_created(older_than=timedelta(0)))
    for die in crashes(client, writes):
        job_id = await half_created(store, client)
        die()
        await crash(store.discard_half_created(older_than=timedelta(0)))
        client.live()

        await store.discard_half_created(older_than=timedelta(0))

        assert await items_of(tables, client, job_id) == []


async def ended(store: JobStore) -> str:
    job = await dispatched(store, 30, per_shard=10)
    await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    return job.id


async def test_a_prune_that_died_at_any_write_is_completed_by_a_later_one(
    tables: Tables, store: JobStore, client: Watched, clock: Clock
) -> None:
    await ended(store)
    writes = await writes_of(client, store.prune(ended_before=timedelta(0)))
    for die in crashes(client, writes):
        job_id = await ended(store)
        die()
        await crash(store.prune(ended_before=timedelta(0)))
        client.live()
        clock.ahead += timedelta(minutes=6)

        pruned = await store.prune(ended_before=timedelta(0))

        assert await items_of(tables, client, job_id) == []
        assert pruned in ([job_id], [])


async def test_nobody_is_shown_a_job_that_is_being_pruned(store: JobStore, client: Watched) -> None:
    job_id = await ended(store)
    client.die(at_write=2, hears=True)
    await crash(store.prune(ended_before=timedelta(0)))
    client.live()

    with pytest.raises(JobNotFound):
        await store.get_job(job_id)
    for status in (None, JobStatus.CANCELLED):
        assert (await store.list_jobs(status=status, limit=10, cursor=None)).items == ()


async def test_a_stop_that_died_at_any_write_is_completed_by_whoever_looks_for_work(
    store: JobStore, client: Watched, clock: Clock
) -> None:
    writes = await writes_of(client, ended(store)) - await writes_of(client, dispatched(store, 30, per_shard=10))
    for die in crashes(client, writes):
        job = await dispatched(store, 30, per_shard=10)
        die()
        await crash(store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None))
        client.live()
        clock.ahead += timedelta(minutes=1)

        assert await store.list_jobs_to_settle(limit=10) == []
        if (await store.get_job(job.id)).status is JobStatus.RUNNING:
            await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

        assert (await store.count_runs([job.id]))[job.id] == RunCounts(cancelled=30)
        assert (await store.list_runs(job.id, status=RunStatus.CANCELLED, limit=1, cursor=None)).items
        assert job.id not in {shard.shard.job_id for shard in await store.list_open_shards(limit=1_000)}


async def test_an_attempt_that_died_at_any_write_is_begun_by_the_same_call(store: JobStore, client: Watched) -> None:
    job = await create(store, 30)
    writes = await writes_of(client, store.begin_attempt(job.id, repositories_per_shard=10))
    for die in crashes(client, writes):
        job = await create(store, 30)
        die()
        await crash(store.begin_attempt(job.id, repositories_per_shard=10))
        client.live()

        attempt = await store.begin_attempt(job.id, repositories_per_shard=10)

        assert attempt is not None
        assert (attempt.number, attempt.shards) == (1, 3)
        assert (await store.count_runs([job.id]))[job.id] == RunCounts(dispatched=30)


async def test_a_retry_that_died_at_any_write_is_completed_by_the_next_dispatch(
    store: JobStore, client: Watched
) -> None:
    job_id = await ended(store)
    writes = await writes_of(client, store.retry_job(job_id))
    for die in crashes(client, writes):
        job_id = await ended(store)
        die()
        await crash(store.retry_job(job_id))
        client.live()
        if (await store.get_job(job_id)).status is JobStatus.CANCELLED:
            await store.retry_job(job_id)

        await store.begin_attempt(job_id, repositories_per_shard=10)

        assert (await store.count_runs([job_id]))[job_id] == RunCounts(dispatched=30)


async def test_a_job_that_was_stopped_half_written_cannot_be_retried(store: JobStore, client: Watched) -> None:
    job_id = await half_created(store, client)
    await store.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)

    with pytest.raises(JobRejected, match="whole"):
        await store.retry_job(job_id)
    with pytest.raises(JobRejected, match="whole"):
        await store.set_pending(job_id)
    assert (await store.count_runs([job_id]))[job_id] == RunCounts(cancelled=250)
    assert await store.discard_half_created(older_than=timedelta(0)) == []
