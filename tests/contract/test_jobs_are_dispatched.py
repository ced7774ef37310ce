import asyncio
from datetime import timedelta

import pytest

from cody_jobs.errors import JobNotFound, RunNotFound
from cody_jobs.models import Attempt, JobStatus, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import (
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
    lose,
    names,
    shards,
)

NOW, LONG = timedelta(0), timedelta(days=1)


async def test_queued_runs_are_packed_in_the_order_of_the_request(job_store: JobStore) -> None:
    job = await create(job_store, 7)

    attempt = await job_store.begin_attempt(job.id, repositories_per_shard=3)

    assert attempt is not None
    assert (attempt.number, attempt.shards, attempt.compute_id) == (1, 3, None)
    assert await shards(job_store, job.id, attempt) == [
        ("owner/r0", "owner/r1", "owner/r2"),
        ("owner/r3", "owner/r4", "owner/r5"),
        ("owner/r6",),
    ]
    job = await job_store.get_job(job.id)
    assert (job.status, job.attempt) == (JobStatus.RUNNING, 1)
    run = await job_store.get_run(job.id, "owner/r4")
    assert (run.status, run.attempt, run.shard, run.dispatches) == (RunStatus.DISPATCHED, 1, 1, 1)


async def test_an_attempt_without_a_compute_id_is_returned_again(job_store: JobStore) -> None:
    job = await create(job_store, 7)
    await job_store.begin_attempt(job.id, repositories_per_shard=3)

    again = await job_store.begin_attempt(job.id, repositories_per_shard=5)

    assert again == Attempt(job_id=job.id, number=1, shards=3, compute_id=None, again=True)
    assert (await job_store.get_run(job.id, "owner/r0")).dispatches == 1


@pytest.mark.many_at_once
async def test_two_dispatchers_at_once_get_the_same_attempt(job_store: JobStore) -> None:
    job = await create(job_store, 50)

    attempts = await asyncio.gather(*(job_store.begin_attempt(job.id, repositories_per_shard=8) for _ in range(10)))

    assert [(attempt.number, attempt.shards) for attempt in attempts if attempt] == [(1, 7)] * 10
    made = [attempt for attempt in attempts if attempt and not attempt.again]
    assert len(made) <= 1  # none, when the answer to the one that made it was lost


async def test_one_compute_id_is_noted_and_no_other(job_store: JobStore) -> None:
    job = await create(job_store)
    await job_store.begin_attempt(job.id, repositories_per_shard=3)

    noted = await asyncio.gather(*(job_store.record_compute(job.id, 1, f"c{number}") for number in range(10)))

    assert sorted(noted) == [False] * 9 + [True]
    winner = f"c{noted.index(True)}"
    assert (await job_store.get_shard(job.id, 1, 0)).compute_id == winner
    assert await job_store.record_compute(job.id, 1, winner)
    assert not await job_store.record_compute(job.id, 1, "another")


async def test_an_attempt_that_does_not_exist_has_no_compute(job_store: JobStore) -> None:
    job = await create(job_store)

    with pytest.raises(RunNotFound):
        await job_store.record_compute(job.id, 1, "c")
    with pytest.raises(JobNotFound):
        await job_store.record_compute("job-unknown", 1, "c")


async def test_a_job_whose_runs_are_with_workers_has_nothing_to_hand_over(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, "owner/r0")

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert await job_store.get_job(job.id) == job


async def test_a_job_that_ended_has_nothing_to_hand_over(job_store: JobStore) -> None:
    job = await ended(job_store, {"a/a": PATCH, "b/b": failed()})

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert await job_store.get_job(job.id) == job


async def test_a_shard_knows_its_runs_also_when_they_have_moved_on(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, "owner/r1")
    await job_store.release_run(job.id, "owner/r1", owner=OWNER)
    second = await dispatch(job_store, job.id)

    first = await job_store.get_shard(job.id, 1, 0)
    assert first.repositories == tuple(names(3))
    assert (first.compute_id, first.ended_at) == ("compute-1", None)
    assert await shards(job_store, job.id, second) == [("owner/r1",)]
    assert (await job_store.get_job(job.id)).attempt == 2


@pytest.mark.parametrize(("attempt", "index"), [(2, 0), (1, 1), (1, -1)])
async def test_an_unknown_shard_is_not_found(job_store: JobStore, attempt: int, index: int) -> None:
    job = await dispatched(job_store)

    with pytest.raises(RunNotFound):
        await job_store.get_shard(job.id, attempt, index)
    with pytest.raises(RunNotFound):
        await job_store.end_shard(job.id, attempt, index)
    with pytest.raises(RunNotFound):
        await job_store.recover_shard(job.id, attempt, index, failure=None)


