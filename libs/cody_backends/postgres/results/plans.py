"""The plan of each job: who makes it, what came of it, and answers that are known already."""

from datetime import timedelta
from uuid import UUID

import msgspec

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.results.events import append
from cody_backends.postgres.results.record import add_usage, unpack_thread
from cody_backends.postgres.texts import storable, storable_failure
from cody_jobs.errors import ResultNotFound
from cody_jobs.events import PlanEdited, PlanMade
from cody_jobs.models import Failure
from cody_jobs.outcomes import ClaudeThread
from cody_jobs.plan import PLAN_REPOSITORY, JobPlan, Plan, PlanSource
from cody_jobs.planning import FailedPlan, KnownPlan, PlanClaim, PlanRecord

_PATH = "plan"
_plan = msgspec.json.Decoder(Plan)
_failure = msgspec.json.Decoder(Failure)


async def claim_plan(
    connection: Connection, *, job_id: str, question: str, owner: str, attempt: int, lease: timedelta
) -> PlanClaim:
    claimed = await connection.fetchval(_CLAIM, job_id, owner, lease, attempt, question)
    if claimed:
        return PlanClaim(ours=True)
    row = await connection.fetchrow("SELECT * FROM plans WHERE job_id = $1", job_id)
    if row is None:
        return PlanClaim()
    if _holds(row, question):
        return PlanClaim(made=_plan_from(row))
    failed_now = row["failure"] is not None and row["failed_attempt"] >= attempt
    return PlanClaim(failure=_failure.decode(row["failure"]) if failed_now else None)


_CLAIM = """
    INSERT INTO plans (job_id, owner, lease_expires_at) VALUES ($1, $2, clock_timestamp() + $3::interval)
    ON CONFLICT (job_id) DO UPDATE
    SET owner = excluded.owner, lease_expires_at = excluded.lease_expires_at
    WHERE (plans.plan IS NULL OR (plans.source = 'claude' AND plans.question IS DISTINCT FROM $5))
        AND (plans.owner IS NULL OR plans.owner = $2 OR plans.lease_expires_at <= clock_timestamp())
        AND (plans.failed_attempt IS NULL OR plans.failed_attempt < $4)
    RETURNING true
"""


async def renew_plan_claim(connection: Connection, *, job_id: str, owner: str, lease: timedelta) -> bool:
    renewed = await connection.fetchval(
        """
        UPDATE plans SET lease_expires_at = clock_timestamp() + $3::interval
        WHERE job_id = $1 AND owner = $2
        RETURNING true
        """,
        job_id,
        owner,
        lease,
    )
    return renewed is not None


async def keep_plan(connection: Connection, *, record: PlanRecord, thread: bytes | None, mark: UUID) -> JobPlan:
    """The first plan is the job's: who comes later, with a claim that was taken over, learns which that is."""
    await connection.execute("INSERT INTO plans (job_id) VALUES ($1) ON CONFLICT DO NOTHING", record.job_id)
    row = await connection.fetchrow("SELECT * FROM plans WHERE job_id = $1 FOR UPDATE", record.job_id)
    assert row is not None
    if row["kept_by"] == mark:
        return _plan_from(row)
    await _keep_known(connection, record, thread)
    await add_usage(connection, record.job_id, PLAN_REPOSITORY, _PATH, record.calls)
    if _holds(row, record.question):
        return _plan_from(row)
    kept = await _store(connection, record, thread, mark)
    await append(connection, record.job_id, [_event(record)], mark)
    return kept


async def _store(connection: Connection, record: PlanRecord, thread: bytes | None, mark: UUID) -> JobPlan:
    """A conversation that is not given is the one of the known answer."""
    row = await connection.fetchrow(
        """
        UPDATE plans
        SET plan = $2, source = $3, model = $4, reused_from = $5, kept_by = $6, question = $8,
            made_at = clock_timestamp(),
            thread = coalesce($7, (SELECT thread FROM known_plans WHERE question = $8)),
            owner = NULL, lease_expires_at = NULL, failure = NULL, failed_attempt = NULL
        WHERE job_id = $1
        RETURNING *
        """,
        record.job_id,
        record.plan,
        record.source,
        record.model,
        record.reused_from,
        mark,
        thread,
        record.question,
    )
    assert row is not None
    return _plan_from(row)


