"""PUT /jobs/{id}/plan: somebody's own plan in the place of the job's."""

from cody_backends.open_backends import Backends
from cody_jobs.errors import IllegalTransition
from cody_jobs.models import JobStatus
from cody_jobs.plan import JobPlan, Plan


async def replace_plan(backends: Backends, job_id: str, plan: Plan, *, caller: str) -> JobPlan:
    """Raise `IllegalTransition` while workers carry the present plan out."""
    job = await backends.jobs.get_job(job_id)
    if job.status is JobStatus.RUNNING:
        raise IllegalTransition("The job is RUNNING: its plan can be replaced before it starts and after it has ended.")
    return await backends.results.put_plan(job.id, plan, by=caller)
