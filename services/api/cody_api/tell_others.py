"""Messages to the dispatcher and events to whoever watches.

Both come after the change that they tell of, which is already stored: when one cannot be sent, the request has
succeeded all the same, and the dispatcher's reconciler finds the job. So a failure is logged, not answered.
"""

from opentelemetry.trace import SpanKind, TracerProvider

from cody_jobs.errors import Unavailable
from cody_jobs.events import EventBody
from cody_jobs.messages import JOBS_QUEUE, Message, encode_message
from cody_jobs.ports import ResultStore, WorkQueue
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import current_traceparent

log = get_logger("cody_api")


async def send_message(queue: WorkQueue, message: Message, tracers: TracerProvider) -> None:
    with tracers.get_tracer(__name__).start_as_current_span(names.SPAN_SEND_MESSAGE, kind=SpanKind.PRODUCER):
        traceparent = current_traceparent()
        attributes = {"traceparent": traceparent} if traceparent else {}
        try:
            await queue.send(JOBS_QUEUE, encode_message(message), attributes=attributes)
        except Unavailable as error:
            log.warning("message_not_sent", job_id=message.job_id, message=type(message).__name__, error=str(error))


async def tell(results: ResultStore, job_id: str, event: EventBody, *, once: bool = False) -> None:
    """Append the event; with `once`, only when it would be the job's first one."""
    try:
        if once and await results.read_events(job_id, after=0, limit=1):
            return
        await results.append_events(job_id, [event])
    except Unavailable as error:
        log.warning("event_not_stored", job_id=job_id, event_kind=type(event).__name__, error=str(error))