async def _keep_known(connection: Connection, record: PlanRecord, thread: bytes | None) -> None:
    if record.question is None:
        return
    if record.reused_from is not None:
        await connection.execute("UPDATE known_plans SET at = clock_timestamp() WHERE question = $1", record.question)
        return
    await connection.execute(
        """
        INSERT INTO known_plans (question, plan, model, thread, job_id) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (question) DO UPDATE
        SET plan = excluded.plan, model = excluded.model, thread = excluded.thread, job_id = excluded.job_id,
            at = excluded.at
        """,
        record.question,
        record.plan,
        record.model,
        thread,
        record.job_id,
    )


def _event(record: PlanRecord) -> PlanMade:
    return PlanMade(
        source=record.source,
        model=record.model,
        reused=record.reused_from is not None,
        cost_microusd=sum(call.cost_microusd for call in record.calls),
    )


async def fail_plan(connection: Connection, *, failed: FailedPlan, thread: bytes | None) -> None:
    """Who has lost the claim meanwhile fails nobody else's plan, but has spent the money."""
    await add_usage(connection, failed.job_id, PLAN_REPOSITORY, _PATH, failed.calls)
    await connection.execute(
        """
        UPDATE plans
        SET owner = NULL, lease_expires_at = NULL, failure = $3, thread = coalesce($5, thread),
            failed_attempt = CASE WHEN $3::json IS NULL THEN failed_attempt ELSE $4 END
        WHERE job_id = $1 AND owner = $2
        """,
        failed.job_id,
        failed.owner,
        storable_failure(failed.failure),
        failed.attempt,
        thread,
    )


async def put_plan(connection: Connection, *, job_id: str, plan: Plan, by: str, mark: UUID) -> JobPlan:
    await connection.execute("INSERT INTO plans (job_id) VALUES ($1) ON CONFLICT DO NOTHING", job_id)
    row = await connection.fetchrow("SELECT * FROM plans WHERE job_id = $1 FOR UPDATE", job_id)
    assert row is not None
    if row["kept_by"] == mark:
        return _plan_from(row)
    edited = PlanRecord(job_id=job_id, plan=plan, source=PlanSource.EDITED)
    kept = await _store(connection, edited, row["thread"], mark)
    await append(connection, job_id, [PlanEdited(by=by)], mark)
    return kept


async def get_plan(connection: Connection, *, job_id: str) -> JobPlan:
    row = await connection.fetchrow("SELECT * FROM plans WHERE job_id = $1", storable(job_id))
    if row is not None and row["plan"] is not None:
        return _plan_from(row)
    if row is not None and row["failure"] is not None:
        raise ResultNotFound(f"job {job_id} has no plan: {_failure.decode(row['failure']).message}")
    raise ResultNotFound(f"the plan of job {job_id} is not made yet")


async def get_plan_thread(connection: Connection, *, job_id: str) -> ClaudeThread:
    thread = await connection.fetchval("SELECT thread FROM plans WHERE job_id = $1", storable(job_id))
    if thread is None:
        raise ResultNotFound(f"nobody was asked for a plan of job {job_id}")
    return unpack_thread(thread)


async def find_plan(connection: Connection, *, question: str) -> KnownPlan | None:
    row = await connection.fetchrow("SELECT plan, model, job_id FROM known_plans WHERE question = $1", question)
    if row is None:
        return None
    return KnownPlan(plan=_plan.decode(row["plan"]), model=row["model"], job_id=row["job_id"])


def _holds(row: Row, question: str | None) -> bool:
    """A plan that answers another question was made for a prompt that has been replaced since."""
    if row["plan"] is None:
        return False
    return row["source"] != PlanSource.CLAUDE or question is None or row["question"] == question


def _plan_from(row: Row) -> JobPlan:
    return JobPlan(
        plan=_plan.decode(row["plan"]),
        source=PlanSource(row["source"]),
        model=row["model"],
        reused_from=row["reused_from"],
        at=row["made_at"],
    )
