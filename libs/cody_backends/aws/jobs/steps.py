"""Changes of many items, which whoever comes next completes: the sweep after a stop, and queueing runs again.

A step is written on the job before anything else (`step`, and `stepMark`, the call that began it). Each of its
transactions holds only while that very step is under way: somebody who was slow, and whose step was completed by
another, changes nothing any more.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from cody_backends.aws.definitions import BY_STEP
from cody_backends.aws.errors import ConditionFailed, TransactionRefused
from cody_backends.aws.jobs.items import (
    JobItem,
    RunItem,
    Step,
    epoch,
    job_from,
    json_text,
    sum_counts,
)
from cody_backends.aws.jobs.keys import RunsKey, page_count
from cody_backends.aws.jobs.pages import runs_on
from cody_backends.aws.jobs.shards import RunChange, attempts_of, change_runs, close_shards, home_of, shards_of
from cody_backends.aws.jobs.tables import Tables, each, job_key
from cody_backends.aws.jobs.writes import Check, Update, Value
from cody_jobs.errors import Unavailable
from cody_jobs.lifecycle import RUN_ENDED
from cody_jobs.models import RepositoryRun, RunCounts, RunStatus
from cody_jobs.run_filter import PLAIN, RunFilter
from cody_runtime.logs import get_logger

log = get_logger(__name__)

_RUNS_AT_ONCE = 90
_SHARDS_AT_ONCE = 90
_TRIES = 20


async def complete_step(tables: Tables, item: JobItem) -> JobItem:
    """The job without a step: a sweep, or runs that are to be queued again, are brought to their end."""
    for _ in range(_TRIES):
        match item.step:
            case Step.SWEEP:
                await sweep(tables, item)
            case Step.REQUEUE:
                await requeue(tables, item)
            case _:
                return item
        item = await tables.job(item.job.id)
    raise Unavailable(tables.service, f"job {item.job.id} is changed by others all the time")


async def sweep(tables: Tables, item: JobItem) -> None:
    """After a stop: unfinished runs become CANCELLED, and every shard ends, also one that was only planned.

    Before a job's first attempt there is no run to write: all of them are implied, and cancelled by the counts alone.
    """
    ended: dict[str, Value] = {"endedAt": tables.now()}
    if not item.untouched and not await _change_all(tables, item, _is_unfinished, RunStatus.CANCELLED, ended):
        return
    if not await _close_all(tables, item):
        return
    counts = _all_ended(sum_counts(item.job.repositories, await shards_of(tables, item.job.id)))
    await end_step(tables, item, {"counts": json_text(counts), "expiresAt": expires_at(tables)})


def _all_ended(counts: RunCounts) -> RunCounts:
    return msgspec.structs.replace(counts, queued=0, cancelled=counts.cancelled + counts.queued)


async def requeue(tables: Tables, item: JobItem) -> None:
    """Runs start from nothing. One that was lost before stays alone in its shard."""
    runs = item.rerun or PLAIN
    if item.job.attempt == 0 and not await _write_cancelled(tables, item, runs):
        return
    anew: dict[str, Value] = {
        "reason": None,
        "failure": None,
        "files": "{}",
        "shard": None,
        "dispatches": 0,
        "losses": 0,
        "finishedBy": None,
        "startedAt": None,
        "endedAt": None,
    }
    if await _change_all(tables, item, lambda run: runs.takes(run.run), RunStatus.QUEUED, anew):
        await end_step(tables, item, {})


async def _write_cancelled(tables: Tables, item: JobItem, runs: RunFilter) -> bool:
    """Runs that a stop has cancelled by the counts alone, as they were never written, would all be queued again by
    the job's status: those that are not meant are written down. False when the step is over."""
    if runs.is_plain:
        return True
    ended: dict[str, Value] = {"endedAt": tables.now()}
    return await _change_all(
        tables, item, lambda run: not run.written and not runs.takes(cancelled(run)), RunStatus.CANCELLED, ended
    )


def cancelled(run: RunItem) -> RepositoryRun:
    """An implied run as a stop has left it."""
    return run.run if run.written else msgspec.structs.replace(run.run, status=RunStatus.CANCELLED)


def _is_unfinished(run: RunItem) -> bool:
    return run.run.status not in RUN_ENDED


async def _change_all(
    tables: Tables,
    item: JobItem,
    wanted: Callable[[RunItem], bool],
    status: RunStatus,
    change: dict[str, Value],
) -> bool:
    """Page by page; False when the step was completed by somebody else meanwhile."""
    for page in range(page_count(item.job.repositories)):
        if not await _change_page(tables, item, page, wanted, status, change):
            return False
    return True


