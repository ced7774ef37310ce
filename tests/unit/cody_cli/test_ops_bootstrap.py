"""`cody-batch ops bootstrap` as an operator runs it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.servers.aws_server import AwsServer
from tests.support.aws import delete_queues
from tests.unit.cody_cli.program import CodyBatch


@pytest.fixture
async def operator(tmp_path: Path, moto_server: AwsServer) -> AsyncGenerator[CodyBatch]:
    environment = {
        **moto_server.environment("dynamodb", "sqs", "batch", "cloudwatch_logs"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "JOBS_TABLE": moto_server.unused_name("jobs"),
        "RUNS_TABLE": moto_server.unused_name("runs"),
        "BATCH_COMPUTE_ENVIRONMENT": moto_server.unused_name("compute"),
        "BATCH_JOB_QUEUE": moto_server.unused_name("queue"),
        "BATCH_JOB_DEFINITION": moto_server.unused_name("definition"),
        "WORKER_IMAGE": "localhost/cody-batch-worker:dev",
        "CLAUDE_API_KEY": "sk-ant-example-key",
    }
    yield CodyBatch(tmp_path, environment)
    await delete_queues(moto_server)


async def test_each_thing_is_one_line(operator: CodyBatch) -> None:
    created = await operator.run("ops", "bootstrap")
    assert created.code == 0, created.err
    assert f"table {operator.environment['JOBS_TABLE']}: created" in created.out.splitlines()
    definition = operator.environment["BATCH_JOB_DEFINITION"]
    assert created.out.splitlines()[-1] == f"job definition {definition}, revision 1: created"
    assert "warning: it holds in clear AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, CLAUDE_API_KEY" in created.err
    assert "sk-ant" not in created.out + created.err
    again = await operator.run("ops", "bootstrap", "--json")
    assert {step["outcome"] for step in again.json} == {"there already"}
    assert len(again.json) == len(created.out.splitlines())


async def test_what_is_wrong_is_named(operator: CodyBatch) -> None:
    without_image = await operator.run("ops", "bootstrap", environment={"WORKER_IMAGE": ""})
    assert (without_image.code, without_image.out) == (2, "")
    assert "WORKER_IMAGE is not set" in without_image.err
    without_region = await operator.run("ops", "bootstrap", environment={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""})
    assert (without_region.code, without_region.out) == (2, "")
    assert "AWS_REGION is not set" in without_region.err
    on_real = await operator.run("ops", "bootstrap", environment={"AWS_ENDPOINT_URL_BATCH": ""})
    assert (on_real.code, on_real.out) == (2, "")
    assert "AWS Batch would be real AWS in eu-central-1: set AWS_ENDPOINT_URL_BATCH" in on_real.err
    away = await operator.run(
        "ops", "bootstrap", "--patience", "0", environment={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
    )
    assert (away.code, away.out) == (1, "")
    assert "error: DynamoDB in eu-central-1" in away.err
    assert "is it started? AWS_ENDPOINT_URL_DYNAMODB" in away.err
