"""Batch Job State Change events: ends that are known without asking, and asking all the same when they do not come."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
import pytest

from cody_backends.aws.batch.job_events import POLL_SECONDS, JobEvents
from cody_backends.aws.batch.memory import Memory
from cody_backends.aws.batch.seen_job import SeenJob
from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.compute import BatchCompute, open_batch_compute
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_jobs.errors import SettingsError
from cody_jobs.ports.compute import ComputeRequest, ShardState
from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import create_job_queue, environment_of
from tests.support.wait import wait_until
from tests.unit.cody_backends.aws.conftest import PROGRAM

RUNNING = SeenJob(state=ShardState.RUNNING)
SUCCEEDED = SeenJob(state=ShardState.SUCCEEDED, exit_code=0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Room:
    """A Batch that tells its events to `queue`, and a Compute that listens to it."""

    def __init__(self, batch: BatchStandIn, compute: BatchCompute, server: AwsServer, url: str) -> None:
        self.batch = batch
        self.compute = compute
        self._server = server
        self._url = url

    async def asked(self) -> int:
        calls = (await self.batch.stats()).calls
        return calls.get("DescribeJobs", 0) + calls.get("ListJobs", 0)

    async def put(self, body: str) -> None:
        async with self._server.sqs() as sqs:
            await sqs.send_message(QueueUrl=self._url, MessageBody=body)

    async def left(self) -> int:
        async with self._server.sqs() as sqs:
            attributes = await sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
            return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture
async def room(moto_server: AwsServer) -> AsyncGenerator[Room]:
    queue = moto_server.unused_name("events")
    async with moto_server.sqs() as sqs:
        url = (await sqs.create_queue(QueueName=queue))["QueueUrl"]
    settings = BatchSettings(batch_events_queue=queue)
    async with batch_stand_in(entrypoint=("-I", "-S", "-c", PROGRAM), options=["--events-queue", url]) as batch:
        environment = AwsServer(batch.url).environment("batch", "cloudwatch_logs")
        with environment_of({**environment, **moto_server.environment("sqs")}):
            aws = Aws(AwsSettings(aws_region=REGION))
            await create_job_queue(aws, settings, vcpus=5)
            async with open_batch_compute(aws, settings, calls_per_second=1000) as compute:
                yield Room(batch, compute, moto_server, url)


def started(shards: int, plans: str) -> ComputeRequest:
    return ComputeRequest(job_id="job-1", attempt=1, shards=shards, environment={"PLANS": plans})


async def test_ends_are_known_without_asking(room: Room) -> None:
    await room.put("no event")
    compute_id = await room.compute.start(started(3, "1"))
    plain = await room.compute.start(started(1, "0"))

    async def all_ended() -> bool:
        return (await room.batch.stats()).started == 4 and not (await room.batch.stats()).running

    await wait_until(all_ended, "all workers have ended")

    async def all_told() -> bool:
        return not await room.left()

    await wait_until(all_told, "all events were received")

    async def known() -> bool:
        before = await room.asked()
        reports = await room.compute.describe(compute_id, range(3))
        single = (await room.compute.describe(plain, [0]))[0]
        assert {report.exit_code for report in reports.values()} == {1}
        assert {report.reason for report in reports.values()} == {"attempt 1"}
        assert single.state is ShardState.SUCCEEDED
        return await room.asked() == before

    await wait_until(known, "nothing has to be asked")


async def test_what_has_not_ended_is_asked_about_now_and_then(room: Room) -> None:
    compute_id = await room.compute.start(started(2, "wait"))

    async def quiet() -> bool:
        before = await room.asked()
        await room.compute.describe(compute_id, range(2))
        return await room.asked() == before

    await wait_until(quiet, "a second look asks nothing")


async def test_a_missing_queue_of_events_is_named(moto_server: AwsServer) -> None:
    with environment_of(moto_server.environment("sqs")):
        async with Aws(AwsSettings(aws_region=REGION)).sqs() as sqs:
            events = JobEvents(sqs, Calls("SQS", patience=1), Memory(Clock()), queue="no-such-queue")
            with pytest.raises(SettingsError, match="BATCH_EVENTS_QUEUE: there is no queue no-such-queue"):
                async with events.listening():
                    pass


def test_a_state_that_is_no_end_grows_old() -> None:
    clock = Clock()
    memory = Memory(clock)
    memory.remember("compute", {0: RUNNING, 1: SUCCEEDED})
    assert memory.recall("compute", [0, 1, 2]) == {1: SUCCEEDED}
    memory.good_for = POLL_SECONDS
    assert memory.recall("compute", [0, 1, 2]) == {0: RUNNING, 1: SUCCEEDED}
    clock.now += POLL_SECONDS
    assert memory.recall("compute", [0, 1, 2]) == {1: SUCCEEDED}


def test_the_oldest_is_forgotten_first() -> None:
    memory = Memory(Clock(), kept=2)
    memory.remember("compute", {0: SUCCEEDED, 1: SUCCEEDED})
    memory.remember("compute", {0: SUCCEEDED, 2: SUCCEEDED})
    assert memory.recall("compute", [0, 1, 2]) == {0: SUCCEEDED, 2: SUCCEEDED}


def test_only_ends_of_what_has_a_process_are_remembered() -> None:
    memory = Memory(Clock())
    unused: Any = None
    events = JobEvents(unused, Calls("SQS", patience=1), memory, queue="events")
    details: tuple[Mapping[str, Any], ...] = (
        {"jobId": "array", "status": "FAILED", "arrayProperties": {"size": 2, "statusSummary": {}}},
        {"jobId": "array:1", "status": "SUCCEEDED", "container": {"exitCode": 0}, "arrayProperties": {"index": 1}},
        {"jobId": "array:1", "status": "RUNNING", "arrayProperties": {"index": 1}},
        {"jobId": "array:0", "status": "RUNNING", "arrayProperties": {"index": 0}},
        {"status": "FAILED"},
    )
    for detail in details:
        events.take_in({"Body": msgspec.json.encode({"detail-type": "x", "detail": detail}).decode()})
    events.take_in({"Body": "not JSON"})
    events.take_in({})
    assert memory.recall("array", [0, 1]) == {1: SUCCEEDED}
