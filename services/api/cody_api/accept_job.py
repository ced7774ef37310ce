"""Accept a job, once, however often it is sent."""

import asyncio
import re
from weakref import WeakValueDictionary

from msgspec import Struct
from opentelemetry import trace
from opentelemetry.trace import TracerProvider

from cody_api.job_request import JobRequest
from cody_api.problems import FieldProblem, ProblemError
from cody_api.tell_others import send_message, tell
from cody_backends.open_backends import Backends
from cody_jobs.errors import IdempotencyConflict, JobNotFound
from cody_jobs.events import JobCreated
from cody_jobs.identity import job_id_for_key, new_job_id
from cody_jobs.messages import JobSubmitted
from cody_jobs.models import Job, JobStatus, NewJob
from cody_runtime import names
from cody_runtime.telemetry import current_traceparent

KEY = r"^[!-~]{1,255}$"
_KEY = re.compile(KEY)


class Accepted(Struct, frozen=True, kw_only=True):
    """`replayed`: the job had been accepted before, under the same Idempotency-Key."""

    job: Job
    replayed: bool


class AcceptJob:
    """One per process: two requests with the same key wait for each other, so that one of them makes the job."""

    def __init__(self, backends: Backends, tracers: TracerProvider) -> None:
        self._backends = backends
        self._tracers = tracers
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, request: JobRequest, *, caller: str, idempotency_key: str | None) -> Accepted:
        """Raise `IdempotencyConflict` when the key was used with another body."""
        if idempotency_key is None:
            return Accepted(job=await self._accept(new_job_id(), request, caller), replayed=False)
        job_id = job_id_for_key(caller, check_key(idempotency_key))
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        async with lock:
            replayed = await self._was_accepted(job_id, request)
            return Accepted(job=await self._accept(job_id, request, caller), replayed=replayed)

    async def _accept(self, job_id: str, request: JobRequest, caller: str) -> Job:
        """Each step may be taken again, and is: by a repeated request whose first one died half-way."""
        trace.get_current_span().set_attribute(names.JOB_ID, job_id)
        new = _new_job(job_id, request, caller)
        with self._tracers.get_tracer(__name__).start_as_current_span(names.SPAN_CREATE_JOB):
            job = await self._backends.jobs.create_job(new, request.repositories)
        await tell(self._backends.results, job_id, JobCreated(repositories=job.repositories), once=True)
        if job.status is JobStatus.PENDING:
            await send_message(self._backends.queue, JobSubmitted(job_id=job_id), self._tracers)
        return job

    async def _was_accepted(self, job_id: str, request: JobRequest) -> bool:
        try:
            job = await self._backends.jobs.get_job(job_id)
        except JobNotFound:
            return False
        if job.fingerprint != request.fingerprint():
            raise IdempotencyConflict(
                "This Idempotency-Key was used before, with another body: take a new key for a new job."
            )
        return job.status is not JobStatus.CREATING


def check_key(key: str) -> str:
    if _KEY.fullmatch(key):
        return key
    message = "must be 1 to 255 visible ASCII characters"
    problem = FieldProblem(field="Idempotency-Key", message=message, code="bad_header")
    raise ProblemError(400, "bad_header", f"Idempotency-Key: {message}.", errors=[problem])


def _new_job(job_id: str, request: JobRequest, caller: str) -> NewJob:
    return NewJob(
        id=job_id,
        spec=request.spec(),
        fingerprint=request.fingerprint(),
        submitted_by=caller,
        traceparent=current_traceparent(),
    )
