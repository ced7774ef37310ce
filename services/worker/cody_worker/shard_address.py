"""Which shard a worker process is for."""

import argparse
from collections.abc import Mapping, Sequence

from msgspec import Struct


class ShardAddress(Struct, frozen=True, kw_only=True):
    job_id: str
    attempt: int
    index: int


def read_address(arguments: Sequence[str], environment: Mapping[str, str]) -> ShardAddress:
    """From `--job-id JOB --attempt N` and `AWS_BATCH_JOB_ARRAY_INDEX`; a plain AWS Batch job has no index: it is its
    attempt's only shard, 0."""
    parser = argparse.ArgumentParser(prog="cody-worker")
    parser.add_argument("--job-id", required=True)
    parser.add_argument("--attempt", required=True, type=int)
    options = parser.parse_args(arguments)
    index = int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX") or 0)
    return ShardAddress(job_id=options.job_id, attempt=options.attempt, index=index)
