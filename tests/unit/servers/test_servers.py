"""One exchange with each server, as much as shows that it is the one that we want."""

import pytest
from botocore.exceptions import ClientError

from tests.servers.aws_server import AwsServer
from tests.servers.moto import BATCH_ROLE


@pytest.fixture(params=["moto_server", "dynamodb_local"])
def table_server(request: pytest.FixtureRequest) -> AwsServer:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["moto_server", "elasticmq"])
def queue_server(request: pytest.FixtureRequest) -> AwsServer:
    return request.getfixturevalue(request.param)


async def test_what_is_put_into_a_table_is_found_there(table_server: AwsServer) -> None:
    async with table_server.dynamodb() as dynamodb:
        table = table_server.unused_name("things")
        await dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        thing = {"id": {"S": "a"}, "size": {"N": "3"}}
        await dynamodb.put_item(TableName=table, Item=thing)
        assert (await dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})).get("Item") == thing


async def test_what_is_sent_to_a_queue_is_received(queue_server: AwsServer) -> None:
    async with queue_server.sqs() as sqs:
        url = (await sqs.create_queue(QueueName=queue_server.unused_name("messages")))["QueueUrl"]
        assert url.startswith(queue_server.url)
        await sqs.send_message(QueueUrl=url, MessageBody="hello")
        (message,) = (await sqs.receive_message(QueueUrl=url)).get("Messages", [])
        assert message.get("Body") == "hello"


async def test_a_queue_of_elasticmq_has_the_limits_of_sqs(elasticmq: AwsServer) -> None:
    async with elasticmq.sqs() as sqs:
        url = (await sqs.create_queue(QueueName=elasticmq.unused_name("messages")))["QueueUrl"]
        with pytest.raises(ClientError, match="MaxNumberOfMessages is invalid"):
            await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11)


async def test_a_job_of_motos_batch_has_succeeded_at_once(moto_server: AwsServer) -> None:
    async with moto_server.batch() as batch:
        environment, queue, definition = (moto_server.unused_name(kind) for kind in ("compute", "queue", "worker"))
        await batch.create_compute_environment(
            computeEnvironmentName=environment, type="UNMANAGED", state="ENABLED", serviceRole=BATCH_ROLE
        )
        await batch.create_job_queue(
            jobQueueName=queue,
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
        )
        await batch.register_job_definition(
            jobDefinitionName=definition,
            type="container",
            containerProperties={"image": "worker", "vcpus": 1, "memory": 128},
        )
        job = await batch.submit_job(jobName="one", jobQueue=queue, jobDefinition=definition)
        (found,) = (await batch.describe_jobs(jobs=[job["jobId"]])).get("jobs", [])
        assert found["status"] == "SUCCEEDED"
