import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cody_jobs.errors import JobNotFound, LeaseLost, RunLost, RunNotFound
from cody_jobs.models import FailureCode, JobStatus, RepositoryRun, RunCounts, RunFailed, RunResult, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import (
    LEASE,
    NO_CHANGES,
    OVER,
    OWNER,
    PATCH,
    claim,
    create,
    dispatch,
    dispatched,
    do,
    failed,
    lose,
    names,
)

R0 = "owner/r0"


async def test_a_claimed_run_is_held_by_its_owner(job_store: JobStore) -> None:
    job = await dispatched(job_store)

    run = await job_store.claim_run(job.id, R0, owner=OWNER, lease=LEASE)

    assert run == await job_store.get_run(job.id, R0)
    assert (run.status, run.lease_owner, run.losses) == (RunStatus.RUNNING, OWNER, 0)
    assert run.lease_expires_at is not None
    assert run.started_at is not None
    assert abs(run.lease_expires_at - datetime.now(UTC) - LEASE) < timedelta(minutes=1)


async def test_a_held_run_cannot_be_claimed_by_another(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)

    with pytest.raises(LeaseLost):
        await claim(job_store, job.id, R0, owner="worker-2")
    assert (await job_store.get_run(job.id, R0)).lease_owner == OWNER


async def test_twenty_who_claim_one_run_at_once_have_one_winner(job_store: JobStore) -> None:
    job = await dispatched(job_store)

    claims = await asyncio.gather(
        *(job_store.claim_run(job.id, R0, owner=f"w{number}", lease=LEASE) for number in range(20)),
        return_exceptions=True,
    )

    [winner] = [run.lease_owner for run in claims if isinstance(run, RepositoryRun)]
    assert sum(isinstance(claimed, LeaseLost) for claimed in claims) == 19
    assert (await job_store.get_run(job.id, R0)).lease_owner == winner


async def test_the_same_owner_may_claim_again(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    first = await job_store.claim_run(job.id, R0, owner=OWNER, lease=OVER)

    again = await job_store.claim_run(job.id, R0, owner=OWNER, lease=LEASE)

    assert (again.losses, again.started_at) == (0, first.started_at)
    assert again.lease_expires_at is not None
    assert first.lease_expires_at is not None
    assert again.lease_expires_at > first.lease_expires_at


@pytest.mark.parametrize("state", ["queued", "succeeded", "failed", "cancelled"])
async def test_a_run_that_is_not_with_a_worker_cannot_be_claimed(job_store: JobStore, state: str) -> None:
    job = await create(job_store)
    if state != "queued":
        await dispatch(job_store, job.id)
    if state in {"succeeded", "failed"}:
        await do(job_store, job.id, {R0: PATCH if state == "succeeded" else failed()})
    if state == "cancelled":
        await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    before = await job_store.get_run(job.id, R0)

    with pytest.raises(LeaseLost):
        await claim(job_store, job.id, R0)
    assert await job_store.get_run(job.id, R0) == before


async def test_a_run_whose_lease_has_expired_may_be_taken_and_counts_as_lost(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0, lease=OVER)

    run = await job_store.claim_run(job.id, R0, owner="worker-2", lease=LEASE)

    assert (run.status, run.lease_owner, run.losses) == (RunStatus.RUNNING, "worker-2", 1)
    with pytest.raises(LeaseLost):
        await claim(job_store, job.id, R0)


async def test_a_run_that_expires_for_the_third_time_fails_when_it_is_claimed(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    for number in range(3):
        await claim(job_store, job.id, R0, owner=f"w{number}", lease=OVER)

    with pytest.raises(RunLost):
        await claim(job_store, job.id, R0, owner="w3")
    with pytest.raises(LeaseLost) as later:
        await claim(job_store, job.id, R0, owner="w4")

    assert not isinstance(later.value, RunLost), "one owner tells of it"
    run = await job_store.get_run(job.id, R0)
    assert (run.status, run.losses, run.lease_owner) == (RunStatus.FAILED, 3, None)
    assert run.failure is not None
    assert run.failure.code is FailureCode.WORKER_LOST
    assert run.ended_at is not None


async def test_its_last_owner_may_still_finish_a_run_that_nobody_took(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0, lease=OVER)

    run = await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH)

    assert (run.status, run.losses) == (RunStatus.SUCCEEDED, 0)


async def test_heartbeats_keep_a_run(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0, lease=OVER)
    await claim(job_store, job.id, "owner/r1", lease=OVER)

    renewal = await job_store.renew_leases(job.id, [R0, "owner/r1"], owner=OWNER, lease=LEASE)

    assert (renewal.held, renewal.job_status) == ({R0, "owner/r1"}, JobStatus.RUNNING)
    with pytest.raises(LeaseLost):
        await claim(job_store, job.id, R0, owner="worker-2")


async def test_a_heartbeat_tells_what_is_not_held_any_more(job_store: JobStore) -> None:
    job = await dispatched(job_store, 6)
    for repository in names(5):
        await claim(job_store, job.id, repository, lease=OVER)
    await claim(job_store, job.id, "owner/r1", owner="worker-2")
    await job_store.finish_run(job.id, "owner/r2", owner=OWNER, result=PATCH)
    await job_store.release_run(job.id, "owner/r3", owner=OWNER)

    renewal = await job_store.renew_leases(job.id, [*names(6), "owner/unknown"], owner=OWNER, lease=LEASE)

    assert renewal.held == {"owner/r0", "owner/r4"}


async def test_a_heartbeat_tells_that_the_job_was_stopped(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    renewal = await job_store.renew_leases(job.id, [R0], owner=OWNER, lease=LEASE)

    assert (renewal.held, renewal.job_status) == (frozenset(), JobStatus.CANCELLED)
    with pytest.raises(JobNotFound):
        await job_store.renew_leases("job-unknown", [R0], owner=OWNER, lease=LEASE)


async def test_a_released_run_is_queued_without_a_loss(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)

    await job_store.release_run(job.id, R0, owner=OWNER)
    await job_store.release_run(job.id, R0, owner=OWNER)

    run = await job_store.get_run(job.id, R0)
    assert (run.status, run.losses, run.lease_owner, run.shard) == (RunStatus.QUEUED, 0, None, None)
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH)


async def test_nobody_releases_what_another_holds(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)
    before = await job_store.get_run(job.id, R0)

    await job_store.release_run(job.id, R0, owner="worker-2")
    await job_store.release_run(job.id, "owner/r1", owner="worker-2")

    assert await job_store.get_run(job.id, R0) == before
    assert (await job_store.get_run(job.id, "owner/r1")).status is RunStatus.DISPATCHED


@pytest.mark.parametrize(("result", "status"), [(PATCH, "SUCCEEDED"), (NO_CHANGES, "SUCCEEDED"), (failed(), "FAILED")])
async def test_a_finished_run_keeps_its_result(job_store: JobStore, result: RunResult, status: str) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)

    run = await job_store.finish_run(job.id, R0, owner=OWNER, result=result)

    assert run == await job_store.get_run(job.id, R0)
    assert (run.status, run.files) == (RunStatus(status), result.files)
    kept = run.failure if isinstance(result, RunFailed) else (run.outcome, run.reason)
    assert kept == (result.failure if isinstance(result, RunFailed) else (result.outcome, result.reason))
    assert (run.lease_owner, run.lease_expires_at) == (None, None)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.started_at <= run.ended_at


