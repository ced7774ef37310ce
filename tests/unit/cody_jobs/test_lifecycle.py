import pytest

from cody_jobs.errors import IllegalTransition
from cody_jobs.lifecycle import (
    JOB_ENDED,
    JOB_STEPS,
    RUN_ENDED,
    RUN_STEPS,
    check_job_step,
    check_run_step,
    job_status_at_end,
)
from cody_jobs.models import JobStatus, RunCounts, RunStatus


def test_every_status_has_its_steps() -> None:
    assert set(JOB_STEPS) == set(JobStatus)
    assert set(RUN_STEPS) == set(RunStatus)


def test_whatever_has_ended_can_only_be_begun_anew() -> None:
    assert {following for status in JOB_ENDED for following in JOB_STEPS[status]} == {JobStatus.PENDING}
    assert {following for status in RUN_ENDED for following in RUN_STEPS[status]} == {RunStatus.QUEUED}


def test_every_unfinished_status_can_reach_an_end() -> None:
    for status in set(JobStatus) - JOB_ENDED:
        assert _reachable_jobs(status) & JOB_ENDED
    for run_status in set(RunStatus) - RUN_ENDED:
        assert RUN_STEPS[run_status] & RUN_ENDED


def test_an_illegal_step_of_a_job_raises_and_names_both_states() -> None:
    with pytest.raises(IllegalTransition, match="SUCCEEDED cannot become RUNNING"):
        check_job_step(JobStatus.SUCCEEDED, JobStatus.RUNNING)


def test_an_illegal_step_of_a_run_raises() -> None:
    with pytest.raises(IllegalTransition, match="QUEUED cannot become SUCCEEDED"):
        check_run_step(RunStatus.QUEUED, RunStatus.SUCCEEDED)


def test_legal_steps_pass() -> None:
    check_job_step(JobStatus.PENDING, JobStatus.RUNNING)
    check_run_step(RunStatus.RUNNING, RunStatus.QUEUED)


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        (RunCounts(succeeded=2), JobStatus.SUCCEEDED),
        (RunCounts(succeeded=1, failed=1), JobStatus.PARTIALLY_SUCCEEDED),
        (RunCounts(succeeded=1, cancelled=1), JobStatus.PARTIALLY_SUCCEEDED),
        (RunCounts(failed=2), JobStatus.FAILED),
        (RunCounts(failed=1, cancelled=1), JobStatus.FAILED),
        (RunCounts(cancelled=2), JobStatus.CANCELLED),
    ],
)
def test_the_end_of_a_job_follows_from_its_runs(counts: RunCounts, status: JobStatus) -> None:
    assert job_status_at_end(counts) is status


def _reachable_jobs(status: JobStatus) -> set[JobStatus]:
    found: set[JobStatus] = set()
    waiting = [status]
    while waiting:
        for following in JOB_STEPS[waiting.pop()] - found:
            found.add(following)
            waiting.append(following)
    return found
