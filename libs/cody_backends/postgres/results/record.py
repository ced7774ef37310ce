"""Record files: outcome, conversation, usage and event of each, all or nothing."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec
from msgspec import Struct

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.results.events import append
from cody_backends.postgres.texts import storable
from cody_jobs.events import FileDone
from cody_jobs.outcomes import CallUsage, ClaudeThread, Edited, FileRecord, GaveUp, LeftAlone, Reported


async def pack_thread(thread: ClaudeThread | None) -> bytes | None:
    """A conversation holds a whole file, several times: compressing it leaves the event loop."""
    return None if thread is None else await asyncio.to_thread(zlib.compress, msgspec.json.encode(thread))


def unpack_thread(content: bytes) -> ClaudeThread:
    return msgspec.json.decode(zlib.decompress(content), type=ClaudeThread)


class Recording(Struct, frozen=True, kw_only=True):
    """`thread` is the packed conversation; `mark` is the caller's own."""

    record: FileRecord
    thread: bytes | None
    mark: UUID

    @property
    def place(self) -> tuple[str, str, str]:
        return self.record.job_id, self.record.repository, self.record.path


async def record_files(connection: Connection, *, recordings: Sequence[Recording]) -> None:
    """Each of another file. Run twice, after a lost answer, it finds by their marks which are done.

    Locks are taken in one order (files, known outcomes, usage of the runs, events of the jobs; of each kind in the
    order of their keys), so that nobody waits in a circle, and the one that all workers of a job want comes last.
    """
    new: list[Recording] = []
    unused: set[UUID | None] = set()
    threads: dict[UUID, UUID | None] = {}
    for recording in sorted(recordings, key=lambda one: one.place):
        earlier = await _earlier(connection, recording.record)
        if earlier is not None and earlier["recorded_by"] == recording.mark:
            continue
        new.append(recording)
        threads[recording.mark] = await _keep_thread(connection, recording)
        await _keep_result(connection, recording.record, threads[recording.mark], recording.mark)
        unused.add(earlier["thread_id"] if earlier else None)
    for recording in sorted(new, key=lambda one: one.record.question):
        unused.add(await _keep_known(connection, recording.record, threads[recording.mark]))
    await drop_unused_threads(connection, [thread for thread in unused if thread is not None])
    for recording in new:
        record = recording.record
        await add_usage(connection, record.job_id, record.repository, record.path, record.calls)
    for job_id, mine in groupby(new, key=lambda one: one.record.job_id):
        told = list(mine)
        await append(connection, job_id, [_event(one.record) for one in told], told[0].mark)


async def _earlier(connection: Connection, record: FileRecord) -> Row | None:
    return await connection.fetchrow(
        """
        SELECT thread_id, recorded_by FROM file_results
        WHERE job_id = $1 AND repository = $2 AND path = $3 FOR UPDATE
        """,
        record.job_id,
        record.repository,
        record.path,
    )


async def _keep_thread(connection: Connection, recording: Recording) -> UUID | None:
    """The id of the conversation; of the original one for an answer that is used again."""
    if recording.thread is not None:
        await connection.execute("INSERT INTO threads (id, content) VALUES ($1, $2)", recording.mark, recording.thread)
        return recording.mark
    if recording.record.reused_from is None:
        return None
    return await _use_known(connection, recording.record.question)


async def _use_known(connection: Connection, question: str) -> UUID | None:
    """The conversation of a known outcome, which nobody forgets before we are done; at most one write a day keeps it
    young."""
    known = await connection.fetchrow(
        """
        SELECT thread_id, at < clock_timestamp() - interval '1 day' AS old FROM known_outcomes
        WHERE question = $1 FOR KEY SHARE
        """,
        question,
    )
    if known is None:
        return None
    if known["old"]:
        await connection.execute("UPDATE known_outcomes SET at = clock_timestamp() WHERE question = $1", question)
    return known["thread_id"]


async def _keep_result(connection: Connection, record: FileRecord, thread_id: UUID | None, mark: UUID) -> None:
    await connection.execute(
        """
        INSERT INTO file_results (job_id, repository, path, question, outcome, reused_from, thread_id, recorded_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (job_id, repository, path) DO UPDATE
        SET question = excluded.question, outcome = excluded.outcome, reused_from = excluded.reused_from,
            thread_id = excluded.thread_id, recorded_by = excluded.recorded_by, at = excluded.at
        """,
        record.job_id,
        record.repository,
        record.path,
        record.question,
        msgspec.json.encode(record.outcome),
        record.reused_from,
        thread_id,
        mark,
    )


