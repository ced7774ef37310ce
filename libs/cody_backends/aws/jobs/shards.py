"""Shards, which count their runs and know their leases, and the one way in which a run changes: in a transaction with
the shard that counts it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from cody_backends.aws.jobs.items import (
    COUNTERS,
    AttemptItem,
    JobItem,
    RunItem,
    ShardItem,
    attempt_from,
    epoch,
    shard_from,
    shard_view,
    sum_counts,
)
from cody_backends.aws.jobs.keys import (
    ATTEMPT_PREFIX,
    SHARD_PREFIX,
    RunsKey,
    attempt_key,
    nowhere_key,
    run_key,
    shard_key,
)
from cody_backends.aws.jobs.pages import names_at
from cody_backends.aws.jobs.tables import Tables, each, job_key, runs_key
from cody_backends.aws.jobs.writes import Update, Value, Write
from cody_jobs.errors import RunNotFound
from cody_jobs.models import RunCounts, RunOutcome, RunStatus, Shard


class RunChange(Struct, frozen=True, kw_only=True):
    """What becomes of a run: `set` are its attributes besides status and times; it happens only to the run as it was
    read (status, place and owner)."""

    was: RunItem
    status: RunStatus
    outcome: RunOutcome | None = None
    set: Mapping[str, Value] = {}


async def find_shard(tables: Tables, job_id: str, attempt: int, index: int) -> ShardItem | None:
    item = await tables.find(shard_key(job_id, attempt, index))
    return None if item is None else shard_from(job_id, item)


async def shards_of(tables: Tables, job_id: str) -> list[ShardItem]:
    """All of them, with the one that is none."""
    return [shard_from(job_id, item) for item in await tables.query(job_id, SHARD_PREFIX)]


async def attempts_of(tables: Tables, job_id: str) -> list[AttemptItem]:
    """Oldest first."""
    return [attempt_from(job_id, item) for item in await tables.query(job_id, ATTEMPT_PREFIX)]


async def count_runs(tables: Tables, *, job_ids: Sequence[str]) -> dict[str, RunCounts]:
    jobs = await tables.find_jobs(list(dict.fromkeys(job_ids)))

    async def count(job_id: str) -> RunCounts:
        return await counts_of(tables, jobs[job_id]) if job_id in jobs else RunCounts()

    return dict(zip(job_ids, await each(job_ids, count), strict=True))


async def counts_of(tables: Tables, item: JobItem) -> RunCounts:
    """Written down at a job's end; until then the sum of its shards."""
    if item.counts is not None and item.step is None:
        return item.counts
    return sum_counts(item.job.repositories, await shards_of(tables, item.job.id))


async def get_shard(tables: Tables, *, job_id: str, attempt: int, index: int) -> Shard:
    key, of_attempt = shard_key(job_id, attempt, index), attempt_key(job_id, attempt)
    item = await tables.job(job_id)
    found = await tables.find_all([key, of_attempt])
    if key not in found or of_attempt not in found:
        raise no_shard(job_id, attempt, index)
    shard = shard_from(job_id, found[key])
    names = await names_at(tables, item.job, shard.positions)
    return shard_view(shard, names, attempt_from(job_id, found[of_attempt]).compute_id)


def home_of(run: RunItem) -> RunsKey:
    """The shard that counts a run that has one of the counted statuses."""
    job_id, shard = run.run.job_id, run.run.shard
    return nowhere_key(job_id) if shard is None else shard_key(job_id, run.run.attempt, shard)


def change_runs(
    tables: Tables, changes: Sequence[RunChange], *, home: RunsKey, lease: tuple[str, datetime] | None = None
) -> list[Write]:
    """The writes that move runs of one home, its counters first. `lease`: owner and end, for runs that become
    RUNNING."""
    return [_count(tables, changes, home, lease), *(_change(tables, change, home) for change in changes)]


def _count(tables: Tables, changes: Sequence[RunChange], home: RunsKey, lease: tuple[str, datetime] | None) -> Update:
    add: dict[str, int] = {}
    expressions, removals, names = ["#createdAt = if_not_exists(#createdAt, :now)"], list[str](), dict[str, str]()
    values: dict[str, Value] = {":now": tables.now()}
    for number, change in enumerate(changes):
        for name, by in _steps(change):
            add[name] = add.get(name, 0) + by
        place = f"#p{number}"
        if change.status is RunStatus.RUNNING and lease is not None:
            names[place] = str(change.was.run.position)
            expressions.append(f"#leases.{place} = :lease")
            values[":lease"] = {"o": lease[0], "e": epoch(lease[1])}
        elif change.was.run.status is RunStatus.RUNNING:
            names[place] = str(change.was.run.position)
            removals.append(f"#leases.{place}")
    return Update(
        table=tables.runs,
        key=runs_key(home),
        set={"expiresAt": tables.forget_at()},
        add={name: by for name, by in add.items() if by},
        expressions=tuple(expressions),
        removals=tuple(removals),
        values=values,
        names=names,
    )


