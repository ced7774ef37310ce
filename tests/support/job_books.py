"""The books of a job in DynamoDB: what it and its shards say of its runs, and what the runs are."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from cody_backends.aws.jobs.items import COUNTERS, JobItem, RunItem, ShardItem, sum_counts
from cody_backends.aws.jobs.keys import RunsKey, shard_key
from cody_backends.aws.jobs.pages import all_runs
from cody_backends.aws.jobs.shards import attempts_of, home_of, shards_of
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.models import RunCounts, RunStatus


async def check_books(tables: Tables, job_id: str) -> None:
    """Between any two writes of anybody: each run that is not QUEUED is counted on one shard, its own, and by what it
    is; a shard has the leases of its running runs; an ended one has no unfinished run; the job knows how many shards
    have not ended, planned ones included."""
    item = await tables.job(job_id)
    shards, runs = await shards_of(tables, job_id), await all_runs(tables, item.job)
    by_home: defaultdict[RunsKey, list[RunItem]] = defaultdict(list)
    for run in runs:
        if run.run.status is not RunStatus.QUEUED:
            by_home[home_of(run)].append(run)
    for shard in shards:
        _check_shard(shard, by_home.pop(shard_key(job_id, shard.attempt, shard.index), []))
    assert not by_home, f"runs without a shard: {dict(by_home)}"
    queued = sum(run.run.status is RunStatus.QUEUED for run in runs)
    assert sum_counts(item.job.repositories, shards).queued == queued
    planned = sum(attempt.shards for attempt in await attempts_of(tables, job_id))
    assert item.open_shards == planned - sum(shard.ended_at is not None for shard in shards)
    _check_end(item, runs)


def _check_shard(shard: ShardItem, runs: Sequence[RunItem]) -> None:
    assert shard.counts == _counts(runs), f"{shard}: {runs}"
    running = {run.run.position: run.run.lease_owner for run in runs if run.run.status is RunStatus.RUNNING}
    assert {position: lease.owner for position, lease in shard.leases.items()} == running
    assert {run.run.position for run in runs} <= set(shard.positions) or shard.attempt == 0
    assert shard.ended_at is None or not shard.counts.unfinished


def _check_end(item: JobItem, runs: Sequence[RunItem]) -> None:
    """What was written down at the end. Runs that were never dispatched are cancelled by that alone."""
    if item.counts is None or item.step is not None:
        return
    counts = _counts([run for run in runs if run.written])
    implied = sum(not run.written for run in runs)
    assert item.counts == _plus(counts, cancelled=implied)
    assert not item.counts.unfinished


def _counts(runs: Sequence[RunItem]) -> RunCounts:
    found = Counter(run.run.status.lower() for run in runs)
    outcomes = Counter(COUNTERS[run.run.outcome] for run in runs if run.run.outcome is not None)
    return RunCounts(
        **found,
        pull_requests=outcomes["pullRequests"],
        patches=outcomes["patches"],
        no_changes=outcomes["noChanges"],
        estimated=outcomes["estimated"],
    )


def _plus(counts: RunCounts, *, cancelled: int) -> RunCounts:
    numbers: Mapping[str, int] = {name: getattr(counts, name) for name in RunCounts.__struct_fields__}
    return RunCounts(**{**numbers, "cancelled": counts.cancelled + cancelled})
