"""Several processes at once: each has its own memory, and none of them takes turns with the others."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.errors import LeaseLost, RunLost
from cody_jobs.models import Attempt, JobStatus, RepositoryRun, RunCounts
from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, OVER, PATCH, claim, create, dispatch, dispatched, do, lose, names
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import create_tables, tables_of
from tests.support.job_books import check_books

R0 = "owner/r0"


@pytest.fixture
async def eight_tables(dynamodb_local: AwsServer) -> AsyncGenerator[list[Tables]]:
    async with dynamodb_local.dynamodb() as client, create_tables(client, dynamodb_local) as settings:
        yield [tables_of(client, settings) for _ in range(8)]


@pytest.fixture
def eight(eight_tables: list[Tables]) -> list[JobStore]:
    return [DynamoJobStore(tables) for tables in eight_tables]


async def test_dispatchers_that_cut_the_same_attempt_write_the_same_shards(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await create(eight[0], 250)

    attempts = await asyncio.gather(
        *(store.begin_attempt(job.id, repositories_per_shard=10 + number) for number, store in enumerate(eight[:3]))
    )

    [attempt] = {(it.number, it.shards, it.compute_id) for it in attempts if isinstance(it, Attempt)}
    assert attempts.count(None) == 0
    assert attempt[0] == 1
    assert (await eight[0].count_runs([job.id]))[job.id] == RunCounts(dispatched=250)
    found = await eight[0].list_open_shards(limit=100)
    assert [name for it in found for name in it.shard.repositories] == names(250)
    await check_books(eight_tables[0], job.id)


async def test_dispatchers_that_cut_a_later_attempt_dispatch_each_run_once(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await dispatched(eight[0], 30, per_shard=10)
    await lose(eight[0], job.id, R0)

    attempts = await asyncio.gather(*(store.begin_attempt(job.id, repositories_per_shard=4) for store in eight[:3]))

    assert [(attempt.number, attempt.shards) for attempt in attempts if attempt] == [(2, 4)] * 3
    runs = (await eight[0].list_runs(job.id, status=None, limit=30, cursor=None)).items
    assert [(run.attempt, run.dispatches) for run in runs] == [(2, 2)] * 10 + [(1, 1)] * 20
    await check_books(eight_tables[0], job.id)


async def test_of_eight_owners_who_claim_one_run_one_has_it(eight_tables: list[Tables], eight: list[JobStore]) -> None:
    job = await dispatched(eight[0])
    claims = await asyncio.gather(*_claims(eight, job.id), return_exceptions=True)

    [winner] = [run.lease_owner for run in claims if isinstance(run, RepositoryRun)]
    assert sum(isinstance(claimed, LeaseLost) for claimed in claims) == 7
    run = await eight[0].get_run(job.id, R0)
    assert (run.lease_owner, run.losses) == (winner, 0)
    await check_books(eight_tables[0], job.id)


async def test_of_eight_owners_who_take_a_run_from_a_silent_one_one_has_it(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await dispatched(eight[0])
    await claim(eight[0], job.id, R0, owner="silent", lease=OVER)
    claims = await asyncio.gather(*_claims(eight, job.id), return_exceptions=True)

    [winner] = [run.lease_owner for run in claims if isinstance(run, RepositoryRun)]
    run = await eight[0].get_run(job.id, R0)
    assert (run.lease_owner, run.losses) == (winner, 1)
    await check_books(eight_tables[0], job.id)


async def test_of_eight_owners_who_take_a_run_for_the_last_time_one_tells_of_its_end(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await dispatched(eight[0])
    for number in range(3):
        await claim(eight[0], job.id, R0, owner=f"silent-{number}", lease=OVER)
    claims = await asyncio.gather(*_claims(eight, job.id), return_exceptions=True)

    assert sum(isinstance(claimed, RunLost) for claimed in claims) == 1
    assert sum(isinstance(claimed, LeaseLost) for claimed in claims) == 8
    await check_books(eight_tables[0], job.id)


def _claims(stores: list[JobStore], job_id: str) -> list[asyncio.Future[RepositoryRun]]:
    return [
        asyncio.ensure_future(store.claim_run(job_id, R0, owner=f"w{number}", lease=LEASE))
        for number, store in enumerate(stores)
    ]


async def test_of_eight_workers_with_the_last_runs_one_is_told_that_the_job_has_ended(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await dispatched(eight[0], 16, per_shard=2)

    async def work(index: int, store: JobStore) -> bool:
        repositories = (await store.get_shard(job.id, 1, index)).repositories
        await do(store, job.id, dict.fromkeys(repositories, PATCH), owner=f"w{index}")
        return (await store.end_shard(job.id, 1, index)).job_ended_now

    told = await asyncio.gather(*(work(index, store) for index, store in enumerate(eight)))

    assert sorted(told) == [False] * 7 + [True]
    assert (await eight[0].get_job(job.id)).status is JobStatus.SUCCEEDED
    assert (await eight[0].count_runs([job.id]))[job.id] == RunCounts(succeeded=16, patches=16)
    await check_books(eight_tables[0], job.id)


async def test_a_stop_among_eight_workers_ends_the_job_once(eight_tables: list[Tables], eight: list[JobStore]) -> None:
    job = await dispatched(eight[0], 21, per_shard=3)

    async def work(index: int, store: JobStore) -> bool:
        try:
            for repository in (await store.get_shard(job.id, 1, index)).repositories:
                await do(store, job.id, {repository: PATCH}, owner=f"w{index}")
        except LeaseLost:
            return False
        return (await store.end_shard(job.id, 1, index)).job_ended_now

    async def stop() -> bool:
        return (await eight[7].stop_job(job.id, status=JobStatus.CANCELLED, failure=None)).job_ended_now

    told = await asyncio.gather(stop(), *(work(index, store) for index, store in enumerate(eight[:7])))

    assert told == [True] + [False] * 7
    counts = (await eight[0].count_runs([job.id]))[job.id]
    assert counts == RunCounts(succeeded=counts.succeeded, patches=counts.succeeded, cancelled=21 - counts.succeeded)
    assert await eight[0].list_open_shards(limit=10) == []
    await check_books(eight_tables[0], job.id)


async def test_of_a_retry_and_a_dispatch_at_once_each_run_is_dispatched_once(
    eight_tables: list[Tables], eight: list[JobStore]
) -> None:
    job = await dispatched(eight[0], 30, per_shard=10)
    await eight[0].stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    async def dispatch_when_pending(store: JobStore) -> None:
        while await store.begin_attempt(job.id, repositories_per_shard=10) is None:
            pass

    [queued, *_] = await asyncio.gather(eight[0].retry_job(job.id), *map(dispatch_when_pending, eight[1:4]))

    assert queued == 30
    runs = (await eight[0].list_runs(job.id, status=None, limit=30, cursor=None)).items
    assert {(run.attempt, run.dispatches) for run in runs} == {(2, 1)}
    assert await dispatch(eight[0], job.id) == Attempt(job_id=job.id, number=2, shards=3, compute_id=None, again=True)
    assert await eight[0].list_jobs_to_dispatch(pending_for=timedelta(0), limit=10) == []
    await check_books(eight_tables[0], job.id)
