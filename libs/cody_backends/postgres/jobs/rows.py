"""Rows as what they stand for, and the statuses that conditions are made of."""

import msgspec

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.texts import storable
from cody_jobs.errors import JobNotFound, RunNotFound
from cody_jobs.lifecycle import JOB_ENDED, RUN_STEPS
from cody_jobs.models import (
    Failure,
    FileCounts,
    FormerPrompt,
    Job,
    JobSpec,
    JobStatus,
    RepositoryRun,
    RunOutcome,
    RunStatus,
    SampledRepository,
    Shard,
)


def job_from(row: Row) -> Job:
    """What belongs to an end is shown at an end only: an operator who sets a status by hand changes nothing else."""
    status = JobStatus(row["status"])
    ended = status in JOB_ENDED
    return Job(
        id=row["id"],
        spec=msgspec.json.decode(row["spec"], type=JobSpec),
        status=status,
        repositories=row["repositories"],
        fingerprint=row["fingerprint"],
        submitted_by=row["submitted_by"],
        traceparent=row["traceparent"],
        attempt=row["attempt"],
        failure=_failure_from(row["failure"]) if ended else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        ended_at=(row["ended_at"] or row["updated_at"]) if ended else None,
        sample=msgspec.json.decode(row["sample"], type=tuple[SampledRepository, ...]),
        approved=row["approval"] is not None,
        former_prompts=msgspec.json.decode(row["former_prompts"], type=tuple[FormerPrompt, ...]),
    )


def run_from(row: Row) -> RepositoryRun:
    outcome = row["outcome"]
    return RepositoryRun(
        job_id=row["job_id"],
        repository=row["repository"],
        position=row["position"],
        status=RunStatus(row["status"]),
        outcome=RunOutcome(outcome) if outcome else None,
        reason=row["reason"],
        failure=_failure_from(row["failure"]),
        files=msgspec.json.decode(row["files"], type=FileCounts),
        attempt=row["attempt"],
        shard=row["shard"],
        dispatches=row["dispatches"],
        losses=row["losses"],
        lease_owner=row["lease_owner"],
        lease_expires_at=row["lease_expires_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        updated_at=row["updated_at"],
    )


def shard_from(row: Row) -> Shard:
    return Shard(
        job_id=row["job_id"],
        attempt=row["attempt"],
        index=row["index"],
        repositories=tuple(row["repositories"]),
        compute_id=row["compute_id"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


def _failure_from(data: bytes | None) -> Failure | None:
    return msgspec.json.decode(data, type=Failure) if data else None


def steps_to(following: RunStatus) -> list[str]:
    """The statuses that this one may follow: the condition of a change to it."""
    return [present.value for present in RunStatus if following in RUN_STEPS[present]]


async def find_job_row(connection: Connection, job_id: str) -> Row:
    row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1", storable(job_id))
    return _known(row, job_id)


async def lock_job_row(connection: Connection, job_id: str) -> Row:
    """Whatever moves a job or several of its runs locks the job first, so that such changes happen one by one."""
    row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1 FOR UPDATE", storable(job_id))
    return _known(row, job_id)


async def find_run_row(connection: Connection, job_id: str, repository: str) -> Row:
    row = await connection.fetchrow(
        "SELECT * FROM repository_runs WHERE job_id = $1 AND repository = $2", storable(job_id), storable(repository)
    )
    if row is not None:
        return row
    await find_job_row(connection, job_id)
    raise RunNotFound(f"job {job_id} has no repository {repository}")


def _known(row: Row | None, job_id: str) -> Row:
    if row is None:
        raise JobNotFound(f"there is no job {job_id}")
    return row
