"""Ends: of a shard, of a lost shard, of a job.

`openShards` of a job is the number of its shards that have no end, always: it grows with the plan of an attempt, and
shrinks in the transaction that ends a shard. Runs change only inside of open shards, by a new attempt, or by a stop.
So where no shard is open and nothing is unfinished, nothing can change any more but by one of the latter two, and the
condition that ends the job excludes both.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from cody_backends.aws.errors import TransactionRefused
from cody_backends.aws.jobs.dispatch import active_jobs, older_than
from cody_backends.aws.jobs.hold import worker_lost
from cody_backends.aws.jobs.items import (
    JobItem,
    RunItem,
    ShardItem,
    Step,
    failure_text,
    json_text,
    run_from,
    sum_counts,
)
from cody_backends.aws.jobs.keys import run_key, shard_key
from cody_backends.aws.jobs.pages import names_at
from cody_backends.aws.jobs.samples import sample_is_done
from cody_backends.aws.jobs.shards import (
    RunChange,
    attempts_of,
    change_runs,
    close_shards,
    find_shard,
    no_shard,
    shards_of,
)
from cody_backends.aws.jobs.steps import change_job, complete_old_sweeps, complete_step, expires_at, sweep
from cody_backends.aws.jobs.tables import Tables, each
from cody_backends.aws.jobs.writes import Value
from cody_backends.job_failure import FailureGroup, failure_of_job
from cody_jobs.errors import IllegalTransition, Unavailable
from cody_jobs.lifecycle import DISPATCHES_ALLOWED, LOSSES_ALLOWED, check_job_step, job_status_at_end
from cody_jobs.models import Failure, FailureCode, Job, JobStatus, RunCounts, RunStatus
from cody_jobs.ports.job_store import RecoveredRuns, ShardEnd

_RUNS_AT_ONCE = 90
_TRIES = 20
_OLD_SWEEP = timedelta(seconds=10)


async def end_shard(tables: Tables, *, job_id: str, attempt: int, index: int) -> ShardEnd:
    """A shard stays open while one of its runs is unfinished (a second worker may hold it, and may die with it)."""
    item = await tables.job(job_id)
    shard = await find_shard(tables, job_id, attempt, index)
    if shard is None:
        raise no_shard(job_id, attempt, index)
    if shard.open and not shard.counts.unfinished:
        await _close(tables, job_id, attempt, index)
    if item.job.status is not JobStatus.RUNNING:
        return ShardEnd(job=item.job, job_ended_now=False)
    return await _settle(tables, job_id, tables.new_mark())


async def _close(tables: Tables, job_id: str, attempt: int, index: int) -> None:
    """Refused, it was closed by somebody else, or a run came back to life in it."""
    async with tables.turn(shard_key(job_id, attempt, index)):
        try:
            await close_shards(tables, job_id, [(attempt, index)], mark=tables.new_mark())
        except TransactionRefused:
            return


async def _settle(tables: Tables, job_id: str, mark: str) -> ShardEnd:
    """The last shard's end moves the job: exactly one caller wins."""
    item = await tables.job(job_id)
    going_on = ShardEnd(job=item.job, job_ended_now=False)
    if item.job.status is not JobStatus.RUNNING or item.open_shards > 0 or item.step is not None:
        return going_on
    shards = await shards_of(tables, job_id)
    counts = sum_counts(item.job.repositories, shards)
    if counts.unfinished:
        done = await sample_is_done(tables, item, counts)
        return await _await_approval(tables, item, mark) if done else going_on
    status = job_status_at_end(counts)
    check_job_step(JobStatus.RUNNING, status)
    failure = await _failure_of(tables, item.job, shards, counts)
    ended = await _end_job(tables, item, status, failure, counts, mark)
    if ended is None:
        return ShardEnd(job=(await tables.job(job_id)).job, job_ended_now=False)
    return ShardEnd(job=ended.job, job_ended_now=True)


async def _await_approval(tables: Tables, item: JobItem, mark: str) -> ShardEnd:
    check_job_step(JobStatus.RUNNING, JobStatus.AWAITING_APPROVAL)
    waiting = await _change_still(tables, item, {"status": JobStatus.AWAITING_APPROVAL.value}, mark)
    if waiting is None:
        return ShardEnd(job=(await tables.job(item.job.id)).job, job_ended_now=False)
    return ShardEnd(job=waiting.job, job_ended_now=False, awaits_approval_now=True)


async def _end_job(
    tables: Tables, item: JobItem, status: JobStatus, failure: Failure | None, counts: RunCounts, mark: str
) -> JobItem | None:
    change: dict[str, Value] = {
        "status": status.value,
        "failure": failure_text(failure),
        "endedAt": tables.now(),
        "counts": json_text(counts),
        "expiresAt": expires_at(tables),
    }
    return await _change_still(tables, item, change, mark)


async def _change_still(tables: Tables, item: JobItem, change: dict[str, Value], mark: str) -> JobItem | None:
    """Change a job in which no run can have changed since it was read."""
    return await change_job(
        tables,
        item,
        change,
        mark=mark,
        condition="#openShards = :none AND #attempt = :attempt",
        values={":none": 0, ":attempt": item.job.attempt},
    )


async def _failure_of(tables: Tables, job: Job, shards: Sequence[ShardItem], counts: RunCounts) -> Failure | None:
    if not counts.failed:
        return None
    positions = sorted({position for shard in shards if shard.counts.failed for position in shard.positions})
    names = await names_at(tables, job, positions)
    found = await tables.find_all([run_key(job.id, name) for name in names])
    runs = [run_from(item).run for item in found.values()]
    failures = [run.failure for run in sorted(runs, key=lambda run: run.position) if run.failure is not None]
    return failure_of_job(_groups(failures), counts)


