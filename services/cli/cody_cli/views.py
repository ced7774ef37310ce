"""The API's answers, as far as the commands read them; fields that they do not read may come and go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from cody_jobs.estimates import JobEstimate, RepositoryEstimate
from cody_jobs.models import (
    Failure,
    FileCounts,
    FormerPrompt,
    JobStatus,
    JobType,
    RunCounts,
    RunOutcome,
    RunStatus,
    SampledRepository,
)
from cody_jobs.outcomes import UsageTotals
from cody_jobs.reports import RunReport

T = TypeVar("T")


class SampleView(Struct, frozen=True, kw_only=True, rename="camel"):
    size: int
    approved: bool
    chosen: tuple[SampledRepository, ...]


class JobView(Struct, frozen=True, kw_only=True, rename="camel"):
    """`usage` and what was asked for come with a single job, not in lists."""

    id: str
    name: str
    type: JobType
    status: JobStatus
    repositories: int
    counts: RunCounts
    failure: Failure | None
    submitted_by: str
    created_at: datetime
    ended_at: datetime | None
    prompt: str | None = None
    model: str | None = None
    max_cost_usd: float | None = None
    max_cost_per_repository_usd: float | None = None
    max_cost_per_file_usd: float | None = None
    usage: UsageTotals | None = None
    sample: SampleView | None = None
    former_prompts: tuple[FormerPrompt, ...] = ()
    requeued: int | None = None
    dry_run: bool = False
    estimate: JobEstimate | None = None


class RunView(Struct, frozen=True, kw_only=True, rename="camel"):
    repository: str
    status: RunStatus
    outcome: RunOutcome | None
    reason: str | None
    failure: Failure | None
    files: FileCounts
    started_at: datetime | None
    ended_at: datetime | None
    estimate: RepositoryEstimate | None = None


class PatchView(Struct, frozen=True, kw_only=True, rename="camel"):
    base_commit: str
    message: str
    files_changed: int
    lines_added: int
    lines_removed: int


class RunDetailView(RunView, frozen=True, kw_only=True, rename="camel"):
    patch: PatchView | None
    usage: UsageTotals
    report: RunReport | None = None


class FailureGroupView(Struct, frozen=True, kw_only=True, rename="camel"):
    code: str
    message: str
    runs: int
    repositories: tuple[str, ...]


class DiffExampleView(Struct, frozen=True, kw_only=True, rename="camel"):
    repository: str
    files_changed: int
    lines_added: int
    lines_removed: int


class DiffGroupView(Struct, frozen=True, kw_only=True, rename="camel"):
    runs: int
    repositories: tuple[str, ...]
    example: DiffExampleView


class PageView(Struct, Generic[T], frozen=True, kw_only=True):
    items: tuple[T, ...]
    cursor: str | None


class SpanView(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    service: str
    started_at: datetime
    duration_us: int
    status: str
    status_message: str | None
    attributes: Mapping[str, str | int | float | bool]
    children: tuple["SpanView", ...] = ()


class StepView(Struct, frozen=True, kw_only=True, rename="camel"):
    """All spans of one name: `wall_us` is how long at least one of them was open."""

    service: str
    name: str
    count: int
    failed: int
    total_us: int
    longest_us: int
    wall_us: int


class TraceView(Struct, frozen=True, kw_only=True, rename="camel"):
    job_id: str
    started_at: datetime | None
    wall_us: int
    truncated: bool
    steps: tuple[StepView, ...]
    spans: tuple[SpanView, ...]


class FieldProblem(Struct, frozen=True, kw_only=True):
    field: str = ""
    message: str = ""


class Problem(Struct, frozen=True, kw_only=True, rename="camel"):
    """RFC 9457, as the API fills it."""

    title: str = ""
    detail: str = ""
    code: str = ""
    errors: tuple[FieldProblem, ...] = ()
    errors_left_out: int = 0
