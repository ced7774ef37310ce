"""The Batch stand-in, spoken to with AWS's own client."""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from cody_stand_ins.batch.retrying import RetryStrategy
from tests.servers.aws_server import AwsServer
from tests.support.aws import create_job_definition
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from types_aiobotocore_batch import BatchClient

PROGRAM = """
import json, os, sys, time
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}), flush=True)
if os.environ.get("PLAN") == "wait":
    time.sleep(60)
"""
OVERRIDES: Any = {"environment": [{"name": "PLAN", "value": "wait"}]}


@pytest.fixture(scope="module")
async def running() -> AsyncGenerator[BatchStandIn]:
    options = ("--no-array-index",)
    async with batch_stand_in(
        entrypoint=("-I", "-S", "-c", PROGRAM), environment={"FOR_ALL": "yes"}, options=options
    ) as stand_in:
        yield stand_in


@pytest.fixture
async def stand_in(running: BatchStandIn) -> BatchStandIn:
    await running.reset()
    return running


@pytest.fixture
async def batch(stand_in: BatchStandIn) -> AsyncGenerator["BatchClient"]:
    async with AwsServer(stand_in.url).batch() as client:
        await create_job_definition(client, "queue", "definition", vcpus=2, environment={"DEFINED": "yes"})
        yield client


async def submit(batch: "BatchClient", **arguments: Any) -> str:
    given: Any = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", **arguments}
    return (await batch.submit_job(**given))["jobId"]


async def described(batch: "BatchClient", job_id: str) -> Mapping[str, Any]:
    jobs: Any = (await batch.describe_jobs(jobs=[job_id]))["jobs"]
    return jobs[0]


async def ended(batch: "BatchClient", job_id: str) -> Mapping[str, Any]:
    async def end() -> Mapping[str, Any] | None:
        job = await described(batch, job_id)
        return job if job["status"] in {"SUCCEEDED", "FAILED"} else None

    found = await wait_until(end, f"{job_id} has ended")
    assert found
    return found


async def said(stand_in: BatchStandIn, job: Mapping[str, Any]) -> Mapping[str, Any]:
    async with AwsServer(stand_in.url).logs() as logs:
        events = await logs.get_log_events(
            logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"]
        )
        return json.loads(events["events"][0].get("message", ""))


