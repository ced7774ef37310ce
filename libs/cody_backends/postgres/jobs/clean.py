"""Delete what is over: jobs that were never written whole, and jobs that ended long ago."""

from collections.abc import Sequence
from datetime import timedelta

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database

_JOBS_AT_ONCE = 20


async def discard_half_created(database: Database, *, older_than: timedelta) -> list[str]:
    return await _delete(database, _HALF_CREATED, older_than)


async def prune(database: Database, *, ended_before: timedelta) -> list[str]:
    return await _delete(database, _ENDED, ended_before)


async def _delete(database: Database, condition: tuple[str, str], age: timedelta) -> list[str]:
    """First which, then delete these: whoever must forget the rest about them learns every id, even when the answer to
    a deletion was lost and it is run again. In small portions, as a job may have 10,000 runs."""
    select, delete = condition

    async def find(connection: Connection) -> list[str]:
        return [row["id"] for row in await connection.fetch(select, age)]

    found = await database.run_statement(find)
    gone: list[str] = []
    for first in range(0, len(found), _JOBS_AT_ONCE):
        ids = found[first : first + _JOBS_AT_ONCE]

        async def delete_these(connection: Connection, ids: Sequence[str] = ids) -> list[str]:
            await connection.execute(delete, age, ids)
            left = await connection.fetch("SELECT id FROM jobs WHERE id = ANY ($1::text[])", ids)
            return [job_id for job_id in ids if job_id not in {row["id"] for row in left}]

        gone += await database.run(delete_these)
    return gone


_HALF_CREATED = (
    "SELECT id FROM jobs WHERE status = 'CREATING' AND updated_at <= now() - $1::interval ORDER BY updated_at",
    """
    DELETE FROM jobs
    WHERE status = 'CREATING' AND updated_at <= now() - $1::interval AND id = ANY ($2::text[])
    """,
)
_ENDED = (
    """
    SELECT id FROM jobs
    WHERE status IN ('SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED')
        AND coalesce(ended_at, updated_at) <= now() - $1::interval
    ORDER BY coalesce(ended_at, updated_at)
    """,
    """
    DELETE FROM jobs
    WHERE status IN ('SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED')
        AND coalesce(ended_at, updated_at) <= now() - $1::interval AND id = ANY ($2::text[])
    """,
)
