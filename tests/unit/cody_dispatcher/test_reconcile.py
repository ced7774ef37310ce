import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cody_backends.postgres.job_store import PostgresJobStore
from cody_jobs.errors import JobNotFound, Unavailable
from cody_jobs.events import JobFinished, RunFinished, RunReturned
from cody_jobs.models import Failure, FailureCode, Job, JobStatus, RunStatus
from cody_jobs.ports import ShardReport
from tests.contract import jobs as sample
from tests.unit.cody_dispatcher.room import NotedCompute, Room


async def lose_worker(room: Room, job: Job, number: int, exit_code: int = 137, reason: str | None = None) -> None:
    """The worker of that run's shard ends like this, and the dispatcher takes a look."""
    shard = await room.shard_of(job, number)
    assert shard.compute_id
    room.compute.end(shard.compute_id, shard.index, exit_code, reason)
    await room.reconcile()


async def test_a_pending_job_without_a_message_is_dispatched_after_a_while(room: Room) -> None:
    job = await sample.create(room.jobs)
    await room.reconciler(pending_for=timedelta(hours=1)).reconcile()
    assert room.compute.started == {}
    await room.reconcile()
    assert [request.job_id for request in room.compute.started.values()] == [job.id]


async def test_a_job_that_an_operator_set_back_to_pending_is_dispatched_again(room: Room) -> None:
    job = await sample.ended(room.jobs, {"owner/r0": sample.failed(), "owner/r1": sample.PATCH})
    async with room.database.connection() as connection:
        await connection.execute("UPDATE jobs SET status = 'PENDING' WHERE id = $1", job.id)
    await room.reconcile()
    assert (await room.run(job, 0)).status is RunStatus.DISPATCHED
    assert (await room.run(job, 1)).status is RunStatus.SUCCEEDED
    assert [request.attempt for request in room.compute.started.values()] == [2]


async def test_the_runs_of_a_worker_that_died_return_and_the_lost_one_is_alone(room: Room) -> None:
    job = await sample.create(room.jobs, 4)
    await room.reconciler(per_worker=4).reconcile()
    await sample.do(room.jobs, job.id, {"owner/r0": sample.PATCH})
    await sample.claim(room.jobs, job.id, "owner/r1")
    await lose_worker(room, job, 1)

    done, lost, others = await room.run(job, 0), await room.run(job, 1), await room.run(job, 2)
    assert (done.status, done.attempt) == (RunStatus.SUCCEEDED, 1)
    assert (lost.status, lost.attempt, lost.losses) == (RunStatus.DISPATCHED, 2, 1)
    assert (others.status, others.attempt, others.losses) == (RunStatus.DISPATCHED, 2, 0)
    assert (await room.shard_of(job, 1)).repositories == ("owner/r1",)
    assert (await room.shard_of(job, 2)).repositories == ("owner/r2", "owner/r3")
    returned = [event for event in await room.events(job) if isinstance(event, RunReturned)]
    assert {event.repository for event in returned} == {"owner/r1", "owner/r2", "owner/r3"}
    assert {event.reason for event in returned} == {"its worker was ended by signal 9"}


async def test_a_run_that_kills_its_worker_each_time_fails_and_takes_no_other_with_it(
    room: Room,
) -> None:
    start = datetime.now(UTC)
    logs: list[EventDict] = []
    job = await room.handed_over(2)
    for loss in range(3):
        room.now = lambda hours=loss: start + timedelta(hours=hours)
        await room.reconcile()
        await sample.claim(room.jobs, job.id, "owner/r1")
        if loss == 2:
            await sample.do(room.jobs, job.id, {"owner/r0": sample.PATCH})
            other = await room.shard_of(job, 0)
            await room.jobs.end_shard(job.id, other.attempt, other.index)
        with capture_logs() as captured:
            await lose_worker(room, job, 1)
        logs = captured

    poison = await room.run(job, 1)
    assert poison.failure is not None
    assert (poison.status, poison.failure.code, poison.losses) == (RunStatus.FAILED, FailureCode.WORKER_LOST, 3)
    assert (await room.jobs.get_job(job.id)).status is JobStatus.PARTIALLY_SUCCEEDED
    *_, run_finished, job_finished = await room.events(job)
    assert isinstance(run_finished, RunFinished)
    assert (run_finished.repository, run_finished.failure) == ("owner/r1", poison.failure)
    assert isinstance(job_finished, JobFinished)
    assert job_finished.status is JobStatus.PARTIALLY_SUCCEEDED
    (logged,) = [line for line in logs if line["log_level"] == "error"]
    assert (logged["event"], logged["code"]) == ("Job processing failed", "worker_lost")


