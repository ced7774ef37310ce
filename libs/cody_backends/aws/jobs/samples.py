"""The sample of a job: which runs the pilot looks at, what was chosen, and whether it is done."""

from collections.abc import Sequence

from msgspec import Struct

from cody_backends.aws.errors import ConditionFailed
from cody_backends.aws.jobs.items import JobItem, RunItem, job_from, json_text, run_from
from cody_backends.aws.jobs.keys import page_count, run_key
from cody_backends.aws.jobs.pages import all_runs, names_on
from cody_backends.aws.jobs.read import known_run
from cody_backends.aws.jobs.tables import Tables, each, job_key
from cody_backends.aws.jobs.writes import Update
from cody_jobs.errors import RunNotFound, Unavailable
from cody_jobs.lifecycle import check_sampling
from cody_jobs.models import Job, JobStatus, RunCounts, RunStatus, SampledRepository
from cody_jobs.pilot_shard import QueuedRun, pilot_positions


class ToHandOver(Struct, frozen=True, kw_only=True):
    """Positions of queued runs, and of those that get a shard of their own; `together`: all of them in one shard."""

    queued: list[int]
    alone: list[int]
    together: bool = False


async def record_sample(
    tables: Tables, *, job_id: str, sample: Sequence[SampledRepository]
) -> tuple[SampledRepository, ...]:
    """It leaves no mark: that on the job is of who changed its status, and may not have heard of it yet. Whoever
    writes it, and however often, the one that is there is the one."""
    item = await tables.job(job_id)
    check_sampling(item.job)
    chosen = Update(
        table=tables.jobs,
        key=job_key(job_id),
        set={"sample": json_text(list(sample))},
        condition="#status = :running AND attribute_not_exists(#sample) AND attribute_not_exists(#approval)",
        values={":running": JobStatus.RUNNING.value},
        marked=False,
    )
    try:
        return job_from(await tables.write(chosen, mark=tables.new_mark())).job.sample
    except ConditionFailed as failed:
        there = job_from(failed.item).job if failed.item else (await tables.job(job_id)).job
    check_sampling(there)
    if not there.sample:
        raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")
    return there.sample


async def sample_to_hand_over(tables: Tables, item: JobItem, counts: RunCounts) -> ToHandOver:
    """What a sampling job has for workers: its sample, or before that is chosen, what the pilot looks at."""
    if item.job.sample:
        runs = [run for run in await _runs_of_sample(tables, item.job) if run.run.status is RunStatus.QUEUED]
        alone = [run.run.position for run in runs if run.alone]
        return ToHandOver(queued=[run.run.position for run in runs], alone=alone)
    if item.open_shards > 0 or counts.dispatched or counts.running or not counts.queued:
        return ToHandOver(queued=[], alone=[])
    queued = await _queued(tables, item)
    positions = pilot_positions(queued, sample=item.job.spec.sample, attempts=item.job.attempt)
    return ToHandOver(queued=positions, alone=[], together=True)


async def sample_is_done(tables: Tables, item: JobItem, counts: RunCounts) -> bool:
    """Chosen, and nothing of it, nor anything else, is with a worker or waits for one."""
    if not item.job.sampling or not item.job.sample or counts.dispatched or counts.running:
        return False
    return all(run.run.status is not RunStatus.QUEUED for run in await _runs_of_sample(tables, item.job))


async def _queued(tables: Tables, item: JobItem) -> list[QueuedRun]:
    job = item.job
    if item.untouched:
        await names_on(tables, job, range(page_count(job.repositories)))
        return [QueuedRun(position=position, dispatches=0) for position in range(job.repositories)]
    return [
        QueuedRun(position=run.run.position, dispatches=run.run.dispatches)
        for run in await all_runs(tables, job)
        if run.run.status is RunStatus.QUEUED
    ]


async def _runs_of_sample(tables: Tables, job: Job) -> list[RunItem]:
    names = {run_key(job.id, one.repository): one.repository for one in job.sample}
    found = await tables.find_all(list(names))
    missing = await each(
        [name for key, name in names.items() if key not in found], lambda name: _run(tables, job, name)
    )
    runs = [run_from(item) for item in found.values()] + [run for run in missing if run is not None]
    return sorted(runs, key=lambda run: run.run.position)


async def _run(tables: Tables, job: Job, repository: str) -> RunItem | None:
    try:
        return await known_run(tables, job.id, repository)
    except RunNotFound:
        return None
