"""Compute on AWS Batch: what it costs, and what it makes of trouble."""

from typing import Any

import pytest

from cody_backends.aws.batch.pace import Pace
from cody_backends.aws.batch.seen_job import read_counts, read_job
from cody_backends.aws.batch.submission import job_name
from cody_backends.aws.clients import Aws
from cody_backends.aws.compute import BatchCompute, open_batch_compute
from cody_backends.aws.errors import Missing, Refused
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_backends.open_compute import ComputeSettings, open_compute
from cody_backends.settings import BackendFamily, BackendSettings
from cody_jobs.errors import SettingsError, Unavailable
from cody_jobs.ports.compute import ComputeRequest, ShardReport, ShardState
from cody_stand_ins.batch import BatchStandIn, Fault, FaultKind
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import environment_of
from tests.support.wait import wait_until
from tests.unit.cody_backends.aws.conftest import OpenCompute

WAITING = ShardReport(state=ShardState.WAITING, exit_code=None, reason=None)
UNKNOWN = ShardReport(state=ShardState.UNKNOWN, exit_code=None, reason=None)


def request(shards: int = 1, **environment: str) -> ComputeRequest:
    return ComputeRequest(job_id="job-1", attempt=2, shards=shards, environment=environment)


async def ended(compute: BatchCompute, compute_id: str, index: int = 0) -> ShardReport:
    async def end() -> ShardReport | None:
        report = (await compute.describe(compute_id, [index]))[index]
        return report if report.state in {ShardState.SUCCEEDED, ShardState.FAILED} else None

    found = await wait_until(end, f"shard {index} of {compute_id} has ended")
    assert found
    return found


async def calls(batch: BatchStandIn) -> dict[str, int]:
    return dict((await batch.stats()).calls)


async def described(batch: BatchStandIn, job_id: str) -> Any:
    async with AwsServer(batch.url).batch() as client:
        return (await client.describe_jobs(jobs=[job_id]))["jobs"][0]


@pytest.mark.parametrize("shards", [1, 2, 10_000])
async def test_an_attempt_is_one_call_whose_size_does_not_grow(
    compute: BatchCompute, batch: BatchStandIn, shards: int
) -> None:
    await batch.set_places(0)
    compute_id = await compute.start(request(shards, TRACEPARENT="00-trace-parent-01"))
    stats = await batch.stats()
    assert stats.calls["SubmitJob"] == 1
    assert stats.submitted == (compute_id,)
    assert stats.largest_payload["SubmitJob"] < 1024
    assert await compute.describe(compute_id, range(shards)) == dict.fromkeys(range(shards), WAITING)
    assert (await batch.stats()).calls["DescribeJobs"] == 1


async def test_a_job_says_what_it_is_for(compute: BatchCompute, batch: BatchStandIn) -> None:
    job = await described(batch, await compute.start(request(3)))
    assert job["jobName"] == "job-1-2"
    assert job["tags"] == {"cody:job-id": "job-1", "cody:attempt": "2"}
    assert job["retryStrategy"]["attempts"] == 3


def test_what_has_a_place_counts_as_running() -> None:
    assert read_job({"status": "STARTING"}).state is ShardState.RUNNING
    assert read_job({"status": "RUNNABLE"}).state is ShardState.WAITING
    counts = read_counts({"arrayProperties": {"size": 4, "statusSummary": {"STARTING": 2, "RUNNING": 2}}})
    assert counts is not None
    assert counts.all_are is ShardState.RUNNING


def test_a_name_is_cut_and_made_of_what_aws_allows() -> None:
    assert job_name("job-1", 12) == "job-1-12"
    assert job_name("job_é/1", 1) == "job_--1-1"
    assert len(job_name("j" * 200, 100)) == 128
    assert job_name("j" * 200, 100).endswith("j-100")


async def test_throttling_is_waited_out(compute: BatchCompute, batch: BatchStandIn) -> None:
    await batch.set_places(0)
    await batch.set_faults(
        Fault(kind=FaultKind.THROTTLED, operation="SubmitJob", times=2),
        Fault(kind=FaultKind.THROTTLED, operation="DescribeJobs", times=1),
        Fault(kind=FaultKind.UNREACHABLE, operation="TerminateJob", times=1),
    )
    compute_id = await compute.start(request())
    assert await compute.describe(compute_id, [0]) == {0: WAITING}
    await compute.stop(compute_id)
    assert (await ended(compute, compute_id)).reason == "stopped by Cody Batch"
    assert (await batch.stats()).submitted == (compute_id,)


async def test_a_lost_answer_submits_again_and_returns_the_one_that_it_heard_of(
    compute: BatchCompute, batch: BatchStandIn
) -> None:
    await batch.set_faults(Fault(kind=FaultKind.ANSWER_LOST, operation="SubmitJob", times=1))
    compute_id = await compute.start(request())
    stats = await batch.stats()
    assert len(stats.submitted) == 2
    assert stats.submitted[1] == compute_id


