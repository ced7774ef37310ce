"""Hand queued runs to compute: cut them into shards, note who runs them, find what waits."""

from datetime import timedelta

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.jobs.again import queue_again
from cody_backends.postgres.jobs.read import has_unfinished
from cody_backends.postgres.jobs.rows import find_job_row, job_from, lock_job_row, shard_from
from cody_backends.postgres.jobs.samples import positions_for_pilot, positions_of_sample
from cody_jobs.errors import RunNotFound
from cody_jobs.lifecycle import check_job_step
from cody_jobs.models import Attempt, Job, JobStatus, Shard
from cody_jobs.ports.job_store import OpenShard


async def begin_attempt(connection: Connection, *, job_id: str, repositories_per_shard: int) -> Attempt | None:
    """A second call finds the attempt that the first one made, as it has no compute id yet."""
    job = job_from(await lock_job_row(connection, job_id))
    status = job.status
    if status not in {JobStatus.PENDING, JobStatus.RUNNING}:
        return None
    attempt = await _attempt_without_compute(connection, job_id)
    if attempt is None and status is JobStatus.PENDING and not await has_unfinished(connection, job_id):
        await queue_again(connection, job_id)
    attempt = attempt or await _next_attempt(connection, job, repositories_per_shard)
    if status is JobStatus.PENDING or attempt is not None:
        await _make_running(connection, job_id, status, attempt)
    return attempt


async def _make_running(connection: Connection, job_id: str, status: JobStatus, attempt: Attempt | None) -> None:
    """Also without an attempt: the runs of a job that an operator set back are with workers, or have all succeeded
    (then the job is one to settle)."""
    if status is not JobStatus.RUNNING:
        check_job_step(status, JobStatus.RUNNING)
    await connection.execute(
        """
        UPDATE jobs SET status = 'RUNNING', attempt = coalesce($2, attempt), failure = NULL, ended_at = NULL,
            updated_at = clock_timestamp()
        WHERE id = $1
        """,
        job_id,
        attempt.number if attempt else None,
    )


async def _attempt_without_compute(connection: Connection, job_id: str) -> Attempt | None:
    """One whose shards have all ended was stopped before it began: it is not handed over any more."""
    row = await connection.fetchrow(
        """
        SELECT number, shards FROM attempts WHERE job_id = $1 AND compute_id IS NULL
            AND EXISTS (SELECT FROM shards WHERE job_id = $1 AND attempt = number AND ended_at IS NULL)
        ORDER BY number LIMIT 1
        """,
        job_id,
    )
    if row is None:
        return None
    return Attempt(job_id=job_id, number=row["number"], shards=row["shards"], compute_id=None, again=True)


async def _next_attempt(connection: Connection, job: Job, repositories_per_shard: int) -> Attempt | None:
    if not job.sampling:
        return await _cut(connection, job, repositories_per_shard)
    if job.sample:
        only = await positions_of_sample(connection, job)
        return await _cut(connection, job, repositories_per_shard, only=only)
    only = await positions_for_pilot(connection, job)
    return await _cut(connection, job, len(only), only=only, together=True) if only else None


async def _cut(
    connection: Connection, job: Job, per_shard: int, *, only: list[int] | None = None, together: bool = False
) -> Attempt | None:
    """`only` these positions; `together`, also those that were lost before."""
    number = job.attempt + 1
    shards = await connection.fetchval(_CUT, job.id, number, per_shard, only, together)
    return Attempt(job_id=job.id, number=number, shards=shards, compute_id=None, again=False) if shards else None


_CUT = """
    WITH chosen AS (
        SELECT repository, position, alone AND NOT $5 AS alone FROM repository_runs
        WHERE job_id = $1 AND status = 'QUEUED' AND ($4::integer[] IS NULL OR position = ANY ($4::integer[]))
    ), queued AS (
        SELECT repository, position, alone,
            row_number() OVER (PARTITION BY alone ORDER BY position) - 1 AS place,
            count(*) FILTER (WHERE NOT alone) OVER () AS packed
        FROM chosen
    ), placed AS (
        SELECT repository, position,
            (CASE WHEN alone THEN (packed + $3 - 1) / $3 + place ELSE place / $3 END)::integer AS shard
        FROM queued
    ), attempt AS (
        INSERT INTO attempts (job_id, number, shards)
        SELECT $1, $2, max(shard) + 1 FROM placed HAVING count(*) > 0
        RETURNING attempts.shards
    ), cut AS (
        INSERT INTO shards (job_id, attempt, index, repositories)
        SELECT $1, $2, shard, array_agg(repository ORDER BY position) FROM placed GROUP BY shard
    ), dispatched AS (
        UPDATE repository_runs AS run
        SET status = 'DISPATCHED', attempt = $2, shard = placed.shard, dispatches = dispatches + 1,
            updated_at = clock_timestamp()
        FROM placed WHERE run.job_id = $1 AND run.repository = placed.repository
    )
    SELECT shards FROM attempt
"""