def _steps(change: RunChange) -> list[tuple[str, int]]:
    steps: list[tuple[str, int]] = []
    if change.was.run.status in COUNTERS:
        steps.append((COUNTERS[change.was.run.status], -1))
    if change.status in COUNTERS:
        steps.append((COUNTERS[change.status], 1))
    if change.was.run.outcome is not None:
        steps.append((COUNTERS[change.was.run.outcome], -1))
    if change.outcome is not None:
        steps.append((COUNTERS[change.outcome], 1))
    return steps


def _change(tables: Tables, change: RunChange, home: RunsKey) -> Update:
    """Of a run that was never written before, too: everything that stands for nothing is filled in."""
    was = change.was.run
    condition, values = _as_it_was(change.was)
    fixed: dict[str, Value] = {
        "jobId": was.job_id,
        "repository": was.repository,
        "position": was.position,
        "attempt": was.attempt,
        "dispatches": was.dispatches,
        "losses": was.losses,
    }
    return Update(
        table=tables.runs,
        key=runs_key(run_key(was.job_id, was.repository)),
        set={
            **fixed,
            "expiresAt": tables.forget_at(),
            "updatedAt": tables.now(),
            "status": change.status.value,
            "outcome": change.outcome.value if change.outcome else None,
            "leaseOwner": None,
            **change.set,
        },
        condition=condition,
        values=values,
    )


def _as_it_was(item: RunItem) -> tuple[str, dict[str, Value]]:
    if not item.written:
        return "attribute_not_exists(#part)", {}
    run = item.run
    condition = "#status = :was AND #attempt = :attempt AND #losses = :losses AND #dispatches = :dispatches"
    values: dict[str, Value] = {
        ":was": run.status.value,
        ":attempt": run.attempt,
        ":losses": run.losses,
        ":dispatches": run.dispatches,
    }
    if run.shard is not None:
        condition, values[":shard"] = f"{condition} AND #shard = :shard", run.shard
    if run.lease_owner is not None:
        condition, values[":owner"] = f"{condition} AND #leaseOwner = :owner", run.lease_owner
    return condition, values


async def close_shards(
    tables: Tables,
    job_id: str,
    shards: Sequence[tuple[int, int]],
    *,
    mark: str,
    under_way: tuple[str, dict[str, Value]] | None = None,
) -> None:
    """End these shards (attempt, index), which are open, in one transaction with the job's number of open shards.

    Only if they have no unfinished run, or, with `under_way`, only while that holds of the job: the condition of a
    step, with its values. Raises `TransactionRefused` when one of them is ended already or has one; its last condition
    is that of the job.
    """
    condition, values = ("attribute_exists(#jobId)", {}) if under_way is None else under_way
    fewer = Update(
        table=tables.jobs,
        key=job_key(job_id),
        add={"openShards": -len(shards)},
        condition=condition,
        values=values,
        marked=False,
    )
    ends = [_end(tables, shard_key(job_id, *shard), only_when_done=under_way is None) for shard in shards]
    await tables.transact([*ends, fewer], mark=mark)


def _end(tables: Tables, key: RunsKey, *, only_when_done: bool) -> Update:
    """Of a shard that was planned, and never written, too."""
    condition, values = "attribute_not_exists(#endedAt)", dict[str, Value]()
    if only_when_done:
        condition, values = f"{condition} AND #dispatched = :none AND #running = :none", {":none": 0}
    return Update(
        table=tables.runs,
        key=runs_key(key),
        set={"endedAt": tables.now(), "expiresAt": tables.forget_at()},
        expressions=("#createdAt = if_not_exists(#createdAt, :now)",),
        condition=condition,
        values={":now": tables.now(), **values},
    )


def no_shard(job_id: str, attempt: int, index: int) -> RunNotFound:
    return RunNotFound(f"job {job_id} has no shard {index} in attempt {attempt}")