async def test_a_run_that_was_lost_gets_a_shard_of_its_own(job_store: JobStore) -> None:
    job = await dispatched(job_store, 5)
    await lose(job_store, job.id, "owner/r2")

    again = await dispatch(job_store, job.id, per_shard=3)

    assert await shards(job_store, job.id, again) == [
        ("owner/r0", "owner/r1", "owner/r3"),
        ("owner/r4",),
        ("owner/r2",),
    ]


async def test_a_run_that_was_taken_from_a_silent_worker_gets_a_shard_of_its_own(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2)
    await claim(job_store, job.id, "owner/r0", owner="silent", lease=OVER)
    for repository in names(2):
        await claim(job_store, job.id, repository)
        await job_store.release_run(job.id, repository, owner=OWNER)

    again = await dispatch(job_store, job.id)

    assert await shards(job_store, job.id, again) == [("owner/r1",), ("owner/r0",)]


async def test_a_run_that_was_lost_stays_alone_after_a_retry(job_store: JobStore) -> None:
    job = await dispatched(job_store, 3)
    for _ in range(2):
        await lose(job_store, job.id, "owner/r1")
        await dispatch(job_store, job.id)
    await lose(job_store, job.id, "owner/r1")
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await job_store.retry_job(job.id)

    again = await dispatch(job_store, job.id)

    assert await shards(job_store, job.id, again) == [("owner/r0", "owner/r2"), ("owner/r1",)]
    assert (await job_store.get_run(job.id, "owner/r1")).losses == 0


async def test_a_stopped_attempt_is_not_handed_over_after_a_retry(job_store: JobStore) -> None:
    """It never got a compute id, because the job was cancelled before its dispatcher came to that."""
    job = await create(job_store)
    await job_store.begin_attempt(job.id, repositories_per_shard=3)
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == []
    await job_store.retry_job(job.id)

    attempt = await job_store.begin_attempt(job.id, repositories_per_shard=3)

    assert attempt is not None
    assert (attempt.number, attempt.shards) == (2, 1)


async def test_a_pending_job_is_to_be_dispatched_once_it_has_waited(job_store: JobStore) -> None:
    first, second = await create(job_store), await create(job_store)

    assert await job_store.list_jobs_to_dispatch(pending_for=LONG, limit=10) == []
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == [first.id, second.id]
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=1) == [first.id]


async def test_a_running_job_with_queued_runs_is_to_be_dispatched_at_once(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == []

    await claim(job_store, job.id, "owner/r0")
    await job_store.release_run(job.id, "owner/r0", owner=OWNER)

    assert await job_store.list_jobs_to_dispatch(pending_for=LONG, limit=10) == [job.id]


async def test_an_attempt_that_stays_without_a_compute_id_is_to_be_dispatched(job_store: JobStore) -> None:
    job = await create(job_store)
    await job_store.begin_attempt(job.id, repositories_per_shard=3)

    assert await job_store.list_jobs_to_dispatch(pending_for=LONG, limit=10) == []
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == [job.id]
    await job_store.record_compute(job.id, 1, "c")
    assert await job_store.list_jobs_to_dispatch(pending_for=NOW, limit=10) == []


async def test_open_shards_are_listed_oldest_first_until_they_end(job_store: JobStore) -> None:
    first, second = await dispatched(job_store, 2, per_shard=1), await dispatched(job_store, 1)
    await do(job_store, first.id, {"owner/r0": PATCH})
    assert not (await job_store.end_shard(first.id, 1, 0)).job_ended_now

    listed = await job_store.list_open_shards(limit=10)

    assert [(found.shard.job_id, found.shard.index) for found in listed] == [(first.id, 1), (second.id, 0)]
    assert {found.job_status for found in listed} == {JobStatus.RUNNING}
    assert listed[0].shard == await job_store.get_shard(first.id, 1, 1)
    assert [found.shard.job_id for found in await job_store.list_open_shards(limit=1)] == [first.id]


async def test_a_shard_is_silent_when_a_lease_of_it_has_expired(job_store: JobStore) -> None:
    job = await dispatched(job_store, 3, per_shard=1)
    await claim(job_store, job.id, "owner/r0")
    await claim(job_store, job.id, "owner/r1", lease=OVER)

    silent = {found.shard.index: found.silent for found in await job_store.list_open_shards(limit=10)}

    assert silent == {0: False, 1: True, 2: False}
