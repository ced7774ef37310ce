"""Hand queued runs to compute: cut them into shards, note who runs them, find what waits."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec

from cody_backends.aws.definitions import BY_STATUS
from cody_backends.aws.errors import ConditionFailed, TransactionRefused
from cody_backends.aws.jobs.again import begin_requeue
from cody_backends.aws.jobs.items import (
    AttemptItem,
    JobItem,
    ShardItem,
    bitmap,
    epoch,
    shard_view,
    sum_counts,
)
from cody_backends.aws.jobs.keys import attempt_key, page_count
from cody_backends.aws.jobs.pages import all_runs, names_at, names_on
from cody_backends.aws.jobs.samples import ToHandOver, sample_to_hand_over
from cody_backends.aws.jobs.shards import attempts_of, shards_of
from cody_backends.aws.jobs.steps import NOT_ENDED, change_job, complete_step
from cody_backends.aws.jobs.tables import Tables, each, job_key, runs_key
from cody_backends.aws.jobs.write_shards import plan_of, write_shards
from cody_backends.aws.jobs.writes import Put, Update
from cody_jobs.errors import RunNotFound, Unavailable
from cody_jobs.models import Attempt, JobStatus, RunCounts, RunStatus
from cody_jobs.ports.job_store import OpenShard

_TRIES = 20
_ACTIVE = (JobStatus.RUNNING, JobStatus.PENDING)


async def begin_attempt(tables: Tables, *, job_id: str, repositories_per_shard: int) -> Attempt | None:
    """A second call finds the attempt that the first one made, as it has no compute id yet; two at once write the same
    shards, and each run is dispatched by one of them."""
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await complete_step(tables, await tables.job(job_id))
        if item.job.status not in _ACTIVE:
            return None
        attempts, shards = await _so_far(tables, item)
        waiting = _without_compute(attempts, shards)
        if waiting is not None:
            return await _hand_over_again(tables, item, waiting, shards, mark)
        counts = sum_counts(item.job.repositories, shards)
        if item.job.status is JobStatus.PENDING and not counts.unfinished and counts.failed + counts.cancelled:
            await begin_requeue(tables, item, counts.failed + counts.cancelled, mark=tables.new_mark())
            continue
        attempt = await _plan(tables, item, counts, repositories_per_shard)
        if attempt is None:
            if item.job.status is JobStatus.RUNNING or await _make_running(tables, item, mark):
                return None
            continue
        if await _freeze(tables, item, attempt, mark):
            await write_shards(tables, item.job, attempt, there=())
            return _attempt(attempt, again=False)
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")


async def _so_far(tables: Tables, item: JobItem) -> tuple[list[AttemptItem], list[ShardItem]]:
    """Before its first attempt a job has neither: its runs are all implied."""
    if item.untouched:
        return [], []
    return await asyncio.gather(attempts_of(tables, item.job.id), shards_of(tables, item.job.id))


def _without_compute(attempts: Sequence[AttemptItem], shards: Sequence[ShardItem]) -> AttemptItem | None:
    """One whose shards have all ended was stopped before it began: it is not handed over any more."""
    for attempt in attempts:
        ended = sum(shard.attempt == attempt.number and not shard.open for shard in shards)
        if attempt.compute_id is None and ended < attempt.shards:
            return attempt
    return None


async def _hand_over_again(
    tables: Tables, item: JobItem, attempt: AttemptItem, shards: Sequence[ShardItem], mark: str
) -> Attempt:
    if item.job.status is JobStatus.PENDING:
        await _make_running(tables, item, mark)
    there = {shard.index for shard in shards if shard.attempt == attempt.number}
    await write_shards(tables, item.job, attempt, there=there)
    return _attempt(attempt, again=True)


def _attempt(attempt: AttemptItem, *, again: bool) -> Attempt:
    return Attempt(job_id=attempt.job_id, number=attempt.number, shards=attempt.shards, compute_id=None, again=again)


async def _make_running(tables: Tables, item: JobItem, mark: str) -> bool:
    """The runs of a job that an operator set back are with workers, or have all succeeded: then it is one to settle."""
    return await change_job(tables, item, {**NOT_ENDED, "status": JobStatus.RUNNING.value}, mark=mark) is not None


async def _plan(tables: Tables, item: JobItem, counts: RunCounts, per_shard: int) -> AttemptItem | None:
    """Which runs are cut: decided once, and written down before any of them changes."""
    job, wanted = item.job, await _to_hand_over(tables, item, counts)
    if not wanted.queued:
        return None
    plan = AttemptItem(
        job_id=job.id,
        number=job.attempt + 1,
        shards=0,
        per_shard=len(wanted.queued) if wanted.together else per_shard,
        queued=bitmap(wanted.queued, job.repositories),
        alone=bitmap(wanted.alone, job.repositories),
        compute_id=None,
        created_at=tables.clock(),
        mark=None,
    )
    return msgspec.structs.replace(plan, shards=len(plan_of(plan)))


async def _to_hand_over(tables: Tables, item: JobItem, counts: RunCounts) -> ToHandOver:
    """Queued runs, and those that were lost before. Before the first attempt nobody had a run yet, but a page may be
    missing: a job that was stopped while it was written, and set back by hand, is not begun."""
    job = item.job
    if job.sampling:
        return await sample_to_hand_over(tables, item, counts)
    if not counts.queued:
        return ToHandOver(queued=[], alone=[])
    if item.untouched:
        await names_on(tables, job, range(page_count(job.repositories)))
        return ToHandOver(queued=list(range(job.repositories)), alone=[])
    queued = [run for run in await all_runs(tables, job) if run.run.status is RunStatus.QUEUED]
    alone = [run.run.position for run in queued if run.alone]
    return ToHandOver(queued=[run.run.position for run in queued], alone=alone)


async def _freeze(tables: Tables, item: JobItem, attempt: AttemptItem, mark: str) -> bool:
    """The attempt and its number of open shards, before there is a shard; False when somebody else came first."""
    job = item.job
    made = Put(
        table=tables.runs,
        item={
            **runs_key(attempt_key(job.id, attempt.number)),
            "number": attempt.number,
            "shards": attempt.shards,
            "perShard": attempt.per_shard,
            "queued": attempt.queued,
            "alone": attempt.alone,
            "createdAt": epoch(attempt.created_at),
            "expiresAt": tables.forget_at(),
        },
        condition="attribute_not_exists(#part)",
    )
    running = Update(
        table=tables.jobs,
        key=job_key(job.id),
        set={
            **NOT_ENDED,
            "status": JobStatus.RUNNING.value,
            "attempt": attempt.number,
            "updatedAt": tables.now(),
        },
        add={"openShards": attempt.shards},
        condition="#status = :was AND #attempt = :before AND attribute_not_exists(#step)",
        values={":was": job.status.value, ":before": job.attempt},
        # The attempt has the mark: that on the job is of who made it PENDING, and may not have heard of it yet.
        marked=False,
    )
    try:
        await tables.transact([made, running], mark=mark)
    except TransactionRefused:
        return False
    return True


async def record_compute(tables: Tables, *, job_id: str, attempt: int, compute_id: str) -> bool:
    noted = Update(
        table=tables.runs,
        key=runs_key(attempt_key(job_id, attempt)),
        set={"computeId": compute_id},
        condition="attribute_exists(#part) AND (attribute_not_exists(#computeId) OR #computeId = :id)",
        values={":id": compute_id},
    )
    try:
        await tables.write(noted, mark=tables.new_mark())
    except ConditionFailed as failed:
        if failed.item:
            return False
        await tables.job(job_id)
        raise RunNotFound(f"job {job_id} has no attempt {attempt}") from failed
    return True


async def list_compute_ids(tables: Tables, *, job_id: str) -> list[str]:
    return [attempt.compute_id for attempt in await attempts_of(tables, job_id) if attempt.compute_id is not None]


async def list_jobs_to_dispatch(tables: Tables, *, pending_for: timedelta, limit: int) -> list[str]:
    jobs = await active_jobs(tables)
    before = tables.clock() - pending_for

    async def waits(item: JobItem) -> bool:
        if item.job.status is JobStatus.PENDING:
            return item.job.updated_at <= before
        attempts, shards = await _so_far(tables, item)
        waiting = _without_compute(attempts, shards)
        if waiting is not None:
            return waiting.created_at <= before
        counts = sum_counts(item.job.repositories, shards)
        return (
            bool((await sample_to_hand_over(tables, item, counts)).queued) if item.job.sampling else counts.queued > 0
        )

    found = [item.job for item, is_waiting in zip(jobs, await each(jobs, waits, at_once=4), strict=True) if is_waiting]
    return [job.id for job in sorted(found, key=lambda job: job.updated_at)[:limit]]


async def active_jobs(tables: Tables) -> list[JobItem]:
    """PENDING and RUNNING jobs, oldest first."""
    job_ids = [job_id for status in _ACTIVE for job_id in await tables.job_ids_by(BY_STATUS, status.value)]
    found = await tables.find_jobs(list(dict.fromkeys(job_ids)))
    active = [item for item in found.values() if item.job.status in _ACTIVE]
    return sorted(active, key=lambda item: (item.job.created_at, item.job.id))


async def list_open_shards(tables: Tables, *, limit: int) -> list[OpenShard]:
    jobs = [item for item in await active_jobs(tables) if item.open_shards > 0]
    found = await each(jobs, lambda item: _open_shards(tables, item), at_once=4)
    shards = [shard for of_job in found for shard in of_job]
    order = sorted(shards, key=lambda it: (it.shard.created_at, it.shard.job_id, it.shard.attempt, it.shard.index))
    return order[:limit]


async def _open_shards(tables: Tables, item: JobItem) -> list[OpenShard]:
    job, now = item.job, tables.clock()
    attempts = {attempt.number: attempt for attempt in await attempts_of(tables, job.id)}
    shards = [shard for shard in await shards_of(tables, job.id) if shard.open]
    names = await names_at(tables, job, [position for shard in shards for position in shard.positions])
    name_of = dict(zip((position for shard in shards for position in shard.positions), names, strict=True))
    return [
        OpenShard(
            shard=shard_view(
                shard,
                [name_of[position] for position in shard.positions],
                attempts[shard.attempt].compute_id if shard.attempt in attempts else None,
            ),
            job_status=job.status,
            silent=any(lease.expires_at <= now for lease in shard.leases.values()),
        )
        for shard in shards
    ]


def older_than(tables: Tables, age: timedelta) -> Decimal:
    return epoch(tables.clock() - age)