async def _keep_known(connection: Connection, record: FileRecord, thread_id: UUID | None) -> UUID | None:
    """Remember an answer that was paid for; the id of the conversation that it replaces, if there is one."""
    if isinstance(record.outcome, GaveUp) or record.reused_from is not None:
        return None
    replaced = await connection.fetchval(
        "SELECT thread_id FROM known_outcomes WHERE question = $1 FOR UPDATE", record.question
    )
    await connection.execute(
        """
        INSERT INTO known_outcomes (question, outcome, job_id, thread_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (question) DO UPDATE
        SET outcome = excluded.outcome, job_id = excluded.job_id, thread_id = excluded.thread_id, at = excluded.at
        """,
        record.question,
        msgspec.json.encode(record.outcome),
        record.job_id,
        thread_id,
    )
    return replaced


async def drop_unused_threads(connection: Connection, thread_ids: list[UUID]) -> None:
    if not thread_ids:
        return
    await connection.execute(
        """
        DELETE FROM threads WHERE id = ANY ($1::uuid[])
            AND NOT EXISTS (SELECT FROM file_results WHERE thread_id = threads.id)
            AND NOT EXISTS (SELECT FROM known_outcomes WHERE thread_id = threads.id)
        """,
        thread_ids,
    )


async def add_usage(
    connection: Connection, job_id: str, repository: str, path: str, calls: Sequence[CallUsage]
) -> None:
    """Each call once, whoever tells of it again; the run's sums grow by what is new."""
    if not calls:
        return
    await connection.execute(
        _ADD_USAGE,
        job_id,
        repository,
        path,
        [call.at for call in calls],
        [storable(call.request_id or "") for call in calls],
        _numbers(calls),
        [call.model for call in calls],
        [call.input_tokens for call in calls],
        [call.output_tokens for call in calls],
        [call.cache_creation_input_tokens for call in calls],
        [call.cache_read_input_tokens for call in calls],
        [call.cost_microusd for call in calls],
        [call.latency_ms for call in calls],
    )


_ADD_USAGE = """
    WITH added AS (
        INSERT INTO claude_calls (
            job_id, repository, path, at, request_id, number, model, input_tokens, output_tokens,
            cache_creation_input_tokens, cache_read_input_tokens, cost_microusd, latency_ms
        )
        SELECT $1, $2, $3, calls.* FROM unnest(
            $4::timestamptz[], $5::text[], $6::integer[], $7::text[], $8::bigint[], $9::bigint[],
            $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]
        ) AS calls
        ON CONFLICT DO NOTHING
        RETURNING *
    )
    INSERT INTO run_usage AS usage (
        job_id, repository, calls, input_tokens, output_tokens, cache_creation_input_tokens,
        cache_read_input_tokens, cost_microusd
    )
    SELECT $1, $2, count(*), sum(input_tokens), sum(output_tokens), sum(cache_creation_input_tokens),
        sum(cache_read_input_tokens), sum(cost_microusd)
    FROM added HAVING count(*) > 0
    ON CONFLICT (job_id, repository) DO UPDATE
    SET calls = usage.calls + excluded.calls,
        input_tokens = usage.input_tokens + excluded.input_tokens,
        output_tokens = usage.output_tokens + excluded.output_tokens,
        cache_creation_input_tokens = usage.cache_creation_input_tokens + excluded.cache_creation_input_tokens,
        cache_read_input_tokens = usage.cache_read_input_tokens + excluded.cache_read_input_tokens,
        cost_microusd = usage.cost_microusd + excluded.cost_microusd
"""


def _numbers(calls: Sequence[CallUsage]) -> list[int]:
    """Count calls with the same time and request id, which nothing else tells apart."""
    seen: Counter[tuple[datetime, str | None]] = Counter()
    numbers: list[int] = []
    for call in calls:
        numbers.append(seen[(call.at, call.request_id)])
        seen[(call.at, call.request_id)] += 1
    return numbers


def _event(record: FileRecord) -> FileDone:
    match record.outcome:
        case Edited():
            result, detail = "edited", None
        case LeftAlone(reason=reason):
            result, detail = "unchanged", reason
        case Reported(findings=findings, reason=reason):
            result, detail = "reported", reason or f"{len(findings)} findings"
        case GaveUp(failure=failure):
            result, detail = "failed", failure.message
    return FileDone(
        repository=record.repository,
        path=record.path,
        result=result,
        detail=detail,
        reused=record.reused_from is not None,
        cost_microusd=sum(call.cost_microusd for call in record.calls),
    )
