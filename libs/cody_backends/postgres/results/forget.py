"""Delete what is kept about a job, and old answers, in portions: it may be millions of rows."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.results.record import drop_unused_threads
from cody_backends.postgres.texts import storable

_ROWS_AT_ONCE = 5_000


async def forget_job(database: Database, job_id: str) -> None:
    """May be run again from any point: events go last, so that `list_job_ids` names the job until all is gone.
    Known outcomes stay, with their conversations."""
    for step in (_forget_files, *(partial(_forget, statement=statement) for statement in _STATEMENTS)):
        while await database.run(partial(step, job_id=job_id)):
            pass


async def _forget_files(connection: Connection, *, job_id: str) -> bool:
    rows = await connection.fetch(
        """
        DELETE FROM file_results WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM file_results WHERE job_id = $1 LIMIT $2
        ))
        RETURNING thread_id
        """,
        job_id,
        _ROWS_AT_ONCE,
    )
    await drop_unused_threads(connection, [row["thread_id"] for row in rows if row["thread_id"] is not None])
    return bool(rows)


async def _forget(connection: Connection, *, job_id: str, statement: str) -> bool:
    return await connection.execute(statement, job_id, _ROWS_AT_ONCE) != "DELETE 0"


_STATEMENTS = (
    "DELETE FROM claude_calls WHERE ctid = ANY (ARRAY (SELECT ctid FROM claude_calls WHERE job_id = $1 LIMIT $2))",
    "DELETE FROM run_usage WHERE ctid = ANY (ARRAY (SELECT ctid FROM run_usage WHERE job_id = $1 LIMIT $2))",
    "DELETE FROM patches WHERE ctid = ANY (ARRAY (SELECT ctid FROM patches WHERE job_id = $1 LIMIT $2))",
    "DELETE FROM plans WHERE job_id = $1 AND $2::integer > 0",
    "DELETE FROM run_reports WHERE ctid = ANY (ARRAY (SELECT ctid FROM run_reports WHERE job_id = $1 LIMIT $2))",
    """
    DELETE FROM money_reservations WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM money_reservations WHERE job_id = $1 LIMIT $2
    ))
    """,
    "DELETE FROM money_accounts WHERE ctid = ANY (ARRAY (SELECT ctid FROM money_accounts WHERE job_id = $1 LIMIT $2))",
    """
    DELETE FROM batch_submissions WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM batch_submissions WHERE job_id = $1 LIMIT $2
    ))
    """,
    # Of its traces also the spans that carry no job's id: they belong to the requests that made it.
    """
    DELETE FROM spans WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM spans
        WHERE job_id IS NULL AND trace_id IN (SELECT trace_id FROM spans WHERE job_id = $1) LIMIT $2
    ))
    """,
    "DELETE FROM spans WHERE ctid = ANY (ARRAY (SELECT ctid FROM spans WHERE job_id = $1 LIMIT $2))",
    "DELETE FROM events WHERE ctid = ANY (ARRAY (SELECT ctid FROM events WHERE job_id = $1 LIMIT $2))",
)


async def list_job_ids(connection: Connection, *, after: str | None, limit: int) -> list[str]:
    rows = await connection.fetch(_JOB_IDS, storable(after or ""), limit)
    return [row["job_id"] for row in rows]


# From one id to the next by the primary keys, however many rows a job has. Spans are left out: they go by themselves.
_JOB_IDS = """
    WITH RECURSIVE found AS (
        SELECT $1::text COLLATE "C" AS job_id
        UNION ALL
        SELECT (
            SELECT min(id) FROM (VALUES
                ((SELECT min(job_id) FROM events WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM file_results WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM claude_calls WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM run_usage WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM patches WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM plans WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM run_reports WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM money_reservations WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM money_accounts WHERE job_id > found.job_id)),
                ((SELECT min(job_id) FROM batch_submissions WHERE job_id > found.job_id))
            ) AS next (id)
        )
        FROM found WHERE job_id IS NOT NULL
    )
    SELECT job_id FROM found WHERE job_id > $1 LIMIT $2
"""


async def forget_outcomes(database: Database, unused_for: timedelta) -> int:
    """Once through all questions in their order; in each portion first which, then these (see `_forget_these`)."""
    forgotten, after = await _forget_plans(database, unused_for), ""
    while True:
        candidates = await database.run_statement(partial(_old_outcomes, unused_for=unused_for, after=after))
        if not candidates:
            return forgotten
        forgotten += await database.run(partial(_forget_these, questions=candidates, unused_for=unused_for))
        after = candidates[-1]


async def _forget_plans(database: Database, unused_for: timedelta) -> int:
    """Plans are few: one for each question about a whole job. First which, as the deletion may be run twice."""
    old = await database.run_statement(partial(_old_plans, unused_for=unused_for))
    await database.run_statement(partial(_forget_these_plans, questions=old))
    return len(old)


async def _old_plans(connection: Connection, *, unused_for: timedelta) -> list[str]:
    rows = await connection.fetch(
        "SELECT question FROM known_plans WHERE at <= clock_timestamp() - $1::interval", unused_for
    )
    return [row["question"] for row in rows]


async def _forget_these_plans(connection: Connection, *, questions: Sequence[str]) -> None:
    await connection.execute("DELETE FROM known_plans WHERE question = ANY ($1::text[])", questions)


async def _old_outcomes(connection: Connection, *, unused_for: timedelta, after: str) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT question FROM known_outcomes AS known
        WHERE question > $2 AND at <= clock_timestamp() - $1::interval
            AND NOT EXISTS (SELECT FROM file_results WHERE file_results.thread_id = known.thread_id)
        ORDER BY question LIMIT $3
        """,
        unused_for,
        after,
        _ROWS_AT_ONCE,
    )
    return [row["question"] for row in rows]


async def _forget_these(connection: Connection, *, questions: Sequence[str], unused_for: timedelta) -> int:
    """How many of them are gone, also when the answer to the deletion was lost and it is run again."""
    rows = await connection.fetch(
        """
        DELETE FROM known_outcomes AS known
        WHERE question = ANY ($2::text[]) AND at <= clock_timestamp() - $1::interval
            AND NOT EXISTS (SELECT FROM file_results WHERE file_results.thread_id = known.thread_id)
        RETURNING thread_id
        """,
        unused_for,
        questions,
    )
    await drop_unused_threads(connection, [row["thread_id"] for row in rows if row["thread_id"] is not None])
    kept = await connection.fetchval("SELECT count(*) FROM known_outcomes WHERE question = ANY ($1::text[])", questions)
    return len(questions) - kept
