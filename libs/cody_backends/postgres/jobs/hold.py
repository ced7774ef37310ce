"""Hold a run: claim it, keep it, give it back, end it. The database's clock decides when a lease is over."""

from collections.abc import Sequence
from datetime import timedelta

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.jobs.rows import find_run_row, run_from
from cody_backends.postgres.texts import storable, storable_failure
from cody_jobs.errors import JobNotFound, LeaseLost, RunLost
from cody_jobs.lifecycle import LOSSES_ALLOWED
from cody_jobs.models import (
    Failure,
    FailureCode,
    FileCounts,
    JobStatus,
    RepositoryRun,
    RunFailed,
    RunOutcome,
    RunResult,
    RunStatus,
    RunSucceeded,
)
from cody_jobs.ports.job_store import LeaseRenewal


def worker_lost(times: int) -> Failure:
    message = f"the worker of this repository died or went silent {times} times"
    return Failure(code=FailureCode.WORKER_LOST, message=message, retryable=True)


async def claim_run(database: Database, *, job_id: str, repository: str, owner: str, lease: timedelta) -> RepositoryRun:
    async def claim(connection: Connection) -> RepositoryRun | None:
        row = await connection.fetchrow(_CLAIM, job_id, repository, owner, lease, LOSSES_ALLOWED)
        return run_from(row) if row else None

    async def fail_lost(connection: Connection) -> tuple[RepositoryRun, bool]:
        await connection.execute(_FAIL_LOST, job_id, repository, owner, worker_lost(LOSSES_ALLOWED), LOSSES_ALLOWED)
        row = await find_run_row(connection, job_id, repository)
        run = run_from(row)
        return run, row["finished_by"] == owner and _is_lost(run)

    claimed = await database.run_statement(claim)
    if claimed is not None:
        return claimed
    run, ended_by_us = await database.run(fail_lost)
    if ended_by_us:
        raise RunLost(f"{repository} was lost too often and has failed")
    raise LeaseLost(f"{repository} is {run.status}" + (f", held by {run.lease_owner}" if run.lease_owner else ""))


def _is_lost(run: RepositoryRun) -> bool:
    """No result that a worker finishes a run with has this code."""
    return run.failure is not None and run.failure.code is FailureCode.WORKER_LOST


# A run that is taken from an owner whose lease is over was lost once more; its own owner may come late and go on.
_CLAIM = """
    UPDATE repository_runs
    SET status = 'RUNNING', lease_owner = $3, lease_expires_at = clock_timestamp() + $4::interval, finished_by = NULL,
        losses = losses + (status = 'RUNNING' AND lease_owner <> $3)::integer,
        alone = alone OR (status = 'RUNNING' AND lease_owner <> $3),
        started_at = CASE WHEN status = 'RUNNING' AND lease_owner = $3 THEN started_at ELSE clock_timestamp() END,
        updated_at = clock_timestamp()
    WHERE job_id = $1 AND repository = $2 AND (
        status = 'DISPATCHED' AND losses < $5
        OR status = 'RUNNING' AND lease_owner = $3
        OR status = 'RUNNING' AND lease_expires_at <= clock_timestamp() AND losses + 1 < $5
    )
    RETURNING *
"""
_FAIL_LOST = """
    UPDATE repository_runs
    SET status = 'FAILED', failure = $4, losses = losses + (status = 'RUNNING')::integer, alone = true,
        finished_by = $3, lease_owner = NULL, lease_expires_at = NULL, ended_at = clock_timestamp(),
        updated_at = clock_timestamp()
    WHERE job_id = $1 AND repository = $2 AND (
        status = 'DISPATCHED' AND losses >= $5
        OR status = 'RUNNING' AND lease_owner <> $3 AND lease_expires_at <= clock_timestamp() AND losses + 1 >= $5
    )
"""


async def renew_leases(
    connection: Connection, *, job_id: str, repositories: Sequence[str], owner: str, lease: timedelta
) -> LeaseRenewal:
    row = await connection.fetchrow(_RENEW, job_id, repositories, owner, lease)
    if row is None:
        raise JobNotFound(f"there is no job {job_id}")
    return LeaseRenewal(held=frozenset(row["held"]), job_status=JobStatus(row["status"]))


# Everybody who changes several runs at once locks them by name first: in one order, nobody waits in a circle.
_RENEW = """
    WITH mine AS (
        SELECT repository FROM repository_runs
        WHERE job_id = $1 AND repository = ANY ($2::text[]) AND status = 'RUNNING' AND lease_owner = $3
        ORDER BY repository FOR UPDATE
    ), renewed AS (
        UPDATE repository_runs AS run SET lease_expires_at = clock_timestamp() + $4::interval
        FROM mine
        WHERE run.job_id = $1 AND run.repository = mine.repository AND run.lease_owner = $3
        RETURNING run.repository
    )
    SELECT status, ARRAY (SELECT repository FROM renewed) AS held FROM jobs WHERE id = $1
"""


async def release_run(connection: Connection, *, job_id: str, repository: str, owner: str) -> None:
    released = await connection.fetchval(
        """
        UPDATE repository_runs
        SET status = 'QUEUED', shard = NULL, lease_owner = NULL, lease_expires_at = NULL, started_at = NULL,
            updated_at = clock_timestamp()
        WHERE job_id = $1 AND repository = $2 AND status = 'RUNNING' AND lease_owner = $3
        RETURNING true
        """,
        job_id,
        repository,
        owner,
    )
    if not released:
        await find_run_row(connection, job_id, repository)


class _End:
    """A result as the columns it is kept in."""

    def __init__(self, result: RunResult) -> None:
        self.files: FileCounts = result.files
        self.status = RunStatus.SUCCEEDED
        self.outcome: RunOutcome | None = None
        self.reason: str | None = None
        self.failure: Failure | None = None
        match result:
            case RunSucceeded():
                self.outcome, self.reason = result.outcome, storable(result.reason)
            case RunFailed():
                self.status, self.failure = RunStatus.FAILED, storable_failure(result.failure)

    def is_of(self, run: RepositoryRun) -> bool:
        mine = (self.status, self.outcome, self.reason, self.failure, self.files)
        return mine == (run.status, run.outcome, run.reason, run.failure, run.files)


async def finish_run(
    connection: Connection, *, job_id: str, repository: str, owner: str, result: RunResult
) -> RepositoryRun:
    """Its owner may say the same again: it cannot know whether the first time was heard."""
    end = _End(result)
    row = await connection.fetchrow(
        """
        UPDATE repository_runs
        SET status = $4, outcome = $5, reason = $6, failure = $7, files = $8, finished_by = $3, lease_owner = NULL,
            lease_expires_at = NULL, ended_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE job_id = $1 AND repository = $2 AND status = 'RUNNING' AND lease_owner = $3
        RETURNING *
        """,
        job_id,
        repository,
        owner,
        end.status,
        end.outcome,
        end.reason,
        end.failure,
        end.files,
    )
    if row is not None:
        return run_from(row)
    row = await find_run_row(connection, job_id, repository)
    run = run_from(row)
    if row["finished_by"] == owner and end.is_of(run):
        return run
    raise LeaseLost(f"{repository} is {run.status} and not held by {owner}")
