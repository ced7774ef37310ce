"""One job from the command line to patches: find or start a system, submit, follow, fetch what came of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from cody_cli.api import Api, ApiGone
from cody_cli.branches import create_branch
from cody_cli.failures import EXIT_FAILED, EXIT_INTERRUPTED, CommandFailed
from cody_cli.follow_job import follow_job
from cody_cli.interrupts import Interrupts, interrupts
from cody_cli.job_report import JobReport, RepositoryReport
from cody_cli.open_system import System, Wish, open_system
from cody_cli.patches import PatchFolder
from cody_cli.progress import JobProgress
from cody_cli.progress_view import progress_view
from cody_cli.views import JobView, RunView
from cody_cli.words import count
from cody_jobs.models import JobStatus, RunOutcome

_UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


class RunPlan(Struct, frozen=True, kw_only=True):
    """`body` is the body of POST /jobs and `key` its Idempotency-Key: however often it is sent, it is one job.
    `local` maps names of the job's repositories to their places on this machine. `out`: None, ./patches/<job id>.
    `show` is given what came of it, before a system of our own stops: workers may take some seconds to end."""

    body: bytes
    key: str
    title: str
    repositories: tuple[str, ...]
    local: Mapping[str, Path]
    out: Path | None
    branch: str | None
    show: Callable[[JobReport], None]


async def run_job(plan: RunPlan, wish: Wish, console: Console) -> int:
    """Follow the job to its end, also when the system that is used ends before: then one of our own goes on.

    Returns the exit code.
    """
    progress = JobProgress("", plan.repositories)
    with interrupts() as ctrl_c:
        while True:
            async with open_system(wish) as system:
                if system.stack is not None:
                    ctrl_c.at_once = system.stack.kill
                try:
                    return await _run(plan, system, progress, console, ctrl_c)
                except ApiGone as error:
                    if system.stack is not None or system.remote:
                        raise
                    wish.say(f"{error.message}: the Cody Batch that was used has ended; going on without it")


async def _run(plan: RunPlan, system: System, progress: JobProgress, console: Console, ctrl_c: Interrupts) -> int:
    if system.stack is not None:
        await _tell_of_unfinished(system.api, progress.job_id, console)
    if not progress.job_id:
        progress.job_id = (await system.api.submit(plan.body, key=plan.key)).id
    ctrl_c.listening = True
    with progress_view(progress, plan.title, console) as view:
        await follow_job(system.api, progress, view, ctrl_c)
    report = await collect(plan, system.api, progress)
    plan.show(report)
    ctrl_c.ending = True
    if ctrl_c.first.is_set():
        return EXIT_INTERRUPTED
    return 0 if report.succeeded else EXIT_FAILED


async def _tell_of_unfinished(api: Api, ours: str, console: Console) -> None:
    """A stack goes on with whatever its folder holds; that may cost money."""
    found = [job.id for status in _UNFINISHED async for job in api.pages("/jobs", JobView, status=status)]
    others = [job_id for job_id in found if job_id != ours]
    if others:
        console.print(f"continuing {count(len(others), 'unfinished job')}: {', '.join(others)}")
        console.print("  cancel with: cody-batch cancel JOB")


async def collect(plan: RunPlan, api: Api, progress: JobProgress) -> JobReport:
    """Write every patch, and make the branches that were asked for."""
    job = await api.job(progress.job_id)
    out = (plan.out or Path("patches") / job.id).absolute()
    folder = PatchFolder(out)
    reports = [await _collect_run(plan, api, progress, folder, run) async for run in api.runs(job.id)]
    written = any(report.patch is not None for report in reports)
    return JobReport(job=job, repositories=tuple(reports), patches=out if written else None)


async def _collect_run(
    plan: RunPlan, api: Api, progress: JobProgress, folder: PatchFolder, run: RunView
) -> RepositoryReport:
    path = plan.local.get(run.repository)
    patch = branch = problem = None
    if run.outcome in (RunOutcome.PATCH, RunOutcome.PULL_REQUEST):
        content = await api.diff(progress.job_id, run.repository)
        patch = folder.write(run.repository, content)
        if plan.branch is not None and path is not None:
            branch, problem = await _branch(plan.branch, api, progress.job_id, run.repository, path, content)
    return RepositoryReport(
        repository=run.repository,
        path=str(path) if path else None,
        status=run.status,
        outcome=run.outcome,
        reason=run.reason,
        failure=run.failure,
        files=run.files,
        seconds=(run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None,
        cost_microusd=progress.repository(run.repository).cost,
        patch=patch,
        branch=branch,
        branch_error=problem,
        estimate=run.estimate,
    )


async def _branch(
    name: str, api: Api, job_id: str, repository: str, path: Path, content: bytes
) -> tuple[str | None, str | None]:
    """The branch, or why there is none: the patch is there all the same."""
    detail = await api.run(job_id, repository)
    if detail.patch is None:
        return None, "the API has no base commit for the patch"
    try:
        create_branch(path, name, base=detail.patch.base_commit, message=detail.patch.message, patch=content)
    except CommandFailed as error:
        return None, error.message
    return name, None
