"""Failures that are alike, and diffs that make the same change."""

from litestar import get
from litestar.di import NamedDependency

from cody_api.auth import needs
from cody_api.cursors import Cursor, Limit, check_cursor
from cody_api.job_groups import DiffGroupPage, FailurePage, group_diffs, group_failures
from cody_api.routes.parameters import JobId, check_job_id
from cody_api.routes.responses import problems
from cody_backends.open_backends import Backends
from cody_jobs.ports import Role


@get(
    "/jobs/{job_id:str}/failures",
    opt=needs(Role.VIEWER),
    operation_id="listFailures",
    summary="Group the failed repositories of a job",
    tags=["repositories"],
    responses=problems(400, 401, 403, 404),
)
async def list_failures(
    backends: NamedDependency[Backends], job_id: JobId, limit: Limit = 20, cursor: Cursor = None
) -> FailurePage:
    """By code and message, the largest group first."""
    return await group_failures(backends, check_job_id(job_id), limit=limit, cursor=check_cursor(cursor))


@get(
    "/jobs/{job_id:str}/diffs/groups",
    opt=needs(Role.VIEWER),
    operation_id="listDiffGroups",
    summary="Group equal diffs of a job",
    tags=["repositories"],
    responses=problems(400, 401, 403, 404),
)
async def list_diff_groups(
    backends: NamedDependency[Backends], job_id: JobId, limit: Limit = 20, cursor: Cursor = None
) -> DiffGroupPage:
    """Diffs that make the same change, wherever it is and whatever the names are called that it leaves alone; the
    largest group first."""
    return await group_diffs(backends, check_job_id(job_id), limit=limit, cursor=check_cursor(cursor))
