"""What happened to a job, in order: the feed behind `GET /jobs/{id}/events`."""

from datetime import datetime

from msgspec import Struct

from cody_jobs.models import (
    Failure,
    FileCounts,
    JobStatus,
    RepositoryRun,
    RunOutcome,
    RunStatus,
    SampledRepository,
)
from cody_jobs.plan import PlanSource


class JobCreated(Struct, frozen=True, kw_only=True, tag="job_created", tag_field="kind", rename="camel"):
    repositories: int


class JobDispatched(Struct, frozen=True, kw_only=True, tag="job_dispatched", tag_field="kind", rename="camel"):
    attempt: int
    shards: int
    compute_id: str


class DispatchDelayed(Struct, frozen=True, kw_only=True, tag="dispatch_delayed", tag_field="kind", rename="camel"):
    """No workers could be started yet, because something that is needed does not answer; it goes on being tried."""

    reason: str


class SampleChosen(Struct, frozen=True, kw_only=True, tag="sample_chosen", tag_field="kind", rename="camel"):
    """`surveyed` repositories were looked at for it."""

    surveyed: int
    chosen: tuple[SampledRepository, ...]


class ApprovalAwaited(Struct, frozen=True, kw_only=True, tag="approval_awaited", tag_field="kind", rename="camel"):
    """The sample is done: what is queued waits until somebody approves."""

    queued: int


class JobApproved(Struct, frozen=True, kw_only=True, tag="job_approved", tag_field="kind", rename="camel"):
    """`runs` of the sample were queued again."""

    prompt_amended: bool
    runs: int


class JobRetried(Struct, frozen=True, kw_only=True, tag="job_retried", tag_field="kind", rename="camel"):
    runs: int
    prompt_amended: bool = False


class JobFinished(Struct, frozen=True, kw_only=True, tag="job_finished", tag_field="kind", rename="camel"):
    status: JobStatus
    failure: Failure | None


class PlanMade(Struct, frozen=True, kw_only=True, tag="plan_made", tag_field="kind", rename="camel"):
    """`model` is the one that was asked, if any; `reused`: its answer was known."""

    source: PlanSource
    model: str | None
    reused: bool
    cost_microusd: int


class PlanEdited(Struct, frozen=True, kw_only=True, tag="plan_edited", tag_field="kind", rename="camel"):
    """`by` is the name of the caller's token."""

    by: str


class RunStarted(Struct, frozen=True, kw_only=True, tag="run_started", tag_field="kind", rename="camel"):
    repository: str
    attempt: int


class FilesChosen(Struct, frozen=True, kw_only=True, tag="files_chosen", tag_field="kind", rename="camel"):
    repository: str
    files: FileCounts


class FileDone(Struct, frozen=True, kw_only=True, tag="file_done", tag_field="kind", rename="camel"):
    """`result` is the outcome's kind: edited, unchanged, reported or failed; `detail` its reason or message, if any."""

    repository: str
    path: str
    result: str
    detail: str | None
    reused: bool
    cost_microusd: int


class BatchSent(Struct, frozen=True, kw_only=True, tag="batch_sent", tag_field="kind", rename="camel"):
    """Of a job in the economy lane: so many requests are on their way, and may take a day."""

    batch_id: str
    requests: int


class BatchEnded(Struct, frozen=True, kw_only=True, tag="batch_ended", tag_field="kind", rename="camel"):
    """What has no answer (expired, canceled, or failed on Claude's side) is asked again."""

    batch_id: str
    succeeded: int
    errored: int
    canceled: int
    expired: int


class RunReturned(Struct, frozen=True, kw_only=True, tag="run_returned", tag_field="kind", rename="camel"):
    """The run went back to the queue: its worker stopped early, died or went silent."""

    repository: str
    reason: str


class RunFinished(Struct, frozen=True, kw_only=True, tag="run_finished", tag_field="kind", rename="camel"):
    repository: str
    status: RunStatus
    outcome: RunOutcome | None
    reason: str | None
    failure: Failure | None
    files: FileCounts

    @classmethod
    def of(cls, run: RepositoryRun) -> "RunFinished":
        return cls(
            repository=run.repository,
            status=run.status,
            outcome=run.outcome,
            reason=run.reason,
            failure=run.failure,
            files=run.files,
        )


def key_of_end(run: RepositoryRun) -> str:
    """A run ends once in an attempt."""
    return f"run_finished {run.attempt} {run.repository}"


EventBody = (
    JobCreated
    | JobDispatched
    | DispatchDelayed
    | SampleChosen
    | ApprovalAwaited
    | JobApproved
    | JobRetried
    | JobFinished
    | PlanMade
    | PlanEdited
    | RunStarted
    | FilesChosen
    | FileDone
    | BatchSent
    | BatchEnded
    | RunReturned
    | RunFinished
)


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """`id` grows within a job and never repeats: it is the `Last-Event-ID` of the stream."""

    id: int
    job_id: str
    at: datetime
    body: EventBody
