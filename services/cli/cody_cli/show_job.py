"""Jobs and runs as `show` reads and prints them. With `--json` they come out as the API has them, all pages joined."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct
from rich.console import Console
from rich.text import Text

from cody_cli.api import Api, job_path, run_path
from cody_cli.estimates import print_estimates
from cody_cli.job_report import job_status_words, outcome_words
from cody_cli.tables import plain_table
from cody_cli.views import JobView, PageView, RunDetailView, RunView, SampleView
from cody_cli.words import count, dollars, duration
from cody_jobs.models import JobStatus
from cody_jobs.outcomes import Edited, FileResult, GaveUp, LeftAlone, Reported
from cody_jobs.reports import Remaining

T = TypeVar("T")

_FILES = "fileResults"
_LINES_SHOWN = 20


class WholeJob(Struct, frozen=True, kw_only=True):
    """The API's JSON: the job and all its runs."""

    job: Raw
    repositories: tuple[Raw, ...]


async def read_job(api: Api, job_id: str) -> WholeJob:
    runs = [run async for run in api.pages(f"{job_path(job_id)}/repositories", Raw)]
    return WholeJob(job=await api.get(job_path(job_id), Raw), repositories=tuple(runs))


async def read_run(api: Api, job_id: str, repository: str) -> Mapping[str, Raw]:
    """The run's fields, with the files of all pages in one."""
    path, cursor, files = run_path(job_id, repository), None, list[Raw]()
    while True:
        fields = await api.get(path, dict[str, Raw], limit=100, cursor=cursor)
        page = msgspec.json.decode(fields[_FILES], type=PageView[Raw])
        files += page.items
        cursor = page.cursor
        if cursor is None:
            return {**fields, _FILES: Raw(msgspec.json.encode(PageView(items=tuple(files), cursor=None)))}


def print_job(whole: WholeJob, console: Console) -> None:
    job = msgspec.json.decode(whole.job, type=JobView)
    console.print(Text.assemble((job.name, "bold"), f"  {job.id}  ", job_status_words(job.status)))
    console.print(f"{job.type}, by {job.submitted_by or 'somebody'}, {job.created_at.astimezone():%Y-%m-%d %H:%M}")
    if job.usage is not None:
        tokens = job.usage.input_tokens + job.usage.cache_read_input_tokens + job.usage.cache_creation_input_tokens
        calls = count(job.usage.calls, "call")
        console.print(
            f"{dollars(job.usage.cost_microusd)}, {calls}, {tokens:,} tokens in, {job.usage.output_tokens:,} out"
        )
    if caps := _caps(job):
        console.print(f"may cost {caps}")
    if job.failure is not None:
        console.print(f"{job.failure.code}: {job.failure.message}", style="red")
    console.print(f"\n{(job.prompt or '').strip()}\n", style="dim")
    if job.sample is not None:
        _print_sample(job, job.sample, console)
    runs = [msgspec.json.decode(raw, type=RunView) for raw in whole.repositories]
    if job.dry_run:
        return print_estimates(runs, job.estimate, console)
    table = plain_table("repository", "outcome", "edited", "unchanged", "failed", "skipped", "time", "")
    for run in runs:
        table.add_row(*_run_cells(run))
    return console.print(table)


def _caps(job: JobView) -> str:
    caps = {
        "in all": job.max_cost_usd,
        "a repository": job.max_cost_per_repository_usd,
        "a file": job.max_cost_per_file_usd,
    }
    return ", ".join(f"{dollars(round(usd * 1_000_000))} {of}" for of, usd in caps.items() if usd is not None)


def _print_sample(job: JobView, sample: SampleView, console: Console) -> None:
    amended = f", the prompt amended {count(len(job.former_prompts), 'time')}" if job.former_prompts else ""
    console.print(f"sample of {sample.size}, {'approved' if sample.approved else 'not approved yet'}{amended}")
    for one in sample.chosen:
        console.print(f"  {one.repository}: {one.why}", style="dim")
    if job.status is JobStatus.AWAITING_APPROVAL:
        console.print(f"go on with: cody-batch approve {job.id}; tune with: cody-batch retry {job.id} --prompt TEXT")
    console.print()


def print_run(fields: Mapping[str, Raw], console: Console) -> None:
    run = msgspec.json.decode(msgspec.json.encode(fields), type=RunDetailView)
    console.print(Text.assemble((run.repository, "bold"), "  ", outcome_words(run.status, run.outcome)))
    if run.patch is not None:
        changed = count(run.patch.files_changed, "file")
        console.print(f"{changed} changed, +{run.patch.lines_added} -{run.patch.lines_removed}", end=", ")
    console.print(f"{dollars(run.usage.cost_microusd)}, {count(run.usage.calls, 'call')}")
    why = f"{run.failure.code}: {run.failure.message}" if run.failure else run.reason
    console.print(f"{why or ''}\n")
    table = plain_table("file", "outcome", "cost", "")
    for result in msgspec.json.decode(fields[_FILES], type=PageView[FileResult]).items:
        table.add_row(*_file_cells(result))
    console.print(table)
    for reason, number in run.files.skipped.items():
        console.print(f"{count(number, 'file')} skipped: {reason}", style="dim")
    if run.report is not None and run.report.remaining is not None:
        _print_remaining(run.report.remaining, console)


def _print_remaining(remaining: Remaining, console: Console) -> None:
    """What the plan's completion query still matches."""
    if not remaining.total:
        console.print("\nnothing remains: the plan's completion query matches no line any more")
        return
    console.print(f"\nremaining: {count(remaining.total, 'line')} still matched", style="yellow")
    for line in remaining.lines[:_LINES_SHOWN]:
        console.print(f"  {line.path}:{line.line}: {line.text}", soft_wrap=True)
    if remaining.total > _LINES_SHOWN:
        console.print(f"  … and {remaining.total - _LINES_SHOWN} more", style="dim")


def _run_cells(run: RunView) -> list[str | Text]:
    ran = (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None
    return [
        run.repository,
        outcome_words(run.status, run.outcome),
        str(run.files.edited),
        str(run.files.unchanged),
        str(run.files.failed),
        str(sum(run.files.skipped.values())),
        duration(ran),
        f"{run.failure.code}: {run.failure.message}" if run.failure else run.reason or "",
    ]


def _file_cells(result: FileResult) -> list[str | Text]:
    reused = Text("reused", style="dim") if result.reused_from else dollars(result.cost_microusd)
    match result.outcome:
        case Edited():
            return [result.path, Text("edited", style="green"), reused, _edited_words(result.outcome)]
        case LeftAlone(reason=reason):
            return [result.path, "unchanged", reused, reason]
        case Reported(findings=findings, reason=reason):
            return [result.path, "reported", reused, f"{count(len(findings), 'finding')}: {reason}"]
        case GaveUp(failure=failure):
            return [result.path, Text("failed", style="red"), reused, f"{failure.code}: {failure.message}"]


def _edited_words(outcome: Edited) -> str:
    if outcome.deleted:
        return "deleted"
    created = [f"creates {file.path}" for file in outcome.created]
    moved = [f"becomes {outcome.renamed}"] if outcome.renamed is not None else []
    return ", ".join([count(len(outcome.edits), "edit"), *moved, *created])
