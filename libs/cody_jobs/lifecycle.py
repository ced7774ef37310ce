"""Which state may follow which. Stores check every change against these tables; an illegal step raises."""

from collections.abc import Mapping

from cody_jobs.errors import IllegalTransition
from cody_jobs.models import Job, JobStatus, RunCounts, RunStatus
from cody_jobs.run_filter import RunFilter

JOB_STEPS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.CREATING: frozenset({JobStatus.PENDING, JobStatus.CANCELLED, JobStatus.FAILED}),
    JobStatus.PENDING: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.SUCCEEDED}),
    JobStatus.AWAITING_APPROVAL: frozenset({JobStatus.PENDING, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset(
        {
            JobStatus.PENDING,
            JobStatus.AWAITING_APPROVAL,
            JobStatus.SUCCEEDED,
            JobStatus.PARTIALLY_SUCCEEDED,
            JobStatus.FAILED,
            JobStatus.CANCELLED,
        }
    ),
    JobStatus.SUCCEEDED: frozenset({JobStatus.PENDING}),
    JobStatus.PARTIALLY_SUCCEEDED: frozenset({JobStatus.PENDING}),
    JobStatus.FAILED: frozenset({JobStatus.PENDING}),
    JobStatus.CANCELLED: frozenset({JobStatus.PENDING}),
}

RUN_STEPS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.DISPATCHED, RunStatus.CANCELLED, RunStatus.FAILED}),
    RunStatus.DISPATCHED: frozenset({RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.FAILED}),
    RunStatus.RUNNING: frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.QUEUED}),
    RunStatus.SUCCEEDED: frozenset({RunStatus.QUEUED}),
    RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
    RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
}

JOB_ENDED: frozenset[JobStatus] = frozenset(
    {JobStatus.SUCCEEDED, JobStatus.PARTIALLY_SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}
)
RUN_ENDED: frozenset[RunStatus] = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})

LOSSES_ALLOWED = 3
"""A run whose worker died or went silent this often ends as failed (`worker_lost`)."""

DISPATCHES_ALLOWED = 10
"""A run that was put into this many shards without ever ending fails, too: its workers do not even start."""


def check_job_step(present: JobStatus, following: JobStatus) -> None:
    if following not in JOB_STEPS[present]:
        raise IllegalTransition(f"a job that is {present} cannot become {following}")


def check_run_step(present: RunStatus, following: RunStatus) -> None:
    if following not in RUN_STEPS[present]:
        raise IllegalTransition(f"a run that is {present} cannot become {following}")


def check_retry(present: JobStatus) -> None:
    if present is not JobStatus.AWAITING_APPROVAL and present not in JOB_ENDED:
        raise IllegalTransition(f"a job that is {present} has not ended: there is nothing to retry yet")
    check_job_step(present, JobStatus.PENDING)


def nothing_to_retry(runs: RunFilter) -> IllegalTransition:
    what = "failed or was cancelled" if runs.is_plain else "has ended as the filter says"
    return IllegalTransition(f"no run of this job {what}: there is nothing to retry")


def check_sampling(job: Job) -> None:
    if job.status is not JobStatus.RUNNING or not job.sampling:
        raise IllegalTransition("this job's sample is not chosen now: it is not working on one (any more)")


def check_approval(job: Job) -> None:
    if job.status is not JobStatus.AWAITING_APPROVAL:
        raise IllegalTransition(f"a job that is {job.status} does not await an approval")
    if not job.sampling:
        raise IllegalTransition("this job was approved already, in another way")


def job_status_at_end(counts: RunCounts) -> JobStatus:
    """The status of a job whose runs have all ended."""
    if counts.succeeded == counts.total:
        return JobStatus.SUCCEEDED
    if counts.succeeded:
        return JobStatus.PARTIALLY_SUCCEEDED
    return JobStatus.FAILED if counts.failed else JobStatus.CANCELLED
