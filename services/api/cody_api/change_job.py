"""Cancel a job, and retry what failed."""

from opentelemetry import trace
from opentelemetry.trace import TracerProvider

from cody_api.tell_others import send_message, tell
from cody_backends.open_backends import Backends
from cody_jobs.events import JobFinished, JobRetried
from cody_jobs.messages import JobStopped, JobSubmitted
from cody_jobs.models import Job, JobStatus
from cody_runtime import names
from cody_runtime.telemetry import get_meter


async def cancel_job(backends: Backends, job_id: str, tracers: TracerProvider) -> Job:
    """Raise `IllegalTransition` when the job has ended otherwise; cancelling twice is fine.

    The message goes out each time: it is harmless, and the first request may have died before it.
    """
    trace.get_current_span().set_attribute(names.JOB_ID, job_id)
    end = await backends.jobs.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)
    if end.job_ended_now:
        get_meter(__name__).create_counter(names.METRIC_JOBS).add(1, {"status": end.job.status})
        await tell(backends.results, job_id, JobFinished(status=end.job.status, failure=end.job.failure))
    await send_message(backends.queue, JobStopped(job_id=job_id), tracers)
    return end.job


async def retry_job(backends: Backends, job_id: str, tracers: TracerProvider) -> Job:
    """Raise `IllegalTransition` when the job has not ended, or nothing of it failed or was cancelled."""
    trace.get_current_span().set_attribute(names.JOB_ID, job_id)
    runs = await backends.jobs.retry_job(job_id)
    await tell(backends.results, job_id, JobRetried(runs=runs))
    await send_message(backends.queue, JobSubmitted(job_id=job_id), tracers)
    return await backends.jobs.get_job(job_id)
