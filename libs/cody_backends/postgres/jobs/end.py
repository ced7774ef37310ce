"""Ends: of a shard, of a lost shard, of a job."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from cody_backends.job_failure import FailureGroup, failure_of_job
from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.jobs.hold import worker_lost
from cody_backends.postgres.jobs.read import count_runs, has_unfinished
from cody_backends.postgres.jobs.rows import find_job_row, job_from, lock_job_row, steps_to
from cody_backends.postgres.jobs.samples import sample_is_done
from cody_backends.postgres.texts import storable_failure
from cody_jobs.errors import IllegalTransition, RunNotFound
from cody_jobs.lifecycle import DISPATCHES_ALLOWED, LOSSES_ALLOWED, check_job_step, job_status_at_end
from cody_jobs.models import Failure, FailureCode, JobStatus, RunCounts, RunStatus
from cody_jobs.ports.job_store import RecoveredRuns, ShardEnd


async def end_shard(connection: Connection, *, job_id: str, attempt: int, index: int, mark: UUID) -> ShardEnd:
    """`mark` is this call's own: when it is run twice, it finds that it ended the job itself.

    A shard stays open while one of its runs is unfinished (a second worker may hold it, and may die with it).
    """
    job = await lock_job_row(connection, job_id)
    await _close_shard(connection, job_id, attempt, index)
    if job["status"] == JobStatus.RUNNING:
        await _settle(connection, job_id, mark)
    return await _shard_end(connection, job_id, mark)


async def _close_shard(connection: Connection, job_id: str, attempt: int, index: int) -> None:
    found = await connection.fetchval(
        """
        UPDATE shards SET ended_at = coalesce(ended_at, CASE WHEN NOT EXISTS (
            SELECT FROM repository_runs AS run
            WHERE run.job_id = $1 AND run.attempt = $2 AND shard = $3 AND status IN ('DISPATCHED', 'RUNNING')
        ) THEN clock_timestamp() END)
        WHERE job_id = $1 AND attempt = $2 AND index = $3 RETURNING true
        """,
        job_id,
        attempt,
        index,
    )
    if not found:
        raise _no_shard(job_id, attempt, index)


async def _settle(connection: Connection, job_id: str, mark: UUID) -> None:
    """Each shard's last run is committed before its call of `end_shard`, and these calls take turns by the lock on
    the job: the last one sees that nothing is unfinished, or nothing of the job's sample."""
    if await has_unfinished(connection, job_id):
        if await sample_is_done(connection, job_from(await find_job_row(connection, job_id))):
            check_job_step(JobStatus.RUNNING, JobStatus.AWAITING_APPROVAL)
            await _await_approval(connection, job_id, mark)
        return
    counts = (await count_runs(connection, job_ids=[job_id]))[job_id]
    status = job_status_at_end(counts)
    check_job_step(JobStatus.RUNNING, status)
    await _end_job(connection, job_id, status, await _failure_of(connection, job_id, counts), mark)


async def _await_approval(connection: Connection, job_id: str, mark: UUID) -> None:
    await connection.execute(
        """
        UPDATE jobs SET status = 'AWAITING_APPROVAL', updated_at = clock_timestamp(), changed_by = $2 WHERE id = $1
        """,
        job_id,
        mark,
    )


async def stop_job(
    connection: Connection, *, job_id: str, status: JobStatus, failure: Failure | None, mark: UUID
) -> ShardEnd:
    job = await lock_job_row(connection, job_id)
    if status not in {JobStatus.CANCELLED, JobStatus.FAILED}:
        raise IllegalTransition(f"a job is stopped as CANCELLED or FAILED, not as {status}")
    if job["status"] != status:
        check_job_step(JobStatus(job["status"]), status)
        await _cancel_runs(connection, job_id)
        await _end_job(connection, job_id, status, failure, mark)
    return await _shard_end(connection, job_id, mark)


async def _cancel_runs(connection: Connection, job_id: str) -> None:
    await connection.execute(
        """
        WITH unfinished AS (
            SELECT repository FROM repository_runs WHERE job_id = $1 AND status = ANY ($2::text[])
            ORDER BY repository FOR UPDATE
        )
        UPDATE repository_runs AS run
        SET status = 'CANCELLED', lease_owner = NULL, lease_expires_at = NULL, ended_at = clock_timestamp(),
            updated_at = clock_timestamp()
        FROM unfinished
        WHERE run.job_id = $1 AND run.repository = unfinished.repository AND run.status = ANY ($2::text[])
        """,
        job_id,
        steps_to(RunStatus.CANCELLED),
    )


async def _end_job(connection: Connection, job_id: str, status: JobStatus, failure: Failure | None, mark: UUID) -> None:
    await connection.execute(
        """
        UPDATE jobs SET status = $2, failure = $3, ended_at = clock_timestamp(), updated_at = clock_timestamp(),
            changed_by = $4
        WHERE id = $1
        """,
        job_id,
        status,
        storable_failure(failure),
        mark,
    )
    await connection.execute(
        "UPDATE shards SET ended_at = clock_timestamp() WHERE job_id = $1 AND ended_at IS NULL", job_id
    )


async def _shard_end(connection: Connection, job_id: str, mark: UUID) -> ShardEnd:
    row = await find_job_row(connection, job_id)
    job, changed_now = job_from(row), row["changed_by"] == mark
    awaits = job.status is JobStatus.AWAITING_APPROVAL
    return ShardEnd(job=job, job_ended_now=changed_now and not awaits, awaits_approval_now=changed_now and awaits)


