"""A system with `CODY_BACKEND=aws`: DynamoDB Local, ElasticMQ, and a stand-in for AWS Batch with real workers."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from cody_backends.aws.definitions import queues
from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from cody_stand_ins.claude import ClaudeStandIn
from cody_stand_ins.relay import Relay, relay_to
from tests.servers.aws_server import AwsServer
from tests.story.system import System, running_system

_BOOTSTRAP_SECONDS = 60


class Emulators(Struct, frozen=True, kw_only=True):
    """Each behind a relay that can make trouble. `environment` points a program at them, and at tables of its own."""

    dynamodb: Relay
    sqs: Relay
    batch: BatchStandIn
    environment: Mapping[str, str]


class SystemOnAws(Struct, frozen=True, kw_only=True):
    system: System
    emulators: Emulators


@asynccontextmanager
async def emulators_of_aws(
    dynamodb_local: AwsServer, elasticmq: AwsServer, *, folder: Path
) -> AsyncGenerator[Emulators]:
    """Tables get new names; queues have fixed ones, and are emptied."""
    async with AsyncExitStack() as opened:
        dynamodb = await opened.enter_async_context(relay_to(dynamodb_local.url))
        sqs = await opened.enter_async_context(relay_to(elasticmq.url))
        own = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
        batch = await opened.enter_async_context(batch_stand_in(environment=own, options=["--grace=20"]))
        await _delete_queues(elasticmq)
        yield Emulators(
            dynamodb=dynamodb,
            sqs=sqs,
            batch=batch,
            environment={
                **elasticmq.environment(),
                "AWS_EC2_METADATA_DISABLED": "true",
                "CODY_BACKEND": "aws",
                "JOBS_TABLE": dynamodb_local.unused_name("jobs"),
                "RUNS_TABLE": dynamodb_local.unused_name("runs"),
                "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
                "AWS_ENDPOINT_URL_SQS": sqs.url,
                "AWS_ENDPOINT_URL_BATCH": batch.url,
                "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": batch.url,
            },
        )


@asynccontextmanager
async def running_on_aws(
    folder: Path, emulators: Emulators, environment: Mapping[str, str]
) -> AsyncGenerator[SystemOnAws]:
    """Made by `ops bootstrap`, then started, as on a machine of its own."""
    whole = {**emulators.environment, **environment}
    await bootstrap(folder, whole)
    async with running_system(folder, whole) as system:
        yield SystemOnAws(system=system, emulators=emulators)


async def bootstrap(folder: Path, environment: Mapping[str, str]) -> str:
    """What the command says."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "WORKER_IMAGE": "cody-batch-worker"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cody_cli",
        "ops",
        "bootstrap",
        env={**own, "LEASE_SECONDS": "6", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_BOOTSTRAP_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


def environment_on_aws(database_url: str, stand_in: ClaudeStandIn, root: Path) -> dict[str, str]:
    """Everything but the emulators: results are in PostgreSQL here, too."""
    return {
        "DATABASE_URL": database_url,
        "REPOSITORIES_ROOT": str(root),
        "CLAUDE_API_KEY": stand_in.key,
        "CLAUDE_BASE_URL": stand_in.url,
    }


async def _delete_queues(elasticmq: AwsServer) -> None:
    async with elasticmq.sqs() as sqs:
        for queue in queues():
            found = await sqs.list_queues(QueueNamePrefix=queue.name)
            for url in found.get("QueueUrls", []):
                await sqs.delete_queue(QueueUrl=url)
