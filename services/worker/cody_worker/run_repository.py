"""One repository from checkout to patch: checkout, plan, scope, codemod, edit, verify, commit, judge, report."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.errors import JobFailed, Unavailable
from cody_jobs.events import FilesChosen
from cody_jobs.models import FailureCode, Job, RepositoryRun, RunResult
from cody_jobs.outcomes import RunPatch
from cody_jobs.plan import Plan
from cody_jobs.plan_without_asking import plan_without_asking
from cody_jobs.ports import CloneSource, CodeHost, ResultStore
from cody_jobs.reports import CheckResult, Facts, Remaining, RunReport
from cody_jobs.steps import Judge, asks_claude
from cody_jobs.verdicts import NoVerdict, Verdict
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import get_tracer
from cody_worker.commands.codemod import CodemodFailed, CodemodsDone
from cody_worker.edit_files import EditedFiles, FileEditor
from cody_worker.estimate_run import Estimator, estimated
from cody_worker.git.limits import GitLimits
from cody_worker.git.repository_process import GitLauncher, RepositoryProcess
from cody_worker.git.scope import Scope, ScopeRules
from cody_worker.git.work_tree import FileChange
from cody_worker.guards import Change
from cody_worker.guards.protected_path import protected_path
from cody_worker.job_commands import JobCommands, check_results
from cody_worker.plan.job_planner import JobPlanner
from cody_worker.run_result import RunWork, nothing_to_do, result_of
from cody_worker.settings import WorkerSettings
from cody_worker.syntax import language_of
from cody_worker.verify_changes import Checked, verify_changes

log = get_logger(__name__)
tracer = get_tracer(__name__)

JudgeDiff = Callable[[str, RunPatch], Awaitable[Verdict | NoVerdict]]
"""Ask for an opinion on a repository's patch."""


class RunTools(Struct, frozen=True, kw_only=True):
    """`planner`, `estimator`, `commands` and what `editor_for` gives are the worker's, for all its runs."""

    settings: WorkerSettings
    results: ResultStore
    host: CodeHost
    git: GitLauncher
    planner: JobPlanner
    estimator: Estimator
    commands: JobCommands
    judge: JudgeDiff
    editor_for: Callable[[Plan], FileEditor]


async def run_repository(tools: RunTools, job: Job, run: RepositoryRun) -> RunResult:
    """The run's result; a patch that it names is stored.

    Raises `JobFailed` when the repository cannot be worked on (or, with a job-level code, the whole job),
    `WorkerStopping` when the worker is asked to stop before all files are done.
    """
    if run.attempt > 1:
        await tools.results.drop_patch(job.id, run.repository)  # an earlier attempt's is not this one's
    source = await _source(tools, run)
    async with tools.git.open(source, git_limits(tools.settings)) as target:
        await _checkout(target)
        await tools.commands.check()
        rules = scope_rules(tools.settings, job, await _plan(tools, job))
        scope = await _scope(tools, job, run, target, rules)
        if scope.left_alone is not None:
            return await _end_without_work(tools, job, run, scope)
        if job.spec.dry_run:
            return await _estimate(tools, job, run, target, rules, scope)
        codemods = await _codemod(tools, job, run, target)
        scope = await _scope_to_edit(job, target, rules, scope, codemods)
        if not scope.candidates and codemods is None:
            return await _end_without_work(tools, job, run, scope)
        edited = await _edit(tools.editor_for(rules.plan), run, target, scope)
        checked = await _verify(tools, job, run, target, scope, codemods, edited)
        patch = await _commit(tools, job, run, target, changed=_has_changed(codemods, edited))
        verdict = await _judge(tools, job, run, patch)
        report = RunReport(
            remaining=await _remaining(target, rules),
            facts=_facts(scope),
            checks=(*_codemod_results(codemods), *checked.checks),
            verdict=verdict if isinstance(verdict, Verdict) else None,
        )
        await tools.results.put_report(job.id, run.repository, report)
        work = RunWork(
            codemods=None if codemods is None else codemods.summary,
            edited=edited,
            checked=checked,
            changed=patch is not None,
            verdict=verdict,
        )
        return result_of(job, work)


async def _source(tools: RunTools, run: RepositoryRun) -> CloneSource:
    try:
        return await tools.host.clone_source(run.repository)
    except Unavailable as error:
        # The code host's trouble is this run's; only our own stores' trouble ends the worker.
        raise JobFailed(FailureCode.CODE_HOST_UNAVAILABLE, str(error), retryable=True) from error


async def _checkout(target: RepositoryProcess) -> None:
    with tracer.start_as_current_span(names.SPAN_CHECKOUT):
        await target.checkout()


async def _plan(tools: RunTools, job: Job) -> Plan:
    """A job that asks Claude about no file needs no plan of Claude's."""
    if asks_claude(job.spec.steps):
        return await tools.planner.plan()
    given = plan_without_asking(job.spec)
    return Plan() if given is None else given.plan


