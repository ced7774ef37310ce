"""The dispatcher dies between any two lines of a dispatch: what is left ends in exactly the right state."""

import asyncio

import pytest

from cody_dispatcher.dispatch_job import dispatch_job
from cody_jobs.events import JobDispatched, RunFinished, key_of_end
from cody_jobs.models import Job, JobStatus, RunStatus
from cody_jobs.ports import ComputeRequest
from tests.contract import jobs as sample
from tests.unit.cody_dispatcher.room import PER_WORKER, Crash, Room


async def dispatch(room: Room, job: Job) -> int:
    return await dispatch_job(room.ports, job.id, repositories_per_worker=PER_WORKER)


async def run_out(room: Room, job: Job) -> Job:
    """All workers do their shards, as real ones would."""
    attempt = (await room.jobs.get_job(job.id)).attempt
    for number in range(job.repositories):
        await sample.do(room.jobs, job.id, {f"owner/r{number}": sample.PATCH})
        index = (await room.shard_of(job, number)).index
        await room.jobs.end_shard(job.id, attempt, index)
    return await room.jobs.get_job(job.id)


async def test_cut_into_shards_but_not_started(room: Room) -> None:
    async def die() -> None:
        raise Crash

    room.compute.before_start = die
    job = await sample.create(room.jobs, 3)
    with pytest.raises(Crash):
        await dispatch(room, job)
    assert (await room.run(job)).status is RunStatus.DISPATCHED

    room.compute.before_start = None
    await room.reconcile()
    assert [request.attempt for request in room.compute.started.values()] == [1]
    assert (await room.shard_of(job)).compute_id == "compute-1"
    assert (await room.run(job)).dispatches == 1
    assert (await run_out(room, job)).status is JobStatus.SUCCEEDED


async def test_the_end_of_a_run_is_told_though_its_worker_died_before_it_could(room: Room) -> None:
    job = await sample.create(room.jobs, 3)
    await dispatch(room, job)
    await sample.do(room.jobs, job.id, {"owner/r0": sample.PATCH, "owner/r1": sample.PATCH})
    told = await room.run(job, 1)
    await room.ports.results.append_events(job.id, [RunFinished.of(told)], key=key_of_end(told))

    room.compute.end("compute-1", 0, 137)
    await room.reconcile()
    await room.reconcile()

    ended = [event.repository for event in await room.events(job) if isinstance(event, RunFinished)]
    assert sorted(ended) == ["owner/r0", "owner/r1"]


async def test_what_was_queued_after_a_crash_is_dispatched_too(room: Room) -> None:
    async def die(_request: ComputeRequest) -> None:
        raise Crash

    room.compute.after_start = die
    job = await sample.create(room.jobs, 3)
    with pytest.raises(Crash):
        await dispatch(room, job)
    await sample.claim(room.jobs, job.id, "owner/r0", owner="unknown worker")
    await room.jobs.release_run(job.id, "owner/r0", owner="unknown worker")

    room.compute.after_start = None
    await dispatch(room, job)

    assert [request.attempt for request in room.compute.started.values()] == [1, 1, 2]
    assert (await room.run(job, 0)).status is RunStatus.DISPATCHED


async def test_started_but_not_recorded(room: Room) -> None:
    async def die(_request: ComputeRequest) -> None:
        raise Crash

    room.compute.after_start = die
    job = await sample.create(room.jobs, 3)
    with pytest.raises(Crash):
        await dispatch(room, job)
    # The worker that nobody knows of has begun: it holds one run and has ended another.
    await sample.claim(room.jobs, job.id, "owner/r0", owner="unknown worker")
    await sample.do(room.jobs, job.id, {"owner/r1": sample.PATCH}, owner="unknown worker")

    room.compute.after_start = None
    await room.reconcile()
    assert {(request.attempt, request.shards) for request in room.compute.started.values()} == {(1, 2)}
    assert (await room.shard_of(job)).compute_id == "compute-2"
    # The second worker of the shard finds nothing to take, and ends well; the first one still works.
    room.compute.end("compute-2", 0, 0)
    await room.reconcile()
    held = await room.run(job, 0)
    assert (held.status, held.lease_owner, held.losses) == (RunStatus.RUNNING, "unknown worker", 0)

    await room.jobs.finish_run(job.id, "owner/r0", owner="unknown worker", result=sample.PATCH)
    await sample.do(room.jobs, job.id, {"owner/r2": sample.PATCH})
    room.compute.end("compute-2", 1, 0)
    await room.reconcile()
    assert (await room.jobs.get_job(job.id)).status is JobStatus.SUCCEEDED
    assert [(await room.run(job, number)).dispatches for number in range(3)] == [1, 1, 1]


async def test_recorded_but_the_message_is_still_there(room: Room) -> None:
    job = await room.submit()
    await dispatch(room, job)
    await room.consume_until(room.queue_is_empty, "the message is deleted")
    assert len(room.compute.started) == 1
    assert room.compute.stopped == []
    assert (await run_out(room, job)).status is JobStatus.SUCCEEDED


async def test_of_two_compute_jobs_for_one_attempt_only_the_one_that_was_noted_goes_on(room: Room) -> None:
    job = await sample.create(room.jobs, 3)

    async def be_late(request: ComputeRequest) -> None:
        await room.jobs.record_compute(request.job_id, request.attempt, "the other dispatcher's")

    room.compute.after_start = be_late
    assert await dispatch(room, job) == 0
    assert room.compute.stopped == [("compute-1", None)]
    assert (await room.shard_of(job)).compute_id == "the other dispatcher's"
    assert await room.events(job) == []


async def test_two_dispatchers_at_once_hand_every_run_over_once(room: Room) -> None:
    job = await sample.create(room.jobs, 5)
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await asyncio.wait_for(both.wait(), 20)

    room.compute.before_start = meet
    await asyncio.gather(dispatch(room, job), dispatch(room, job))
    (stopped,) = (compute_id for compute_id, _ in room.compute.stopped)
    (noted,) = set(room.compute.started) - {stopped}
    assert {(await room.shard_of(job, number)).compute_id for number in range(5)} == {noted}
    assert await room.events(job) == [JobDispatched(attempt=1, shards=3, compute_id=noted)]
    assert (await run_out(room, job)).status is JobStatus.SUCCEEDED
