"""Let a job go on after its sample."""

from uuid import UUID

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.jobs.again import amend, make_pending, queue_again
from cody_backends.postgres.jobs.rows import find_job_row, job_from, lock_job_row
from cody_jobs.approval import approval_mark, runs_after_approval
from cody_jobs.lifecycle import check_approval
from cody_jobs.ports.job_store import Approved


async def approve_job(connection: Connection, *, job_id: str, prompt: str | None, again: bool, mark: UUID) -> Approved:
    row = await lock_job_row(connection, job_id)
    approval = approval_mark(prompt, again=again)
    if row["approval"] == approval:
        return _approved(row, mark)
    job = job_from(row)
    check_approval(job)
    wanted = runs_after_approval(prompt, again=again)
    queued = await queue_again(connection, job_id, wanted) if wanted is not None else 0
    await amend(connection, job, prompt)
    await connection.execute("UPDATE jobs SET approval = $2 WHERE id = $1", job_id, approval)
    await make_pending(connection, job_id, mark, queued)
    return _approved(await find_job_row(connection, job_id), mark)


def _approved(row: Row, mark: UUID) -> Approved:
    now = row["changed_by"] == mark
    return Approved(job=job_from(row), runs=row["requeued"] if now else 0, now=now)
