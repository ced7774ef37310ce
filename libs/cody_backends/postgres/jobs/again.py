"""Work on ended runs once more."""

from uuid import UUID

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.jobs.rows import find_job_row, job_from, lock_job_row, steps_to
from cody_jobs.errors import IllegalTransition
from cody_jobs.lifecycle import JOB_ENDED, RUN_ENDED, check_job_step
from cody_jobs.models import Job, JobStatus, RunStatus


async def retry_job(connection: Connection, *, job_id: str, mark: UUID) -> int:
    job = await lock_job_row(connection, job_id)
    if job["changed_by"] == mark:
        return job["requeued"]
    status = JobStatus(job["status"])
    if status not in JOB_ENDED:
        raise IllegalTransition(f"a job that is {status} has not ended: there is nothing to retry yet")
    check_job_step(status, JobStatus.PENDING)
    runs = await queue_again(connection, job_id)
    if not runs:
        raise IllegalTransition("no run of this job failed or was cancelled: there is nothing to retry")
    await _make_pending(connection, job_id, mark, runs)
    return runs


async def set_pending(connection: Connection, *, job_id: str) -> Job:
    job = await lock_job_row(connection, job_id)
    if job["status"] == JobStatus.CREATING:
        raise IllegalTransition("a job that is CREATING is not written whole yet")
    await _make_pending(connection, job_id, None, 0)
    return job_from(await find_job_row(connection, job_id))


async def queue_again(connection: Connection, job_id: str) -> int:
    """The failed and cancelled runs start from nothing. A run that was lost before stays alone in its shard."""
    done = await connection.execute(
        """
        UPDATE repository_runs
        SET status = 'QUEUED', outcome = NULL, reason = NULL, failure = NULL, files = '{}', shard = NULL,
            dispatches = 0, losses = 0, finished_by = NULL, started_at = NULL, ended_at = NULL,
            updated_at = clock_timestamp()
        WHERE job_id = $1 AND status = ANY ($2::text[])
        """,
        job_id,
        [status for status in steps_to(RunStatus.QUEUED) if status in RUN_ENDED],
    )
    return int(done.split()[-1])


async def _make_pending(connection: Connection, job_id: str, mark: UUID | None, requeued: int) -> None:
    await connection.execute(
        """
        UPDATE jobs SET status = 'PENDING', failure = NULL, ended_at = NULL, updated_at = clock_timestamp(),
            changed_by = $2, requeued = $3
        WHERE id = $1
        """,
        job_id,
        mark,
        requeued,
    )
