"""What goes wrong with one job, or one answer, harms nothing else."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.items import sum_counts
from cody_backends.aws.jobs.keys import page_key, shard_key
from cody_backends.aws.jobs.shards import shards_of
from cody_backends.aws.jobs.tables import Tables, job_key, runs_key
from cody_backends.aws.jobs.writes import Update
from cody_backends.aws.settings import AwsSettings
from cody_jobs.errors import Unavailable
from cody_jobs.models import Attempt, JobStatus, RunCounts
from cody_jobs.ports import JobStore
from tests.contract.jobs import ESTIMATED, PATCH, create, dispatch, dispatched, do, names, new_job
from tests.support.dynamodb_tables import tables_of
from tests.support.watched_dynamodb import WRITES, Clock, Watched, crash

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

NOW = timedelta(0)


class HeardLater:
    """A client whose first answer to a write is lost; before it is made again, something happens."""

    def __init__(self, client: Any, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._client, self._meanwhile, self._lost = client, meanwhile, False

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def heard_later(**arguments: Any) -> Any:
            answer = await call(**arguments)
            if self._lost or operation not in WRITES:
                return answer
            self._lost = True
            await self._meanwhile()
            response: Any = {"Error": {"Code": "InternalServerError", "Message": "no answer"}}
            raise ClientError(response, operation)

        return heard_later


def another_store(tables: Tables, client: "DynamoDBClient | Any", *, clock: Clock) -> JobStore:
    """Of another process, which remembers nothing."""
    settings = AwsSettings(jobs_table=tables.jobs, runs_table=tables.runs)
    return DynamoJobStore(tables_of(client, settings, clock=clock))


async def set_pending_by_hand(tables: Tables, job_id: str) -> None:
    status = {"status": JobStatus.PENDING.value}
    await tables.write(Update(table=tables.jobs, key=job_key(job_id), set=status, marked=False), mark="")


async def test_who_retried_a_job_hears_of_it_although_it_was_dispatched_before_the_answer(
    tables: Tables, store: JobStore, client: Watched, clock: Clock
) -> None:
    job = await dispatched(store, 3)
    await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    slow = another_store(tables, HeardLater(client, lambda: dispatch(store, job.id)), clock=clock)

    assert await slow.retry_job(job.id) == 3

    assert (await store.count_runs([job.id]))[job.id] == RunCounts(dispatched=3)


async def test_a_dispatcher_whose_attempt_was_written_by_another_before_its_answer_hands_it_over(
    tables: Tables, store: JobStore, client: Watched, clock: Clock
) -> None:
    job = await create(store, 3)

    async def meanwhile() -> None:
        await store.begin_attempt(job.id, repositories_per_shard=1)
        await do(store, job.id, dict.fromkeys(names(2), PATCH))

    slow = another_store(tables, HeardLater(client, meanwhile), clock=clock)

    attempt = await slow.begin_attempt(job.id, repositories_per_shard=1)

    assert attempt == Attempt(job_id=job.id, number=1, shards=3, compute_id=None, again=False)
    assert (await store.count_runs([job.id]))[job.id] == RunCounts(dispatched=1, succeeded=2, patches=2)


async def test_a_half_written_job_that_is_set_back_by_hand_is_not_begun_and_can_be_stopped(
    tables: Tables, store: JobStore, client: Watched
) -> None:
    job = new_job()
    client.die(at_write=3, hears=False)
    await crash(store.create_job(job, names(250)))
    client.live()
    await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await set_pending_by_hand(tables, job.id)

    with pytest.raises(Unavailable, match="page 1"):
        await store.begin_attempt(job.id, repositories_per_shard=10)
    assert ((await store.get_job(job.id)).status, (await store.get_job(job.id)).attempt) == (JobStatus.PENDING, 0)
    assert (await store.stop_job(job.id, status=JobStatus.FAILED, failure=None)).job_ended_now
    assert await store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == []


async def test_a_stop_that_cannot_be_completed_keeps_no_other_job_from_its_end(
    tables: Tables, store: JobStore, client: Watched, clock: Clock
) -> None:
    """Somebody deleted a page of its names."""
    broken, done = await dispatched(store, 3), await dispatched(store, 1)
    client.die(at_write=2, hears=False)
    await crash(store.stop_job(broken.id, status=JobStatus.CANCELLED, failure=None))
    client.live()
    await tables.delete_all([page_key(broken.id, 0)])
    await do(store, done.id, {"owner/r0": PATCH})
    await store.recover_shard(done.id, 1, 0, failure=None)
    clock.ahead += timedelta(minutes=1)

    found = await another_store(tables, client, clock=clock).list_jobs_to_settle(limit=10)

    assert found == [(done.id, 1, 0)]


async def test_a_shard_of_before_an_outcome_was_counted_counts_it_from_nothing(tables: Tables, store: JobStore) -> None:
    job = await dispatched(store, 2)
    key = runs_key(shard_key(job.id, 1, 0))
    await tables.write(Update(table=tables.runs, key=key, set={"estimated": None}, marked=False), mark="")
    assert "estimated" not in (await tables.find(shard_key(job.id, 1, 0)) or {})
    assert (await store.count_runs([job.id]))[job.id] == RunCounts(dispatched=2)

    await do(store, job.id, {"owner/r0": ESTIMATED})

    assert (await store.count_runs([job.id]))[job.id] == RunCounts(dispatched=1, succeeded=1, estimated=1)


async def test_a_run_that_is_seen_in_two_shards_makes_no_number_of_queued_runs_negative(
    tables: Tables, store: JobStore
) -> None:
    job = await dispatched(store, 3)

    shards = await shards_of(tables, job.id)

    assert sum_counts(3, [*shards, *shards]).queued == 0
