"""Whoever comes after a process that died at any of its writes to a job with a sample completes what it began."""

from datetime import timedelta

from cody_jobs.errors import IllegalTransition
from cody_jobs.models import JobStatus, RunCounts, RunOutcome
from cody_jobs.ports import JobStore
from cody_jobs.run_filter import RunFilter
from tests.contract.jobs import NO_CHANGES, PATCH, create, dispatch, do, ended, failed, pilot, sample_of, sampled
from tests.support.watched_dynamodb import Watched, crash, crashes, writes_of

NOW = timedelta(0)


async def test_a_pilot_s_attempt_that_died_at_any_write_is_begun_by_the_same_call(
    store: JobStore, client: Watched
) -> None:
    job = await create(store, 100, sample=24)  # 96 runs take two transactions
    writes = await writes_of(client, store.begin_attempt(job.id, repositories_per_shard=10))
    for die in crashes(client, writes):
        job = await create(store, 100, sample=24)
        die()
        await crash(store.begin_attempt(job.id, repositories_per_shard=10))
        client.live()

        attempt = await store.begin_attempt(job.id, repositories_per_shard=10)

        assert attempt is not None
        assert (attempt.number, attempt.shards) == (1, 1)
        assert (await store.count_runs([job.id]))[job.id] == RunCounts(queued=4, dispatched=96)


async def test_a_choice_that_was_not_heard_is_the_choice(store: JobStore, client: Watched) -> None:
    for die, chosen in zip(crashes(client, 1), ("owner/r1", "owner/r0"), strict=True):
        job = await create(store, 3, sample=1)
        await dispatch(store, job.id)
        die()
        await crash(store.record_sample(job.id, sample_of("owner/r0")))
        client.live()

        assert await store.record_sample(job.id, sample_of("owner/r1")) == sample_of(chosen)


async def with_a_sample_that_is_done(store: JobStore) -> str:
    job = await create(store, 4, sample=1)
    await pilot(store, job.id, "owner/r1")
    await do(store, job.id, {"owner/r1": PATCH})
    return job.id


async def test_the_end_of_a_sample_that_died_at_any_write_is_found(store: JobStore, client: Watched) -> None:
    writes = await writes_of(client, store.end_shard(await with_a_sample_that_is_done(store), 1, 0))
    for die in crashes(client, writes):
        job_id = await with_a_sample_that_is_done(store)
        die()
        await crash(store.end_shard(job_id, 1, 0))
        client.live()

        if (await store.get_job(job_id)).status is JobStatus.RUNNING:
            for found in await store.list_open_shards(limit=1_000):
                await store.recover_shard(found.shard.job_id, found.shard.attempt, found.shard.index, failure=None)
            for found_id, attempt, index in await store.list_jobs_to_settle(limit=10):
                await store.end_shard(found_id, attempt, index)

        assert (await store.get_job(job_id)).status is JobStatus.AWAITING_APPROVAL
        assert (await store.count_runs([job_id]))[job_id] == RunCounts(queued=3, succeeded=1, patches=1)


async def test_an_approval_that_died_at_any_write_is_completed_by_the_next_dispatch(
    store: JobStore, client: Watched
) -> None:
    async def awaiting() -> str:
        return (await sampled(store, {"owner/r0": PATCH, "owner/r1": failed()}, repositories=4)).id

    writes = await writes_of(client, store.approve_job(await awaiting(), prompt="better", again=True))
    for die in crashes(client, writes):
        job_id = await awaiting()
        die()
        await crash(store.approve_job(job_id, prompt="better", again=True))
        client.live()
        if (await store.get_job(job_id)).status is JobStatus.AWAITING_APPROVAL:
            await store.approve_job(job_id, prompt="better", again=True)

        await store.begin_attempt(job_id, repositories_per_shard=10)

        assert (await store.count_runs([job_id]))[job_id] == RunCounts(dispatched=4)
        job = await store.get_job(job_id)
        assert (job.sampling, job.spec.prompt, len(job.former_prompts)) == (False, "better", 1)
        assert not (await store.approve_job(job_id, prompt="better", again=True)).now


async def test_a_filtered_retry_that_died_at_any_write_is_completed_by_the_next_dispatch(
    store: JobStore, client: Watched
) -> None:
    runs = RunFilter(outcomes=(RunOutcome.NO_CHANGES,), repositories=("b/*",))

    async def over() -> str:
        return (await ended(store, {"a/a": PATCH, "b/b": NO_CHANGES, "b/c": failed(), "c/d": NO_CHANGES})).id

    writes = await writes_of(client, store.retry_job(await over(), runs=runs, prompt="better"))
    for die in crashes(client, writes):
        job_id = await over()
        die()
        await crash(store.retry_job(job_id, runs=runs, prompt="better"))
        client.live()
        if (await store.get_job(job_id)).status is JobStatus.PARTIALLY_SUCCEEDED:
            await store.retry_job(job_id, runs=runs, prompt="better")

        await store.begin_attempt(job_id, repositories_per_shard=10)

        counts = (await store.count_runs([job_id]))[job_id]
        assert counts == RunCounts(dispatched=1, succeeded=2, failed=1, patches=1, no_changes=1)


async def test_a_filtered_retry_of_runs_that_were_never_written_is_completed_after_any_death(
    store: JobStore, client: Watched
) -> None:
    async def cancelled() -> str:
        job = await create(store, ["a/a", "b/b", "b/c"])
        await store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
        return job.id

    runs = RunFilter(repositories=("b/*",))
    writes = await writes_of(client, store.retry_job(await cancelled(), runs=runs))
    for die in crashes(client, writes):
        job_id = await cancelled()
        die()
        await crash(store.retry_job(job_id, runs=runs))
        client.live()
        try:
            await store.retry_job(job_id, runs=runs)
        except IllegalTransition:
            assert (await store.get_job(job_id)).status is JobStatus.PENDING

        await store.begin_attempt(job_id, repositories_per_shard=10)

        assert (await store.count_runs([job_id]))[job_id] == RunCounts(dispatched=2, cancelled=1)
