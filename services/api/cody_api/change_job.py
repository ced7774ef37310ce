"""Cancel a job, approve it after its sample, and retry what has ended."""

from opentelemetry import trace
from opentelemetry.trace import TracerProvider

from cody_api.change_request import ApproveRequest, RetryRequest
from cody_api.tell_others import send_message, tell
from cody_backends.open_backends import Backends
from cody_jobs.events import JobApproved, JobFinished, JobRetried
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


async def approve_job(backends: Backends, job_id: str, wanted: ApproveRequest, tracers: TracerProvider) -> Job:
    """Raise `IllegalTransition` when the job does not await approval; the same approval again is fine.

    The message goes out each time, as after `cancel_job`.
    """
    trace.get_current_span().set_attribute(names.JOB_ID, job_id)
    approved = await backends.jobs.approve_job(job_id, prompt=wanted.prompt, again=wanted.again)
    if approved.now:
        event = JobApproved(prompt_amended=wanted.prompt is not None, runs=approved.runs)
        await tell(backends.results, job_id, event)
    await send_message(backends.queue, JobSubmitted(job_id=job_id), tracers)
    return approved.job


async def retry_job(backends: Backends, job_id: str, wanted: RetryRequest, tracers: TracerProvider) -> tuple[Job, int]:
    """The job, and how many of its runs were queued again. Raise `IllegalTransition` when it has not ended (and awaits
    no approval), or no run is meant."""
    trace.get_current_span().set_attribute(names.JOB_ID, job_id)
    runs = await backends.jobs.retry_job(job_id, runs=wanted.runs, prompt=wanted.prompt)
    await tell(backends.results, job_id, JobRetried(runs=runs, prompt_amended=wanted.prompt is not None))
    await send_message(backends.queue, JobSubmitted(job_id=job_id), tracers)
    return await backends.jobs.get_job(job_id), runs
