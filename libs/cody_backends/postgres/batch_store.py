"""Submissions of batches in PostgreSQL; how calls stand being run twice is said in `job_store`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.database import Database
from cody_jobs.ports.batch_store import Submission


class PostgresBatchStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def round_of(self, job_id: str) -> int:
        return await self._database.run_statement(partial(_round_of, job_id=job_id))

    async def intend(
        self,
        submission_id: str,
        *,
        job_id: str,
        round_number: int,
        owner: str,
        lease: timedelta,
        custom_ids: Sequence[str],
    ) -> Mapping[str, str]:
        async def operation(connection: Connection) -> Mapping[str, str]:
            await connection.execute(_OPEN, submission_id, job_id, round_number, owner, lease)
            await connection.execute(_TAKE, job_id, list(custom_ids), round_number, submission_id)
            rows = await connection.fetch(_WHOSE, job_id, list(custom_ids))
            await connection.execute(_DROP_IF_EMPTY, submission_id)
            return {row["custom_id"]: row["submission_id"] for row in rows}

        return await self._database.run(operation)

    async def held(self, job_id: str, custom_ids: Collection[str], *, round_number: int) -> frozenset[str]:
        rows = await self._fetch(_HELD, job_id, list(custom_ids), round_number)
        return frozenset(row["custom_id"] for row in rows)

    async def find(self, submission_id: str) -> Submission | None:
        row = await self._database.run_statement(partial(_find, submission_id=submission_id))
        return None if row is None else _submission_from(row)

    async def claim(self, submission_id: str, *, owner: str, lease: timedelta) -> bool:
        return await self._execute(_CLAIM, submission_id, owner, lease) == "UPDATE 1"

    async def sent(self, submission_id: str, batch_id: str) -> None:
        await self._execute(
            "UPDATE batch_submissions SET batch_id = $2 WHERE id = $1 AND batch_id IS NULL", submission_id, batch_id
        )

    async def ended(self, submission_id: str) -> None:
        await self._execute(
            "UPDATE batch_submissions SET ended_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL",
            submission_id,
        )

    async def take_back(self, submission_id: str, *, owner: str) -> None:
        await self._execute(
            "DELETE FROM batch_submissions WHERE id = $1 AND owner = $2 AND batch_id IS NULL", submission_id, owner
        )

    async def leave_out(self, submission_id: str, custom_ids: Collection[str]) -> None:
        await self._execute(
            "DELETE FROM batch_requests WHERE submission_id = $1 AND custom_id = ANY ($2::text[])",
            submission_id,
            list(custom_ids),
        )

    async def known(self, batch_ids: Collection[str]) -> frozenset[str]:
        rows = await self._fetch(
            "SELECT batch_id FROM batch_submissions WHERE batch_id = ANY ($1::text[])", list(batch_ids)
        )
        return frozenset(row["batch_id"] for row in rows)

    async def open_batches(self, job_id: str) -> Sequence[str]:
        rows = await self._fetch(
            "SELECT batch_id FROM batch_submissions WHERE job_id = $1 AND batch_id IS NOT NULL AND ended_at IS NULL",
            job_id,
        )
        return [row["batch_id"] for row in rows]

    async def _execute(self, statement: str, *arguments: object) -> str:
        return await self._database.run_statement(lambda connection: connection.execute(statement, *arguments))

    async def _fetch(self, statement: str, *arguments: object) -> list[Row]:
        return await self._database.run_statement(lambda connection: connection.fetch(statement, *arguments))


async def _round_of(connection: Connection, *, job_id: str) -> int:
    return await connection.fetchval(_ROUND, job_id)


async def _find(connection: Connection, *, submission_id: str) -> Row | None:
    return await connection.fetchrow(_FIND, submission_id)


def _submission_from(row: Row) -> Submission:
    return Submission(
        id=row["id"],
        job_id=row["job_id"],
        custom_ids=tuple(row["custom_ids"]),
        batch_id=row["batch_id"],
        owner=row["owner"],
        intended_at=row["intended_at"],
    )


# Events are stored as they are written, their kind first: a job may have a million of them, and none is parsed here.
_ROUND = """
    SELECT count(*)::integer FROM events WHERE job_id = $1 AND body::text LIKE '{"kind":"job_retried"%'
"""

_OPEN = """
    INSERT INTO batch_submissions (id, job_id, round, owner, owned_until)
    VALUES ($1, $2, $3, $4, clock_timestamp() + $5::interval)
    ON CONFLICT DO NOTHING
"""

# Answered in an earlier round, and recorded with its file.
_HISTORY = """
    SELECT request.custom_id
    FROM batch_requests AS request
    JOIN batch_submissions AS submission ON submission.id = request.submission_id
    JOIN claude_calls AS call
        ON call.job_id = $1 AND call.request_id = submission.batch_id || ':' || request.custom_id
    WHERE request.job_id = $1 AND request.custom_id = ANY ($2::text[]) AND submission.round < $3
"""

# In one order, so that nobody waits in a circle.
_TAKE = f"""
    WITH history AS ({_HISTORY})
    INSERT INTO batch_requests AS request (job_id, custom_id, submission_id)
    SELECT DISTINCT $1, custom_id, $4 FROM unnest($2::text[]) AS custom_id ORDER BY custom_id
    ON CONFLICT (job_id, custom_id) DO UPDATE SET submission_id = excluded.submission_id
    WHERE request.custom_id IN (SELECT custom_id FROM history)
"""  # noqa: S608 (only constants of our own are put in)

_HELD = f"""
    SELECT custom_id FROM batch_requests WHERE job_id = $1 AND custom_id = ANY ($2::text[])
    EXCEPT ({_HISTORY})
"""  # noqa: S608

_WHOSE = """
    SELECT custom_id, submission_id FROM batch_requests WHERE job_id = $1 AND custom_id = ANY ($2::text[])
"""

_DROP_IF_EMPTY = """
    DELETE FROM batch_submissions
    WHERE id = $1 AND NOT EXISTS (SELECT FROM batch_requests WHERE submission_id = $1)
"""

_FIND = """
    SELECT submission.*, array(
        SELECT custom_id FROM batch_requests WHERE submission_id = $1 ORDER BY custom_id
    ) AS custom_ids
    FROM batch_submissions AS submission WHERE id = $1
"""

_CLAIM = """
    UPDATE batch_submissions SET owner = $2, owned_until = clock_timestamp() + $3::interval
    WHERE id = $1 AND batch_id IS NULL AND (owner = $2 OR owned_until < clock_timestamp())
"""
