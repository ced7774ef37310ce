"""The plan of a job: read it, replace it, and read how it was made."""

import asyncio

from litestar import get, put
from litestar.di import NamedDependency

from cody_api.auth import caller_name, needs
from cody_api.check_plan import parse_plan
from cody_api.connections import AnyRequest
from cody_api.replace_plan import replace_plan
from cody_api.routes.jobs import check_media_type
from cody_api.routes.parameters import JobId, check_job_id
from cody_api.routes.responses import problems
from cody_backends.open_backends import Backends
from cody_jobs.outcomes import ClaudeThread
from cody_jobs.plan import JobPlan
from cody_jobs.ports import Role

_PLAN = "/jobs/{job_id:str}/plan"


@get(
    _PLAN,
    opt=needs(Role.VIEWER),
    operation_id="getPlan",
    summary="Show a job's plan",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404),
)
async def get_plan(backends: NamedDependency[Backends], job_id: JobId) -> JobPlan:
    """Which files the job concerns and how they are changed. 404 until the first worker has made it."""
    job = await backends.jobs.get_job(check_job_id(job_id))
    return await backends.results.get_plan(job.id)


@put(
    _PLAN,
    opt=needs(Role.SUBMITTER),
    operation_id="putPlan",
    summary="Replace a job's plan",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422),
)
async def put_plan(request: AnyRequest, backends: NamedDependency[Backends], job_id: JobId) -> JobPlan:
    """Not while the job is RUNNING. What runs from then on (the job itself, the rest after a sample, a retry) follows
    the new plan, and Claude is asked for none."""
    check_media_type(request)
    plan = await asyncio.to_thread(parse_plan, await request.body())
    caller = caller_name(request.scope["state"]) or ""
    return await replace_plan(backends.jobs, backends.results, check_job_id(job_id), plan, caller=caller)


@get(
    f"{_PLAN}/claude-thread",
    opt=needs(Role.VIEWER),
    operation_id="getPlanThread",
    summary="Read how a job's plan was made",
    tags=["jobs"],
    responses=problems(400, 401, 403, 404),
)
async def get_plan_thread(backends: NamedDependency[Backends], job_id: JobId) -> ClaudeThread:
    """The conversation with Claude, also where no plan came of it; 404 where nobody was asked."""
    job = await backends.jobs.get_job(check_job_id(job_id))
    return await backends.results.get_plan_thread(job.id)
