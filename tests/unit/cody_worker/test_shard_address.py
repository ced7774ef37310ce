"""Which shard a worker is for, by what AWS Batch sets."""

from collections.abc import Mapping

import pytest

from cody_worker.shard_address import ShardAddress, read_address


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({"AWS_BATCH_JOB_ID": "id:3", "AWS_BATCH_JOB_ARRAY_INDEX": "3"}, 3),
        ({"AWS_BATCH_JOB_ID": "id:3"}, 3),
        ({"AWS_BATCH_JOB_ID": "id:0", "AWS_BATCH_JOB_ARRAY_INDEX": ""}, 0),
        ({"AWS_BATCH_JOB_ID": "id"}, 0),
        ({}, 0),
    ],
)
def test_the_index_is_said_or_is_the_end_of_the_id_or_is_0(environment: Mapping[str, str], index: int) -> None:
    found = read_address(["--job-id", "job-1", "--attempt", "2"], environment)
    assert found == ShardAddress(job_id="job-1", attempt=2, index=index)
