"""A process that stood still before a write, while others went on: it changes nothing of what they have done."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import Struct

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.items import ShardItem
from cody_backends.aws.jobs.shards import shards_of
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.errors import JobRejected, LeaseLost
from cody_jobs.models import Job, JobStatus, RepositoryRun
from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, OVER, OWNER, PATCH, claim, create, dispatch, dispatched, do, failed
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import create_tables, tables_of
from tests.support.job_books import check_books
from tests.support.watched_dynamodb import WRITES

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

R0, R1 = "owner/r0", "owner/r1"


class StandsStill:
    """A client that stands still before its n-th write until it may go on."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._before = 0
        self.writes = 0
        self.stands, self.may_go_on = asyncio.Event(), asyncio.Event()

    def stand_still(self, *, before: int) -> None:
        self.writes, self._before = 0, before
        self.stands.clear()
        self.may_go_on.clear()

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def maybe_later(**arguments: Any) -> Any:
            if operation in WRITES:
                self.writes += 1
                if self.writes == self._before:
                    self.stands.set()
                    await self.may_go_on.wait()
            return await call(**arguments)

        return maybe_later


class Two(Struct, frozen=True, kw_only=True):
    """Two processes with the same tables."""

    slow: JobStore
    other: JobStore
    client: StandsStill
    tables: Tables


@pytest.fixture
async def two(dynamodb_local: AwsServer) -> AsyncGenerator[Two]:
    async with dynamodb_local.dynamodb() as client, create_tables(client, dynamodb_local) as settings:
        slow: Any = StandsStill(client)
        others = tables_of(client, settings)
        yield Two(
            slow=DynamoJobStore(tables_of(slow, settings)), other=DynamoJobStore(others), client=slow, tables=others
        )


class Course(Struct, frozen=True, kw_only=True):
    """A job comes where `slow` begins to change it; while that stands still, `others` go on. From its write
    `too_late` on, what it then writes comes too late."""

    begin: Callable[[JobStore], Awaitable[Job]]
    slow: Callable[[JobStore, str], Awaitable[object]]
    others: Callable[[JobStore, str], Awaitable[object]]
    too_late: int = 1


async def half_done(store: JobStore) -> Job:
    """Five runs in three shards: a patch, a failure, one with a worker, two with nobody."""
    job = await dispatched(store, 5, per_shard=2)
    await do(store, job.id, {R0: PATCH, R1: failed()})
    await claim(store, job.id, "owner/r2")
    return job


async def stop(store: JobStore, job_id: str) -> None:
    await store.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)


async def stop_and_begin_again(store: JobStore, job_id: str) -> None:
    await stop(store, job_id)
    await retry_and_begin_again(store, job_id)


async def retry_and_begin_again(store: JobStore, job_id: str) -> None:
    with suppress(JobRejected):
        await store.retry_job(job_id)
    await begin_and_work(store, job_id)


async def stop_and_retry(store: JobStore, job_id: str) -> None:
    await stop(store, job_id)
    await store.retry_job(job_id)


async def begin_and_work(store: JobStore, job_id: str) -> None:
    """One run fails, one is with a worker where it is to be had, and a whole shard is given back."""
    await dispatch(store, job_id, per_shard=2)
    await do(store, job_id, {"owner/r2": failed()})
    with suppress(LeaseLost):
        await claim(store, job_id, R1)
    for repository in ("owner/r3", "owner/r4"):
        await claim(store, job_id, repository)
        await store.release_run(job_id, repository, owner=OWNER)


async def stopped(store: JobStore) -> Job:
    job = await half_done(store)
    await stop(store, job.id)
    return job


async def five_queued(store: JobStore) -> Job:
    return await create(store, 5)


async def silent(store: JobStore) -> Job:
    job = await dispatched(store, 3)
    await claim(store, job.id, R0, lease=OVER)
    return job


async def three_queued_again(store: JobStore) -> Job:
    job = await half_done(store)
    for index in (1, 2):
        await store.recover_shard(job.id, 1, index, failure=None)
    return job


async def lose_and_begin_again(store: JobStore, job_id: str) -> None:
    await store.recover_shard(job_id, 1, 1, failure=None)
    await dispatch(store, job_id, per_shard=2)
    await claim(store, job_id, "owner/r2", owner="another")


