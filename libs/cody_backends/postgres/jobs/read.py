"""Look at jobs and runs."""

from collections.abc import Sequence

from cody_backends.cursors import JobCursor, RunCursor, read_cursor, write_cursor
from cody_backends.postgres.connection import Connection
from cody_backends.postgres.jobs.rows import find_job_row, find_run_row, job_from, run_from
from cody_backends.postgres.texts import storable
from cody_jobs.models import Job, JobStatus, Page, RepositoryRun, RunCounts, RunOutcome, RunStatus

_BY_OUTCOME = {
    RunOutcome.PULL_REQUEST: "pull_requests",
    RunOutcome.PATCH: "patches",
    RunOutcome.NO_CHANGES: "no_changes",
    RunOutcome.ESTIMATED: "estimated",
}


async def get_job(connection: Connection, *, job_id: str) -> Job:
    return job_from(await find_job_row(connection, job_id))


async def get_run(connection: Connection, *, job_id: str, repository: str) -> RepositoryRun:
    return run_from(await find_run_row(connection, job_id, repository))


async def list_jobs(connection: Connection, *, status: JobStatus | None, limit: int, cursor: str | None) -> Page[Job]:
    after = read_cursor(cursor, JobCursor)
    rows = await connection.fetch(
        _JOBS if status is None else _JOBS_WITH_STATUS,
        after.at if after else None,
        after.id if after else None,
        limit + 1,
        *([] if status is None else [status]),
    )
    jobs = tuple(job_from(row) for row in rows[:limit])
    last = jobs[-1] if len(rows) > limit else None
    return Page(items=jobs, cursor=write_cursor(JobCursor(at=last.created_at, id=last.id)) if last else None)


_JOBS = """
    SELECT * FROM jobs WHERE (created_at, id) < (coalesce($1::timestamptz, 'infinity'), coalesce($2::text, ''))
    ORDER BY created_at DESC, id DESC LIMIT $3
"""
_JOBS_WITH_STATUS = """
    SELECT * FROM jobs
    WHERE (created_at, id) < (coalesce($1::timestamptz, 'infinity'), coalesce($2::text, '')) AND status = $4
    ORDER BY created_at DESC, id DESC LIMIT $3
"""


async def count_runs(connection: Connection, *, job_ids: Sequence[str]) -> dict[str, RunCounts]:
    rows = await connection.fetch(
        """
        SELECT job_id, status, outcome, count(*) AS runs FROM repository_runs
        WHERE job_id = ANY ($1::text[]) GROUP BY job_id, status, outcome
        """,
        job_ids,
    )
    counted = {job_id: dict.fromkeys(RunCounts.__struct_fields__, 0) for job_id in job_ids}
    for row in rows:
        numbers = counted[row["job_id"]]
        numbers[row["status"].lower()] += row["runs"]
        if row["outcome"]:
            numbers[_BY_OUTCOME[RunOutcome(row["outcome"])]] += row["runs"]
    return {job_id: RunCounts(**numbers) for job_id, numbers in counted.items()}


async def has_unfinished(connection: Connection, job_id: str) -> bool:
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM repository_runs WHERE job_id = $1 AND status IN ('QUEUED', 'DISPATCHED', 'RUNNING')
        )
        """,
        job_id,
    )


async def list_runs(
    connection: Connection, *, job_id: str, status: RunStatus | None, limit: int, cursor: str | None
) -> Page[RepositoryRun]:
    after = read_cursor(cursor, RunCursor)
    rows = await connection.fetch(
        _RUNS if status is None else _RUNS_WITH_STATUS,
        storable(job_id),
        after.position if after else -1,
        limit + 1,
        *([] if status is None else [status]),
    )
    if not rows:
        await find_job_row(connection, job_id)
    runs = tuple(run_from(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(items=runs, cursor=write_cursor(RunCursor(position=runs[-1].position)) if more else None)


_RUNS = "SELECT * FROM repository_runs WHERE job_id = $1 AND position > $2 ORDER BY position LIMIT $3"
_RUNS_WITH_STATUS = """
    SELECT * FROM repository_runs WHERE job_id = $1 AND position > $2 AND status = $4 ORDER BY position LIMIT $3
"""
