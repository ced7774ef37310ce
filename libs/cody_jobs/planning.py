"""How a job's plan is made: by one worker, for all of them."""

from msgspec import Struct

from cody_jobs.models import Failure
from cody_jobs.outcomes import CallUsage, ClaudeThread
from cody_jobs.plan import JobPlan, Plan, PlanSource


class PlanClaim(Struct, frozen=True, kw_only=True):
    """`made` is the job's plan, where there is one; `failure` is why this attempt gets none. Without both, `ours` says
    whether the plan is the caller's to make, or another worker's that is at it."""

    made: JobPlan | None = None
    failure: Failure | None = None
    ours: bool = False


class KnownPlan(Struct, frozen=True, kw_only=True):
    """A plan found by its question, and the job that it was made for."""

    plan: Plan
    model: str
    job_id: str


class PlanRecord(Struct, frozen=True, kw_only=True):
    """Everything that is stored, in one transaction, when a plan is made. `question` is the hex SHA-256 of all that
    decides Claude's answer, None for a plan that nobody was asked for."""

    job_id: str
    plan: Plan
    source: PlanSource
    model: str | None = None
    question: str | None = None
    calls: tuple[CallUsage, ...] = ()
    thread: ClaudeThread | None = None
    reused_from: str | None = None


class FailedPlan(Struct, frozen=True, kw_only=True):
    """What a plan that came to nothing leaves behind: the money is spent all the same. `failure` is None where another
    worker may try at once."""

    job_id: str
    owner: str
    attempt: int
    failure: Failure | None
    calls: tuple[CallUsage, ...] = ()
    thread: ClaudeThread | None = None
