"""Room under rate limits, in one row for each lane, changed by one statement under the row's lock.

The database's clock is the only one. Nothing is tried twice: a turn whose answer was lost would be taken twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec.structs import astuple

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.database import Database
from cody_backends.postgres.errors import translated
from cody_jobs.ports.room_store import (
    BURST,
    FIRST_GUESS,
    FIRST_ROOM,
    MOST_CALLS,
    NO_NEWS,
    PACE,
    Room,
    RoomLimits,
    RoomNews,
    Turn,
)

_SECONDS = 3.0
_NOTHING = Room()

_OPEN = """
    INSERT INTO claude_room (lane, limits, levels) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

# What is `now` has the lock: the time is read after the wait for it. Then, for each kind: how far the bucket has filled
# up (`filled`), what the news make of its limit and level (`settled`), how many calls to take room for (`choice`).
# LEAST and GREATEST pass over nulls, so that what is without a limit limits nothing.
_DEAL = f"""
    WITH held AS MATERIALIZED (
        SELECT * FROM claude_room WHERE lane = $1 FOR UPDATE
    ), now AS MATERIALIZED (
        SELECT held.*, clock_timestamp() AS at FROM held
    ), filled AS (
        SELECT kind.*, now.known, LEAST(
            LEAST(had, ceiling) * {BURST},
            coalesce(level, LEAST(had, ceiling) * {BURST})
                + LEAST(had, ceiling) * {PACE} * GREATEST(0, extract(epoch FROM at - filled_at)) / $2::float8
        ) AS before
        FROM now, unnest(
            now.limits, now.levels, $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::float8[]
        ) WITH ORDINALITY AS kind (had, level, ceiling, need, back, told, remaining, at_first, number)
    ), limited AS (
        SELECT *, LEAST(CASE WHEN $9::boolean THEN told ELSE coalesce(told, had) END, ceiling) AS most FROM filled
    ), settled AS (
        SELECT *, LEAST(need, most * {BURST}) AS each, CASE WHEN most IS NOT NULL THEN GREATEST(
            -most * {BURST},
            LEAST(
                most * {BURST},
                CASE WHEN known OR remaining IS NULL THEN before + back END,
                remaining - CASE WHEN known THEN 0 ELSE at_first - LEAST(before, at_first) END
            )
        ) END AS after
        FROM limited
    ), choice AS (
        SELECT 1 + LEAST({MOST_CALLS - 1}, min(GREATEST(
            0,
            floor(most / 600 / NULLIF(each, 0)),
            LEAST(floor((after - each) / 8 / NULLIF(each, 0)), floor(most / 60 / NULLIF(each, 0)))
        )) FILTER (WHERE most IS NOT NULL AND each > 0)) AS calls
        FROM settled
    ), taken AS (
        SELECT settled.*, calls, after - each * calls AS rest FROM settled, choice
    ), turn AS (
        SELECT
            min(calls)::integer AS calls,
            array_agg(each * calls ORDER BY number) AS room,
            array_agg(rest ORDER BY number) AS rest,
            array_agg(most ORDER BY number) AS most,
            array_agg(CASE WHEN $9::boolean THEN told ELSE coalesce(told, had) END ORDER BY number) AS limits,
            array_agg(GREATEST(0, -(after - each) / (most * {PACE}) * $2::float8) ORDER BY number) AS waits
        FROM taken
    ), changed AS (
        UPDATE claude_room SET
            limits = turn.limits,
            levels = turn.rest,
            filled_at = now.at,
            known = now.known OR $9::boolean OR $10::boolean,
            paused_until = GREATEST(now.paused_until, now.at + make_interval(secs => NULLIF($11::float8, 0))),
            overloaded = CASE WHEN $11::float8 > 0 THEN $12::boolean ELSE now.overloaded END
        FROM now, turn
        WHERE claude_room.lane = now.lane
        RETURNING claude_room.paused_until, claude_room.overloaded, now.at
    )
    SELECT turn.*, changed.overloaded, extract(epoch FROM paused_until - at)::float8 AS pause FROM turn, changed
"""  # noqa: S608 (only constants of our own are put in)


class PostgresRoomStore:
    """`minute` is how many seconds a minute of the limits takes."""

    def __init__(self, database: Database, *, minute: float = 60.0) -> None:
        self._database = database
        self._minute = minute

    async def take(self, lane: str, need: Room, *, ceilings: RoomLimits, news: RoomNews = NO_NEWS) -> Turn:
        return await self._deal(lane, need, ceilings, news)

    async def tell(self, lane: str, news: RoomNews, *, ceilings: RoomLimits) -> Turn:
        return await self._deal(lane, _NOTHING, ceilings, news)

    async def _deal(self, lane: str, need: Room, ceilings: RoomLimits, news: RoomNews) -> Turn:
        with translated(self._database.name):
            async with asyncio.timeout(_SECONDS), self._database.connection() as connection:
                deal = partial(_deal, connection, lane, self._minute, need, ceilings, news)
                row = await deal()
                if row is None:
                    await connection.execute(_OPEN, lane, astuple(FIRST_GUESS), astuple(FIRST_ROOM))
                    row = await deal()
                assert row is not None
                return _turn_from(row)


async def _deal(
    connection: Connection, lane: str, minute: float, need: Room, ceilings: RoomLimits, news: RoomNews
) -> Row | None:
    return await connection.fetchrow(
        _DEAL,
        lane,
        minute,
        astuple(ceilings),
        astuple(need),
        astuple(news.back),
        astuple(news.limits),
        astuple(news.left),
        astuple(FIRST_ROOM),
        news.whole,
        news.limits != RoomLimits(),
        news.pause,
        news.overloaded,
    )


def _turn_from(row: Row) -> Turn:
    waits: Mapping[str, float] = {name: wait for name, wait in _named(row["waits"]).items() if wait}
    scarce = max(waits, key=waits.__getitem__, default=None)
    pause = max(0.0, row["pause"] or 0.0)
    return Turn(
        room=msgspec.convert(_named(row["room"]), Room),
        calls=row["calls"],
        wait=waits[scarce] if scarce else 0.0,
        scarce=scarce,
        pause=pause,
        overloaded=pause > 0 and row["overloaded"],
        limits=msgspec.convert(_named(row["most"]), RoomLimits),
    )


def _named(kinds: Sequence[float]) -> dict[str, float]:
    return dict(zip(Room.__struct_fields__, kinds, strict=True))
