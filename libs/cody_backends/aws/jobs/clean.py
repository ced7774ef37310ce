"""Delete what is over: jobs that were never written whole, and jobs that ended long ago.

First the job's step says that it goes, then everything it has is deleted, then the job. Whoever dies on the way leaves
a job that is found again by its step, and returned by the call that completes its deletion.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from cody_backends.aws.definitions import BY_STATUS, BY_STEP
from cody_backends.aws.errors import ConditionFailed
from cody_backends.aws.jobs.items import JobItem, Step, attempt_from, epoch, job_from, names_from
from cody_backends.aws.jobs.keys import (
    ATTEMPT_PREFIX,
    PAGE_PREFIX,
    RunsKey,
    attempt_key,
    nowhere_key,
    page_count,
    page_key,
    run_key,
    shard_key,
)
from cody_backends.aws.jobs.tables import Tables, each, job_key, runs_key
from cody_backends.aws.jobs.writes import Delete, Update, Value
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.models import JobStatus

_JOBS_AT_ONCE = 4
_LONGEST_PRUNE = timedelta(minutes=5)
"""Whoever prunes a job for that long has died: somebody else may go on."""


async def discard_half_created(tables: Tables, *, older_than: timedelta) -> list[str]:
    before = epoch(tables.clock() - older_than)
    old = await tables.job_ids_by(BY_STEP, Step.CREATE.value, sort_at_most=before)
    left = await tables.job_ids_by(BY_STEP, Step.DISCARD.value)
    going = await each([*left, *old], lambda job_id: _claim(tables, _discard(tables, job_id, before)))
    return await each([job for job in going if job], lambda job: discard(tables, job), at_once=_JOBS_AT_ONCE)


async def discard(tables: Tables, item: JobItem) -> str:
    """Two may do this at once, while a third creates a job with this id again: only pages of this very job go."""
    job, creation = item.job, epoch(item.job.created_at)

    async def delete_page(page: int) -> None:
        key = runs_key(page_key(job.id, page))
        gone = Delete(table=tables.runs, key=key, condition="#creation = :creation", values={":creation": creation})
        with suppress(ConditionFailed):
            await tables.write(gone, mark=tables.new_mark())

    await each(range(page_count(job.repositories)), delete_page)
    return await _delete_job(tables, item, Step.DISCARD)


async def prune(tables: Tables, *, ended_before: timedelta) -> list[str]:
    before = tables.clock() - ended_before
    dead = await tables.job_ids_by(BY_STEP, Step.PRUNE.value, sort_at_most=epoch(tables.clock() - _LONGEST_PRUNE))
    over = await _ended(tables, before)
    going = await each([*dead, *over], lambda job_id: _claim(tables, _prune(tables, job_id, before)))
    return await each([job for job in going if job], lambda job: _delete_all(tables, job), at_once=_JOBS_AT_ONCE)


async def _ended(tables: Tables, before: datetime) -> list[str]:
    """In the order of their ends. A job ends after it was made: by their creation, those to look at are few."""
    old: list[str] = []
    for status in JobStatus:
        if status in JOB_ENDED:
            old += await tables.job_ids_by(BY_STATUS, status.value, sort_at_most=epoch(before))
    ends = {job_id: item.job.ended_at for job_id, item in (await tables.find_jobs(old)).items() if item.step is None}
    over = [(end, job_id) for job_id, end in ends.items() if end is not None and end <= before]
    return [job_id for _, job_id in sorted(over)]


async def _delete_all(tables: Tables, item: JobItem) -> str:
    """The pages last: they know which runs there are."""
    job_id = item.job.id
    pages = await tables.query(job_id, PAGE_PREFIX)
    attempts = [attempt_from(job_id, found) for found in await tables.query(job_id, ATTEMPT_PREFIX)]
    keys = [run_key(job_id, name) for page in pages for name in names_from(page)]
    for attempt in attempts:
        keys += [shard_key(job_id, attempt.number, index) for index in range(attempt.shards)]
    await tables.delete_all([*keys, nowhere_key(job_id)])
    await tables.delete_all([attempt_key(job_id, attempt.number) for attempt in attempts])
    await tables.delete_all([RunsKey(str(page["part"]), str(page["item"])) for page in pages])
    return await _delete_job(tables, item, Step.PRUNE)


async def _delete_job(tables: Tables, item: JobItem, step: Step) -> str:
    gone = Delete(
        table=tables.jobs,
        key=job_key(item.job.id),
        condition="#step = :step AND #createdAt = :creation",
        values={":step": step.value, ":creation": epoch(item.job.created_at)},
    )
    with suppress(ConditionFailed):
        await tables.write(gone, mark=tables.new_mark())
    return item.job.id


async def _claim(tables: Tables, claim: Update) -> JobItem | None:
    """None when it is not, or not any more, what an index said."""
    try:
        return job_from(await tables.write(claim, mark=tables.new_mark()))
    except ConditionFailed:
        return None


def _discard(tables: Tables, job_id: str, before: Decimal) -> Update:
    half = "#status = :creating AND #step = :create AND #updatedAt <= :before"
    values: Mapping[str, Value] = {
        ":creating": JobStatus.CREATING.value,
        ":create": Step.CREATE.value,
        ":discard": Step.DISCARD.value,
        ":before": before,
    }
    return _going(tables, job_id, Step.DISCARD, f"#step = :discard OR ({half})", values)


def _prune(tables: Tables, job_id: str, before: datetime) -> Update:
    """An operator who sets a status by hand sets no time: then the last change was the end."""
    statuses = {f":s{number}": status.value for number, status in enumerate(sorted(JOB_ENDED))}
    ended = f"attribute_not_exists(#step) AND #status IN ({', '.join(statuses)})"
    old = "(#endedAt <= :before OR (attribute_not_exists(#endedAt) AND #updatedAt <= :before))"
    dead = "#step = :prune AND #updatedAt <= :dead"
    values: Mapping[str, Value] = {
        **statuses,
        ":before": epoch(before),
        ":prune": Step.PRUNE.value,
        ":dead": epoch(tables.clock() - _LONGEST_PRUNE),
    }
    return _going(tables, job_id, Step.PRUNE, f"({ended} AND {old}) OR ({dead})", values)


def _going(tables: Tables, job_id: str, step: Step, condition: str, values: Mapping[str, Value]) -> Update:
    return Update(
        table=tables.jobs,
        key=job_key(job_id),
        set={"step": step.value, "updatedAt": tables.now()},
        condition=condition,
        values=values,
    )
