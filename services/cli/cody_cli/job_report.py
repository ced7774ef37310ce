"""What came of a job, for people and for programs."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from cody_cli.estimates import print_estimates
from cody_cli.tables import plain_table
from cody_cli.views import JobView
from cody_cli.words import count, dollars, duration
from cody_jobs.estimates import RepositoryEstimate
from cody_jobs.models import Failure, FileCounts, JobStatus, RunOutcome, RunStatus

_NAMES_SHOWN = 5
_STYLES = {RunStatus.SUCCEEDED: "green", RunStatus.FAILED: "red"}
_JOB_STYLES = {
    JobStatus.SUCCEEDED: "green",
    JobStatus.PARTIALLY_SUCCEEDED: "yellow",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "yellow",
}


class RepositoryReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """`path` is where a repository of this machine is; `patch` the file that was written; `cost_microusd` None where
    it is not known; `estimate` is a dry run's."""

    repository: str
    path: str | None
    status: RunStatus
    outcome: RunOutcome | None
    reason: str | None
    failure: Failure | None
    files: FileCounts
    seconds: float | None
    cost_microusd: int | None
    patch: Path | None
    branch: str | None
    branch_error: str | None
    estimate: RepositoryEstimate | None = None


class JobReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """`patches` is the folder that they were written to."""

    job: JobView
    repositories: tuple[RepositoryReport, ...]
    patches: Path | None

    @property
    def succeeded(self) -> bool:
        branches = all(repository.branch_error is None for repository in self.repositories)
        return self.job.status is JobStatus.SUCCEEDED and branches


def print_report(report: JobReport, console: Console) -> None:
    if report.job.dry_run:
        print_estimates(report.repositories, report.job.estimate, console)
    else:
        _print_runs(report.repositories, console)
    _print_failures(report.repositories, console)
    _print_end(report, console)


def _print_runs(repositories: Sequence[RepositoryReport], console: Console) -> None:
    table = plain_table("repository", "outcome", "edited", "unchanged", "failed", "skipped", "cost", "time", "")
    for repository in repositories:
        table.add_row(*_cells(repository))
    console.print(table)


def outcome_words(status: RunStatus, outcome: RunOutcome | None) -> Text:
    words = outcome.replace("_", " ") if outcome else status.lower()
    return Text(words, style=_STYLES.get(status, "yellow"))


def job_status_words(status: JobStatus) -> Text:
    return Text(status.lower().replace("_", " "), style=_JOB_STYLES.get(status, "cyan"))


def _cells(repository: RepositoryReport) -> list[str | Text]:
    files = repository.files
    return [
        repository.repository,
        outcome_words(repository.status, repository.outcome),
        str(files.edited),
        str(files.unchanged),
        str(files.failed),
        str(sum(files.skipped.values())),
        "" if repository.cost_microusd is None else dollars(repository.cost_microusd),
        duration(repository.seconds),
        _what_came(repository),
    ]


def _what_came(repository: RepositoryReport) -> str:
    branch = f" (branch {repository.branch})" if repository.branch else ""
    if repository.patch is not None:
        return f"{repository.patch.name}{branch}"
    if repository.failure is not None:
        return f"{repository.failure.code}: {repository.failure.message}"
    return repository.reason or ""


def _print_failures(repositories: Sequence[RepositoryReport], console: Console) -> None:
    """By code, as one cause often fails many."""
    groups: dict[str, list[RepositoryReport]] = defaultdict(list)
    for repository in repositories:
        if repository.failure is not None:
            groups[repository.failure.code].append(repository)
        if repository.branch_error is not None:
            console.print(f"\n{repository.repository}: no branch: {repository.branch_error}", style="red")
    for code, failed in sorted(groups.items(), key=lambda group: -len(group[1])):
        names = ", ".join(repository.repository for repository in failed[:_NAMES_SHOWN])
        more = f" and {len(failed) - _NAMES_SHOWN} more" if len(failed) > _NAMES_SHOWN else ""
        failure = failed[0].failure
        assert failure is not None
        console.print(
            f"\n{count(len(failed), 'repository', 'repositories')} failed with {code}: {names}{more}", style="red"
        )
        console.print(f"  {failure.message}")


def _print_end(report: JobReport, console: Console) -> None:
    job = report.job
    cost = f", {dollars(job.usage.cost_microusd)}" if job.usage else ""
    took = f", {duration((job.ended_at - job.created_at).total_seconds())}" if job.ended_at else ""
    console.print(f"\n{job.id} {job.status.lower().replace('_', ' ')}{cost}{took}", style="bold")
    if job.failure is not None:
        console.print(f"{job.failure.code}: {job.failure.message}", style="red")
    written = [repository for repository in report.repositories if repository.patch is not None]
    if written and report.patches is not None:
        console.print(f"{count(len(written), 'patch', 'patches')} in {_short(report.patches)}: git apply FILE")


def _short(path: Path) -> str:
    """Relative to the present folder where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
