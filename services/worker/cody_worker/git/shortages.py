"""What a repository may need more of than there is."""

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode


def needs_more_memory() -> JobFailed:
    return JobFailed(FailureCode.REPOSITORY_TOO_LARGE, "the repository needs more than GIT_MEMORY_MB of memory")


def disk_full(detail: str) -> JobFailed:
    return JobFailed(
        FailureCode.DISK_FULL, f"no room is left on the worker's disk for the repository: {detail}", retryable=True
    )
