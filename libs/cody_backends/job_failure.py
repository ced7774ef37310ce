"""Why a job failed: what its failed runs have in common, or how many failed of what."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.models import Failure, FailureCode, RunCounts


class FailedRun(Struct, frozen=True, kw_only=True):
    position: int
    failure: Failure


def failure_of_job(failed: Sequence[FailedRun], counts: RunCounts) -> Failure | None:
    if not failed:
        return None
    codes = Counter(run.failure.code for run in failed)
    retryable = any(run.failure.retryable for run in failed)
    share = f"{counts.failed} of {counts.total} repositories"
    if len(codes) == 1:
        first = min(failed, key=lambda run: run.position).failure
        message = first.message if counts.total == 1 else f"{share} failed: {first.message}"
        return Failure(code=first.code, message=message, retryable=retryable)
    numbers = sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
    of_what = ", ".join(f"{code} {runs}" for code, runs in numbers)
    return Failure(code=FailureCode.RUNS_FAILED, message=f"{share} failed: {of_what}", retryable=retryable)