async def _change_page(
    tables: Tables,
    item: JobItem,
    page: int,
    wanted: Callable[[RunItem], bool],
    status: RunStatus,
    change: dict[str, Value],
) -> bool:
    for _ in range(_TRIES):
        by_home: dict[RunsKey, list[RunChange]] = defaultdict(list)
        for run in filter(wanted, await runs_on(tables, item.job, page)):
            by_home[home_of(run)].append(RunChange(was=run, status=status, set=change))
        if not by_home:
            return True
        portions = [
            (home, changes[first : first + _RUNS_AT_ONCE])
            for home, changes in by_home.items()
            for first in range(0, len(changes), _RUNS_AT_ONCE)
        ]
        for home, portion in portions:
            if not await _change(tables, item, home, portion):
                return False
    raise Unavailable(tables.service, f"runs of job {item.job.id} are changed by others all the time")


async def _change(tables: Tables, item: JobItem, home: RunsKey, changes: Sequence[RunChange]) -> bool:
    """A run that somebody else changed is looked at again; False when the step is over."""
    writes = [_while_under_way(tables, item), *change_runs(tables, changes, home=home)]
    async with tables.turn(home):
        try:
            await tables.transact(writes, mark=tables.new_mark())
        except TransactionRefused as refused:
            return refused.conditions[0] is None
    return True


def _while_under_way(tables: Tables, item: JobItem) -> Check:
    condition, values = _under_way(item)
    return Check(table=tables.jobs, key=job_key(item.job.id), condition=condition, values=values)


def _under_way(item: JobItem) -> tuple[str, dict[str, Value]]:
    assert item.step is not None
    return "#step = :step AND #stepMark = :by", {":step": item.step.value, ":by": item.step_mark}


async def _close_all(tables: Tables, item: JobItem) -> bool:
    """Shards that were planned, and never written, are open as well. False when the step is over."""
    for _ in range(_TRIES):
        left = await _open_shards(tables, item.job.id)
        if not left:
            return True
        for first in range(0, len(left), _SHARDS_AT_ONCE):
            portion = left[first : first + _SHARDS_AT_ONCE]
            try:
                await close_shards(tables, item.job.id, portion, mark=tables.new_mark(), under_way=_under_way(item))
            except TransactionRefused as refused:
                if refused.conditions[-1] is not None:
                    return False
                break
    raise Unavailable(tables.service, f"shards of job {item.job.id} are changed by others all the time")


async def _open_shards(tables: Tables, job_id: str) -> list[tuple[int, int]]:
    ended = {(shard.attempt, shard.index) for shard in await shards_of(tables, job_id) if not shard.open}
    attempts = await attempts_of(tables, job_id)
    planned = [(attempt.number, index) for attempt in attempts for index in range(attempt.shards)]
    return [shard for shard in planned if shard not in ended]


async def end_step(tables: Tables, item: JobItem, change: dict[str, Value]) -> None:
    """Nothing happens when somebody else has ended it."""
    condition, values = _under_way(item)
    update = Update(
        table=tables.jobs,
        key=job_key(item.job.id),
        set={**change, "step": None, "stepMark": None},
        condition=condition,
        values=values,
        marked=False,
    )
    try:
        await tables.write(update, mark=tables.new_mark())
    except ConditionFailed:
        return


def expires_at(tables: Tables) -> Decimal:
    """When DynamoDB may delete a job that has ended now, in whole seconds."""
    return Decimal(int(epoch(tables.clock() + tables.retention)))


NOT_ENDED: dict[str, Value] = {"failure": None, "endedAt": None, "counts": None, "expiresAt": None}
"""What a job that goes on is without."""


async def change_job(
    tables: Tables,
    item: JobItem,
    change: dict[str, Value],
    *,
    mark: str,
    condition: str = "",
    values: dict[str, Value] | None = None,
) -> JobItem | None:
    """Change a job that has the status, and the step, that it was read with; None when it has not any more."""
    as_read = "#status = :was AND " + ("attribute_not_exists(#step)" if item.step is None else "#step = :step")
    steps: dict[str, Value] = {} if item.step is None else {":step": item.step.value}
    update = Update(
        table=tables.jobs,
        key=job_key(item.job.id),
        set={"updatedAt": tables.now(), **change},
        condition=f"{as_read} AND {condition}" if condition else as_read,
        values={":was": item.job.status.value, **steps, **(values or {})},
    )
    try:
        return job_from(await tables.write(update, mark=mark))
    except ConditionFailed:
        return None


async def complete_old_sweeps(tables: Tables, *, older_than: Decimal) -> None:
    """Of stops whose process died in the middle. One that cannot be completed keeps no other job from being settled."""
    job_ids = await tables.job_ids_by(BY_STEP, Step.SWEEP.value, sort_at_most=older_than)
    found = await tables.find_jobs(job_ids)

    async def complete(item: JobItem) -> None:
        try:
            await sweep(tables, item)
        except Unavailable as error:
            log.warning("stop_not_completed", job_id=item.job.id, reason=str(error))

    await each([item for item in found.values() if item.step is Step.SWEEP], complete, at_once=2)
