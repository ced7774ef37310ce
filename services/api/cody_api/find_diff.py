"""The diff of a run, or why there is none."""

from cody_api.problems import ProblemError
from cody_jobs.lifecycle import RUN_ENDED
from cody_jobs.models import RepositoryRun, RunOutcome, RunStatus
from cody_jobs.outcomes import RunPatch
from cody_jobs.ports import ResultStore


async def find_diff(results: ResultStore, run: RepositoryRun) -> RunPatch:
    """Raise `ProblemError` 404 with the reason. Only a run that succeeded has a diff: its checks have passed."""
    reason = why_no_diff(run)
    if reason is not None:
        raise reason
    return await results.get_patch(run.job_id, run.repository)


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
    return None
