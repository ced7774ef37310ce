"""The plan of a job that needs nobody to make one."""

from msgspec import Struct

from cody_jobs.models import JobSpec
from cody_jobs.plan import Plan, PlanSource


class GivenPlan(Struct, frozen=True, kw_only=True):
    plan: Plan
    source: PlanSource


def plan_without_asking(spec: JobSpec) -> GivenPlan | None:
    """The request's own plan, or one of its own patterns; None where Claude has to be asked."""
    if spec.plan is not None:
        return GivenPlan(plan=spec.plan, source=PlanSource.REQUEST)
    if spec.match is None and not spec.include:
        return None
    matches = () if spec.match is None else (spec.match,)
    plan = Plan(include=spec.include, exclude=spec.exclude, matches=matches)
    return GivenPlan(plan=plan, source=PlanSource.PATTERNS)
