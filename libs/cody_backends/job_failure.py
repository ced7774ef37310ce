"""Why a job failed: what its failed runs have in common, or how many failed of what."""

from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.models import Failure, FailureCode, RunCounts


class FailureGroup(Struct, frozen=True, kw_only=True):
    """Failed runs with one code: how many, the first one's failure in the order of the request, and whether a retry can
    help any of them."""

    runs: int
    first: Failure
    retryable: bool


def failure_of_job(groups: Sequence[FailureGroup], counts: RunCounts) -> Failure | None:
    if not groups:
        return None
    retryable = any(group.retryable for group in groups)
    share = f"{counts.failed} of {counts.total} repositories"
    if len(groups) == 1:
        first = groups[0].first
        message = first.message if counts.total == 1 else f"{share} failed: {first.message}"
        return Failure(code=first.code, message=message, retryable=retryable)
    ordered = sorted(groups, key=lambda group: (-group.runs, group.first.code))
    codes = ", ".join(f"{group.first.code} {group.runs}" for group in ordered)
    return Failure(code=FailureCode.RUNS_FAILED, message=f"{share} failed: {codes}", retryable=retryable)
