"""Whoever works on runs, or looks after shards, may die at any write: nothing is lost, and nothing counts twice."""

from datetime import timedelta

import pytest

from cody_backends.aws.jobs.tables import Tables
from cody_jobs.models import Failure, FailureCode, JobStatus, RunCounts, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, OVER, OWNER, PATCH, claim, dispatch, dispatched, do, failed, names
from tests.support.job_books import check_books
from tests.support.watched_dynamodb import Watched, crash, crashes, writes_of

R0, R1 = "owner/r0", "owner/r1"
CANNOT_START = Failure(code=FailureCode.CLAUDE_KEY_REFUSED, message="the key was refused", retryable=False)


async def look_after(store: JobStore, *, shards: bool = True) -> bool:
    """As the reconciler does when every worker is gone; whether a job's end was told."""
    told = False
    if shards:
        for found in await store.list_open_shards(limit=100):
            await store.recover_shard(found.shard.job_id, found.shard.attempt, found.shard.index, failure=None)
    for job_id, attempt, index in await store.list_jobs_to_settle(limit=100):
        told |= (await store.end_shard(job_id, attempt, index)).job_ended_now
    return told


async def test_a_claim_that_died_at_its_write_is_made_again(tables: Tables, store: JobStore, client: Watched) -> None:
    for die in crashes(client, 1):
        job = await dispatched(store)
        await claim(store, job.id, R0, owner="silent", lease=OVER)
        die()
        await crash(store.claim_run(job.id, R0, owner=OWNER, lease=LEASE))
        client.live()
        await check_books(tables, job.id)

        run = await store.claim_run(job.id, R0, owner=OWNER, lease=LEASE)

        assert (run.lease_owner, run.losses) == (OWNER, 1)
        await check_books(tables, job.id)