@pytest.mark.parametrize(
    ("last_lines", "shown"),
    [
        ("noise\nworker: CLAUDE_MODEL is wrong", "CLAUDE_MODEL is wrong"),
        ('{"event": "bad_setting", "error": "no such folder"}', "bad_setting: no such folder"),
        ('{"event": "program_failed", "exception": "Traceback\\nValueError: oh"}', "program_failed: ValueError: oh"),
        (None, "it said nothing"),
    ],
)
async def test_the_runs_of_a_worker_that_can_never_start_fail_with_its_last_words(
    room: Room, last_lines: str | None, shown: str
) -> None:
    job = await room.handed_over(2)
    await lose_worker(room, job, 0, 1, last_lines)
    for number in range(2):
        run = await room.run(job, number)
        assert run.failure is not None
        assert (run.status, run.failure.code) == (RunStatus.FAILED, FailureCode.WORKER_FAILED)
        assert shown in run.failure.message
    assert (await room.jobs.get_job(job.id)).status is JobStatus.FAILED
    assert isinstance((await room.events(job))[-1], JobFinished)


async def test_runs_that_a_worker_gave_back_start_again_without_a_loss(room: Room) -> None:
    job = await room.handed_over(2)
    await sample.claim(room.jobs, job.id, "owner/r0")
    await room.jobs.release_run(job.id, "owner/r0", owner=sample.OWNER)
    await lose_worker(room, job, 1, 75)
    for number in range(2):
        run = await room.run(job, number)
        assert (run.status, run.attempt, run.losses) == (RunStatus.DISPATCHED, 2, 0)


async def test_runs_that_are_given_back_again_and_again_start_ever_more_slowly(room: Room) -> None:
    job = await sample.create(room.jobs, 1)
    reconciler = room.reconciler()
    start = datetime.now(UTC)
    started: list[int] = []
    for second in range(0, 400, 5):
        room.now = lambda second=second: start + timedelta(seconds=second)
        await reconciler.reconcile()
        if len(room.compute.started) > len(started):
            started.append(second)
            room.compute.end(f"compute-{len(started)}", 0, 75)
    pauses = [following - before for before, following in pairwise(started)]
    assert pauses == [5, 5, 10, 20, 40, 60, 60, 60, 60]
    assert (await room.run(job)).status is RunStatus.FAILED, "ten attempts that came to nothing are enough"


@pytest.mark.parametrize("exit_code", [0, 137])
async def test_a_job_ends_whose_last_worker_died_after_its_last_run(room: Room, exit_code: int) -> None:
    job = await room.handed_over(2)
    await sample.do(room.jobs, job.id, {"owner/r0": sample.PATCH, "owner/r1": sample.NO_CHANGES})
    await lose_worker(room, job, 0, exit_code)
    assert (await room.jobs.get_job(job.id)).status is JobStatus.SUCCEEDED
    finished = [event for event in await room.events(job) if isinstance(event, JobFinished)]
    assert finished == [JobFinished(status=JobStatus.SUCCEEDED, failure=None)]


async def test_a_job_ends_whose_dispatcher_died_between_its_last_run_and_its_end(room: Room) -> None:
    job = await room.handed_over(2)
    failure = Failure(code=FailureCode.WORKER_FAILED, message="it cannot start", retryable=True)
    await room.jobs.recover_shard(job.id, 1, 0, failure=failure)
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
    await room.reconcile()
    ended = await room.jobs.get_job(job.id)
    assert ended.status is JobStatus.FAILED
    assert (await room.events(job))[-1] == JobFinished(status=JobStatus.FAILED, failure=ended.failure)


async def test_a_run_that_a_worker_left_without_taking_it_returns(room: Room) -> None:
    job = await room.handed_over(2)
    await sample.do(room.jobs, job.id, {"owner/r0": sample.PATCH})
    await lose_worker(room, job, 1, 0)
    left = await room.run(job, 1)
    assert (left.status, left.attempt, left.losses) == (RunStatus.DISPATCHED, 2, 0)


async def test_a_worker_that_went_silent_is_stopped_and_its_runs_return(room: Room) -> None:
    job = await room.handed_over(3)
    await sample.claim(room.jobs, job.id, "owner/r2", lease=sample.OVER)
    await room.reconcile()
    assert room.compute.stopped == [("compute-1", (1,))]
    lost, other = await room.run(job, 2), await room.run(job, 0)
    assert (lost.attempt, lost.losses) == (2, 1)
    assert (other.attempt, other.losses) == (1, 0)


