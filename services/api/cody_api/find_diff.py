"""The diff of a run, or why there is none."""

from cody_api.problems import ProblemError
from cody_jobs.errors import ResultNotFound
from cody_jobs.lifecycle import RUN_ENDED
from cody_jobs.models import RepositoryRun, RunOutcome, RunStatus
from cody_jobs.outcomes import RunPatch
from cody_jobs.ports import ResultStore


async def find_diff(results: ResultStore, run: RepositoryRun, *, partial: bool) -> RunPatch:
    """Raise `ProblemError` 404 with the reason.

    Only a run that succeeded has a whole diff: its checks have passed. `partial` also gives the diff of a failed run's
    files that did not fail, where there are any.
    """
    reason = why_no_diff(run)
    if reason is None:
        return await results.get_patch(run.job_id, run.repository)
    if not (partial and run.status is RunStatus.FAILED):
        raise reason
    try:
        return await results.get_patch(run.job_id, run.repository)
    except ResultNotFound:
        raise reason from None


def why_no_diff(run: RepositoryRun) -> ProblemError | None:
    who = run.repository
    if run.status not in RUN_ENDED:
        return ProblemError(404, "diff_not_ready", f"{who} is {run.status}; its diff comes when it has ended.")
    if run.status is RunStatus.CANCELLED:
        return ProblemError(404, "diff_run_cancelled", f"{who} was cancelled before it had a diff.")
    if run.status is RunStatus.FAILED:
        said = f"{run.failure.code}: {run.failure.message}" if run.failure else "no reason was stored"
        return ProblemError(404, "diff_run_failed", f"{who} failed ({said}).")
    if run.outcome is RunOutcome.NO_CHANGES:
        return ProblemError(404, "diff_no_changes", f"{who} needed no changes: {run.reason or 'no reason was stored'}")
    if run.outcome is RunOutcome.ESTIMATED:
        said = run.reason or "no estimate was stored"
        return ProblemError(404, "diff_dry_run", f"A dry run has no diff; of {run.repository} it says: {said}.")
    return None
