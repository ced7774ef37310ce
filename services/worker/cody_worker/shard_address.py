"""Which shard a worker process is for."""

import argparse
from collections.abc import Mapping, Sequence

from msgspec import Struct


class ShardAddress(Struct, frozen=True, kw_only=True):
    job_id: str
    attempt: int
    index: int


def read_address(arguments: Sequence[str], environment: Mapping[str, str]) -> ShardAddress:
    """From `--job-id JOB --attempt N` and what AWS Batch sets."""
    parser = argparse.ArgumentParser(prog="cody-worker")
    parser.add_argument("--job-id", required=True)
    parser.add_argument("--attempt", required=True, type=int)
    options = parser.parse_args(arguments)
    return ShardAddress(job_id=options.job_id, attempt=options.attempt, index=_index(environment))


def _index(environment: Mapping[str, str]) -> int:
    """`AWS_BATCH_JOB_ARRAY_INDEX`, else the end of `AWS_BATCH_JOB_ID`, which is `id:index` for a child of an array job;
    a plain job has neither: it is its attempt's only shard, 0."""
    _, _, suffix = environment.get("AWS_BATCH_JOB_ID", "").partition(":")
    return int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX") or suffix or 0)
