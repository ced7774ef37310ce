"""PUT /jobs/{id}/plan: somebody's own plan in the place of the job's."""

from typing import Protocol

from cody_jobs.errors import IllegalTransition
from cody_jobs.models import JobStatus
from cody_jobs.plan import JobPlan, Plan
from cody_jobs.ports import JobStore


class KeepsPlans(Protocol):
    async def put_plan(self, job_id: str, plan: Plan, *, by: str) -> JobPlan: ...


async def replace_plan(jobs: JobStore, plans: KeepsPlans, job_id: str, plan: Plan, *, caller: str) -> JobPlan:
    """Raise `IllegalTransition` while workers carry the present plan out, or where they have begun meanwhile."""
    job = await jobs.get_job(job_id)
    if job.status is JobStatus.RUNNING:
        raise IllegalTransition("The job is RUNNING: its plan can be replaced before it starts and after it has ended.")
    kept = await plans.put_plan(job.id, plan, by=caller)
    now = await jobs.get_job(job_id)
    if now.attempt != job.attempt:
        raise IllegalTransition(
            "The job has started in this very moment: some of its workers may carry out the plan that was there "
            "before. Cancel it and retry it, and all carry out the new one."
        )
    return kept
