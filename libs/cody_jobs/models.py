"""A job, its repository runs, and the shards that pack several runs into one worker.

Times are aware datetimes in UTC. Money is in millionths of a US dollar (`cost_microusd`), so that sums are exact.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from cody_jobs.plan import Plan
from cody_jobs.steps import Judge, Lane, Step

T = TypeVar("T")


class JobType(StrEnum):
    CODE_PATTERN_UPDATE = "code-pattern-update"
    DEPENDENCY_UPDATE = "dependency-update"
    CODE_ANALYSIS = "code-analysis"


class JobStatus(StrEnum):
    CREATING = "CREATING"
    PENDING = "PENDING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunStatus(StrEnum):
    QUEUED = "QUEUED"
    DISPATCHED = "DISPATCHED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunOutcome(StrEnum):
    PULL_REQUEST = "pull_request"
    PATCH = "patch"
    NO_CHANGES = "no_changes"
    ESTIMATED = "estimated"


class FailureCode(StrEnum):
    """Why a job, a run or a file failed. Users filter by these: never rename one."""

    CLAUDE_KEY_MISSING = "claude_key_missing"
    CLAUDE_KEY_REFUSED = "claude_key_refused"
    CLAUDE_MODEL_UNKNOWN = "claude_model_unknown"
    CLAUDE_BAD_REQUEST = "claude_bad_request"
    CLAUDE_UNAVAILABLE = "claude_unavailable"
    CLAUDE_REFUSED = "claude_refused"
    CLAUDE_REPLY_CUT_OFF = "claude_reply_cut_off"
    CLAUDE_REPLY_UNUSABLE = "claude_reply_unusable"
    EDIT_NOT_APPLICABLE = "edit_not_applicable"
    SYNTAX_BROKEN = "syntax_broken"
    ENCODING_NOT_KEPT = "encoding_not_kept"
    FILE_CHANGED_MEANWHILE = "file_changed_meanwhile"
    GUARD_HIT = "guard_hit"
    CONVERSATION_STUCK = "conversation_stuck"
    PLAN_FAILED = "plan_failed"
    SANDBOX_MISSING = "sandbox_missing"
    CODEMOD_FAILED = "codemod_failed"
    VERIFY_FAILED = "verify_failed"
    JUDGE_REJECTED = "judge_rejected"
    JUDGE_FAILED = "judge_failed"
    COST_CAP_REACHED = "cost_cap_reached"
    FILES_FAILED = "files_failed"
    REPOSITORY_NOT_FOUND = "repository_not_found"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
    REPOSITORY_MOVED = "repository_moved"
    REPOSITORY_ARCHIVED = "repository_archived"
    REPOSITORY_EMPTY = "repository_empty"
    REPOSITORY_UNREADABLE = "repository_unreadable"
    REPOSITORY_TOO_SLOW = "repository_too_slow"
    REPOSITORY_TOO_LARGE = "repository_too_large"
    BRANCH_PROTECTED = "branch_protected"
    CODE_HOST_UNAVAILABLE = "code_host_unavailable"
    CODE_HOST_TOKEN_REFUSED = "code_host_token_refused"  # noqa: S105 (a code, not a secret)
    CODE_HOST_PERMISSION_MISSING = "code_host_permission_missing"
    CODE_HOST_REFUSED = "code_host_refused"
    APP_NOT_INSTALLED = "app_not_installed"
    DISK_FULL = "disk_full"
    WORKER_LOST = "worker_lost"
    WORKER_FAILED = "worker_failed"
    DISPATCH_FAILED = "dispatch_failed"
    JOB_STOPPED = "job_stopped"
    RUNS_FAILED = "runs_failed"
    INTERNAL_ERROR = "internal_error"


class Failure(Struct, frozen=True, kw_only=True, rename="camel"):
    code: FailureCode
    message: str
    retryable: bool


class JobSpec(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """What a client asked for, without the list of repositories (those are the job's runs).

    `include` and `exclude` are gitignore-style patterns on paths; `match` is a Python regular expression that a
    candidate's text must contain; `model` overrides the setting `CLAUDE_MODEL`. A `plan` of the request's own is
    carried out as it is.

    `steps` are done in their order (none: one edit step); `verify_rounds` is how often what a verify step found goes
    back to Claude. `sample` repositories are worked on before the rest waits for an approval (0: no sample). A
    `dry_run` tells what would be asked and what that would cost. The caps are in millionths of a US dollar.
    `allow_paths` are patterns of protected paths that may be changed, `protect_paths` more that may not.
    """

    name: str
    type: JobType
    prompt: str
    create_pull_requests: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    match: str | None = None
    model: str | None = None
    plan: Plan | None = None
    steps: tuple[Step, ...] = ()
    verify_rounds: int = 3
    sample: int = 0
    dry_run: bool = False
    lane: Lane = Lane.STANDARD
    judge: Judge = Judge.OFF
    max_cost_microusd: int | None = None
    max_repository_cost_microusd: int | None = None
    max_file_cost_microusd: int | None = None
    allow_paths: tuple[str, ...] = ()
    protect_paths: tuple[str, ...] = ()


class SampledRepository(Struct, frozen=True, kw_only=True, rename="camel"):
    """One repository of a job's sample, and why it is one."""

    repository: str
    why: str


class FormerPrompt(Struct, frozen=True, kw_only=True, rename="camel"):
    """A prompt that another one has replaced."""

    prompt: str
    until: datetime


class Job(Struct, frozen=True, kw_only=True):
    """`fingerprint` identifies the request's content (for Idempotency-Key); `traceparent` is the W3C context of the
    request that made the job; `attempt` counts how often its runs were handed to compute. `sample` is empty until it
    was chosen; `former_prompts` are in their order."""

    id: str
    spec: JobSpec
    status: JobStatus
    repositories: int
    fingerprint: str
    submitted_by: str
    traceparent: str | None
    attempt: int
    failure: Failure | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    sample: tuple[SampledRepository, ...] = ()
    approved: bool = False
    former_prompts: tuple[FormerPrompt, ...] = ()

    @property
    def sampling(self) -> bool:
        """Nothing but its sample is worked on yet."""
        return self.spec.sample > 0 and not self.approved


class NewJob(Struct, frozen=True, kw_only=True):
    id: str
    spec: JobSpec
    fingerprint: str
    submitted_by: str
    traceparent: str | None


class FileCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """Files of one run. `skipped` counts, by reason, files that the patterns chose but that are never sent to Claude;
    `reused` says how many of the candidates were answered from an earlier outcome, without a call."""

    examined: int = 0
    candidates: int = 0
    edited: int = 0
    unchanged: int = 0
    failed: int = 0
    reused: int = 0
    skipped: Mapping[str, int] = {}


class RepositoryRun(Struct, frozen=True, kw_only=True):
    """One repository of one job. `position` is its place in the request; `losses` counts workers that died or went
    silent while they held it; `dispatches` counts how often it was put into a shard."""

    job_id: str
    repository: str
    position: int
    status: RunStatus
    outcome: RunOutcome | None
    reason: str | None
    failure: Failure | None
    files: FileCounts
    attempt: int
    shard: int | None
    dispatches: int
    losses: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime


class RunSucceeded(Struct, frozen=True, kw_only=True, tag="succeeded"):
    """Green, with evidence: `patch` (a stored diff that passed its checks), `no_changes`, whose reason is required, or
    `estimated` (of a dry run), whose reason says what would be asked and what that would cost.
    For a patch, `reason` says why there is no pull request where one was asked for."""

    outcome: RunOutcome
    reason: str | None
    files: FileCounts


class RunFailed(Struct, frozen=True, kw_only=True, tag="failed"):
    failure: Failure
    files: FileCounts


RunResult = RunSucceeded | RunFailed


class RunCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """Exact numbers of a job's runs by status and, for the succeeded ones, by outcome."""

    queued: int = 0
    dispatched: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    pull_requests: int = 0
    patches: int = 0
    no_changes: int = 0
    estimated: int = 0

    @property
    def unfinished(self) -> int:
        return self.queued + self.dispatched + self.running

    @property
    def total(self) -> int:
        return self.unfinished + self.succeeded + self.failed + self.cancelled


class Shard(Struct, frozen=True, kw_only=True):
    """Runs that one worker takes, of one attempt. `index` is the child's index in the array job."""

    job_id: str
    attempt: int
    index: int
    repositories: tuple[str, ...]
    compute_id: str | None
    created_at: datetime
    ended_at: datetime | None


class Attempt(Struct, frozen=True, kw_only=True):
    """One hand-over of runs to compute: `shards` children, indexes 0 to shards - 1.

    `again`: an earlier call may have made it, so more runs of the job may have been queued since.
    """

    job_id: str
    number: int
    shards: int
    compute_id: str | None
    again: bool


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """`cursor` is opaque and goes back into the same call for the next page; None on the last one."""

    items: tuple[T, ...]
    cursor: str | None
