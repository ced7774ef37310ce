"""Messages that come twice, late, or again and again: on PostgreSQL, and on a server of SQS."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from cody_backends.postgres.result_store import PostgresResultStore
from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.errors import SettingsError, Unavailable
from cody_jobs.events import DispatchDelayed, EventBody, JobDispatched, JobFinished
from cody_jobs.messages import JOBS_QUEUE, JobStopped
from cody_jobs.models import Failure, FailureCode, JobStatus
from cody_jobs.ports import DeadLetter, ReceivedMessage, WorkQueue
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED
from tests.unit.cody_dispatcher.room import NotedCompute, Room

NOW = timedelta(0)


@pytest.fixture
def room(room_with_any_queue: Room) -> Room:
    return room_with_any_queue


class DeliveringTwice:
    """Hands every message that it receives to its consumer twice at once."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def receive(self, queue: str, *, limit: int, **times: timedelta) -> list[ReceivedMessage]:
        return [message for message in await self._queue.receive(queue, limit=limit, **times) for _ in range(2)]


async def received_in_vain(room: Room, times: int) -> None:
    """By consumers that died of it."""
    for _ in range(times):
        [_] = await room.queue.receive(JOBS_QUEUE, limit=1, wait=NOW, visibility=NOW)


async def last_letter(room: Room) -> DeadLetter:
    [letter] = await room.queue.list_dead_letters(JOBS_QUEUE, limit=10)
    return letter


async def test_a_message_that_is_delivered_twice_at_once_starts_workers_once(room: Room) -> None:
    job = await room.submit()
    ports = msgspec.structs.replace(room.ports, queue=cast("WorkQueue", DeliveringTwice(room.queue)))
    await room.consume_until(room.queue_is_empty, "the message is deleted", consumer=room.consumer(ports=ports))
    stopped = {compute_id for compute_id, _ in room.compute.stopped}
    assert set(room.compute.started) - stopped == {(await room.shard_of(job)).compute_id}
    assert (await room.run(job)).dispatches == 1


async def test_a_stop_that_comes_before_its_job_starts_nothing(room: Room) -> None:
    job = await room.submit()
    [late] = await room.queue.receive(JOBS_QUEUE, limit=1, wait=NOW, visibility=timedelta(minutes=1))
    await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await room.send(JobStopped(job_id=job.id))

    async def only_the_late_one_is_left() -> bool:
        return (await room.queue.depth(JOBS_QUEUE)).ready == 0

    await room.consume_until(only_the_late_one_is_left, "the stop is consumed")
    await room.queue.extend(JOBS_QUEUE, late, visibility=NOW)
    await room.consume_until(room.queue_is_empty, "the job's own message is deleted")
    assert room.compute.started == {}
    assert (await room.jobs.get_job(job.id)).status is JobStatus.CANCELLED


async def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("a surprise"), "RuntimeError: a surprise"),
        (SettingsError("there is no job definition"), "there is no job definition"),
    ],
)
async def test_a_message_that_failed_five_times_is_a_dead_letter_and_its_job_shows_why(
    room: Room, error: Exception, words: str
) -> None:
    failures = 0

    async def count_and_fail() -> None:
        nonlocal failures
        failures += 1
        raise error

    room.compute.before_start = count_and_fail
    job = await room.submit()
    await received_in_vain(room, RECEIVES_ALLOWED - 2)

    # Long enough that the queue does not bury it first, with words of its own.
    consumer = room.consumer(visibility=timedelta(seconds=2))
    await room.consume_until(room.queue_is_empty, "the message is buried", consumer=consumer)

    expected = Failure(
        code=FailureCode.DISPATCH_FAILED, message=f"no workers could be started: {words}", retryable=True
    )
    found, letter = await room.jobs.get_job(job.id), await last_letter(room)
    assert failures == 2
    assert (found.status, found.failure) == (JobStatus.FAILED, expected)
    assert await room.events(job) == [JobFinished(status=JobStatus.FAILED, failure=expected)]
    assert (letter.reason, letter.receives) == (words, RECEIVES_ALLOWED)
    assert job.id in letter.body.decode()


