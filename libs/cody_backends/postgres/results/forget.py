"""Delete what is kept about a job, in portions: it may be millions of rows."""

from functools import partial

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.results.record import drop_unused_threads

_ROWS_AT_ONCE = 5_000


async def forget_job(database: Database, job_id: str) -> None:
    """May be run again from any point. Known outcomes stay, with their conversations."""
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
    "DELETE FROM events WHERE ctid = ANY (ARRAY (SELECT ctid FROM events WHERE job_id = $1 LIMIT $2))",
    # Of its traces also the spans that carry no job's id: they belong to the requests that made it.
    """
    DELETE FROM spans WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM spans
        WHERE job_id IS NULL AND trace_id IN (SELECT trace_id FROM spans WHERE job_id = $1) LIMIT $2
    ))
    """,
    "DELETE FROM spans WHERE ctid = ANY (ARRAY (SELECT ctid FROM spans WHERE job_id = $1 LIMIT $2))",
)
