"""The sample of a job: which runs the pilot looks at, what was chosen, and whether it is done."""

from collections.abc import Sequence

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.jobs.rows import job_from, lock_job_row
from cody_backends.postgres.texts import storable
from cody_jobs.lifecycle import check_sampling
from cody_jobs.models import Job, SampledRepository
from cody_jobs.pilot_shard import QueuedRun, pilot_positions


async def record_sample(
    connection: Connection, *, job_id: str, sample: Sequence[SampledRepository]
) -> tuple[SampledRepository, ...]:
    job = job_from(await lock_job_row(connection, job_id))
    check_sampling(job)
    if job.sample:
        return job.sample
    chosen = tuple(SampledRepository(repository=one.repository, why=storable(one.why)) for one in sample)
    await connection.execute("UPDATE jobs SET sample = $2 WHERE id = $1", job_id, chosen)
    return chosen


async def positions_for_pilot(connection: Connection, job: Job) -> list[int]:
    """[] while the pilot is at work, or has been dispatched."""
    if await connection.fetchval(_AT_WORK, job.id):
        return []
    rows = await connection.fetch(
        "SELECT position, dispatches FROM repository_runs WHERE job_id = $1 AND status = 'QUEUED'", job.id
    )
    queued = [QueuedRun(position=row["position"], dispatches=row["dispatches"]) for row in rows]
    return pilot_positions(queued, sample=job.spec.sample, attempts=job.attempt)


_AT_WORK = """
    SELECT EXISTS (SELECT FROM shards WHERE job_id = $1 AND ended_at IS NULL)
        OR EXISTS (SELECT FROM repository_runs WHERE job_id = $1 AND status IN ('DISPATCHED', 'RUNNING'))
"""


async def positions_of_sample(connection: Connection, job: Job) -> list[int]:
    """Of its queued runs."""
    rows = await connection.fetch(
        """
        SELECT position FROM repository_runs
        WHERE job_id = $1 AND status = 'QUEUED' AND repository = ANY ($2::text[])
        """,
        job.id,
        [one.repository for one in job.sample],
    )
    return [row["position"] for row in rows]


async def sample_is_done(connection: Connection, job: Job) -> bool:
    """Chosen, and nothing of it, nor anything else, is with a worker or waits for one."""
    if not job.sampling or not job.sample:
        return False
    return not await connection.fetchval(_AT_WORK, job.id) and not await positions_of_sample(connection, job)