async def test_a_job_that_could_not_be_dispatched_can_be_retried(room: Room) -> None:
    room.compute.before_start = lambda: fail(RuntimeError("a surprise"))
    job = await room.submit()
    await received_in_vain(room, RECEIVES_ALLOWED - 1)
    await room.consume_until(room.queue_is_empty, "the message is buried")

    room.compute.before_start = None
    await room.jobs.retry_job(job.id)
    assert await room.queue.redrive(JOBS_QUEUE) == 1
    await room.consume_until(room.queue_is_empty, "the message is deleted")

    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
    assert len(room.compute.started) == 1


async def test_a_job_whose_dispatch_waits_for_a_dependency_says_so_and_is_dispatched_when_it_is_back(
    room: Room,
) -> None:
    room.compute.before_start = lambda: fail(Unavailable("AWS Batch", "away"))
    job = await room.submit()
    await received_in_vain(room, RECEIVES_ALLOWED - 1)
    await room.consume_until(room.queue_is_empty, "the message is buried")

    delayed = DispatchDelayed(reason="AWS Batch: away")
    assert await room.events(job) == [delayed]
    assert (await last_letter(room)).reason == "AWS Batch: away"

    room.compute.before_start = None
    await room.reconcile()
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
    assert await room.events(job) == [delayed, JobDispatched(attempt=1, shards=2, compute_id="compute-1")]


@pytest.mark.parametrize("error", [RuntimeError("a surprise"), Unavailable("compute", "away")])
async def test_a_job_that_ended_in_the_meantime_is_told_nothing(room: Room, error: Exception) -> None:
    job = await room.submit()

    async def cancel_and_fail() -> None:
        await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
        raise error

    room.compute.before_start = cancel_and_fail
    await received_in_vain(room, RECEIVES_ALLOWED - 1)
    await room.consume_until(room.queue_is_empty, "the message is buried")

    found = await room.jobs.get_job(job.id)
    assert (found.status, found.failure) == (JobStatus.CANCELLED, None)
    assert await room.events(job) == []


async def test_a_stop_that_failed_five_times_is_a_dead_letter_alone(room: Room) -> None:
    class UnstoppableCompute(NotedCompute):
        async def stop(self, compute_id: str, *, indexes: Sequence[int] | None = None) -> None:
            raise RuntimeError(f"cannot stop {compute_id}")

    job = await room.handed_over()
    before = await room.events(job)
    await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await room.send(JobStopped(job_id=job.id))
    await received_in_vain(room, RECEIVES_ALLOWED - 1)

    ports = msgspec.structs.replace(room.ports, compute=UnstoppableCompute())
    await room.consume_until(room.queue_is_empty, "the message is buried", consumer=room.consumer(ports=ports))

    assert (await last_letter(room)).reason == "RuntimeError: cannot stop compute-1"
    assert await room.events(job) == before
    assert (await room.jobs.get_job(job.id)).status is JobStatus.CANCELLED


async def test_a_message_is_buried_though_nobody_can_be_told(room: Room) -> None:
    class FullResults(PostgresResultStore):
        async def append_events(self, job_id: str, events: Sequence[EventBody], *, key: str | None = None) -> None:
            raise Unavailable("PostgreSQL", "no room")

    room.compute.before_start = lambda: fail(RuntimeError("a surprise"))
    job = await room.submit()
    await received_in_vain(room, RECEIVES_ALLOWED - 1)

    ports: DispatcherPorts = msgspec.structs.replace(room.ports, results=FullResults(room.database))
    await room.consume_until(room.queue_is_empty, "the message is buried", consumer=room.consumer(ports=ports))

    assert (await last_letter(room)).reason == "RuntimeError: a surprise"
    assert (await room.jobs.get_job(job.id)).status is JobStatus.FAILED
