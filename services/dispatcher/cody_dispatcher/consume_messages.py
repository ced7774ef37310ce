"""Take messages from the jobs queue, several at a time, and delete each when its work is done."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from opentelemetry import trace

from cody_dispatcher.dispatch_job import dispatch_job
from cody_dispatcher.give_up_message import give_up_message
from cody_dispatcher.log_failure import log_failure
from cody_dispatcher.pauses import Backoff, pause, unless_stopped
from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.errors import JobNotFound, MalformedMessage, Unavailable
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.messages import JOBS_QUEUE, JobStopped, JobSubmitted, Message, decode_message
from cody_jobs.ports import ReceivedMessage
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import context_from, get_meter, get_tracer, link_to

log = get_logger(__name__)
tracer = get_tracer(__name__)

_WAIT = timedelta(seconds=20)


class MessageConsumer:
    """`visibility` is renewed at every third of it while a message is worked on; a message whose work fails is left to
    come back after that time, and given up at its last receive. The queue itself buries what kills its consumers."""

    def __init__(
        self,
        ports: DispatcherPorts,
        *,
        repositories_per_worker: int,
        at_once: int = 4,
        visibility: timedelta = timedelta(seconds=30),
    ) -> None:
        self._ports = ports
        self._repositories_per_worker = repositories_per_worker
        self._at_once = at_once
        self._visibility = visibility
        self._in_hand: set[asyncio.Task[None]] = set()
        self._age = get_meter(__name__).create_histogram(
            names.METRIC_QUEUE_AGE, unit="s", description="Age of messages when they are received"
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then finish what is in hand."""
        backoff = Backoff()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                try:
                    messages = await unless_stopped(stop, self._receive())
                except Exception as error:  # noqa: BLE001 (nothing but a stop ends the loop)
                    log_failure("receive_failed", error)
                    await pause(stop, backoff.next())
                    continue
                backoff.reset()
                for message in messages or []:
                    task = tasks.create_task(self._handle(message), name=f"message {message.id}")
                    self._in_hand.add(task)
                    task.add_done_callback(self._in_hand.discard)

    async def _receive(self) -> list[ReceivedMessage]:
        """As many messages as there are free places. Those that a cancelled call has taken come back by themselves."""
        if len(self._in_hand) >= self._at_once:
            await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)
        limit = max(1, min(10, self._at_once - len(self._in_hand)))
        return await self._ports.queue.receive(JOBS_QUEUE, limit=limit, wait=_WAIT, visibility=self._visibility)

    async def _handle(self, received: ReceivedMessage) -> None:
        self._age.record(max(0.0, (datetime.now(UTC) - received.sent_at).total_seconds()))
        traceparent = received.attributes.get("traceparent")
        with tracer.start_as_current_span(
            names.SPAN_RECEIVE_MESSAGE,
            context=context_from(traceparent),
            kind=trace.SpanKind.CONSUMER,
            links=link_to(traceparent),
            record_exception=False,
        ) as span:
            try:
                async with self._kept_invisible(received):
                    await self._work_on(received)
            except Exception as error:  # noqa: BLE001 (one message must not end the loop for the others)
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                log_failure("message_failed", error, message_id=received.id, receives=received.receives)

    async def _work_on(self, received: ReceivedMessage) -> None:
        try:
            message = decode_message(received.body)
        except MalformedMessage as error:
            log.error("message_malformed", message_id=received.id, error=str(error))
            await self._ports.queue.bury(JOBS_QUEUE, received, reason=str(error))
            return
        trace.get_current_span().set_attribute(names.JOB_ID, message.job_id)
        try:
            await self._obey(message)
        except JobNotFound:
            log.warning("message_of_unknown_job", message_id=received.id, job_id=message.job_id)
        except Exception as error:
            if received.receives >= RECEIVES_ALLOWED:
                await give_up_message(self._ports, received, message, error)
            raise
        await self._ports.queue.delete(JOBS_QUEUE, received)

    async def _obey(self, message: Message) -> None:
        match message:
            case JobSubmitted(job_id=job_id):
                await self._dispatch(job_id)
            case JobStopped(job_id=job_id):
                await stop_compute(self._ports, job_id)

    async def _dispatch(self, job_id: str) -> None:
        if not await dispatch_job(self._ports, job_id, repositories_per_worker=self._repositories_per_worker):
            job = await self._ports.jobs.get_job(job_id)
            log.info("nothing_to_dispatch", job_id=job_id, status=job.status)

    @asynccontextmanager
    async def _kept_invisible(self, received: ReceivedMessage) -> AsyncGenerator[None]:
        keeping = asyncio.create_task(self._extend_for_ever(received), name=f"keep {received.id}")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _extend_for_ever(self, received: ReceivedMessage) -> None:
        while True:
            await asyncio.sleep(self._visibility.total_seconds() / 3)
            try:
                await self._ports.queue.extend(JOBS_QUEUE, received, visibility=self._visibility)
            except Unavailable as error:
                log.warning("message_not_extended", message_id=received.id, error=str(error))


async def stop_compute(ports: DispatcherPorts, job_id: str) -> None:
    """End whatever still runs for a job that was stopped (and not retried since); its leases are void already."""
    job = await ports.jobs.get_job(job_id)
    if job.status not in JOB_ENDED:
        log.info("stop_overtaken", job_id=job_id, status=job.status)
        return
    compute_ids = await ports.jobs.list_compute_ids(job_id)
    for compute_id in compute_ids:
        await ports.compute.stop(compute_id)
    log.info("compute_stopped", job_id=job_id, compute_jobs=len(compute_ids))