async def _failure_of(connection: Connection, job_id: str, counts: RunCounts) -> Failure | None:
    rows = await connection.fetch(
        """
        SELECT count(*) AS runs, (array_agg(failure ORDER BY position))[1] AS first,
            bool_or((failure ->> 'retryable')::boolean) AS retryable
        FROM repository_runs WHERE job_id = $1 AND status = 'FAILED' GROUP BY failure ->> 'code'
        """,
        job_id,
    )
    groups = [
        FailureGroup(
            runs=row["runs"],
            first=msgspec.json.decode(row["first"], type=Failure),
            retryable=row["retryable"],
        )
        for row in rows
    ]
    return failure_of_job(groups, counts)


async def recover_shard(
    connection: Connection, *, job_id: str, attempt: int, index: int, failure: Failure | None, mark: UUID
) -> RecoveredRuns:
    await lock_job_row(connection, job_id)
    shard = await connection.fetchrow(
        "SELECT recovered_by, recovered FROM shards WHERE job_id = $1 AND attempt = $2 AND index = $3",
        job_id,
        attempt,
        index,
    )
    if shard is None:
        raise _no_shard(job_id, attempt, index)
    if shard["recovered_by"] == mark:
        return msgspec.json.decode(shard["recovered"], type=RecoveredRuns)
    left = await connection.fetch(_LEFT, job_id, attempt, index)
    fates = {row["repository"]: _fate(row, failure) for row in left}
    await _apply(connection, job_id, fates)
    recovered = RecoveredRuns(
        requeued=tuple(name for name, fate in fates.items() if fate is None),
        failed=tuple(name for name, fate in fates.items() if fate is not None),
    )
    await connection.execute(
        """
        UPDATE shards SET ended_at = coalesce(ended_at, clock_timestamp()), recovered_by = $4, recovered = $5
        WHERE job_id = $1 AND attempt = $2 AND index = $3
        """,
        job_id,
        attempt,
        index,
        mark,
        recovered,
    )
    return recovered


_LEFT = """
    SELECT repository, status, losses, dispatches FROM repository_runs
    WHERE job_id = $1 AND attempt = $2 AND shard = $3 AND status IN ('DISPATCHED', 'RUNNING')
    ORDER BY repository FOR UPDATE
"""


def _fate(run: Row, failure: Failure | None) -> Failure | None:
    """The failure that a lost run ends with, or None when it is worth another try."""
    if failure is not None:
        return storable_failure(failure)
    losses = run["losses"] + (run["status"] == RunStatus.RUNNING)
    if losses >= LOSSES_ALLOWED:
        return worker_lost(losses)
    if run["dispatches"] < DISPATCHES_ALLOWED:
        return None
    message = f"the workers of this repository did not start or did not end it {run['dispatches']} times"
    return Failure(code=FailureCode.WORKER_LOST, message=message, retryable=True)


async def _apply(connection: Connection, job_id: str, fates: Mapping[str, Failure | None]) -> None:
    names = list(fates)
    await connection.execute(
        """
        UPDATE repository_runs AS run
        SET status = CASE WHEN fate.failure IS NULL THEN 'QUEUED' ELSE 'FAILED' END,
            failure = fate.failure,
            shard = CASE WHEN fate.failure IS NULL THEN NULL ELSE shard END,
            losses = losses + (status = 'RUNNING')::integer,
            alone = alone OR status = 'RUNNING',
            started_at = CASE WHEN fate.failure IS NULL THEN NULL ELSE started_at END,
            ended_at = CASE WHEN fate.failure IS NULL THEN NULL ELSE clock_timestamp() END,
            lease_owner = NULL, lease_expires_at = NULL, updated_at = clock_timestamp()
        FROM unnest($2::text[], $3::json[]) AS fate (repository, failure)
        WHERE run.job_id = $1 AND run.repository = fate.repository
        """,
        job_id,
        names,
        [fates[name] for name in names],
    )


async def list_jobs_to_settle(connection: Connection, *, limit: int) -> list[tuple[str, int, int]]:
    rows = await connection.fetch(
        """
        SELECT id, last.attempt, last.index FROM jobs CROSS JOIN LATERAL (
            SELECT shards.attempt, index FROM shards WHERE job_id = id
            ORDER BY shards.attempt DESC, index DESC LIMIT 1
        ) AS last
        WHERE status = 'RUNNING'
            AND NOT EXISTS (SELECT FROM shards WHERE job_id = id AND ended_at IS NULL)
            AND NOT EXISTS (
                SELECT FROM repository_runs AS run
                WHERE run.job_id = id AND run.status IN ('QUEUED', 'DISPATCHED', 'RUNNING') AND (
                    run.status <> 'QUEUED'
                    OR approval IS NOT NULL
                    OR sample_size = 0
                    OR json_array_length(sample) = 0
                    OR repository IN (SELECT json_array_elements(sample) ->> 'repository')
                )
            )
        ORDER BY updated_at LIMIT $1
        """,
        limit,
    )
    return [(row["id"], row["attempt"], row["index"]) for row in rows]


def _no_shard(job_id: str, attempt: int, index: int) -> RunNotFound:
    return RunNotFound(f"job {job_id} has no shard {index} in attempt {attempt}")
