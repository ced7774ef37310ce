"""Look at jobs and runs. An index is late and only says where to look: what is shown is read as it is by then."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cody_backends.aws.definitions import BY_STATUS, BY_TIME, Index
from cody_backends.aws.jobs.items import (
    LISTING,
    JobItem,
    RunItem,
    epoch,
    implied_run,
    run_from,
    run_view,
    shard_from,
)
from cody_backends.aws.jobs.keys import PAGE, page_count, run_key
from cody_backends.aws.jobs.pages import find_run, may_be_half, names_at, names_on
from cody_backends.aws.jobs.shards import home_of, shards_of
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.jobs.writes import Value
from cody_backends.cursors import read_cursor, write_cursor
from cody_jobs.errors import RunNotFound
from cody_jobs.models import Job, JobStatus, Page, RepositoryRun, RunStatus

_RUNS_AT_ONCE = 400
_LONGEST_NAME = 1_000
_IN_SHARDS = frozenset({RunStatus.DISPATCHED, RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILED})


class JobCursor(Struct, frozen=True, kw_only=True, tag="dynamodb-jobs", tag_field="of"):
    """The last job shown: a key of the index, whether there is such a job by now or not."""

    at: Annotated[datetime, Meta(tz=True)]
    id: Annotated[str, Meta(min_length=1, max_length=200)]


class RunCursor(Struct, frozen=True, kw_only=True, tag="dynamodb-runs", tag_field="of"):
    """The last run shown."""

    position: Annotated[int, Meta(ge=0, lt=2**31)]


async def get_job(tables: Tables, *, job_id: str) -> Job:
    return (await tables.job(job_id)).job


async def list_jobs(tables: Tables, *, status: JobStatus | None, limit: int, cursor: str | None) -> Page[Job]:
    after = read_cursor(cursor, JobCursor)
    index, value = (BY_TIME, LISTING) if status is None else (BY_STATUS, status.value)
    start = None if after is None else _key_in(index, value, after)
    found: list[Job] = []
    while True:
        page = await tables.query_index(index, value, forward=False, limit=limit + 1, start=start)
        found += await _jobs(tables, [str(key["jobId"]) for key in page.keys], status)
        start = page.last
        if start is None or len(found) > limit:
            break
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=tuple(found[:limit]), cursor=write_cursor(JobCursor(at=last.created_at, id=last.id)) if last else None
    )


def _key_in(index: Index, value: str, after: JobCursor) -> Mapping[str, Value]:
    return {index.partition.name: value, index.sort.name: epoch(after.at), "jobId": after.id}


async def _jobs(tables: Tables, ids: Sequence[str], status: JobStatus | None) -> list[Job]:
    """Without those that are something else by now."""
    found = await tables.find_jobs(ids)
    jobs = [found[job_id].job for job_id in ids if job_id in found and not found[job_id].going]
    return [job for job in jobs if status in {None, job.status}]


async def get_run(tables: Tables, *, job_id: str, repository: str) -> RepositoryRun:
    [run] = await _with_leases(tables, [await known_run(tables, job_id, repository)])
    return run


async def known_run(tables: Tables, job_id: str, repository: str) -> RunItem:
    """Any run of the job, without its lease. Raises `JobNotFound` or `RunNotFound`."""
    found = await find_run(tables, job_id, repository) if _is_key(repository) else None
    return found or await _implied(tables, await tables.job(job_id), repository)


def _is_key(repository: str) -> bool:
    """DynamoDB refuses sort keys that are longer than 1,024 bytes."""
    return len(repository.encode(errors="replace")) <= _LONGEST_NAME


async def _implied(tables: Tables, item: JobItem, repository: str) -> RunItem:
    for page, names in (await names_on(tables, item.job, range(page_count(item.job.repositories)))).items():
        if repository in names:
            return _never_dispatched(item, repository, page * PAGE + names.index(repository))
    raise RunNotFound(f"job {item.job.id} has no repository {repository}")


def _never_dispatched(item: JobItem, repository: str, position: int) -> RunItem:
    """QUEUED, until a stop has cancelled it: by the counts of the job's end alone, as the run was never written."""
    implied = implied_run(item.job, repository, position)
    end = item.job.ended_at
    if end is None or item.counts is None:
        return implied
    run = msgspec.structs.replace(implied.run, status=RunStatus.CANCELLED, ended_at=end, updated_at=end)
    return msgspec.structs.replace(implied, run=run)


async def list_runs(
    tables: Tables, *, job_id: str, status: RunStatus | None, limit: int, cursor: str | None
) -> Page[RepositoryRun]:
    after = read_cursor(cursor, RunCursor)
    item = await tables.job(job_id)
    first = 0 if after is None else after.position + 1
    positions = [position for position in await _positions(tables, item.job, status) if position >= first]
    found: list[RunItem] = []
    at_once = limit + 1 if status is None else max(limit + 1, _RUNS_AT_ONCE)
    for begin in range(0, len(positions), at_once):
        runs = await _runs_at(tables, item, positions[begin : begin + at_once])
        found += [run for run in runs if status in {None, run.run.status}]
        if len(found) > limit:
            break
    shown = await _with_leases(tables, found[:limit])
    more = len(found) > limit
    return Page(items=tuple(shown), cursor=write_cursor(RunCursor(position=shown[-1].position)) if more else None)


async def _positions(tables: Tables, job: Job, status: RunStatus | None) -> Sequence[int]:
    """Where runs of this status may be, in order: shards count theirs, so that a few failed runs of a large job are
    found without a look at all of them."""
    if status is not None and status in _IN_SHARDS:
        shards = [shard for shard in await shards_of(tables, job.id) if getattr(shard.counts, status.lower())]
        return sorted({position for shard in shards for position in shard.positions})
    if not may_be_half(job):
        return range(job.repositories)
    pages = await names_on(tables, job, range(page_count(job.repositories)))
    return [page * PAGE + place for page in sorted(pages) for place in range(len(pages[page]))]


async def _runs_at(tables: Tables, item: JobItem, positions: Sequence[int]) -> list[RunItem]:
    names = await names_at(tables, item.job, positions)
    keys = [run_key(item.job.id, name) for name in names]
    found = await tables.find_all(keys)
    return [
        run_from(found[key]) if key in found else _never_dispatched(item, name, position)
        for position, name, key in zip(positions, names, keys, strict=True)
    ]


async def _with_leases(tables: Tables, runs: Sequence[RunItem]) -> list[RepositoryRun]:
    homes = {run.run.repository: home_of(run) for run in runs if run.run.status is RunStatus.RUNNING}
    found = await tables.find_all(sorted(set(homes.values())))
    shards = {key: shard_from(key.job_id, item) for key, item in found.items()}
    return [
        run_view(run, shards.get(homes[run.run.repository]) if run.run.repository in homes else None) for run in runs
    ]
