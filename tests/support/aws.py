"""Point AWS's clients at emulators, and make there what a test needs."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import pytest

from cody_backends.aws.clients import Aws
from cody_backends.aws.settings import BatchSettings

REGION = "eu-central-1"


@contextmanager
def environment_for(endpoints: Mapping[str, str]) -> Generator[None]:
    """Credentials that are none, and the addresses of emulators by service ("BATCH", "SQS")."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "emulator")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
        for service, url in endpoints.items():
            patch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        yield


async def create_job_queue(
    aws: Aws, settings: BatchSettings, *, vcpus: int = 2, environment: Mapping[str, str] | None = None
) -> None:
    """A compute environment of so many vCPUs, of which each job takes one, with its queue and job definition."""
    async with aws.batch() as batch:
        await batch.create_compute_environment(
            computeEnvironmentName="compute",
            type="MANAGED",
            computeResources={"type": "FARGATE", "maxvCpus": vcpus, "subnets": ["subnet-1"]},
        )
        await batch.create_job_queue(
            jobQueueName=settings.batch_job_queue,
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "compute"}],
        )
        await batch.register_job_definition(
            jobDefinitionName=settings.batch_job_definition,
            type="container",
            containerProperties={
                "image": "cody-batch-worker",
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
                "environment": [{"name": name, "value": value} for name, value in (environment or {}).items()],
            },
        )
