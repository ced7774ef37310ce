"""Checks of what a job may spend."""

from cody_api.problems import FieldProblem, shown

MOST_USD = 1_000_000
LEAST_USD = 0.000_001


def check_cost(field: str, usd: float | None) -> list[FieldProblem]:
    if usd is None or LEAST_USD <= usd <= MOST_USD:
        return []
    message = f"is an amount of US dollars above 0, {MOST_USD:,} at most; leave it out for no limit"
    return [FieldProblem(field=field, message=message, code="bad_cost", value=shown(str(usd)))]


def microusd(usd: float | None) -> int | None:
    """Money is counted in whole millionths of a dollar."""
    return None if usd is None else round(usd * 1_000_000)
