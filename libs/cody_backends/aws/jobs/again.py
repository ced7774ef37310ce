"""Work on ended runs once more."""

from cody_backends.aws.jobs.items import JobItem, Step
from cody_backends.aws.jobs.pages import is_whole
from cody_backends.aws.jobs.shards import counts_of
from cody_backends.aws.jobs.steps import NOT_ENDED, change_job, complete_step, requeue
from cody_backends.aws.jobs.tables import Tables
from cody_jobs.errors import IllegalTransition, Unavailable
from cody_jobs.lifecycle import JOB_ENDED, check_job_step
from cody_jobs.models import Job, JobStatus

_TRIES = 20


async def retry_job(tables: Tables, *, job_id: str) -> int:
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await _without_sweep(tables, job_id)
        status = item.job.status
        if status not in JOB_ENDED:
            raise IllegalTransition(f"a job that is {status} has not ended: there is nothing to retry yet")
        check_job_step(status, JobStatus.PENDING)
        if not await is_whole(tables, item.job):
            raise IllegalTransition("this job was stopped before it was written whole: send it again as a new one")
        counts = await counts_of(tables, item)
        runs = counts.failed + counts.cancelled
        if not runs:
            raise IllegalTransition("no run of this job failed or was cancelled: there is nothing to retry")
        if await begin_requeue(tables, item, runs, mark=mark):
            return runs
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")


async def begin_requeue(tables: Tables, item: JobItem, runs: int, *, mark: str) -> bool:
    """Make the job PENDING and queue its failed and cancelled runs again; False when it was changed meanwhile."""
    pending = {
        **NOT_ENDED,
        "status": JobStatus.PENDING.value,
        "step": Step.REQUEUE.value,
        "stepMark": mark,
        "requeued": runs,
    }
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


async def _without_sweep(tables: Tables, job_id: str) -> JobItem:
    item = await tables.job(job_id)
    return await complete_step(tables, item) if item.step is Step.SWEEP else item
