"""The last delivery of a message has failed: bury it with the error, and let its job show why."""

from cody_dispatcher.log_failure import log_failure
from cody_dispatcher.ports import DispatcherPorts
from cody_dispatcher.tell_of_end import tell_of_end
from cody_jobs.errors import CodyError, IllegalTransition, Unavailable
from cody_jobs.events import DispatchDelayed
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.messages import JOBS_QUEUE, JobStopped, JobSubmitted, Message, encode_message
from cody_jobs.models import Failure, FailureCode, JobStatus
from cody_jobs.ports import ReceivedMessage
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import current_traceparent

log = get_logger(__name__)

_WORDS_KEPT = 300


async def give_up_message(
    ports: DispatcherPorts, received: ReceivedMessage, message: Message, error: Exception
) -> None:
    """The job first: who dies in between leaves a message that the queue itself buries, and a job that shows why.

    Raises nothing: what cannot be told is logged.
    """
    facts = {"message_id": received.id, "job_id": message.job_id}
    log.error("message_given_up", receives=received.receives, error=_words(error), **facts)
    try:
        if isinstance(message, JobSubmitted):
            await _tell_job(ports, message.job_id, error)
    except Exception as reason:  # noqa: BLE001 (the message is to be buried whatever becomes of that)
        log_failure("job_not_told", reason, **facts)
    try:
        await ports.queue.bury(JOBS_QUEUE, received, reason=_words(error))
    except Exception as reason:  # noqa: BLE001 (the queue buries it by itself then)
        log_failure("message_not_buried", reason, **facts)


async def _tell_job(ports: DispatcherPorts, job_id: str, error: Exception) -> None:
    """A dependency that is away comes back, and the reconciler goes on trying until then; any other error would come
    again and again."""
    if not isinstance(error, Unavailable):
        await _fail_job(ports, job_id, error)
        return
    job = await ports.jobs.get_job(job_id)
    if job.status not in JOB_ENDED:
        await ports.results.append_events(job_id, [DispatchDelayed(reason=_words(error))])


async def _fail_job(ports: DispatcherPorts, job_id: str, error: Exception) -> None:
    message = f"no workers could be started: {_words(error)}"
    failure = Failure(code=FailureCode.DISPATCH_FAILED, message=message, retryable=True)
    try:
        end = await ports.jobs.stop_job(job_id, status=JobStatus.FAILED, failure=failure)
    except IllegalTransition:
        return
    if not end.job_ended_now:
        return
    log.error("Job processing failed", job_id=job_id, code=failure.code, error=failure.message)
    await tell_of_end(ports, end)
    await _stop_workers(ports, job_id)


async def _stop_workers(ports: DispatcherPorts, job_id: str) -> None:
    """Those of earlier attempts, if there are any."""
    traceparent = current_traceparent()
    attributes = {"traceparent": traceparent} if traceparent else {}
    await ports.queue.send(JOBS_QUEUE, encode_message(JobStopped(job_id=job_id)), attributes=attributes)


def _words(error: Exception) -> str:
    """Errors of ours are written for people; any other is named."""
    words = str(error) if isinstance(error, CodyError) else f"{type(error).__name__}: {error}"
    return words[:_WORDS_KEPT]