async def two_done(store: JobStore) -> Job:
    """Its shard has not ended yet."""
    job = await dispatched(store, 2)
    await do(store, job.id, {R0: PATCH, R1: failed()})
    return job


async def end_and_begin_again(store: JobStore, job_id: str) -> None:
    await store.end_shard(job_id, 1, 0)
    await store.retry_job(job_id)
    await dispatch(store, job_id)
    await claim(store, job_id, R1)


COURSES = {
    "stop": Course(begin=half_done, slow=stop, others=stop_and_begin_again, too_late=2),
    "retry": Course(begin=stopped, slow=lambda store, job_id: store.retry_job(job_id), others=retry_and_begin_again),
    "dispatch": Course(
        begin=five_queued,
        slow=lambda store, job_id: store.begin_attempt(job_id, repositories_per_shard=2),
        others=begin_and_work,
        too_late=2,
    ),
    "dispatch again": Course(
        begin=three_queued_again,
        slow=lambda store, job_id: store.begin_attempt(job_id, repositories_per_shard=2),
        others=begin_and_work,
        too_late=2,
    ),
    "dispatch before a stop": Course(
        begin=five_queued,
        slow=lambda store, job_id: store.begin_attempt(job_id, repositories_per_shard=2),
        others=stop_and_retry,
        too_late=2,
    ),
    "recover": Course(
        begin=half_done,
        slow=lambda store, job_id: store.recover_shard(job_id, 1, 1, failure=None),
        others=lose_and_begin_again,
    ),
    "recover after a stop": Course(
        begin=half_done,
        slow=lambda store, job_id: store.recover_shard(job_id, 1, 1, failure=None),
        others=stop_and_begin_again,
    ),
    "finish": Course(
        begin=half_done,
        slow=lambda store, job_id: store.finish_run(job_id, "owner/r2", owner=OWNER, result=PATCH),
        others=lose_and_begin_again,
    ),
    "claim": Course(
        begin=half_done,
        slow=lambda store, job_id: store.claim_run(job_id, "owner/r3", owner="slow", lease=LEASE),
        others=stop_and_begin_again,
    ),
    "take from a silent one": Course(
        begin=silent,
        slow=lambda store, job_id: store.claim_run(job_id, R0, owner="slow", lease=LEASE),
        others=lambda store, job_id: store.renew_leases(job_id, [R0], owner=OWNER, lease=LEASE),
    ),
    "release": Course(
        begin=half_done,
        slow=lambda store, job_id: store.release_run(job_id, "owner/r2", owner=OWNER),
        others=lose_and_begin_again,
    ),
    "end": Course(
        begin=two_done,
        slow=lambda store, job_id: store.end_shard(job_id, 1, 0),
        others=end_and_begin_again,
    ),
}


@pytest.mark.parametrize("name", COURSES)
async def test_who_stood_still_changes_nothing_of_what_others_have_done(two: Two, name: str) -> None:
    course, before = COURSES[name], COURSES[name].too_late
    while True:
        job = await course.begin(two.other)
        two.client.stand_still(before=before)
        slow = asyncio.ensure_future(course.slow(two.slow, job.id))
        stands = asyncio.create_task(two.client.stands.wait())
        await asyncio.wait([slow, stands], return_when=asyncio.FIRST_COMPLETED)
        if slow.done():
            stands.cancel()
            break
        await course.others(two.other, job.id)
        state = await look(two, job.id)

        two.client.may_go_on.set()
        with suppress(LeaseLost, JobRejected):
            await slow

        assert await look(two, job.id) == state, f"write {before}"
        await check_books(two.tables, job.id)
        before += 1
    assert before > course.too_late, "it never stood still"


async def look(two: Two, job_id: str) -> tuple[Job, list[RepositoryRun], list[ShardItem]]:
    runs = await two.other.list_runs(job_id, status=None, limit=100, cursor=None)
    shards = [msgspec.structs.replace(shard, mark=None) for shard in await shards_of(two.tables, job_id)]
    return await two.other.get_job(job_id), list(runs.items), shards
