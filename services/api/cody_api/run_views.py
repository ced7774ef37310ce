"""Repository runs as clients see them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from cody_api.job_views import job_path
from cody_jobs.estimates import RepositoryEstimate
from cody_jobs.models import Failure, FileCounts, Page, RepositoryRun, RunOutcome, RunStatus
from cody_jobs.outcomes import ClaudeThread, FileResult, RunPatch, UsageTotals
from cody_jobs.reports import RunReport


class RunLinks(Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths below the API's address."""

    self: str
    diff: str
    claude_thread: str


class RunSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """One repository of a job as it is listed."""

    repository: Annotated[str, Meta(examples=["acme/web"])]
    position: Annotated[int, Meta(description="Its place in the request, from 0.")]
    status: RunStatus
    outcome: Annotated[RunOutcome | None, Meta(description="What a succeeded run came to.")]
    reason: Annotated[
        str | None, Meta(description="Why nothing changed, why there is no pull request, or what would be asked.")
    ]
    failure: Failure | None
    files: FileCounts
    attempt: int
    dispatches: Annotated[int, Meta(description="How often it was given to a worker.")]
    losses: Annotated[int, Meta(description="How many workers died or went silent while they held it.")]
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime
    estimate: Annotated[
        RepositoryEstimate | None, Meta(description="Of a dry run: what it would ask Claude, and what that would cost.")
    ]
    links: RunLinks


class RunPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[RunSummary, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


class PatchSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """The diff, without its text."""

    base_commit: str
    commit: str
    branch: str
    message: str
    size: Annotated[int, Meta(description="Bytes.")]
    files_changed: int
    lines_added: int
    lines_removed: int


class FilePage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[FileResult, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


class RunDetail(RunSummary, frozen=True, kw_only=True, rename="camel"):
    """One repository with its files, one page at a time, its diff in numbers, and its cost."""

    patch: PatchSummary | None
    usage: UsageTotals
    cost_usd: float
    report: Annotated[
        RunReport | None,
        Meta(description="What was found out about it: what the plan's completion query still matches, and more."),
    ]
    file_results: FilePage


class ThreadPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """Conversations with Claude, one per file; `content` is the Messages API's own JSON."""

    items: tuple[ClaudeThread, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


def summarize_run(run: RepositoryRun, estimate: RepositoryEstimate | None = None) -> RunSummary:
    return RunSummary(
        repository=run.repository,
        position=run.position,
        status=run.status,
        outcome=run.outcome,
        reason=run.reason,
        failure=run.failure,
        files=run.files,
        attempt=run.attempt,
        dispatches=run.dispatches,
        losses=run.losses,
        started_at=run.started_at,
        ended_at=run.ended_at,
        updated_at=run.updated_at,
        estimate=estimate,
        links=_links(run),
    )


def describe_run(
    run: RepositoryRun,
    *,
    patch: RunPatch | None,
    usage: UsageTotals,
    report: RunReport | None,
    files: Page[FileResult],
) -> RunDetail:
    return RunDetail(
        **asdict(summarize_run(run, report.estimate if report is not None else None)),
        patch=_summarize_patch(patch) if patch is not None else None,
        usage=usage,
        cost_usd=usage.cost_microusd / 1_000_000,
        report=report,
        file_results=FilePage(items=files.items, cursor=files.cursor),
    )


def _summarize_patch(patch: RunPatch) -> PatchSummary:
    return PatchSummary(
        base_commit=patch.base_commit,
        commit=patch.commit,
        branch=patch.branch,
        message=patch.message,
        size=len(patch.patch),
        files_changed=patch.files_changed,
        lines_added=patch.lines_added,
        lines_removed=patch.lines_removed,
    )


def _links(run: RepositoryRun) -> RunLinks:
    path = f"{job_path(run.job_id)}/repositories/{run.repository}"
    return RunLinks(self=path, diff=f"{path}/diff", claude_thread=f"{path}/claude-thread")