async def test_an_end_of_a_run_that_died_at_its_write_is_told_again(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    for die in crashes(client, 1):
        job = await dispatched(store, 2)
        await claim(store, job.id, R0)
        die()
        await crash(store.finish_run(job.id, R0, owner=OWNER, result=PATCH))
        client.live()
        await check_books(tables, job.id)

        await store.finish_run(job.id, R0, owner=OWNER, result=PATCH)

        assert (await store.count_runs([job.id]))[job.id] == RunCounts(succeeded=1, patches=1, dispatched=1)
        await check_books(tables, job.id)


@pytest.mark.parametrize("same_call", [True, False], ids=["the same call", "the reconciler"])
async def test_an_end_of_the_last_shard_that_died_at_any_write_is_completed(
    tables: Tables, store: JobStore, client: Watched, *, same_call: bool
) -> None:
    for number in (1, 2):
        for heard in (False, True):
            job = await dispatched(store, 2)
            await do(store, job.id, {R0: PATCH, R1: failed()})
            client.die(at_write=number, hears=heard)
            await crash(store.end_shard(job.id, 1, 0))
            client.live()
            await check_books(tables, job.id)

            told = (await store.end_shard(job.id, 1, 0)).job_ended_now if same_call else await look_after(store)

            assert told == ((number, heard) != (2, True)), "who died knew that it had ended the job, and nobody else"
            assert (await store.get_job(job.id)).status is JobStatus.PARTIALLY_SUCCEEDED
            assert not await look_after(store)
            await check_books(tables, job.id)


async def test_a_recovery_that_died_at_any_write_is_completed_by_the_next_look(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    """A shard with more runs than one transaction takes."""
    for die in crashes(client, 2, first=2):
        job = await dispatched(store, 92, per_shard=92)
        await claim(store, job.id, R0)
        die()
        await crash(store.recover_shard(job.id, 1, 0, failure=None))
        client.live()
        await check_books(tables, job.id)

        await look_after(store)

        assert (await store.count_runs([job.id]))[job.id] == RunCounts(queued=92)
        assert [(await store.get_run(job.id, name)).losses for name in (R0, R1)] == [1, 0]
        assert (await store.get_shard(job.id, 1, 0)).ended_at is not None
        assert await store.list_jobs_to_dispatch(pending_for=timedelta(0), limit=100) == [job.id]
        await check_books(tables, job.id)
        await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)


async def test_a_recovery_with_a_failure_that_died_at_any_write_lets_the_job_fail(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    for die in crashes(client, 2):
        job = await dispatched(store, 3)
        await do(store, job.id, {R0: PATCH})
        die()
        await crash(store.recover_shard(job.id, 1, 0, failure=CANNOT_START))
        client.live()
        await check_books(tables, job.id)

        await store.recover_shard(job.id, 1, 0, failure=CANNOT_START)

        assert await look_after(store)
        job = await store.get_job(job.id)
        assert (job.status, job.failure and job.failure.code) == (
            JobStatus.PARTIALLY_SUCCEEDED,
            FailureCode.CLAUDE_KEY_REFUSED,
        )
        await check_books(tables, job.id)


async def lost(store: JobStore) -> str:
    """A job whose workers are gone: of 6 runs, one has ended, one was lost while it ran."""
    job = await dispatched(store, 6, per_shard=6)
    await do(store, job.id, {R0: PATCH})
    await claim(store, job.id, R1)
    await store.recover_shard(job.id, 1, 0, failure=None)
    return job.id


async def test_a_later_attempt_that_died_at_any_write_is_begun_by_whoever_looks_for_work(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    job_id = await lost(store)
    writes = await writes_of(client, dispatch(store, job_id))
    for die in crashes(client, writes - 1):
        job_id = await lost(store)
        die()
        await crash(store.begin_attempt(job_id, repositories_per_shard=2))
        client.live()
        await check_books(tables, job_id)
        assert job_id in await store.list_jobs_to_dispatch(pending_for=timedelta(0), limit=100)

        attempt = await store.begin_attempt(job_id, repositories_per_shard=3)

        assert attempt is not None
        assert attempt.number == 2
        assert (await store.count_runs([job_id]))[job_id] == RunCounts(dispatched=5, succeeded=1, patches=1)
        runs = (await store.list_runs(job_id, status=RunStatus.DISPATCHED, limit=6, cursor=None)).items
        assert {(run.attempt, run.dispatches) for run in runs} == {(2, 2)}
        last = await store.get_shard(job_id, 2, attempt.shards - 1)
        assert last.repositories == (R1,)
        assert (
            sum([len((await store.get_shard(job_id, 2, index)).repositories) for index in range(attempt.shards)]) == 5
        )
        await check_books(tables, job_id)


async def test_a_stop_of_a_half_written_attempt_that_died_at_any_write_is_completed(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    """Of its three shards, one was written."""

    async def half_dispatched() -> str:
        job_id = await lost(store)
        client.die(at_write=3, hears=False)
        await crash(store.begin_attempt(job_id, repositories_per_shard=2))
        client.live()
        return job_id

    writes = await writes_of(client, store.stop_job(await half_dispatched(), status=JobStatus.FAILED, failure=None))
    for die in crashes(client, writes):
        job_id = await half_dispatched()
        die()
        await crash(store.stop_job(job_id, status=JobStatus.FAILED, failure=CANNOT_START))
        client.live()
        await check_books(tables, job_id)

        await store.stop_job(job_id, status=JobStatus.FAILED, failure=CANNOT_START)

        assert (await store.count_runs([job_id]))[job_id] == RunCounts(cancelled=5, succeeded=1, patches=1)
        await check_books(tables, job_id)


async def test_a_heartbeat_that_died_keeps_nothing_longer_than_it_said(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    job = await dispatched(store, 3)
    for repository in names(3):
        await claim(store, job.id, repository, lease=OVER)
    client.die(at_write=1, hears=False)
    await crash(store.renew_leases(job.id, names(3), owner=OWNER, lease=LEASE))
    client.live()

    [found] = await store.list_open_shards(limit=10)

    assert found.silent
    await check_books(tables, job.id)
