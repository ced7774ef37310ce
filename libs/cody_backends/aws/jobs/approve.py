"""Let a job go on after its sample."""

from cody_backends.aws.jobs.again import amended, begin_requeue, count_taken
from cody_backends.aws.jobs.items import JobItem
from cody_backends.aws.jobs.steps import NOT_ENDED, change_job, complete_step
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.jobs.writes import Value
from cody_jobs.approval import approval_mark, runs_after_approval
from cody_jobs.errors import Unavailable
from cody_jobs.lifecycle import check_approval
from cody_jobs.models import JobStatus
from cody_jobs.ports.job_store import Approved
from cody_jobs.run_filter import RunFilter

_TRIES = 20


async def approve_job(tables: Tables, *, job_id: str, prompt: str | None, again: bool) -> Approved:
    mark, approval = tables.new_mark(), approval_mark(prompt, again=again)
    for _ in range(_TRIES):
        item = await complete_step(tables, await tables.job(job_id))
        if item.approval == approval:
            return Approved(job=item.job, runs=0, now=False)
        check_approval(item.job)
        wanted = runs_after_approval(prompt, again=again)
        queued = await count_taken(tables, item, wanted) if wanted is not None else 0
        change = {**amended(item.job, prompt, now=tables.clock()), "approval": approval}
        if await _go_on(tables, item, wanted, queued, change, mark):
            return Approved(job=(await tables.job(job_id)).job, runs=queued, now=True)
    raise Unavailable(tables.service, f"job {job_id} is changed by others all the time")


async def _go_on(
    tables: Tables, item: JobItem, runs: RunFilter | None, queued: int, change: dict[str, Value], mark: str
) -> bool:
    if runs is not None and queued:
        return await begin_requeue(tables, item, queued, runs=runs, change=change, mark=mark)
    pending = {**NOT_ENDED, **change, "status": JobStatus.PENDING.value, "requeued": 0}
    return await change_job(tables, item, pending, mark=mark) is not None
