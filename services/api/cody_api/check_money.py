"""Checks of what a job may spend, and of how."""

from cody_api.problems import FieldProblem, shown
from cody_jobs.steps import Lane

MOST_USD = 1_000_000
LEAST_USD = 0.000_001


def check_cost(field: str, usd: float | None) -> list[FieldProblem]:
    if usd is None or LEAST_USD <= usd <= MOST_USD:
        return []
    message = f"is an amount of US dollars above 0, {MOST_USD:,} at most; leave it out for no limit"
    return [FieldProblem(field=field, message=message, code="bad_cost", value=shown(str(usd)))]


def check_lane(lane: str) -> list[FieldProblem]:
    if lane in list(Lane):
        return []
    message = f"there is no such value; there are {', '.join(Lane)}"
    return [FieldProblem(field="lane", message=message, code="unknown_value", value=shown(lane))]


def microusd(usd: float | None) -> int | None:
    """Money is counted in whole millionths of a dollar."""
    return None if usd is None else round(usd * 1_000_000)
