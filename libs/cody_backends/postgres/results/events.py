"""The feed of a job's events."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import msgspec

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.texts import storable
from cody_jobs.events import Event, EventBody

EVENTS_CHANNEL = "cody_events"
_LOCK_CLASS = 0x65766E74  # "evnt": keeps these advisory locks apart from others

_body = msgspec.json.Decoder(EventBody)


async def append_events(database: Database, job_id: str, events: Sequence[EventBody], key: str | None = None) -> None:
    """Run a second time, after a lost answer, it looks first whether these events are there."""
    if not events:
        return
    mark, runs = uuid4() if key is None else _mark_of(job_id, key), itertools.count()

    async def operation(connection: Connection) -> None:
        if next(runs) and await _are_appended(connection, job_id, mark):
            return
        await append(connection, job_id, events, mark)

    await database.run(operation)


async def append_missing(database: Database, job_id: str, events: Mapping[str, EventBody]) -> None:
    """One after the other: there are few, and each is looked for under the lock of the job."""
    for key, event in events.items():
        await database.run(partial(_append_if_missing, job_id=job_id, event=event, mark=_mark_of(job_id, key)))


async def _append_if_missing(connection: Connection, *, job_id: str, event: EventBody, mark: UUID) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK_CLASS, job_id)
    if not await _are_appended(connection, job_id, mark):
        await append(connection, job_id, [event], mark)


def _mark_of(job_id: str, key: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"{job_id} {key}")


async def append(connection: Connection, job_id: str, events: Sequence[EventBody], mark: UUID) -> None:
    """The last step of a transaction.

    Ids are drawn under a lock of the job that is held until the commit is visible: so the ids of one job become
    visible in their order, and a reader that has seen id 7 never misses a 6 that is committed later. Drawn without
    it, 6 might belong to a slower transaction. The lock is a statement of its own, before the one that draws.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK_CLASS, job_id)
    await connection.execute(
        """
        WITH appended AS (
            INSERT INTO events (job_id, id, body, appended_by)
            SELECT $1, nextval('event_ids'), body, $3
            FROM (SELECT body FROM unnest($2::json[]) WITH ORDINALITY AS new (body, place) ORDER BY place) AS ordered
        )
        SELECT pg_notify($4, $1)
        """,
        job_id,
        events,
        mark,
        EVENTS_CHANNEL,
    )


async def _are_appended(connection: Connection, job_id: str, mark: UUID) -> bool:
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM events WHERE job_id = $1 AND appended_by = $2)", job_id, mark
    )


async def read_events(connection: Connection, *, job_id: str, after: int, limit: int) -> list[Event]:
    rows = await connection.fetch(
        "SELECT id, at, body FROM events WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        storable(job_id),
        after,
        limit,
    )
    return [Event(id=row["id"], job_id=job_id, at=row["at"], body=_body.decode(row["body"])) for row in rows]


async def has_events(connection: Connection, *, job_id: str, after: int) -> bool:
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM events WHERE job_id = $1 AND id > $2)", storable(job_id), after
    )