async def record_compute(connection: Connection, *, job_id: str, attempt: int, compute_id: str) -> bool:
    noted = await connection.fetchval(
        """
        UPDATE attempts SET compute_id = $3
        WHERE job_id = $1 AND number = $2 AND (compute_id IS NULL OR compute_id = $3)
        RETURNING true
        """,
        job_id,
        attempt,
        compute_id,
    )
    if noted:
        return True
    await find_job_row(connection, job_id)
    if await connection.fetchval("SELECT true FROM attempts WHERE job_id = $1 AND number = $2", job_id, attempt):
        return False
    raise RunNotFound(f"job {job_id} has no attempt {attempt}")


async def list_compute_ids(connection: Connection, *, job_id: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT compute_id FROM attempts WHERE job_id = $1 AND compute_id IS NOT NULL ORDER BY number", job_id
    )
    return [row["compute_id"] for row in rows]


async def list_jobs_to_dispatch(connection: Connection, *, pending_for: timedelta, limit: int) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT id FROM jobs CROSS JOIN LATERAL (
            SELECT approval IS NULL AND sample_size > 0 AS sampling,
                EXISTS (SELECT FROM shards WHERE job_id = id AND ended_at IS NULL) AS at_work
        ) AS phase
        WHERE status = 'PENDING' AND updated_at <= now() - $1::interval
            OR status = 'RUNNING' AND (
                EXISTS (
                    SELECT FROM repository_runs AS run WHERE run.job_id = id AND run.status = 'QUEUED' AND (
                        NOT sampling
                        OR repository IN (SELECT json_array_elements(sample) ->> 'repository')
                        OR json_array_length(sample) = 0 AND NOT at_work
                    )
                )
                OR EXISTS (
                    SELECT FROM attempts
                    WHERE attempts.job_id = id AND compute_id IS NULL AND attempts.created_at <= now() - $1::interval
                        AND EXISTS (SELECT FROM shards WHERE job_id = id AND attempt = number AND ended_at IS NULL)
                )
            )
        ORDER BY updated_at LIMIT $2
        """,
        pending_for,
        limit,
    )
    return [row["id"] for row in rows]


async def get_shard(connection: Connection, *, job_id: str, attempt: int, index: int) -> Shard:
    row = await connection.fetchrow(
        """
        SELECT shards.*, compute_id FROM shards JOIN attempts ON attempts.job_id = shards.job_id AND number = attempt
        WHERE shards.job_id = $1 AND attempt = $2 AND index = $3
        """,
        job_id,
        attempt,
        index,
    )
    if row is not None:
        return shard_from(row)
    await find_job_row(connection, job_id)
    raise RunNotFound(f"job {job_id} has no shard {index} in attempt {attempt}")


async def list_open_shards(connection: Connection, *, limit: int) -> list[OpenShard]:
    rows = await connection.fetch(
        """
        SELECT shards.*, compute_id, jobs.status AS job_status, EXISTS (
            SELECT FROM repository_runs AS run
            WHERE run.job_id = shards.job_id AND run.attempt = shards.attempt AND run.shard = index
                AND run.status = 'RUNNING' AND run.lease_expires_at <= now()
        ) AS silent
        FROM shards
        JOIN attempts ON attempts.job_id = shards.job_id AND number = shards.attempt
        JOIN jobs ON jobs.id = shards.job_id
        WHERE shards.ended_at IS NULL
        ORDER BY shards.created_at, shards.job_id, shards.attempt, index LIMIT $1
        """,
        limit,
    )
    return [
        OpenShard(shard=shard_from(row), job_status=JobStatus(row["job_status"]), silent=row["silent"]) for row in rows
    ]
