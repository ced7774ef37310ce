"""Compute on the Batch stand-in, whose jobs do what their environment plans for each attempt."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from cody_backends.aws.clients import Aws
from cody_backends.aws.compute import BatchCompute, open_batch_compute
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import create_job_queue, environment_of

OpenCompute = Callable[[BatchSettings], AbstractAsyncContextManager[BatchCompute]]

PROGRAM = """
import os, sys, time
attempt = os.environ["AWS_BATCH_JOB_ATTEMPT"]
plans = os.environ.get("PLANS", "0").split(",")
plan = plans[min(int(attempt), len(plans)) - 1]
print("attempt", attempt, flush=True)
if plan == "wait":
    time.sleep(60)
sys.exit(int(plan))
"""
"""PLANS="75,0": exit code 75 in the first attempt, 0 in all later ones; "wait" goes on until it is ended."""


@pytest.fixture(scope="package")
async def running_batch() -> AsyncGenerator[BatchStandIn]:
    async with batch_stand_in(entrypoint=("-I", "-S", "-c", PROGRAM)) as stand_in:
        yield stand_in


@pytest.fixture
async def batch(running_batch: BatchStandIn) -> BatchStandIn:
    await running_batch.reset()
    return running_batch


@pytest.fixture
def open_compute(batch: BatchStandIn) -> OpenCompute:
    """With a job queue of two places; a call that fails is tried again for half a minute."""

    @asynccontextmanager
    async def open_it(settings: BatchSettings) -> AsyncGenerator[BatchCompute]:
        with environment_of(AwsServer(batch.url).environment("batch", "cloudwatch_logs")):
            aws = Aws(AwsSettings(aws_region=REGION))
            await create_job_queue(aws, settings)
            async with open_batch_compute(
                aws, settings, patience=0, operation_patience=30, calls_per_second=1000
            ) as compute:
                yield compute

    return open_it


@pytest.fixture
async def compute(open_compute: OpenCompute) -> AsyncGenerator[BatchCompute]:
    async with open_compute(BatchSettings()) as opened:
        yield opened
