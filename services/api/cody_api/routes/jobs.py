"""POST /jobs, GET /jobs, GET /jobs/{id}, and cancel, approve and retry."""

import asyncio
from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from opentelemetry.trace import TracerProvider

from cody_api.accept_job import KEY, AcceptJob
from cody_api.auth import caller_name, needs
from cody_api.change_job import approve_job, cancel_job, retry_job
from cody_api.change_request import parse_approve_request, parse_retry_request
from cody_api.connections import AnyRequest
from cody_api.cursors import Cursor, Limit, check_cursor
from cody_api.job_request import parse_job_request
from cody_api.job_views import (
    JobDetail,
    JobPage,
    RetriedJob,
    describe_job,
    describe_retried,
    job_path,
    summarize_job,
)
from cody_api.problems import ProblemError
from cody_api.routes.parameters import JobId, check_job_id
from cody_api.routes.responses import problems
from cody_api.settings import ApiSettings
from cody_backends.open_backends import Backends
from cody_jobs.models import Job, JobStatus, RunCounts
from cody_jobs.ports import Role

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 255 visible ASCII characters. The same key and body again return the same job.",
        schema_extra={"pattern": KEY},
    ),
]


@post(
    "/jobs",
    status_code=202,
    opt=needs(Role.SUBMITTER),
    operation_id="createJob",
    summary="Submit a job",
    tags=["jobs"],
    responses=problems(400, 401, 403, 413, 415, 422),
    response_description="The job; its address is in `Location`.",
)
async def create_job(
    request: AnyRequest,
    backends: NamedDependency[Backends],
    accept_job: NamedDependency[AcceptJob],
    settings: NamedDependency[ApiSettings],
    idempotency_key: IdempotencyKey = None,
) -> Response[JobDetail]:
    """Accepts the job and returns at once. With an `Idempotency-Key`, sending it again is safe: a job that was
    accepted before comes back with `Idempotency-Replayed: true`."""
    check_media_type(request)
    body = await request.body()
    # In a thread: 10,000 names take a tenth of a second, and streams go on meanwhile.
    wanted = await asyncio.to_thread(parse_job_request, body, allowed=settings.allowed_repositories)
    caller = caller_name(request.scope["state"]) or ""
    accepted = await accept_job(wanted, caller=caller, idempotency_key=idempotency_key)
    headers = {"Location": job_path(accepted.job.id)}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(await _describe(backends, accepted.job), headers=headers)


@get(
    "/jobs",
    opt=needs(Role.VIEWER),
    operation_id="listJobs",
    summary="List jobs, newest first",
    tags=["jobs"],
    responses=problems(400, 401, 403),
)
async def list_jobs(
    backends: NamedDependency[Backends],
    status: Annotated[JobStatus | None, QueryParameter(description="Only jobs with this status.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> JobPage:
    page = await backends.jobs.list_jobs(status=status, limit=limit, cursor=check_cursor(cursor))
    counts = await backends.jobs.count_runs([job.id for job in page.items])
    return JobPage(
        items=tuple(summarize_job(job, counts.get(job.id, RunCounts())) for job in page.items), cursor=page.cursor
    )


@get(
    "/jobs/{job_id:str}",
    opt=needs(Role.VIEWER),
    operation_id="getJob",
    summary="Show a job",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404),
)
async def get_job(backends: NamedDependency[Backends], job_id: JobId) -> JobDetail:
    """Its status, what was asked, its runs in numbers, and what it has cost so far; of a dry run, what it would."""
    return await _describe(backends, await backends.jobs.get_job(check_job_id(job_id)))


@post(
    "/jobs/{job_id:str}/cancel",
    status_code=202,
    opt=needs(Role.SUBMITTER),
    operation_id="cancelJob",
    summary="Cancel a job",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404, 409),
    response_description="The job, CANCELLED; its workers are told to stop.",
)
async def cancel(
    backends: NamedDependency[Backends], tracers: NamedDependency[TracerProvider], job_id: JobId
) -> JobDetail:
    """Ends the job now. Runs that have ended stay as they are; the others become CANCELLED."""
    return await _describe(backends, await cancel_job(backends, check_job_id(job_id), tracers))


@post(
    "/jobs/{job_id:str}/approve",
    status_code=202,
    opt=needs(Role.SUBMITTER),
    operation_id="approveJob",
    summary="Go on after the sample",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422),
    response_description="The job, PENDING: the rest of its repositories is worked on.",
)
async def approve(
    request: AnyRequest, backends: NamedDependency[Backends], tracers: NamedDependency[TracerProvider], job_id: JobId
) -> JobDetail:
    """Lets a job that is AWAITING_APPROVAL go on with all its repositories, by an amended prompt where one is sent. The
    same approval again changes nothing."""
    wanted = parse_approve_request(await _optional_body(request))
    return await _describe(backends, await approve_job(backends, check_job_id(job_id), wanted, tracers))


@post(
    "/jobs/{job_id:str}/retry",
    status_code=202,
    opt=needs(Role.SUBMITTER),
    operation_id="retryJob",
    summary="Retry what failed, or what the body says",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422),
    response_description="The job, PENDING again.",
)
async def retry(
    request: AnyRequest, backends: NamedDependency[Backends], tracers: NamedDependency[TracerProvider], job_id: JobId
) -> RetriedJob:
    """Queues repositories of a job again that has ended or awaits approval: those that failed or were cancelled, or
    those that the body names. Answers that were paid for are reused."""
    wanted = parse_retry_request(await _optional_body(request))
    job, requeued = await retry_job(backends, check_job_id(job_id), wanted, tracers)
    return describe_retried(await _describe(backends, job), requeued)


async def _optional_body(request: AnyRequest) -> bytes:
    body = await request.body()
    if body:
        check_media_type(request)
    return body


async def _describe(backends: Backends, job: Job) -> JobDetail:
    counts = await backends.jobs.count_runs([job.id])
    usage = await backends.results.usage(job.id)
    estimate = await backends.results.sum_estimates(job.id) if job.spec.dry_run else None
    return describe_job(job, counts.get(job.id, RunCounts()), usage, estimate)


def check_media_type(request: AnyRequest) -> None:
    """Strict, also because a web page elsewhere can send anything but JSON here without asking."""
    kind = request.content_type[0].lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    sent = f"not as {kind}" if kind else "which was not said"
    raise ProblemError(
        415, "unsupported_media_type", f"Send the body as JSON (Content-Type: application/json), {sent}."
    )