async def test_any_text_of_a_failure_can_be_kept(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2)

    await do(job_store, job.id, {R0: failed(message="it said \0 <é>"), "owner/r1": failed(message="\0")})
    end = await job_store.end_shard(job.id, 1, 0)

    run = await job_store.get_run(job.id, R0)
    assert run.failure is not None
    assert run.failure.message.startswith("it said ")
    assert end.job.status is JobStatus.FAILED


async def test_saying_the_same_end_again_is_fine(job_store: JobStore) -> None:
    """Its owner cannot know whether the first time was heard, when no answer came."""
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)
    first = await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH)

    assert await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH) == first
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner=OWNER, result=NO_CHANGES)
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner="worker-2", result=PATCH)
    assert await job_store.get_run(job.id, R0) == first


async def test_only_its_owner_finishes_a_run(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH)
    await claim(job_store, job.id, R0)

    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner="worker-2", result=PATCH)
    assert (await job_store.get_run(job.id, R0)).status is RunStatus.RUNNING


async def test_a_worker_that_was_declared_dead_cannot_finish(job_store: JobStore) -> None:
    job = await dispatched(job_store)
    await claim(job_store, job.id, R0)
    await job_store.recover_shard(job.id, 1, 0, failure=None)
    await dispatch(job_store, job.id)

    with pytest.raises(LeaseLost):
        await job_store.finish_run(job.id, R0, owner=OWNER, result=PATCH)
    assert (await job_store.get_run(job.id, R0)).status is RunStatus.DISPATCHED


async def test_unknown_runs_are_not_found(job_store: JobStore) -> None:
    job = await dispatched(job_store)

    for job_id, error in ((job.id, RunNotFound), ("job-unknown", JobNotFound)):
        with pytest.raises(error):
            await job_store.claim_run(job_id, "no/no", owner=OWNER, lease=LEASE)
        with pytest.raises(error):
            await job_store.finish_run(job_id, "no/no", owner=OWNER, result=PATCH)
        with pytest.raises(error):
            await job_store.release_run(job_id, "no/no", owner=OWNER)


async def test_a_run_that_kills_its_worker_fails_after_the_third_and_harms_no_other(job_store: JobStore) -> None:
    job = await dispatched(job_store, 3)
    await claim(job_store, job.id, "owner/r2")
    await job_store.finish_run(job.id, "owner/r2", owner=OWNER, result=PATCH)

    for losses in (1, 2):
        await lose(job_store, job.id, R0)
        run = await job_store.get_run(job.id, R0)
        assert (run.status, run.losses) == (RunStatus.QUEUED, losses)
        attempt = await dispatch(job_store, job.id)
        shard = await job_store.get_shard(job.id, attempt.number, attempt.shards - 1)
        assert shard.repositories == (R0,)
    await lose(job_store, job.id, R0)

    run = await job_store.get_run(job.id, R0)
    assert (run.status, run.losses) == (RunStatus.FAILED, 3)
    assert run.failure is not None
    assert run.failure.code is FailureCode.WORKER_LOST
    neighbour = await job_store.get_run(job.id, "owner/r1")
    assert (neighbour.status, neighbour.losses, neighbour.attempt) == (RunStatus.DISPATCHED, 0, 2)
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=1, failed=1, dispatched=1, patches=1)
    assert (await job_store.get_job(job.id)).status is JobStatus.RUNNING
