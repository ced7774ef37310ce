"""Where each item is. The layout and its reasons: docs/decisions/0011-dynamodb-layout.md."""

import zlib
from collections.abc import Iterator, Sequence

from msgspec import Struct

PAGE = 100
"""Names on one page: position p of a request is on page p // PAGE."""
BUCKETS = 16
"""A partition of DynamoDB takes 1,000 write units a second: a job's runs are spread over that many."""


class RunsKey(Struct, frozen=True, order=True):
    """A key of the runs table."""

    part: str
    item: str

    @property
    def job_id(self) -> str:
        return self.part.partition("#")[0]


PAGE_PREFIX, ATTEMPT_PREFIX, SHARD_PREFIX, RUN_PREFIX = "page#", "attempt#", "shard#", "run#"


def page_key(job_id: str, page: int) -> RunsKey:
    return RunsKey(job_id, f"{PAGE_PREFIX}{page:05d}")


def attempt_key(job_id: str, number: int) -> RunsKey:
    return RunsKey(job_id, f"{ATTEMPT_PREFIX}{number:05d}")


def shard_prefix(attempt: int) -> str:
    return f"{SHARD_PREFIX}{attempt:05d}#"


def shard_key(job_id: str, attempt: int, index: int) -> RunsKey:
    return RunsKey(job_id, f"{shard_prefix(attempt)}{index:05d}")


def nowhere_key(job_id: str) -> RunsKey:
    """The shard that is none: it counts runs that ended without one."""
    return shard_key(job_id, 0, 0)


def run_parts(job_id: str) -> list[str]:
    return [_run_part(job_id, bucket) for bucket in range(BUCKETS)]


def run_key(job_id: str, repository: str) -> RunsKey:
    return RunsKey(_run_part(job_id, zlib.crc32(repository.encode()) % BUCKETS), f"{RUN_PREFIX}{repository}")


def _run_part(job_id: str, bucket: int) -> str:
    return f"{job_id}#{bucket:02d}"


def page_count(repositories: int) -> int:
    return -(-repositories // PAGE)


def pages_of(repositories: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for page in range(page_count(len(repositories))):
        yield page, repositories[page * PAGE : (page + 1) * PAGE]
