"""Hand a job's queued runs to compute."""

from opentelemetry import trace

from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.events import JobDispatched
from cody_jobs.models import Attempt
from cody_jobs.ports import ComputeRequest
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import current_traceparent, get_tracer

log = get_logger(__name__)
tracer = get_tracer(__name__)


async def dispatch_job(ports: DispatcherPorts, job_id: str, *, repositories_per_worker: int) -> int:
    """Start workers until nothing of the job is queued; the number of workers. The current span is their parent.

    It may end between any two lines, and run twice at once: an attempt without a compute id is handed over again, and
    of two compute jobs for one attempt only the one that was noted goes on. An attempt of our own has all
    runs that were queued; those that are queued later come with a message of their own. Raises `JobNotFound`.
    """
    workers = 0
    attributes = {names.JOB_ID: job_id}
    with tracer.start_as_current_span(names.SPAN_DISPATCH, attributes=attributes) as span:
        while attempt := await ports.jobs.begin_attempt(job_id, repositories_per_shard=repositories_per_worker):
            span.set_attribute(names.ATTEMPT, attempt.number)
            workers += await _hand_over(ports, attempt)
            if not attempt.again:
                break
    return workers


async def _hand_over(ports: DispatcherPorts, attempt: Attempt) -> int:
    job_id = attempt.job_id
    compute_id = await _start_compute(ports, attempt)
    if not await ports.jobs.record_compute(job_id, attempt.number, compute_id):
        # Somebody else noted theirs first: ours would never be looked after.
        await ports.compute.stop(compute_id)
        log.warning("dispatched_twice", job_id=job_id, attempt=attempt.number, stopped_compute_id=compute_id)
        return 0
    dispatched = JobDispatched(attempt=attempt.number, shards=attempt.shards, compute_id=compute_id)
    await ports.results.append_events(job_id, [dispatched])
    log.info("job_dispatched", job_id=job_id, attempt=attempt.number, workers=attempt.shards, compute_id=compute_id)
    return attempt.shards


async def _start_compute(ports: DispatcherPorts, attempt: Attempt) -> str:
    attributes = {names.JOB_ID: attempt.job_id, names.ATTEMPT: attempt.number}
    with tracer.start_as_current_span(names.SPAN_START_COMPUTE, kind=trace.SpanKind.PRODUCER, attributes=attributes):
        traceparent = current_traceparent()
        environment = {"TRACEPARENT": traceparent} if traceparent else {}
        request = ComputeRequest(
            job_id=attempt.job_id, attempt=attempt.number, shards=attempt.shards, environment=environment
        )
        return await ports.compute.start(request)
