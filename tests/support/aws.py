"""Point AWS's clients at emulators, and make there what a test needs."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cody_backends.aws.clients import Aws
from cody_backends.aws.definitions import queues
from cody_backends.aws.settings import BatchSettings
from tests.servers.aws_server import AwsServer

if TYPE_CHECKING:
    from types_aiobotocore_batch import BatchClient


@contextmanager
def environment_of(variables: Mapping[str, str]) -> Generator[None]:
    """AWS's clients find their settings in the process's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


async def delete_queues(server: AwsServer) -> None:
    """Their names are the same everywhere, and servers are shared by all tests of a session."""
    async with server.sqs() as sqs:
        for queue in queues():
            found = await sqs.list_queues(QueueNamePrefix=queue.name)
            for url in found.get("QueueUrls", []):
                await sqs.delete_queue(QueueUrl=url)


async def create_job_queue(
    aws: Aws, settings: BatchSettings, *, vcpus: int = 2, environment: Mapping[str, str] | None = None
) -> None:
    """What `create_job_definition` makes, under the names of these settings."""
    async with aws.batch() as batch:
        await create_job_definition(
            batch, settings.batch_job_queue, settings.batch_job_definition, vcpus=vcpus, environment=environment
        )


async def create_job_definition(
    batch: "BatchClient", queue: str, definition: str, *, vcpus: int, environment: Mapping[str, str] | None = None
) -> None:
    """A compute environment of so many vCPUs, of which each job takes one, with its queue and job definition."""
    await batch.create_compute_environment(
        computeEnvironmentName="compute",
        type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": vcpus, "subnets": ["subnet-1"]},
    )
    await batch.create_job_queue(
        jobQueueName=queue,
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "compute"}],
    )
    await batch.register_job_definition(
        jobDefinitionName=definition,
        type="container",
        containerProperties={
            "image": "cody-batch-worker",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
            "environment": [{"name": name, "value": value} for name, value in (environment or {}).items()],
        },
    )
