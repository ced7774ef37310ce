"""Messages in PostgreSQL: receivers skip what others have locked, and wait for a NOTIFY instead of polling."""

import asyncio
import itertools
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import msgspec

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.database import Database
from cody_backends.postgres.texts import storable
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED, DeadLetter, QueueDepth, ReceivedMessage

_CHANNEL = "cody_messages"
_LOOK_AGAIN = timedelta(seconds=5)
_SHORTEST_PAUSE_SECONDS = 0.01


class PostgresWorkQueue:
    """A waiting receiver relies on notifications for `look_again` at most: they stop while the listening connection is
    lost."""

    def __init__(self, database: Database, *, look_again: timedelta = _LOOK_AGAIN) -> None:
        self._database = database
        self._look_again = look_again

    async def ping(self) -> None:
        await self._database.ping()

    async def send(
        self,
        queue: str,
        body: bytes,
        *,
        attributes: Mapping[str, str] | None = None,
        delay: timedelta = timedelta(0),
    ) -> str:
        message_id = uuid4()
        await self._database.run_statement(
            partial(_send, message_id=message_id, queue=queue, body=body, attributes=attributes or {}, delay=delay)
        )
        return str(message_id)

    async def receive(self, queue: str, *, limit: int, wait: timedelta, visibility: timedelta) -> list[ReceivedMessage]:
        if not 1 <= limit <= 10:
            raise ValueError(f"a receive takes 1 to 10 messages, not {limit}")
        take = partial(self._take, queue=queue, limit=limit, visibility=visibility)
        clock = asyncio.get_running_loop().time
        until = clock() + wait.total_seconds()
        messages = await take()
        if messages or clock() >= until:
            return messages
        async with self._database.listener(_CHANNEL, queue) as listener:
            while True:
                messages = await take()
                left = until - clock()
                if messages or left <= 0:
                    return messages
                await listener.wait(min(left, await self._pause(queue)))

    async def _pause(self, queue: str) -> float:
        """Until the next message is visible, in seconds. Nothing comes earlier without a notification."""
        pause = await self._database.run_statement(partial(_seconds_until_next, queue=queue))
        longest = self._look_again.total_seconds()
        return longest if pause is None else min(longest, max(pause, _SHORTEST_PAUSE_SECONDS))

    async def _take(self, *, queue: str, limit: int, visibility: timedelta) -> list[ReceivedMessage]:
        """Run a second time, after a lost answer, it looks first what it has taken already."""
        receipt, runs = uuid4(), itertools.count()

        async def operation(connection: Connection) -> list[ReceivedMessage]:
            taken = await _find_taken(connection, queue, receipt) if next(runs) else []
            return taken or await _take(connection, queue, limit, visibility, receipt)

        return await self._database.run_statement(operation)

    async def extend(self, queue: str, message: ReceivedMessage, *, visibility: timedelta) -> None:
        await self._database.run_statement(partial(_extend, queue=queue, message=message, visibility=visibility))

    async def delete(self, queue: str, message: ReceivedMessage) -> None:
        await self._database.run_statement(partial(_delete, queue=queue, message=message))

    async def bury(self, queue: str, message: ReceivedMessage, *, reason: str) -> None:
        await self._database.run_statement(partial(_bury, queue=queue, message=message, reason=reason))

    async def list_dead_letters(self, queue: str, *, limit: int) -> list[DeadLetter]:
        return await self._database.run_statement(partial(_list_dead_letters, queue=queue, limit=limit))

    async def redrive(self, queue: str) -> int:
        """First which, then these: a second run, after a lost answer, moves nothing twice and counts the same."""
        dead = await self._database.run_statement(partial(_dead_ids, queue=queue))
        await self._database.run_statement(partial(_redrive, queue=queue, ids=dead))
        return len(dead)

    async def depth(self, queue: str) -> QueueDepth:
        return await self._database.run_statement(partial(_depth, queue=queue))


async def _send(
    connection: Connection,
    *,
    message_id: UUID,
    queue: str,
    body: bytes,
    attributes: Mapping[str, str],
    delay: timedelta,
) -> None:
    """The sender makes the id: sent twice, after a lost answer, it is one message."""
    await connection.execute(
        """
        WITH sent AS (
            INSERT INTO messages (id, queue, body, attributes, visible_at)
            VALUES ($1, $2, $3, $4, now() + $5::interval) ON CONFLICT DO NOTHING
        )
        SELECT pg_notify($6, $2)
        """,
        message_id,
        queue,
        body,
        attributes,
        delay,
        _CHANNEL,
    )


async def _take(
    connection: Connection, queue: str, limit: int, visibility: timedelta, receipt: UUID
) -> list[ReceivedMessage]:
    """Messages that were received too often make room for others: look again until there is one, or nothing left."""
    while True:
        rows = await connection.fetch(_TAKE, queue, limit, visibility, receipt, RECEIVES_ALLOWED, _RECEIVED_TOO_OFTEN)
        if not rows or any(row["taken"] for row in rows):
            return [_message_from(row) for row in rows if row["taken"]]


async def _find_taken(connection: Connection, queue: str, receipt: UUID) -> list[ReceivedMessage]:
    rows = await connection.fetch("SELECT * FROM messages WHERE queue = $1 AND receipt = $2", queue, receipt)
    return [_message_from(row) for row in rows]