async def test_a_lost_container_is_started_again(compute: BatchCompute, batch: BatchStandIn) -> None:
    compute_id = await compute.start(request(2, PLANS="wait,0"))
    for index in range(2):
        await wait_until(lambda index=index: _runs(batch, f"{compute_id}:{index}"), f"{index} runs")
        await batch.lose(f"{compute_id}:{index}")
    assert (await ended(compute, compute_id)).state is ShardState.SUCCEEDED
    child = await described(batch, f"{compute_id}:0")
    assert [attempt["statusReason"] for attempt in child["attempts"]] == [
        "Host EC2 (instance i-0123456789abcdef0) terminated.",
        "Essential container in task exited",
    ]


async def test_a_worker_that_is_lost_each_time_has_no_exit_code(compute: BatchCompute, batch: BatchStandIn) -> None:
    compute_id = await compute.start(request(PLANS="wait"))
    for attempt in (1, 2, 3):
        await wait_until(lambda attempt=attempt: _runs(batch, compute_id, attempt), f"attempt {attempt} runs")
        await batch.lose(compute_id)
    report = await ended(compute, compute_id)
    assert (report.state, report.exit_code) == (ShardState.FAILED, None)


@pytest.mark.parametrize(
    ("plans", "exit_code", "attempts"), [("75,0", 0, 2), ("75", 75, 3), ("1,0", 1, 1), ("2", 2, 1), ("0", 0, 1)]
)
async def test_only_who_says_so_is_tried_again(
    compute: BatchCompute, batch: BatchStandIn, plans: str, exit_code: int, attempts: int
) -> None:
    compute_id = await compute.start(request(PLANS=plans))
    report = await ended(compute, compute_id)
    assert report.exit_code == exit_code
    assert report.reason == (f"attempt {attempts}" if exit_code else None)
    assert (await batch.stats()).started == attempts


async def _runs(batch: BatchStandIn, job_id: str, attempt: int = 1) -> bool:
    running = {(job.job_id, job.attempt) for job in (await batch.stats()).running}
    return (job_id, attempt) in running


async def test_a_hundred_shards_are_one_more_call_and_thousands_a_few(
    compute: BatchCompute, batch: BatchStandIn
) -> None:
    compute_id = await compute.start(request(10_000, PLANS="wait"))
    for index in range(2):
        await wait_until(lambda index=index: _runs(batch, f"{compute_id}:{index}"), f"{index} runs")
    await compute.stop(compute_id, indexes=[5, 9_999])
    before = await calls(batch)
    reports = await compute.describe(compute_id, range(100))
    after = await calls(batch)
    assert after["DescribeJobs"] - before["DescribeJobs"] == 2
    assert [reports[index].state for index in (0, 1, 2, 5)] == ["RUNNING", "RUNNING", "WAITING", "FAILED"]
    reports = await compute.describe(compute_id, range(10_001))
    counts = {state: sum(report.state is state for report in reports.values()) for state in ShardState}
    assert counts == {"WAITING": 9_996, "RUNNING": 2, "SUCCEEDED": 0, "FAILED": 2, "UNKNOWN": 1}
    last = await calls(batch)
    assert last["DescribeJobs"] - after["DescribeJobs"] == 1
    assert last["ListJobs"] == 2


async def test_a_failure_of_all_is_read_in_pages(compute: BatchCompute, batch: BatchStandIn) -> None:
    await batch.set_places(0)
    compute_id = await compute.start(request(10_000))
    await compute.stop(compute_id)
    reports = await compute.describe(compute_id, range(10_000))
    assert {report.state for report in reports.values()} == {ShardState.FAILED}
    assert {report.reason for report in reports.values()} == {"stopped by Cody Batch"}
    found = await calls(batch)
    assert (found["DescribeJobs"], found["ListJobs"], found["TerminateJob"]) == (1, 10, 1)


async def test_what_has_ended_is_not_asked_about_again(compute: BatchCompute, batch: BatchStandIn) -> None:
    compute_id = await compute.start(request(PLANS="1"))
    report = await ended(compute, compute_id)
    before = await calls(batch)
    assert await compute.describe(compute_id, [0]) == {0: report}
    assert await calls(batch) == before
    assert before["GetLogEvents"] == 1


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.UNREACHABLE])
async def test_logs_that_cannot_be_read_are_no_reason_to_fail(
    compute: BatchCompute, batch: BatchStandIn, kind: FaultKind
) -> None:
    await batch.set_faults(Fault(kind=kind, operation="GetLogEvents"))
    compute_id = await compute.start(request(PLANS="1"))
    report = await ended(compute, compute_id)
    assert (report.exit_code, report.reason) == (1, "Essential container in task exited")


async def test_logs_of_another_group_are_missing_without_harm(open_compute: OpenCompute) -> None:
    async with open_compute(BatchSettings(batch_log_group="/elsewhere")) as compute:
        report = await ended(compute, await compute.start(request(PLANS="1")))
        assert report.reason == "Essential container in task exited"


