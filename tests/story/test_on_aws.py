"""The same system with `CODY_BACKEND=aws`, against emulators: whole jobs, one trace, and trouble on the way."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_stand_ins.claude import ClaudeStandIn
from cody_stand_ins.relay import Trouble
from tests.servers.aws_server import AwsServer
from tests.story.aws import Emulators, SystemOnAws, emulators_of_aws, environment_on_aws, running_on_aws
from tests.story.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None."
REPOSITORIES = 20
CLIENT_TRACE, CLIENT_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
async def emulators(dynamodb_local: AwsServer, elasticmq: AwsServer, tmp_path: Path) -> AsyncGenerator[Emulators]:
    async with emulators_of_aws(dynamodb_local, elasticmq, folder=tmp_path) as running:
        yield running


@pytest.fixture
async def collector() -> AsyncGenerator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
async def on_aws(
    tmp_path: Path,
    emulators: Emulators,
    database_url: str,
    stand_in: ClaudeStandIn,
    repositories: Path,
    collector: OtlpReceiver,
) -> AsyncGenerator[SystemOnAws]:
    environment = environment_on_aws(database_url, stand_in, repositories)
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with running_on_aws(tmp_path, emulators, environment) as running:
        yield running


def make_many(root: Path, count: int = REPOSITORIES) -> list[str]:
    names = [f"acme/r{number}" for number in range(count)]
    for number, name in enumerate(names):
        make_repository(root / name, {"a.py": f"x{number}: Optional[int] = {number}\n".encode()})
    return names


async def check_patches(on_aws: SystemOnAws, job_id: str, names: list[str]) -> None:
    for number, name in enumerate(names):
        diff = await on_aws.system.diff(job_id, name)
        assert diff is not None
        assert f"+x{number}: int | None = {number}" in diff.decode()


async def test_a_job_becomes_patches_in_one_trace(
    on_aws: SystemOnAws, repositories: Path, collector: OtlpReceiver
) -> None:
    names = make_many(repositories)
    system = on_aws.system
    system.client.headers["traceparent"] = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"
    job_id = await system.submit(names, PROMPT)
    del system.client.headers["traceparent"]
    job = await system.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    await check_patches(on_aws, job_id, names)
    assert (await on_aws.emulators.batch.stats()).calls["SubmitJob"] == 1
    await wait_until(lambda: sum(span.name == "run_shard" for span in collector.spans) == 3, "the last spans are in")
    spans = [span for span in collector.spans if span.trace_id == CLIENT_TRACE]
    known = {span.span_id for span in spans} | {CLIENT_SPAN}
    assert [span for span in spans if span.parent_id not in known] == []
    assert {span.service for span in spans} == {"api", "dispatcher", "worker"}
    assert sum(span.name == "anthropic.messages.create" for span in spans) == 1 + REPOSITORIES  # with the plan


async def test_throttled_calls_and_lost_answers_change_nothing(
    on_aws: SystemOnAws, repositories: Path, stand_in: ClaudeStandIn
) -> None:
    names = make_many(repositories)
    await on_aws.emulators.dynamodb.make(Trouble(throttled=0.2, lost=0.05, seed=4))
    job = await on_aws.system.ended(await on_aws.system.submit(names, PROMPT))
    assert job["status"] == "SUCCEEDED", job
    assert {name: number for name, number in job["counts"].items() if number} == {
        "succeeded": REPOSITORIES,
        "patches": REPOSITORIES,
    }
    assert [question for question in (await stand_in.stats()).questions if question.count > 1] == []
    relayed = await on_aws.emulators.dynamodb.stats()
    assert sum(relayed.throttled.values()) > 0.1 * sum(relayed.calls.values())
    assert relayed.lost
