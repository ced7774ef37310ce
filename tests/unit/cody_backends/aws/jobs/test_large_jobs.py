"""What a client may ask for, and one item of DynamoDB cannot hold."""

import msgspec
import pytest

from cody_backends.aws.job_store import DynamoJobStore
from cody_jobs.errors import JobRejected
from tests.contract.jobs import names, new_job
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import use_tables


@pytest.mark.parametrize(("prompt", "is_kept"), [("é" * 100_000, True), ("🙂" * 100_000, False)])
async def test_a_prompt_that_fits_into_no_item_is_refused(
    dynamodb_local: AwsServer, prompt: str, *, is_kept: bool
) -> None:
    job = new_job()
    job = msgspec.structs.replace(job, spec=msgspec.structs.replace(job.spec, prompt=prompt))
    async with use_tables(dynamodb_local) as tables:
        store = DynamoJobStore(tables)
        if is_kept:
            assert (await store.create_job(job, names(1))).spec.prompt == prompt
            return
        with pytest.raises(JobRejected, match=r"take 400,\d+ bytes"):
            await store.create_job(job, names(1))