async def test_stopping_shards_of_a_plain_job_stops_its_only_one(compute: BatchCompute, batch: BatchStandIn) -> None:
    await batch.set_places(0)
    compute_id = await compute.start(request())
    await compute.stop(compute_id, indexes=[1])
    assert await compute.describe(compute_id, [0, 1]) == {0: WAITING, 1: UNKNOWN}
    await compute.stop(compute_id, indexes=[0])
    assert (await ended(compute, compute_id)).state is ShardState.FAILED


async def test_a_batch_that_stays_away_is_unavailable(batch: BatchStandIn, open_compute: OpenCompute) -> None:
    async with open_compute(BatchSettings()) as compute:
        await batch.set_faults(Fault(kind=FaultKind.UNREACHABLE))
        with pytest.raises(Unavailable, match="AWS Batch in eu-central-1"):
            await compute.ping()


async def test_a_missing_queue_is_named_at_the_start(batch: BatchStandIn) -> None:
    with environment_of(AwsServer(batch.url).environment("batch", "cloudwatch_logs")):
        aws = Aws(AwsSettings(aws_region=REGION))
        with pytest.raises(Missing, match=r"no job queue another \(BATCH_JOB_QUEUE\).*ops bootstrap"):
            async with open_batch_compute(aws, BatchSettings(batch_job_queue="another"), patience=0):
                pass


async def test_a_missing_permission_is_named(compute: BatchCompute, batch: BatchStandIn) -> None:
    await batch.set_faults(Fault(kind=FaultKind.DENIED, operation="SubmitJob"))
    with pytest.raises(SettingsError, match=r"not authorized to perform: batch:SubmitJob.*program's role"):
        await compute.start(request())


async def test_a_missing_job_definition_is_named(batch: BatchStandIn, open_compute: OpenCompute) -> None:
    async with open_compute(BatchSettings()):
        aws = Aws(AwsSettings(aws_region=REGION))
        settings = BatchSettings(batch_job_definition="another")
        async with open_batch_compute(aws, settings, patience=0, operation_patience=1) as compute:
            with pytest.raises(Refused, match=r"another not found.*BATCH_JOB_DEFINITION"):
                await compute.start(request())


@pytest.mark.parametrize(
    ("settings", "backend", "named"),
    [
        (ComputeSettings(), BackendSettings(cody_backend=BackendFamily.AWS), "AWS_REGION"),
        (ComputeSettings(workers_at_once=2), BackendSettings(cody_backend=BackendFamily.AWS), "WORKERS_AT_ONCE"),
    ],
)
async def test_settings_that_do_not_go_together_are_named(
    settings: ComputeSettings, backend: BackendSettings, named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        async with open_compute(settings, backend, environment={}):
            pass


async def test_moto_takes_the_same_calls(moto_server: AwsServer) -> None:
    """It says of every job that it has succeeded, at once."""
    queue, definition = moto_server.unused_name("queue"), moto_server.unused_name("definition")
    settings = BatchSettings(batch_job_queue=queue, batch_job_definition=definition)
    with environment_of(moto_server.environment("batch", "cloudwatch_logs")):
        await _create_on_moto(moto_server, queue, definition)
        async with open_batch_compute(Aws(AwsSettings(aws_region=REGION)), settings, calls_per_second=1000) as compute:
            plain, array = await compute.start(request(1)), await compute.start(request(3, TRACEPARENT="x"))
            await compute.describe(array, range(3))
            assert (await ended(compute, plain)).state is ShardState.SUCCEEDED
            assert (await ended(compute, array, 2)).state is ShardState.SUCCEEDED
            assert (await compute.describe(array, [3]))[3] == UNKNOWN
            await compute.stop(array, indexes=[0])
            await compute.stop("never heard of")


async def _create_on_moto(server: AwsServer, queue: str, definition: str) -> None:
    from tests.servers.moto import BATCH_ROLE

    async with server.batch() as batch:
        environment = server.unused_name("environment")
        await batch.create_compute_environment(
            computeEnvironmentName=environment, type="UNMANAGED", serviceRole=BATCH_ROLE
        )
        order: Any = [{"order": 1, "computeEnvironment": environment}]
        await batch.create_job_queue(jobQueueName=queue, priority=1, state="ENABLED", computeEnvironmentOrder=order)
        container: Any = {"image": "worker", "vcpus": 1, "memory": 128}
        await batch.register_job_definition(
            jobDefinitionName=definition, type="container", containerProperties=container
        )


def test_calls_are_spread_over_time_after_a_burst() -> None:
    pace = Pace(per_second=5, burst=3)
    assert [round(pace.take(100.0), 3) for _ in range(5)] == [0, 0, 0, 0.2, 0.4]
    assert [round(pace.take(100.5), 3) for _ in range(2)] == [0.1, 0.3]
    assert [round(pace.take(200.0), 3) for _ in range(4)] == [0, 0, 0, 0.2]
