"""Jobs as clients see them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from cody_jobs.estimates import JobEstimate
from cody_jobs.models import Failure, FormerPrompt, Job, JobStatus, JobType, RunCounts, SampledRepository
from cody_jobs.outcomes import UsageTotals
from cody_jobs.steps import Judge, Lane, Step


class JobLinks(Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths below the API's address."""

    self: str
    repositories: str
    events: str
    trace: str
    failures: str
    diff_groups: str
    approve: str
    cancel: str
    retry: str


class JobSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as it is listed."""

    id: Annotated[str, Meta(examples=["job-5f3a1c0b9d8e7f6a5b4c3d2e"])]
    name: str
    type: JobType
    status: JobStatus
    repositories: Annotated[int, Meta(description="How many repositories it names.")]
    counts: Annotated[RunCounts, Meta(description="Its repository runs by status and outcome.")]
    failure: Failure | None
    submitted_by: Annotated[str, Meta(description="The name of the token that it came with.")]
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    links: JobLinks


class SampleView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The repositories that the job begins with."""

    size: Annotated[int, Meta(description="How many were asked for.")]
    approved: Annotated[bool, Meta(description="Whether the rest may be worked on.")]
    chosen: Annotated[tuple[SampledRepository, ...], Meta(description="Which they are, and why; empty until then.")]


class JobDetail(JobSummary, frozen=True, kw_only=True, rename="camel"):
    """A job with everything that was asked, and what it has cost so far."""

    prompt: str
    create_pull_requests: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    match: str | None
    model: str | None
    max_cost_usd: Annotated[float | None, Meta(description="What it may cost; null: without a limit.")]
    max_cost_per_repository_usd: float | None
    max_cost_per_file_usd: float | None
    sample: SampleView | None
    dry_run: Annotated[bool, Meta(description="Whether it only tells what it would ask, and what that would cost.")]
    estimate: Annotated[
        JobEstimate | None,
        Meta(description="Of a dry run: what its repositories would ask and cost together, as far as they are done."),
    ]
    lane: Lane
    steps: Annotated[tuple[Step, ...], Meta(description="What is done in each repository; empty for one edit.")]
    verify_rounds: int
    judge: Judge
    allow_paths: tuple[str, ...]
    protect_paths: tuple[str, ...]
    former_prompts: Annotated[tuple[FormerPrompt, ...], Meta(description="Prompts that were amended, oldest first.")]
    attempt: Annotated[int, Meta(description="How often its runs were handed to compute.")]
    usage: Annotated[UsageTotals, Meta(description="Calls and tokens; costMicrousd is in millionths of a US dollar.")]
    cost_usd: Annotated[float, Meta(description="The cost in US dollars, for people; sums are exact in costMicrousd.")]


class RetriedJob(JobDetail, frozen=True, kw_only=True, rename="camel"):
    """A job some of whose repositories run again."""

    requeued: Annotated[int, Meta(description="How many.")]


class JobPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[JobSummary, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


def job_path(job_id: str) -> str:
    return f"/jobs/{job_id}"


def summarize_job(job: Job, counts: RunCounts) -> JobSummary:
    return JobSummary(
        id=job.id,
        name=job.spec.name,
        type=job.spec.type,
        status=job.status,
        repositories=job.repositories,
        counts=counts,
        failure=job.failure,
        submitted_by=job.submitted_by,
        created_at=job.created_at,
        updated_at=job.updated_at,
        ended_at=job.ended_at,
        links=_links(job.id),
    )


def describe_job(job: Job, counts: RunCounts, usage: UsageTotals, estimate: JobEstimate | None = None) -> JobDetail:
    return JobDetail(
        id=job.id,
        name=job.spec.name,
        type=job.spec.type,
        status=job.status,
        repositories=job.repositories,
        counts=counts,
        failure=job.failure,
        submitted_by=job.submitted_by,
        created_at=job.created_at,
        updated_at=job.updated_at,
        ended_at=job.ended_at,
        links=_links(job.id),
        prompt=job.spec.prompt,
        create_pull_requests=job.spec.create_pull_requests,
        include=job.spec.include,
        exclude=job.spec.exclude,
        match=job.spec.match,
        model=job.spec.model,
        max_cost_usd=_usd(job.spec.max_cost_microusd),
        max_cost_per_repository_usd=_usd(job.spec.max_repository_cost_microusd),
        max_cost_per_file_usd=_usd(job.spec.max_file_cost_microusd),
        sample=_sample(job),
        dry_run=job.spec.dry_run,
        estimate=estimate,
        lane=job.spec.lane,
        steps=job.spec.steps,
        verify_rounds=job.spec.verify_rounds,
        judge=job.spec.judge,
        allow_paths=job.spec.allow_paths,
        protect_paths=job.spec.protect_paths,
        former_prompts=job.former_prompts,
        attempt=job.attempt,
        usage=usage,
        cost_usd=usage.cost_microusd / 1_000_000,
    )


def describe_retried(detail: JobDetail, requeued: int) -> RetriedJob:
    fields = {name: getattr(detail, name) for name in detail.__struct_fields__}
    return RetriedJob(**fields, requeued=requeued)


def _sample(job: Job) -> SampleView | None:
    if not job.spec.sample:
        return None
    return SampleView(size=job.spec.sample, approved=job.approved, chosen=job.sample)


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000


def _links(job_id: str) -> JobLinks:
    path = job_path(job_id)
    return JobLinks(
        self=path,
        repositories=f"{path}/repositories",
        events=f"{path}/events",
        trace=f"{path}/trace",
        failures=f"{path}/failures",
        diff_groups=f"{path}/diffs/groups",
        approve=f"{path}/approve",
        cancel=f"{path}/cancel",
        retry=f"{path}/retry",
    )
