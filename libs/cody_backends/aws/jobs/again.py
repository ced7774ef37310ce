"""Work on ended runs once more."""

from collections.abc import Mapping
from datetime import datetime

from cody_backends.aws.jobs.create import check_size
from cody_backends.aws.jobs.items import JobItem, Step, json_text
from cody_backends.aws.jobs.pages import all_runs, is_whole
from cody_backends.aws.jobs.shards import counts_of
from cody_backends.aws.jobs.steps import NOT_ENDED, cancelled, change_job, complete_step, requeue
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.jobs.writes import Value
from cody_jobs.approval import amend_prompt, runs_to_retry
from cody_jobs.errors import IllegalTransition, Unavailable
from cody_jobs.lifecycle import check_retry, nothing_to_retry
from cody_jobs.models import Job, JobStatus
from cody_jobs.run_filter import PLAIN, RunFilter

_TRIES = 20


async def retry_job(tables: Tables, *, job_id: str, runs: RunFilter, prompt: str | None) -> int:
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await complete_step(tables, await tables.job(job_id))
        check_retry(item.job.status)
        if not await is_whole(tables, item.job):
            raise IllegalTransition("this job was stopped before it was written whole: send it again as a new one")
        wanted = runs_to_retry(item.job, runs, prompt)
        queued = await count_taken(tables, item, wanted)
        if not queued:
            raise nothing_to_retry(wanted)
        change = amended(item.job, prompt, now=tables.clock())
        if await begin_requeue(tables, item, queued, runs=wanted, change=change, mark=mark):
            return queued
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")


async def count_taken(tables: Tables, item: JobItem, runs: RunFilter) -> int:
    if runs.is_plain:
        counts = await counts_of(tables, item)
        return counts.failed + counts.cancelled
    found = await all_runs(tables, item.job)
    return sum(runs.takes(cancelled(run) if item.untouched else run.run) for run in found)


def amended(job: Job, prompt: str | None, *, now: datetime) -> dict[str, Value]:
    """What an amended prompt changes of the job's item."""
    changed = amend_prompt(job, prompt, now=now)
    if changed is job:
        return {}
    check_size(changed.spec)
    return {"spec": json_text(changed.spec), "formerPrompts": json_text(changed.former_prompts)}


async def begin_requeue(
    tables: Tables,
    item: JobItem,
    queued: int,
    *,
    mark: str,
    runs: RunFilter = PLAIN,
    change: Mapping[str, Value] | None = None,
) -> bool:
    """Make the job PENDING and queue these runs again; False when it was changed meanwhile."""
    pending: dict[str, Value] = {
        **NOT_ENDED,
        **(change or {}),
        "status": JobStatus.PENDING.value,
        "step": Step.REQUEUE.value,
        "stepMark": mark,
        "requeued": queued,
    }
    if not runs.is_plain or item.rerun is not None:
        pending["rerun"] = json_text(runs)
    begun = await change_job(tables, item, pending, mark=mark)
    if begun is None:
        return False
    if begun.step is Step.REQUEUE:
        await requeue(tables, begun)
    return True


async def set_pending(tables: Tables, *, job_id: str) -> Job:
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await tables.job(job_id)
        if item.job.status is JobStatus.CREATING or not await is_whole(tables, item.job):
            raise IllegalTransition("a job that is not written whole cannot be worked on")
        changed = await change_job(tables, item, {**NOT_ENDED, "status": JobStatus.PENDING.value}, mark=mark)
        if changed is not None:
            return changed.job
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")
