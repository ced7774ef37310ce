import asyncio
from datetime import timedelta

import msgspec
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from cody_backends.postgres.work_queue import PostgresWorkQueue
from cody_jobs.errors import Unavailable
from cody_jobs.events import JobDispatched
from cody_jobs.messages import JOBS_QUEUE, JobStopped, JobSubmitted
from cody_jobs.models import JobStatus
from cody_jobs.ports import ReceivedMessage
from cody_runtime import names
from tests.support.wait import wait_until
from tests.unit.cody_dispatcher.room import PER_WORKER, Room

TRACE_ID = "0123456789abcdef0123456789abcdef"
SPAN_ID = "0123456789abcdef"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


class CountingQueue(PostgresWorkQueue):
    extended = 0

    async def extend(self, queue: str, message: ReceivedMessage, *, visibility: timedelta) -> None:
        self.extended += 1
        await super().extend(queue, message, visibility=visibility)


async def test_a_submitted_job_is_handed_to_workers_and_its_message_deleted(room: Room) -> None:
    job = await room.submit(5)
    await room.consume_until(room.queue_is_empty, "the message is deleted")
    ((compute_id, request),) = room.compute.started.items()
    assert (request.job_id, request.attempt, request.shards) == (job.id, 1, 3)
    assert [(await room.shard_of(job, number)).repositories for number in (0, 2, 4)] == [
        ("owner/r0", "owner/r1"),
        ("owner/r2", "owner/r3"),
        ("owner/r4",),
    ]
    assert (await room.shard_of(job)).compute_id == compute_id
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
    assert await room.events(job) == [JobDispatched(attempt=1, shards=3, compute_id=compute_id)]


async def test_the_same_message_twice_starts_workers_once(room: Room) -> None:
    job = await room.submit()
    await room.send(JobSubmitted(job_id=job.id))
    await room.consume_until(room.queue_is_empty, "both messages are deleted")
    recorded = (await room.shard_of(job)).compute_id
    stopped = {compute_id for compute_id, _ in room.compute.stopped}
    assert set(room.compute.started) - stopped == {recorded}
    assert (await room.run(job)).dispatches == 1


async def test_a_malformed_message_is_buried_with_the_reason_and_others_go_on(room: Room) -> None:
    await room.queue.send(JOBS_QUEUE, b'{"kind":"job_submitted"}')
    await room.queue.send(JOBS_QUEUE, b"\xff\xfe")
    job = await room.submit()
    await room.consume_until(room.queue_is_empty, "all messages are gone")
    letters = await room.queue.list_dead_letters(JOBS_QUEUE, limit=10)
    assert {letter.body for letter in letters} == {b'{"kind":"job_submitted"}', b"\xff\xfe"}
    assert any("jobId" in letter.reason for letter in letters)
    assert [request.job_id for request in room.compute.started.values()] == [job.id]


async def test_messages_of_unknown_and_of_ended_jobs_are_deleted(room: Room) -> None:
    job = await room.submit()
    await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await room.send(JobSubmitted(job_id="job-unknown"))
    await room.send(JobStopped(job_id="job-unknown"))
    await room.consume_until(room.queue_is_empty, "all messages are deleted")
    assert room.compute.started == {}
    assert await room.queue.list_dead_letters(JOBS_QUEUE, limit=10) == []


async def test_the_compute_jobs_of_a_stopped_job_are_stopped(room: Room) -> None:
    job = await room.handed_over()
    await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await room.send(JobStopped(job_id=job.id))
    await room.consume_until(room.queue_is_empty, "the message is deleted")
    assert room.compute.stopped == [("compute-1", None)]


async def test_a_stop_that_a_retry_has_overtaken_stops_nothing(room: Room) -> None:
    job = await room.handed_over()
    await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await room.jobs.retry_job(job.id)
    await room.send(JobStopped(job_id=job.id))
    await room.consume_until(room.queue_is_empty, "the message is deleted")
    assert room.compute.stopped == []


async def test_a_message_whose_work_fails_comes_back(room: Room) -> None:
    failures = iter([Unavailable("compute", "away"), RuntimeError("a surprise")])

    async def fail_twice() -> None:
        if error := next(failures, None):
            raise error

    room.compute.before_start = fail_twice
    job = await room.submit()
    consumer = room.consumer(visibility=timedelta(seconds=0.3))
    await room.consume_until(room.queue_is_empty, "the message is deleted", consumer=consumer)
    assert [request.attempt for request in room.compute.started.values()] == [1]
    assert (await room.run(job)).dispatches == 1