_RECEIVED_TOO_OFTEN = f"received {RECEIVES_ALLOWED} times and never deleted"
# now() and not clock_timestamp(), which changes while it is looked at: no index helps to compare with that.
_TAKE = """
    WITH next AS (
        SELECT id, receives FROM messages WHERE queue = $1 AND visible_at <= now()
        ORDER BY visible_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), dead AS (
        DELETE FROM messages WHERE id = ANY (ARRAY (SELECT id FROM next WHERE receives >= $5)) RETURNING *
    ), buried AS (
        INSERT INTO dead_letters (id, queue, body, attributes, reason, receives)
        SELECT id, queue, body, attributes, $6, receives FROM dead
    ), taken AS (
        UPDATE messages SET receives = receives + 1, receipt = $4, visible_at = now() + $3::interval
        WHERE id = ANY (ARRAY (SELECT id FROM next WHERE receives < $5)) RETURNING *
    )
    SELECT *, true AS taken FROM taken UNION ALL SELECT *, false FROM dead
"""


async def _seconds_until_next(connection: Connection, *, queue: str) -> float | None:
    return await connection.fetchval(
        "SELECT extract(epoch FROM min(visible_at) - clock_timestamp())::float8 FROM messages WHERE queue = $1", queue
    )


async def _extend(connection: Connection, *, queue: str, message: ReceivedMessage, visibility: timedelta) -> None:
    """A time that was shortened wakes those who sleep until the longer one."""
    await connection.execute(
        """
        WITH held AS (
            SELECT id, visible_at FROM messages WHERE queue = $1 AND id = $2 AND receipt = $3 FOR UPDATE
        ), extended AS (
            UPDATE messages SET visible_at = now() + $4::interval FROM held WHERE messages.id = held.id
        )
        SELECT pg_notify($5, $1) FROM held WHERE visible_at > now() + $4::interval
        """,
        queue,
        UUID(message.id),
        UUID(message.receipt),
        visibility,
        _CHANNEL,
    )


async def _delete(connection: Connection, *, queue: str, message: ReceivedMessage) -> None:
    """Not by a stale receipt: somebody else has the message now, and its end is theirs to tell."""
    await connection.execute(
        "DELETE FROM messages WHERE queue = $1 AND id = $2 AND receipt = $3",
        queue,
        UUID(message.id),
        UUID(message.receipt),
    )


async def _bury(connection: Connection, *, queue: str, message: ReceivedMessage, reason: str) -> None:
    await connection.execute(
        """
        WITH dead AS (
            DELETE FROM messages WHERE queue = $1 AND id = $2 AND receipt = $3 RETURNING *
        )
        INSERT INTO dead_letters (id, queue, body, attributes, reason, receives)
        SELECT id, queue, body, attributes, $4, receives FROM dead
        """,
        queue,
        UUID(message.id),
        UUID(message.receipt),
        storable(reason),
    )


async def _list_dead_letters(connection: Connection, *, queue: str, limit: int) -> list[DeadLetter]:
    rows = await connection.fetch(
        "SELECT * FROM dead_letters WHERE queue = $1 ORDER BY died_at DESC, id LIMIT $2", queue, limit
    )
    return [_dead_letter_from(row) for row in rows]


async def _dead_ids(connection: Connection, *, queue: str) -> list[UUID]:
    return [row["id"] for row in await connection.fetch("SELECT id FROM dead_letters WHERE queue = $1", queue)]


async def _redrive(connection: Connection, *, queue: str, ids: list[UUID]) -> None:
    await connection.execute(
        """
        WITH risen AS (
            DELETE FROM dead_letters WHERE queue = $1 AND id = ANY ($2::uuid[]) RETURNING *
        ), sent AS (
            INSERT INTO messages (id, queue, body, attributes, visible_at)
            SELECT id, queue, body, attributes, now() FROM risen
        )
        SELECT pg_notify($3, $1)
        """,
        queue,
        ids,
        _CHANNEL,
    )


async def _depth(connection: Connection, *, queue: str) -> QueueDepth:
    """A message that is sent with a delay counts as in flight until it is ready: the sum is all that is to be done."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE visible_at <= now()) AS ready,
            count(*) FILTER (WHERE visible_at > now()) AS in_flight,
            (SELECT count(*) FROM dead_letters WHERE queue = $1) AS dead
        FROM messages WHERE queue = $1
        """,
        queue,
    )
    assert row is not None
    return QueueDepth(ready=row["ready"], in_flight=row["in_flight"], dead=row["dead"])


def _message_from(row: Row) -> ReceivedMessage:
    return ReceivedMessage(
        id=str(row["id"]),
        receipt=str(row["receipt"]),
        body=row["body"],
        attributes=msgspec.json.decode(row["attributes"], type=dict[str, str]),
        receives=row["receives"],
        sent_at=row["sent_at"],
    )


def _dead_letter_from(row: Row) -> DeadLetter:
    return DeadLetter(
        id=str(row["id"]),
        body=row["body"],
        attributes=msgspec.json.decode(row["attributes"], type=dict[str, str]),
        reason=row["reason"],
        receives=row["receives"],
        died_at=row["died_at"],
    )