async def test_a_process_gets_its_command_and_only_its_own_environment(
    stand_in: BatchStandIn, batch: "BatchClient"
) -> None:
    overrides: Any = {"command": ["--to", "Ref::whom"], "environment": [{"name": "GIVEN", "value": "yes"}]}
    job_id = await submit(batch, containerOverrides=overrides, parameters={"whom": "you"})
    found = await said(stand_in, await ended(batch, job_id))
    assert found["arguments"] == ["--to", "you"]
    environment = found["environment"]
    assert {"FOR_ALL", "DEFINED", "GIVEN"} <= environment.keys()
    assert environment["AWS_BATCH_JOB_ID"] == job_id
    assert environment["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert (environment["AWS_BATCH_JQ_NAME"], environment["AWS_BATCH_CE_NAME"]) == ("queue", "compute")
    unexpected = {name for name in environment if name in os.environ} - {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"}
    assert not unexpected - {"LC_CTYPE"}


async def test_the_index_of_a_child_can_be_left_to_its_id(stand_in: BatchStandIn, batch: "BatchClient") -> None:
    job_id = await submit(batch, arrayProperties={"size": 2})
    child = await ended(batch, f"{job_id}:1")
    assert child["arrayProperties"]["index"] == 1
    environment = (await said(stand_in, child))["environment"]
    assert environment["AWS_BATCH_JOB_ID"] == f"{job_id}:1"
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in environment
    parent = await ended(batch, job_id)
    assert parent["arrayProperties"]["size"] == 2
    assert parent["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10_001}},
        {"jobName": "no good"},
        {"jobName": "j" * 129},
        {"jobQueue": "another"},
        {"jobDefinition": "another"},
        {"jobDefinition": "definition:2"},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "mine"}]}},
        {"containerOverrides": {"environment": [{"name": "LONG", "value": "v" * 31_000}]}},
    ],
)
async def test_what_aws_refuses_is_refused(batch: "BatchClient", wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        await submit(batch, **wrong)
    assert refused.value.response.get("Error", {}).get("Code") == "ClientException"


async def test_a_hundred_jobs_are_described_at_a_time_and_unknown_ones_left_out(batch: "BatchClient") -> None:
    job_id = await submit(batch)
    told = await batch.describe_jobs(jobs=["unknown", job_id, f"{job_id}:0"])
    assert [job["jobId"] for job in told["jobs"]] == [job_id]
    with pytest.raises(ClientError):
        await batch.describe_jobs(jobs=["unknown"] * 101)


async def test_children_are_listed_in_pages(stand_in: BatchStandIn, batch: "BatchClient") -> None:
    await stand_in.set_places(0)
    job_id = await submit(batch, arrayProperties={"size": 5})
    first = await batch.list_jobs(arrayJobId=job_id, jobStatus="RUNNABLE", maxResults=3)
    second = await batch.list_jobs(
        arrayJobId=job_id, jobStatus="RUNNABLE", maxResults=3, nextToken=first.get("nextToken", "")
    )
    assert [len(first["jobSummaryList"]), len(second["jobSummaryList"])] == [3, 2]
    assert "nextToken" not in second
    assert not (await batch.list_jobs(arrayJobId=job_id))["jobSummaryList"]
    (parent,) = (await batch.list_jobs(jobQueue="queue", jobStatus="PENDING"))["jobSummaryList"]
    assert parent["jobId"] == job_id


async def test_no_more_run_than_there_are_places(stand_in: BatchStandIn, batch: "BatchClient") -> None:
    job_id = await submit(batch, arrayProperties={"size": 4}, containerOverrides=OVERRIDES)

    async def summary() -> bool:
        counts = (await described(batch, job_id))["arrayProperties"]["statusSummary"]
        return counts["RUNNING"] == 2 and counts["RUNNABLE"] == 2

    await wait_until(summary, "two children run and two wait")
    assert (await stand_in.stats()).most_at_once == 2


async def test_a_terminated_job_says_who_ended_it(stand_in: BatchStandIn, batch: "BatchClient") -> None:
    job_id = await submit(batch, containerOverrides=OVERRIDES, retryStrategy={"attempts": 3})

    async def begun() -> bool:
        return bool((await stand_in.stats()).running)

    await wait_until(begun, "the job runs")
    await batch.terminate_job(jobId=job_id, reason="enough")
    job = await ended(batch, job_id)
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("FAILED", "enough", 143)
    assert len(job["attempts"]) == 1


async def test_its_processes_do_not_outlive_it() -> None:
    async with batch_stand_in(entrypoint=("-I", "-S", "-c", PROGRAM)) as stand_in:
        async with AwsServer(stand_in.url).batch() as batch:
            await create_job_definition(batch, "queue", "definition", vcpus=1, environment={"PLAN": "wait"})
            await submit(batch)

        async def running() -> int | None:
            jobs = (await stand_in.stats()).running
            return jobs[0].pid if jobs else None

        pid = await wait_until(running, "the job runs")
        assert pid
        os.kill(stand_in.pid, 9)
        await wait_until(lambda: not _lives(pid), "the job is gone")


@pytest.mark.parametrize(
    ("exit_code", "status_reason", "attempt", "again"),
    [
        (75, "Essential container in task exited", 1, True),
        (75, "Essential container in task exited", 3, False),
        (1, "Essential container in task exited", 1, False),
        (751, "Essential container in task exited", 1, False),
        (None, "Host EC2 (instance i-0123456789abcdef0) terminated.", 1, True),
    ],
)
def test_the_first_entry_that_matches_decides(
    exit_code: int | None, status_reason: str, attempt: int, *, again: bool
) -> None:
    strategy = RetryStrategy(
        attempts=3,
        evaluate_on_exit=(
            {"onExitCode": "75", "action": "RETRY"},
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ),
    )
    assert strategy.tries_again(attempt, exit_code=exit_code, status_reason=status_reason, reason=None) is again


def test_what_matches_no_entry_is_tried_again() -> None:
    strategy = RetryStrategy(attempts=2, evaluate_on_exit=({"onExitCode": "7*", "action": "EXIT"},))
    assert strategy.tries_again(1, exit_code=1, status_reason=None, reason=None)
    assert not strategy.tries_again(1, exit_code=75, status_reason=None, reason=None)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 (a file of the kernel)
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
