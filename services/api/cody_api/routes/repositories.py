"""What became of each repository of a job: its run, its diff, its conversations with Claude."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from cody_api.auth import needs
from cody_api.cursors import Cursor, Limit, check_cursor
from cody_api.find_diff import find_diff
from cody_api.routes.parameters import JobId, Name, Owner, check_job_id, repository_of
from cody_api.routes.responses import problems
from cody_api.run_views import RunDetail, RunPage, ThreadPage, describe_run, summarize_run
from cody_backends.open_backends import Backends
from cody_jobs.errors import ResultNotFound
from cody_jobs.models import RepositoryRun, RunOutcome, RunStatus
from cody_jobs.outcomes import RunPatch
from cody_jobs.ports import Role
from cody_jobs.reports import RunReport

_RUN = "/jobs/{job_id:str}/repositories/{owner:str}/{name:str}"
DIFF = "text/x-diff"
Partial = Annotated[bool, QueryParameter(description="Of a failed run, the diff of the files that did not fail.")]


@get(
    "/jobs/{job_id:str}/repositories",
    opt=needs(Role.VIEWER),
    operation_id="listRepositories",
    summary="List a job's repositories",
    tags=["repositories"],
    responses=problems(400, 401, 403, 404),
)
async def list_repositories(
    backends: NamedDependency[Backends],
    job_id: JobId,
    status: Annotated[RunStatus | None, QueryParameter(description="Only runs with this status.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RunPage:
    """In the order of the request."""
    job = await backends.jobs.get_job(check_job_id(job_id))
    page = await backends.jobs.list_runs(job.id, status=status, limit=limit, cursor=check_cursor(cursor))
    names = [run.repository for run in page.items]
    estimates = await backends.results.find_estimates(job.id, names) if job.spec.dry_run else {}
    items = tuple(summarize_run(run, estimates.get(run.repository)) for run in page.items)
    return RunPage(items=items, cursor=page.cursor)


@get(
    _RUN,
    opt=needs(Role.VIEWER),
    operation_id="getRepository",
    summary="Show one repository of a job",
    tags=["repositories"],
    responses=problems(400, 401, 403, 404),
)
async def get_repository(
    backends: NamedDependency[Backends],
    job_id: JobId,
    owner: Owner,
    name: Name,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RunDetail:
    """The run with its files: what was edited or left alone, and why. `limit` and `cursor` page through the files."""
    run = await _find_run(backends, job_id, owner, name)
    files = await backends.results.list_files(run.job_id, run.repository, limit=limit, cursor=check_cursor(cursor))
    usage = await backends.results.usage(run.job_id, run.repository)
    return describe_run(
        run,
        patch=await _find_patch(backends, run),
        usage=usage,
        report=await _find_report(backends, run),
        files=files,
    )


@get(
    f"{_RUN}/diff",
    opt=needs(Role.VIEWER),
    operation_id="getDiff",
    summary="Get a repository's diff",
    tags=["repositories"],
    media_type=DIFF,
    responses=problems(400, 401, 403, 404),
    response_description="The diff, byte for byte as `git apply --index` takes it at the base commit.",
)
async def get_diff(
    backends: NamedDependency[Backends], job_id: JobId, owner: Owner, name: Name, *, partial: Partial = False
) -> Response[bytes]:
    """404 says why there is none: the run has not ended, changed nothing (and why), or failed (and with what)."""
    run = await _find_run(backends, job_id, owner, name)
    patch = await find_diff(backends.results, run, partial=partial)
    headers = {
        "Content-Type": DIFF,  # without a charset: files of any encoding are in it
        "Cody-Base-Commit": patch.base_commit,
        "Cody-Commit": patch.commit,
        "Cody-Branch": patch.branch,
    }
    return Response(patch.patch, media_type=DIFF, headers=headers)


@get(
    f"{_RUN}/claude-thread",
    opt=needs(Role.VIEWER),
    operation_id="getClaudeThread",
    summary="Read what was said to and by Claude",
    tags=["repositories"],
    responses=problems(400, 401, 403, 404),
)
async def get_claude_thread(
    backends: NamedDependency[Backends],
    job_id: JobId,
    owner: Owner,
    name: Name,
    limit: Limit = 10,
    cursor: Cursor = None,
) -> ThreadPage:
    """One conversation per file, by path."""
    run = await _find_run(backends, job_id, owner, name)
    page = await backends.results.list_threads(run.job_id, run.repository, limit=limit, cursor=check_cursor(cursor))
    return ThreadPage(items=page.items, cursor=page.cursor)


async def _find_run(backends: Backends, job_id: str, owner: str, name: str) -> RepositoryRun:
    return await backends.jobs.get_run(check_job_id(job_id), repository_of(owner, name))


async def _find_patch(backends: Backends, run: RepositoryRun) -> RunPatch | None:
    if run.outcome not in (RunOutcome.PATCH, RunOutcome.PULL_REQUEST):
        return None
    try:
        return await backends.results.get_patch(run.job_id, run.repository)
    except ResultNotFound:
        return None


async def _find_report(backends: Backends, run: RepositoryRun) -> RunReport | None:
    try:
        return await backends.results.get_report(run.job_id, run.repository)
    except ResultNotFound:
        return None