def _groups(failures: Sequence[Failure]) -> list[FailureGroup]:
    by_code: dict[FailureCode, list[Failure]] = defaultdict(list)
    for failure in failures:
        by_code[failure.code].append(failure)
    return [
        FailureGroup(runs=len(alike), first=alike[0], retryable=any(failure.retryable for failure in alike))
        for alike in by_code.values()
    ]


async def stop_job(tables: Tables, *, job_id: str, status: JobStatus, failure: Failure | None) -> ShardEnd:
    if status not in {JobStatus.CANCELLED, JobStatus.FAILED}:
        raise IllegalTransition(f"a job is stopped as CANCELLED or FAILED, not as {status}")
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await tables.job(job_id)
        if item.job.status is status:
            item = await complete_step(tables, item) if item.step is Step.SWEEP else item
            return ShardEnd(job=item.job, job_ended_now=False)
        check_job_step(item.job.status, status)
        change: dict[str, Value] = {
            "status": status.value,
            "failure": failure_text(failure),
            "endedAt": tables.now(),
            "counts": None,
            "step": Step.SWEEP.value,
            "stepMark": mark,
        }
        stopped = await change_job(tables, item, change, mark=mark)
        if stopped is not None:
            await sweep(tables, stopped)
            return ShardEnd(job=stopped.job, job_ended_now=True)
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")


async def recover_shard(
    tables: Tables, *, job_id: str, attempt: int, index: int, failure: Failure | None
) -> RecoveredRuns:
    job = (await tables.job(job_id)).job
    shard = await find_shard(tables, job_id, attempt, index)
    if shard is None:
        raise no_shard(job_id, attempt, index)
    fates: dict[str, Failure | None] = {}
    for _ in range(_TRIES):
        left = await _left(tables, job, shard)
        if not left:
            break
        for first in range(0, len(left), _RUNS_AT_ONCE):
            portion = {run.run.repository: (run, _fate(run, failure)) for run in left[first : first + _RUNS_AT_ONCE]}
            if await _put_back(tables, shard, list(portion.values())):
                fates |= {name: fate for name, (_, fate) in portion.items()}
    else:
        raise Unavailable(tables.service, f"runs of job {job_id} are changed by others all the time")
    if shard.open:
        await _close(tables, job_id, attempt, index)
    return RecoveredRuns(
        requeued=tuple(sorted(name for name, fate in fates.items() if fate is None)),
        failed=tuple(sorted(name for name, fate in fates.items() if fate is not None)),
    )


async def _left(tables: Tables, job: Job, shard: ShardItem) -> list[RunItem]:
    """Unfinished runs that are in this very shard."""
    names = await names_at(tables, job, shard.positions)
    found = await tables.find_all([run_key(job.id, name) for name in names])
    runs = [run_from(item) for item in found.values()]
    return [
        run
        for run in runs
        if (run.run.attempt, run.run.shard) == (shard.attempt, shard.index)
        and run.run.status in {RunStatus.DISPATCHED, RunStatus.RUNNING}
    ]


def _fate(item: RunItem, failure: Failure | None) -> Failure | None:
    """The failure that a lost run ends with, or None when it is worth another try."""
    run = item.run
    if failure is not None:
        return failure
    losses = run.losses + (run.status is RunStatus.RUNNING)
    if losses >= LOSSES_ALLOWED:
        return worker_lost(losses)
    if run.dispatches < DISPATCHES_ALLOWED:
        return None
    message = f"the workers of this repository did not start or did not end it {run.dispatches} times"
    return Failure(code=FailureCode.WORKER_LOST, message=message, retryable=True)


async def _put_back(tables: Tables, shard: ShardItem, runs: Sequence[tuple[RunItem, Failure | None]]) -> bool:
    """All of them or none: False when one of them was changed by somebody else."""
    home = shard_key(shard.job_id, shard.attempt, shard.index)
    changes = [_returned(tables, run, fate) for run, fate in runs]
    async with tables.turn(home):
        try:
            await tables.transact(change_runs(tables, changes, home=home), mark=tables.new_mark())
        except TransactionRefused:
            return False
    return True


def _returned(tables: Tables, item: RunItem, fate: Failure | None) -> RunChange:
    lost = item.run.status is RunStatus.RUNNING
    change: dict[str, Value] = {"losses": item.run.losses + lost, "alone": item.alone or lost}
    if fate is None:
        return RunChange(was=item, status=RunStatus.QUEUED, set={**change, "shard": None, "startedAt": None})
    ended: dict[str, Value] = {"failure": failure_text(fate), "endedAt": tables.now()}
    return RunChange(was=item, status=RunStatus.FAILED, set={**change, **ended})


async def list_jobs_to_settle(tables: Tables, *, limit: int) -> list[tuple[str, int, int]]:
    """Completes, by the way, stops whose process died in the middle."""
    await complete_old_sweeps(tables, older_than=older_than(tables, _OLD_SWEEP))
    running = [item for item in await active_jobs(tables) if item.job.status is JobStatus.RUNNING]
    settled = [item for item in running if item.open_shards == 0 and item.step is None]
    found = await each(settled, lambda item: _to_settle(tables, item), at_once=4)
    ordered = sorted(zip(settled, found, strict=True), key=lambda pair: pair[0].job.updated_at)
    return [last for _, last in ordered if last is not None][:limit]


async def _to_settle(tables: Tables, item: JobItem) -> tuple[str, int, int] | None:
    job, attempts = item.job, await attempts_of(tables, item.job.id)
    if not attempts:
        return None
    counts = sum_counts(job.repositories, await shards_of(tables, job.id))
    if counts.unfinished and not await sample_is_done(tables, item, counts):
        return None
    return job.id, attempts[-1].number, attempts[-1].shards - 1
