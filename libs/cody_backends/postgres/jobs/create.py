"""Write a job with its runs, in steps that may be taken again by whoever comes after a crash."""

from collections.abc import Sequence
from functools import partial

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.jobs.rows import find_job_row, job_from
from cody_backends.postgres.texts import storable
from cody_jobs.errors import IdempotencyConflict, JobNotFound, JobRejected, Unavailable
from cody_jobs.models import Job, JobStatus, NewJob

_BATCH = 1_000


async def create_job(database: Database, job: NewJob, repositories: Sequence[str]) -> Job:
    if not repositories or len(set(repositories)) < len(repositories):
        raise JobRejected("a job needs at least one repository, and each of them once")
    present = await database.run(partial(_insert_job, job=job, repositories=len(repositories)))
    if (present.fingerprint, present.repositories) != (job.fingerprint, len(repositories)):
        raise _conflict(job.id)
    if present.status is not JobStatus.CREATING:
        return present
    return await _finish_creating(database, job.id, repositories)


async def _finish_creating(database: Database, job_id: str, repositories: Sequence[str]) -> Job:
    """Two callers may be here at once: each writes what is missing, and one of them moves the job on."""
    for first in range(0, len(repositories), _BATCH):
        batch = repositories[first : first + _BATCH]
        if not await database.run(partial(_insert_runs, job_id=job_id, first=first, repositories=batch)):
            break
    try:
        created = await database.run(partial(_make_pending, job_id=job_id))
    except JobNotFound as error:
        raise Unavailable("PostgreSQL", f"job {job_id} was discarded while it was written") from error
    if created.status is JobStatus.CREATING:
        raise _conflict(job_id)
    return created


async def _insert_job(connection: Connection, *, job: NewJob, repositories: int) -> Job:
    await connection.execute(
        """
        INSERT INTO jobs (id, spec, status, repositories, fingerprint, submitted_by, traceparent, sample_size)
        VALUES ($1, $2, 'CREATING', $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        job.id,
        job.spec,
        repositories,
        job.fingerprint,
        storable(job.submitted_by),
        storable(job.traceparent),
        job.spec.sample,
    )
    return job_from(await find_job_row(connection, job.id))


async def _insert_runs(connection: Connection, *, job_id: str, first: int, repositories: Sequence[str]) -> bool:
    """False when the job is not CREATING any more: somebody else has finished, stopped or discarded it."""
    touched = await connection.fetchval(
        "UPDATE jobs SET updated_at = clock_timestamp() WHERE id = $1 AND status = 'CREATING' RETURNING true", job_id
    )
    if touched is None:
        return False
    await connection.execute(
        """
        INSERT INTO repository_runs (job_id, repository, position)
        SELECT $1, repository, $2::integer + place - 1
        FROM unnest($3::text[]) WITH ORDINALITY AS names (repository, place)
        ON CONFLICT DO NOTHING
        """,
        job_id,
        first,
        repositories,
    )
    return True


async def _make_pending(connection: Connection, *, job_id: str) -> Job:
    await connection.execute(
        """
        UPDATE jobs SET status = 'PENDING', updated_at = clock_timestamp()
        WHERE id = $1 AND status = 'CREATING'
            AND repositories = (SELECT count(*) FROM repository_runs WHERE job_id = $1)
        """,
        job_id,
    )
    return job_from(await find_job_row(connection, job_id))


def _conflict(job_id: str) -> IdempotencyConflict:
    return IdempotencyConflict(f"job {job_id} exists, made from another request")
