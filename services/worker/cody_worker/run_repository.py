"""One repository from checkout to patch: checkout, plan, scope, edit, commit, report."""

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct

from cody_jobs.errors import JobFailed, Unavailable
from cody_jobs.events import FilesChosen
from cody_jobs.models import (
    Failure,
    FailureCode,
    FileCounts,
    Job,
    RepositoryRun,
    RunFailed,
    RunOutcome,
    RunResult,
    RunSucceeded,
)
from cody_jobs.outcomes import GaveUp
from cody_jobs.plan import Plan
from cody_jobs.ports import CloneSource, CodeHost, ResultStore
from cody_jobs.reports import Facts, Remaining, RunReport
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import get_tracer
from cody_worker.edit_files import EditedFiles, FileEditor
from cody_worker.git.limits import GitLimits
from cody_worker.git.repository_process import GitLauncher, RepositoryProcess
from cody_worker.git.scope import Scope, ScopeRules
from cody_worker.plan.job_planner import JobPlanner
from cody_worker.settings import WorkerSettings
from cody_worker.syntax import language_of

log = get_logger(__name__)
tracer = get_tracer(__name__)

_NAMED_FILES = 3
NO_PUBLISHER = "a patch instead of a pull request: this system has no publisher"


class RunTools(Struct, frozen=True, kw_only=True):
    """`planner` and what `editor_for` gives are the worker's, for all its runs."""

    settings: WorkerSettings
    results: ResultStore
    host: CodeHost
    git: GitLauncher
    planner: JobPlanner
    editor_for: Callable[[Plan], FileEditor]


async def run_repository(tools: RunTools, job: Job, run: RepositoryRun) -> RunResult:
    """The run's result; a patch that it names is stored.

    Raises `JobFailed` when the repository cannot be worked on (or, with a job-level code, the whole job),
    `WorkerStopping` when the worker is asked to stop before all files are done.
    """
    source = await _source(tools, run)
    async with tools.git.open(source, _limits(tools.settings)) as target:
        await _checkout(target)
        rules = _rules(tools, job, await tools.planner.plan())
        scope = await _scope(tools, job, run, target, rules)
        if not scope.candidates:
            await tools.results.drop_patch(job.id, run.repository)
            await _report(tools, job, run, scope, remaining=None)
            return _nothing_to_do(scope)
        edited = await _edit(tools.editor_for(rules.plan), run, target, scope)
        await _commit(tools, job, run, target, edited)
        await _report(tools, job, run, scope, remaining=await _remaining(target, rules))
        return _result(job, edited)


async def _source(tools: RunTools, run: RepositoryRun) -> CloneSource:
    try:
        return await tools.host.clone_source(run.repository)
    except Unavailable as error:
        # The code host's trouble is this run's; only our own stores' trouble ends the worker.
        raise JobFailed(FailureCode.CODE_HOST_UNAVAILABLE, str(error), retryable=True) from error


async def _checkout(target: RepositoryProcess) -> None:
    with tracer.start_as_current_span(names.SPAN_CHECKOUT):
        await target.checkout()


def _rules(tools: RunTools, job: Job, plan: Plan) -> ScopeRules:
    return ScopeRules(
        include=job.spec.include,
        exclude=job.spec.exclude,
        match=job.spec.match,
        plan=plan,
        max_file_bytes=tools.settings.max_file_bytes,
    )


async def _scope(tools: RunTools, job: Job, run: RepositoryRun, target: RepositoryProcess, rules: ScopeRules) -> Scope:
    with tracer.start_as_current_span(names.SPAN_SCOPE):
        scope = await target.scope(rules)
    chosen = FilesChosen(repository=run.repository, files=scope.counts)
    await tools.results.append_events(job.id, [chosen])
    return scope


async def _edit(editor: FileEditor, run: RepositoryRun, target: RepositoryProcess, scope: Scope) -> EditedFiles:
    with tracer.start_as_current_span(names.SPAN_EDIT):
        return await editor.edit_files(run.repository, target, scope)


async def _commit(
    tools: RunTools, job: Job, run: RepositoryRun, target: RepositoryProcess, edited: EditedFiles
) -> None:
    if not edited.counts.edited:
        await tools.results.drop_patch(job.id, run.repository)
        return
    with tracer.start_as_current_span(names.SPAN_COMMIT):
        patch = await target.commit(
            {},  # everything is staged
            branch=f"cody/{job.id}",
            message=f"{job.spec.name}\n\nCody-Batch-Job: {job.id}\n",
            author=f"{tools.settings.commit_author} <{tools.settings.commit_email}>",
            # The job's time, not now: a run that is done again makes the very same commit.
            when=job.created_at,
        )
        await tools.results.put_patch(job.id, run.repository, patch)


async def _remaining(target: RepositoryProcess, rules: ScopeRules) -> Remaining | None:
    """After the commit, because the patch is paid for: what cannot be looked for must not cost it."""
    if not rules.plan.remaining:
        return None
    try:
        return await target.find_remaining(rules)
    except JobFailed as error:
        log.warning("completion_unknown", reason=error.message)
        return None


async def _report(tools: RunTools, job: Job, run: RepositoryRun, scope: Scope, *, remaining: Remaining | None) -> None:
    report = RunReport(remaining=remaining, facts=_facts(scope))
    await tools.results.put_report(job.id, run.repository, report)


def _facts(scope: Scope) -> Facts:
    languages = Counter(language_of(candidate.path) for candidate in scope.candidates)
    return Facts(
        candidates=len(scope.candidates),
        languages={language: number for language, number in languages.items() if language is not None},
        bytes=sum(candidate.size for candidate in scope.candidates),
        matches=sum(candidate.matches for candidate in scope.candidates),
    )


def _result(job: Job, edited: EditedFiles) -> RunResult:
    if edited.failed:
        return RunFailed(failure=_files_failed(edited.failed, edited.counts), files=edited.counts)
    if not edited.counts.edited:
        reason = f"Claude left all {edited.counts.candidates} candidate files unchanged: {edited.main_reason}"
        return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=reason, files=edited.counts)
    reason = NO_PUBLISHER if job.spec.create_pull_requests else None
    return RunSucceeded(outcome=RunOutcome.PATCH, reason=reason, files=edited.counts)


def _nothing_to_do(scope: Scope) -> RunSucceeded:
    counts = scope.counts
    if scope.left_alone is not None:
        return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=scope.left_alone, files=counts)
    skipped = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.skipped.items()))
    reason = f"no candidate among {counts.examined} files" + (f" (skipped: {skipped})" if skipped else "")
    return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=reason, files=counts)


def _files_failed(failed: Mapping[str, GaveUp], counts: FileCounts) -> Failure:
    codes = Counter(outcome.failure.code for outcome in failed.values())
    summary = ", ".join(f"{code} {number}" for code, number in codes.most_common())
    first = ", ".join(sorted(failed)[:_NAMED_FILES]) + (", …" if len(failed) > _NAMED_FILES else "")
    rest = f"; the diff holds the {counts.edited} files that were changed" if counts.edited else ""
    message = f"{len(failed)} of {counts.candidates} candidate files failed: {summary} ({first}){rest}"
    return Failure(code=FailureCode.FILES_FAILED, message=message, retryable=True)


def _limits(settings: WorkerSettings) -> GitLimits:
    return GitLimits(memory_mb=settings.git_memory_mb, seconds=settings.git_seconds, scratch=settings.scratch)
