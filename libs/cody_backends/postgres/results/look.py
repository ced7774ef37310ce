"""Look at files, conversations, usage and diffs, and find answers again."""

import asyncio
from collections.abc import Sequence

import msgspec

from cody_backends.cursors import PathCursor, read_cursor, write_cursor
from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.results.record import unpack_thread
from cody_backends.postgres.texts import storable
from cody_jobs.models import Page
from cody_jobs.outcomes import Answered, ClaudeThread, FileOutcome, FileResult, KnownOutcome, UsageTotals

_outcome = msgspec.json.Decoder(FileOutcome)
_known = msgspec.json.Decoder(Answered)


async def find_outcomes(connection: Connection, *, questions: Sequence[str]) -> dict[str, KnownOutcome]:
    rows = await connection.fetch(
        "SELECT question, outcome, job_id FROM known_outcomes WHERE question = ANY ($1::text[])", questions
    )
    return {row["question"]: KnownOutcome(outcome=_known.decode(row["outcome"]), job_id=row["job_id"]) for row in rows}


async def list_files(
    connection: Connection, *, job_id: str, repository: str, limit: int, cursor: str | None
) -> Page[FileResult]:
    rows = await connection.fetch(
        """
        SELECT path, outcome, reused_from, at, (
            SELECT coalesce(sum(cost_microusd), 0)::bigint FROM claude_calls AS call
            WHERE call.job_id = file.job_id AND call.repository = file.repository AND call.path = file.path
        ) AS cost_microusd
        FROM file_results AS file WHERE job_id = $1 AND repository = $2 AND path > $3 ORDER BY path LIMIT $4
        """,
        storable(job_id),
        storable(repository),
        _after(cursor),
        limit + 1,
    )
    files = tuple(_file_from(row) for row in rows[:limit])
    return Page(items=files, cursor=_next(rows, limit))


async def list_threads(
    connection: Connection, *, job_id: str, repository: str, limit: int, cursor: str | None
) -> Page[ClaudeThread]:
    rows = await connection.fetch(
        """
        SELECT path, content FROM file_results JOIN threads ON threads.id = thread_id
        WHERE job_id = $1 AND repository = $2 AND path > $3 ORDER BY path LIMIT $4
        """,
        storable(job_id),
        storable(repository),
        _after(cursor),
        limit + 1,
    )
    threads = await asyncio.to_thread(lambda: tuple(unpack_thread(row["content"]) for row in rows[:limit]))
    return Page(items=threads, cursor=_next(rows, limit))


async def usage(connection: Connection, *, job_id: str, repository: str | None) -> UsageTotals:
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(calls), 0)::bigint AS calls,
            coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
            coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
            coalesce(sum(cache_creation_input_tokens), 0)::bigint AS cache_creation_input_tokens,
            coalesce(sum(cache_read_input_tokens), 0)::bigint AS cache_read_input_tokens,
            coalesce(sum(cost_microusd), 0)::bigint AS cost_microusd
        FROM run_usage WHERE job_id = $1 AND ($2::text IS NULL OR repository = $2)
        """,
        storable(job_id),
        storable(repository),
    )
    assert row is not None
    return UsageTotals(**{name: row[name] for name in UsageTotals.__struct_fields__})


def _after(cursor: str | None) -> str:
    after = read_cursor(cursor, PathCursor)
    return after.path if after else ""


def _next(rows: Sequence[Row], limit: int) -> str | None:
    return write_cursor(PathCursor(path=rows[limit - 1]["path"])) if len(rows) > limit else None


def _file_from(row: Row) -> FileResult:
    return FileResult(
        path=row["path"],
        outcome=_outcome.decode(row["outcome"]),
        reused_from=row["reused_from"],
        cost_microusd=row["cost_microusd"],
        at=row["at"],
    )