def scope_rules(settings: WorkerSettings, job: Job, plan: Plan) -> ScopeRules:
    return ScopeRules(
        include=job.spec.include,
        exclude=job.spec.exclude,
        match=job.spec.match,
        plan=plan,
        max_file_bytes=settings.max_file_bytes,
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


async def _estimate(
    tools: RunTools, job: Job, run: RepositoryRun, target: RepositoryProcess, rules: ScopeRules, scope: Scope
) -> RunResult:
    """Codemods are not run: the files are estimated as they are."""
    scope = await _scope_to_edit(job, target, rules, scope, None)
    if not scope.candidates and not tools.commands.codemods:
        return await _end_without_work(tools, job, run, scope)
    with tracer.start_as_current_span(names.SPAN_ESTIMATE):
        estimate = await tools.estimator.estimate(run.repository, target, rules.plan, scope)
    report = RunReport(facts=_facts(scope), estimate=estimate)
    await tools.results.put_report(job.id, run.repository, report)
    return estimated(estimate, scope)


async def _end_without_work(tools: RunTools, job: Job, run: RepositoryRun, scope: Scope) -> RunResult:
    await tools.results.drop_patch(job.id, run.repository)
    await tools.results.put_report(job.id, run.repository, RunReport(facts=_facts(scope)))
    return nothing_to_do(scope)


async def _codemod(tools: RunTools, job: Job, run: RepositoryRun, target: RepositoryProcess) -> CodemodsDone | None:
    """None where the job has no codemods. Their output is kept also when they fail the run."""
    if not tools.commands.codemods:
        return None
    with tracer.start_as_current_span(names.SPAN_CODEMOD):
        done = await tools.commands.run_codemods(target)
        await tools.results.put_report(job.id, run.repository, RunReport(checks=check_results(done.results)))
        if isinstance(done, CodemodFailed):
            raise JobFailed(done.failure.code, done.failure.message, retryable=done.failure.retryable)
        _check_protected(job, done.changes)
    return done


def _check_protected(job: Job, changes: Sequence[FileChange]) -> None:
    for path in {path for change in changes for path in (change.path, change.old_path) if path is not None}:
        finding = protected_path(Change(path=path, before=b"", after=b""), job.spec.protect_paths, job.spec.allow_paths)
        if finding is not None:
            raise JobFailed(FailureCode.GUARD_HIT, f"a codemod changed a file that it may not: {finding.message}")


async def _scope_to_edit(
    job: Job, target: RepositoryProcess, rules: ScopeRules, scope: Scope, codemods: CodemodsDone | None
) -> Scope:
    """The candidates as the codemods left them; none where Claude is not asked."""
    if codemods is not None and codemods.changes:
        scope = await target.scope(rules)
    if asks_claude(job.spec.steps):
        return scope
    return replace(scope, candidates=(), counts=replace(scope.counts, candidates=0))


def _codemod_results(codemods: CodemodsDone | None) -> tuple[CheckResult, ...]:
    return () if codemods is None else check_results(codemods.results)


def _has_changed(codemods: CodemodsDone | None, edited: EditedFiles) -> bool:
    return edited.counts.edited > 0 or (codemods is not None and len(codemods.changes) > 0)


async def _verify(
    tools: RunTools,
    job: Job,
    run: RepositoryRun,
    target: RepositoryProcess,
    scope: Scope,
    codemods: CodemodsDone | None,
    edited: EditedFiles,
) -> Checked:
    """Of a run that has failed already, nothing."""
    if edited.failed or not _has_changed(codemods, edited):
        return Checked()
    verifier = await tools.commands.verifier(target)
    if verifier is None:
        return Checked()
    editor, round_ = tools.editor_for(await _plan(tools, job)), 0

    async def correct(notes: Mapping[str, str]) -> int:
        nonlocal round_
        round_ += 1
        if not asks_claude(job.spec.steps):
            return 0
        return await editor.correct_files(run.repository, target, scope, notes, number=round_)

    candidates = [candidate.path for candidate in scope.candidates]
    changed = [change.path for change in codemods.changes] if codemods is not None else []
    with tracer.start_as_current_span(names.SPAN_VERIFY):
        return await verify_changes(
            verifier,
            correct,
            paths=list(dict.fromkeys([*candidates, *changed])),
            edited=candidates,
            rounds=job.spec.verify_rounds,
        )


async def _commit(
    tools: RunTools, job: Job, run: RepositoryRun, target: RepositoryProcess, *, changed: bool
) -> RunPatch | None:
    """None where everything is as it was."""
    if not changed:
        await tools.results.drop_patch(job.id, run.repository)
        return None
    with tracer.start_as_current_span(names.SPAN_COMMIT):
        patch = await target.commit(
            {},  # everything is staged
            branch=f"cody/{job.id}",
            message=f"{job.spec.name}\n\nCody-Batch-Job: {job.id}\n",
            author=f"{tools.settings.commit_author} <{tools.settings.commit_email}>",
            # The job's time, not now: a run that is done again makes the very same commit.
            when=job.created_at,
        )
        if patch is None:
            await tools.results.drop_patch(job.id, run.repository)
            return None
        await tools.results.put_patch(job.id, run.repository, patch)
        return patch


async def _judge(tools: RunTools, job: Job, run: RepositoryRun, patch: RunPatch | None) -> Verdict | NoVerdict | None:
    """None where nobody was asked."""
    if patch is None or job.spec.judge is Judge.OFF:
        return None
    with tracer.start_as_current_span(names.SPAN_JUDGE):
        return await tools.judge(run.repository, patch)


async def _remaining(target: RepositoryProcess, rules: ScopeRules) -> Remaining | None:
    """After the commit, because the patch is paid for: what cannot be looked for must not cost it."""
    if not rules.plan.remaining:
        return None
    try:
        return await target.find_remaining(rules)
    except JobFailed as error:
        log.warning("completion_unknown", reason=error.message)
        return None


def _facts(scope: Scope) -> Facts:
    languages = Counter(language_of(candidate.path) for candidate in scope.candidates)
    return Facts(
        candidates=len(scope.candidates),
        languages={language: number for language, number in languages.items() if language is not None},
        bytes=sum(candidate.size for candidate in scope.candidates),
        matches=sum(candidate.matches for candidate in scope.candidates),
    )


def git_limits(settings: WorkerSettings) -> GitLimits:
    return GitLimits(memory_mb=settings.git_memory_mb, seconds=settings.git_seconds, scratch=settings.scratch)
