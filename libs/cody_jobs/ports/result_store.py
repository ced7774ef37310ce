"""What is large or queried: patches, threads, usage and cost, events, spans."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from cody_jobs.diff_groups import DiffFacts
from cody_jobs.estimates import JobEstimate, RepositoryEstimate
from cody_jobs.events import Event, EventBody
from cody_jobs.models import Page
from cody_jobs.outcomes import ClaudeThread, FileRecord, FileResult, KnownOutcome, RunPatch, UsageTotals
from cody_jobs.plan import JobPlan, Plan
from cody_jobs.planning import FailedPlan, KnownPlan, PlanClaim, PlanRecord
from cody_jobs.reports import RepositoryReport, RunReport
from cody_jobs.spans import SpanRecord


@runtime_checkable
class ResultStore(Protocol):
    """Raises `ResultNotFound` for what is not there, `Unavailable` when the database stays away."""

    async def ping(self) -> None: ...

    async def find_outcomes(self, questions: Sequence[str]) -> dict[str, KnownOutcome]:
        """Earlier outcomes by question; absent when nobody asked it before, or it was never answered."""
        ...

    async def record_file(self, record: FileRecord) -> None:
        """Store outcome, usage and conversation of one file and append its `FileDone` event, all or nothing.

        The same (job, repository, path) again replaces outcome and conversation and adds the usage: money that was
        spent stays counted.
        """
        ...

    async def list_files(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[FileResult]:
        """By path."""
        ...

    async def list_threads(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[ClaudeThread]:
        """By path. A file whose answer was reused shows the conversation that the answer came from."""
        ...

    async def put_patch(self, job_id: str, repository: str, patch: RunPatch) -> None:
        """Store or replace the run's diff."""
        ...

    async def get_patch(self, job_id: str, repository: str) -> RunPatch: ...

    async def list_diffs(self, job_id: str) -> list[DiffFacts]:
        """Of every run that has one, by name; equal changes have the same group (`diff_group`)."""
        ...

    async def drop_patch(self, job_id: str, repository: str) -> None:
        """Forget the run's diff, if there is one: a later attempt found nothing to change."""
        ...

    async def claim_plan(self, job_id: str, *, question: str, owner: str, attempt: int, lease: timedelta) -> PlanClaim:
        """Take the making of the job's plan on, unless it is made, failed in this attempt, or is in the hands of
        another owner whose lease lasts. The same owner may claim again. A plan of Claude's that answers another
        question (the prompt was amended) is to be made anew; a plan of anybody else's holds whatever the question."""
        ...

    async def renew_plan_claim(self, job_id: str, *, owner: str, lease: timedelta) -> bool:
        """False when the plan is no longer this owner's to make."""
        ...

    async def keep_plan(self, record: PlanRecord) -> JobPlan:
        """Store the plan, its conversation, its usage (under `PLAN_REPOSITORY`) and its `PlanMade` event, all or
        nothing. Where there is a plan already that still holds, that one stays, and is returned; the usage is
        counted all the same.
        An answer that was paid for is found again by its question."""
        ...

    async def fail_plan(self, failed: FailedPlan) -> None:
        """Give the claim up, and tell why; calls and conversation are kept."""
        ...

    async def put_plan(self, job_id: str, plan: Plan, *, by: str) -> JobPlan:
        """Replace the job's plan by one that somebody wrote, and append a `PlanEdited` event."""
        ...

    async def get_plan(self, job_id: str) -> JobPlan: ...

    async def get_plan_thread(self, job_id: str) -> ClaudeThread:
        """The conversation that made the plan (or failed to); of a plan that is used again, the original one."""
        ...

    async def find_plan(self, question: str) -> KnownPlan | None:
        """An earlier plan that answers this question."""
        ...

    async def put_report(self, job_id: str, repository: str, report: RunReport) -> None:
        """Store or replace what was found out about the run."""
        ...

    async def get_report(self, job_id: str, repository: str) -> RunReport: ...

    async def list_reports(self, job_id: str, *, limit: int, cursor: str | None) -> Page[RepositoryReport]:
        """By repository."""
        ...

    async def find_estimates(self, job_id: str, repositories: Sequence[str]) -> dict[str, RepositoryEstimate]:
        """Those that the reports of these runs have."""
        ...

    async def sum_estimates(self, job_id: str) -> JobEstimate:
        """Of all runs of the job; nothing but zeros where none has an estimate."""
        ...

    async def usage(self, job_id: str, repository: str | None = None) -> UsageTotals: ...

    async def append_events(self, job_id: str, events: Sequence[EventBody], *, key: str | None = None) -> None:
        """With a `key`, `append_missing` knows that this was told."""
        ...

    async def append_missing(self, job_id: str, events: Mapping[str, EventBody]) -> None:
        """Append each event, by key, that was not appended under its key before: whoever should have told of it may
        have died, or not have."""
        ...

    async def read_events(self, job_id: str, *, after: int, limit: int) -> list[Event]:
        """Events with an id above `after`, in order; none that comes later will ever sort between them."""
        ...

    async def wait_for_events(self, job_id: str, *, after: int, timeout: timedelta) -> bool:
        """Return True as soon as there is an event with an id above `after`, False after `timeout`."""
        ...

    async def append_spans(self, spans: Sequence[SpanRecord]) -> None:
        """Keep finished spans; the oldest go when the store's bound (count, age) is passed."""
        ...

    async def read_trace(self, job_id: str, trace_id: str | None, *, limit: int) -> list[SpanRecord]:
        """Spans of the job's trace and every span that carries the job's id, by start time."""
        ...

    async def forget_jobs(self, job_ids: Sequence[str]) -> None:
        """Delete everything about these jobs. Outcomes stay findable by question: that is money."""
        ...

    async def list_job_ids(self, *, after: str | None, limit: int) -> list[str]:
        """Jobs that files, usage, patches, plans, reports or events are kept of, by id, from the first one behind
        `after`: the job itself may be gone."""
        ...

    async def forget_outcomes(self, *, unused_for: timedelta) -> int:
        """Delete known outcomes and plans that were neither written nor used again for that long; their number.

        What a file of a remaining job shows the conversation of stays. A use within a day of the last one may go
        uncounted. Whoever asks a forgotten question again pays for it again.
        """
        ...
