"""Work on ended runs once more."""

from datetime import datetime
from uuid import UUID

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.jobs.rows import find_job_row, job_from, lock_job_row, run_from
from cody_jobs.approval import amend_prompt, runs_to_retry
from cody_jobs.errors import IllegalTransition
from cody_jobs.lifecycle import RUN_ENDED, check_retry, nothing_to_retry
from cody_jobs.models import Job, JobStatus
from cody_jobs.run_filter import PLAIN, RunFilter


async def retry_job(connection: Connection, *, job_id: str, runs: RunFilter, prompt: str | None, mark: UUID) -> int:
    row = await lock_job_row(connection, job_id)
    if row["changed_by"] == mark:
        return row["requeued"]
    job = job_from(row)
    check_retry(job.status)
    wanted = runs_to_retry(job, runs, prompt)
    queued = await queue_again(connection, job_id, wanted)
    if not queued:
        raise nothing_to_retry(wanted)
    await amend(connection, job, prompt)
    await make_pending(connection, job_id, mark, queued)
    return queued


async def amend(connection: Connection, job: Job, prompt: str | None) -> None:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    amended = amend_prompt(job, prompt, now=now)
    if amended is not job:
        await connection.execute(
            "UPDATE jobs SET spec = $2, former_prompts = $3 WHERE id = $1",
            job.id,
            amended.spec,
            amended.former_prompts,
        )


async def set_pending(connection: Connection, *, job_id: str) -> Job:
    job = await lock_job_row(connection, job_id)
    if job["status"] == JobStatus.CREATING:
        raise IllegalTransition("a job that is CREATING is not written whole yet")
    await make_pending(connection, job_id, None, 0)
    return job_from(await find_job_row(connection, job_id))


async def queue_again(connection: Connection, job_id: str, runs: RunFilter = PLAIN) -> int:
    """These runs start from nothing. A run that was lost before stays alone in its shard."""
    rows = await connection.fetch(
        "SELECT * FROM repository_runs WHERE job_id = $1 AND status = ANY ($2::text[])", job_id, list(RUN_ENDED)
    )
    names = [run.repository for run in map(run_from, rows) if runs.takes(run)]
    await connection.execute(
        """
        UPDATE repository_runs
        SET status = 'QUEUED', outcome = NULL, reason = NULL, failure = NULL, files = '{}', shard = NULL,
            dispatches = 0, losses = 0, finished_by = NULL, started_at = NULL, ended_at = NULL,
            updated_at = clock_timestamp()
        WHERE job_id = $1 AND repository = ANY ($2::text[]) AND status = ANY ($3::text[])
        """,
        job_id,
        names,
        list(RUN_ENDED),
    )
    return len(names)


async def make_pending(connection: Connection, job_id: str, mark: UUID | None, requeued: int) -> None:
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