async def test_workers_that_compute_has_no_memory_of_are_gone(room: Room) -> None:
    job = await room.handed_over(1)
    await sample.claim(room.jobs, job.id, "owner/r0")
    room.compute.started.clear()  # a new process
    await room.reconcile()
    assert (await room.run(job)).attempt == 1, "it may have been started a moment ago"
    room.now = lambda: datetime.now(UTC) + timedelta(seconds=30)
    await room.reconcile()
    run = await room.run(job)
    assert (run.attempt, run.losses) == (2, 1)


async def test_workers_at_work_are_left_alone(room: Room) -> None:
    job = await room.handed_over(3)
    await sample.claim(room.jobs, job.id, "owner/r0")
    for _ in range(3):
        await room.reconcile()
    assert len(room.compute.started) == 1
    assert room.compute.stopped == []
    assert [(await room.run(job, number)).attempt for number in range(3)] == [1, 1, 1]


async def test_half_created_jobs_are_discarded(room: Room) -> None:
    old, young, whole = [await sample.create(room.jobs) for _ in range(3)]
    async with room.database.connection() as connection:
        for job, age in ((old, timedelta(seconds=61)), (young, timedelta(0))):
            await connection.execute(
                "UPDATE jobs SET status = 'CREATING', updated_at = now() - $2::interval WHERE id = $1", job.id, age
            )
    await room.reconcile()
    with pytest.raises(JobNotFound):
        await room.jobs.get_job(old.id)
    assert (await room.jobs.get_job(young.id)).status is JobStatus.CREATING
    assert (await room.jobs.get_job(whole.id)).status is JobStatus.RUNNING


async def test_one_failing_job_does_not_keep_the_others_waiting(room: Room) -> None:
    first, second = await sample.create(room.jobs), await sample.create(room.jobs)
    failing = first.id

    class FailingCompute(NotedCompute):
        async def start(self, request: object) -> str:
            if getattr(request, "job_id", None) == failing:
                raise RuntimeError("a surprise")
            return await super().start(request)  # type: ignore[arg-type] # told apart above

    ports = msgspec.structs.replace(room.ports, compute=FailingCompute())
    await room.reconciler(ports=ports).reconcile()
    assert (await room.shard_of(first)).compute_id is None
    assert (await room.shard_of(second)).compute_id == "compute-1"


async def test_one_failing_compute_job_does_not_keep_the_others_from_being_looked_after(room: Room) -> None:
    class FailingCompute(NotedCompute):
        async def describe(self, compute_id: str, indexes: Sequence[int]) -> dict[int, ShardReport]:
            if compute_id == "compute-1":
                raise Unavailable("compute", "away")
            return await super().describe(compute_id, indexes)

    room.compute = FailingCompute()
    room.ports = msgspec.structs.replace(room.ports, compute=room.compute)
    first, second = await sample.create(room.jobs, 1), await sample.create(room.jobs, 1)
    await room.reconcile()
    for compute_id in ("compute-1", "compute-2"):
        room.compute.end(compute_id, 0, 137)
    await room.reconcile()
    attempts = {(await room.run(job)).attempt for job in (first, second)}
    assert attempts == {1, 2}


async def test_a_database_that_is_away_for_a_while_does_not_end_the_loop(room: Room) -> None:
    errors = iter([Unavailable("PostgreSQL", "away"), RuntimeError("a surprise")])

    class FailingJobs(PostgresJobStore):
        async def discard_half_created(self, *, older_than: timedelta) -> list[str]:
            if error := next(errors, None):
                raise error
            return await super().discard_half_created(older_than=older_than)

    ports = msgspec.structs.replace(room.ports, jobs=FailingJobs(room.database))
    reconciler = room.reconciler(ports=ports)
    job = await sample.create(room.jobs)
    assert not await reconciler.reconcile()
    assert (await room.jobs.get_job(job.id)).status is JobStatus.PENDING
    assert await reconciler.reconcile()
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING


async def test_two_dispatchers_recover_a_lost_worker_once(room: Room) -> None:
    job = await room.handed_over(2)
    await sample.claim(room.jobs, job.id, "owner/r0")
    room.compute.end("compute-1", 0, 137)
    await asyncio.gather(room.reconciler().reconcile(), room.reconciler().reconcile())
    await room.reconcile()
    lost = await room.run(job, 0)
    assert (lost.status, lost.losses) == (RunStatus.DISPATCHED, 1)
    assert (await room.shard_of(job, 0)).compute_id not in {compute_id for compute_id, _ in room.compute.stopped}
    returned = [event for event in await room.events(job) if isinstance(event, RunReturned)]
    assert len(returned) == 2


async def test_it_looks_at_once_and_stops_when_asked(room: Room) -> None:
    job = await sample.create(room.jobs)
    stop = asyncio.Event()

    async def stop_then() -> None:
        stop.set()

    room.compute.before_start = stop_then
    await asyncio.wait_for(room.reconciler().run(stop), 20)
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
