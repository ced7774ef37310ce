"""End a whole job early: what is wrong would fail every one of its files alike."""

from cody_backends.open_backends import Backends
from cody_jobs.errors import IllegalTransition
from cody_jobs.events import JobFinished
from cody_jobs.messages import JOBS_QUEUE, JobStopped, encode_message
from cody_jobs.models import Failure, JobStatus
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import current_traceparent, get_meter

log = get_logger(__name__)


async def stop_job(backends: Backends, job_id: str, status: JobStatus, failure: Failure) -> None:
    """Note the failure on the job and tell the dispatcher to end its other workers. A job that has ended stays as
    it is: another worker may have met the same failure first."""
    try:
        end = await backends.jobs.stop_job(job_id, status=status, failure=failure)
    except IllegalTransition:
        return
    if not end.job_ended_now:
        return
    get_meter(__name__).create_counter(names.METRIC_JOBS).add(1, {"status": status})
    log.error("Job processing failed", job_id=job_id, code=failure.code, error=failure.message)
    await backends.results.append_events(job_id, [JobFinished(status=status, failure=failure)])
    traceparent = current_traceparent()
    attributes = {"traceparent": traceparent} if traceparent else {}
    await backends.queue.send(JOBS_QUEUE, encode_message(JobStopped(job_id=job_id)), attributes=attributes)