async def test_a_message_stays_invisible_while_it_is_worked_on(room: Room) -> None:
    queue = CountingQueue(room.database)
    go_on = asyncio.Event()
    asked = 0

    async def take_long() -> None:
        nonlocal asked
        asked += 1
        await wait_until(lambda: queue.extended >= 5, "the message was extended beyond its first visibility")
        go_on.set()

    room.compute.before_start = take_long
    await room.submit()
    ports = msgspec.structs.replace(room.ports, queue=queue)
    consumer = room.consumer(visibility=timedelta(seconds=0.6), ports=ports)
    await room.consume_until(room.queue_is_empty, "the message is deleted", consumer=consumer)
    assert go_on.is_set()
    assert asked == 1, "another delivery was worked on"


async def test_what_is_in_hand_is_finished_after_the_request_to_stop(room: Room) -> None:
    begun, go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        begun.set()
        await go_on.wait()

    room.compute.before_start = hold
    job = await room.submit()
    consuming = asyncio.create_task(room.consumer().run(stop))
    await asyncio.wait_for(begun.wait(), 20)
    stop.set()
    later = await room.submit()
    go_on.set()
    await asyncio.wait_for(consuming, 20)
    assert [request.job_id for request in room.compute.started.values()] == [job.id]
    assert (await room.jobs.get_job(later.id)).status is JobStatus.PENDING


async def test_several_messages_are_worked_on_at_a_time(room: Room) -> None:
    waiting = 0
    all_there = asyncio.Event()

    async def wait_for_the_others() -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            all_there.set()
        await asyncio.wait_for(all_there.wait(), 20)

    room.compute.before_start = wait_for_the_others
    for _ in range(6):
        await room.submit(PER_WORKER)
    await room.consume_until(room.queue_is_empty, "all messages are deleted")
    assert len(room.compute.started) == 6


async def test_the_workers_continue_the_trace_of_the_request(room: Room, spans: InMemorySpanExporter) -> None:
    job = await room.submit(attributes={"traceparent": TRACEPARENT})
    await room.consume_until(room.queue_is_empty, "the message is deleted")
    found = {
        span.name: span for span in spans.get_finished_spans() if (span.attributes or {}).get(names.JOB_ID) == job.id
    }
    received = found[names.SPAN_RECEIVE_MESSAGE]
    assert received.kind is SpanKind.CONSUMER
    assert received.parent is not None
    assert f"{received.parent.span_id:016x}" == SPAN_ID
    assert [f"{link.context.span_id:016x}" for link in received.links] == [SPAN_ID]
    assert {f"{span.context.trace_id:032x}" for span in found.values() if span.context} == {TRACE_ID}
    (request,) = room.compute.started.values()
    started = found[names.SPAN_START_COMPUTE].context
    assert started is not None
    assert request.environment == {"TRACEPARENT": f"00-{TRACE_ID}-{started.span_id:016x}-01"}


async def test_an_empty_poll_leaves_no_span(room: Room, spans: InMemorySpanExporter) -> None:
    polled = asyncio.Event()

    class NotingQueue(PostgresWorkQueue):
        async def receive(
            self, queue: str, *, limit: int, wait: timedelta, visibility: timedelta
        ) -> list[ReceivedMessage]:
            received = await super().receive(queue, limit=limit, wait=timedelta(0), visibility=visibility)
            polled.set()
            await asyncio.sleep(0.01)
            return received

    ports = msgspec.structs.replace(room.ports, queue=NotingQueue(room.database))

    async def has_polled() -> bool:
        return polled.is_set()

    await room.consume_until(has_polled, "the queue was polled", consumer=room.consumer(ports=ports))
    assert [span.name for span in spans.get_finished_spans()] == []


@pytest.mark.parametrize("error", [Unavailable("queue", "away"), RuntimeError("a surprise")])
async def test_a_queue_that_fails_does_not_end_the_loop(room: Room, error: Exception) -> None:
    errors = iter([error])

    class FailingQueue(PostgresWorkQueue):
        async def receive(
            self, queue: str, *, limit: int, wait: timedelta, visibility: timedelta
        ) -> list[ReceivedMessage]:
            if error := next(errors, None):
                raise error
            return await super().receive(queue, limit=limit, wait=wait, visibility=visibility)

    ports = msgspec.structs.replace(room.ports, queue=FailingQueue(room.database))
    job = await room.submit()
    await room.consume_until(room.queue_is_empty, "the message is deleted", consumer=room.consumer(ports=ports))
    assert (await room.jobs.get_job(job.id)).status is JobStatus.RUNNING
