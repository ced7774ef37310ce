import asyncio

import asyncpg
import msgspec
import pytest

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from cody_jobs.errors import Unavailable
from tests.unit.cody_backends.postgres.relay import Relay


class Note(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    text: str


async def test_an_operation_whose_session_is_ended_runs_again(notes: Database) -> None:
    tries = 0

    async def operation(connection: Connection) -> int:
        nonlocal tries
        tries += 1
        await connection.execute("INSERT INTO notes VALUES (1, 'once')")
        if tries == 1:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return tries

    assert await notes.run(operation) == 2
    assert await notes.run(lambda c: c.fetchval("SELECT count(*) FROM notes")) == 1


async def test_operations_that_block_each_other_all_come_through(notes: Database) -> None:
    await notes.run(lambda c: c.execute("INSERT INTO notes VALUES (1, ''), (2, '')"))
    both_hold_one = asyncio.Barrier(2)
    met: set[int] = set()

    async def swap(connection: Connection, first: int, second: int) -> None:
        await connection.execute("SET LOCAL deadlock_timeout = '50ms'")
        await connection.execute("UPDATE notes SET text = text || 'x' WHERE number = $1", first)
        if first not in met:
            met.add(first)
            await both_hold_one.wait()
        await connection.execute("UPDATE notes SET text = text || 'x' WHERE number = $1", second)

    await asyncio.gather(notes.run(lambda c: swap(c, 1, 2)), notes.run(lambda c: swap(c, 2, 1)))
    texts = await notes.run(lambda c: c.fetch("SELECT text FROM notes"))
    assert [row["text"] for row in texts] == ["xx", "xx"]


async def test_an_operation_that_fails_for_its_own_reasons_is_not_run_again_and_leaves_nothing(notes: Database) -> None:
    tries = 0

    async def operation(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute("INSERT INTO notes VALUES (1, '')")
        await connection.execute("INSERT INTO notes VALUES (1, '')")

    with pytest.raises(asyncpg.UniqueViolationError):
        await notes.run(operation)
    assert tries == 1
    assert await notes.run(lambda c: c.fetchval("SELECT count(*) FROM notes")) == 0


async def test_what_runs_while_the_server_is_away_only_waits(relayed_url: str, relay: Relay) -> None:
    async with open_database(BackendSettings(database_url=relayed_url)) as database:
        await relay.close()
        waiting = asyncio.create_task(database.run(lambda c: c.fetchval("SELECT 42")))
        with pytest.raises(Unavailable, match=r"^PostgreSQL \(DATABASE_URL\): "):
            await database.ping()
        assert not waiting.done()
        await relay.open()
        assert await waiting == 42
        await database.ping()


@pytest.mark.parametrize("trouble", ["refused", "silent before", "silent meanwhile"])
async def test_an_operation_is_given_up_when_its_patience_is_over(relayed_url: str, relay: Relay, trouble: str) -> None:
    async def operation(connection: Connection) -> None:
        if trouble == "silent meanwhile":
            relay.fall_silent()
        await connection.execute("SELECT 1")

    async with open_database(BackendSettings(database_url=relayed_url), operation_patience=0.5) as database:
        if trouble == "refused":
            await relay.close()
        if trouble == "silent before":
            relay.fall_silent()
        async with asyncio.timeout(15):
            with pytest.raises(Unavailable, match=r"^PostgreSQL \(DATABASE_URL\): "):
                await database.run(operation)
        # Of the connections that were lost, none is missing.
        await relay.close()
        await relay.open()
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(database.run(lambda c: c.execute("SELECT pg_sleep(0.01)")))


async def test_a_server_that_never_answers_is_unavailable_to_a_ping(notes: Database) -> None:
    async with notes.connection() as holder, holder.transaction():
        await holder.execute("LOCK TABLE pg_catalog.pg_type")
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(_ping_in_vain(notes))


async def _ping_in_vain(database: Database) -> None:
    """Each needs a new connection, which cannot be set up."""
    with pytest.raises(Unavailable, match="no answer in time"):
        await database.ping(timeout=0.2)


async def test_more_operations_than_connections_take_turns(database_url: str) -> None:
    settings = BackendSettings(database_url=database_url, database_connections=2)
    async with open_database(settings) as database:
        found = await asyncio.gather(
            *(database.run(lambda c: c.fetchval("SELECT pg_backend_pid()")) for _ in range(20))
        )
    assert 1 <= len(set(found)) <= 2


async def test_a_cancelled_operation_leaves_a_connection_that_works(notes: Database) -> None:
    started = asyncio.Event()

    async def operation(connection: Connection) -> None:
        await connection.execute("INSERT INTO notes VALUES (1, '')")
        started.set()
        await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(notes.run(operation))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await notes.run(lambda c: c.fetchval("SELECT count(*) FROM notes")) == 0


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_structs_go_in_as_json_and_come_out_as_bytes(database: Database, kind: str) -> None:
    note = Note(number=1, text='ümläut "quoted" \U0001f600')
    found = await database.run(lambda c: c.fetchval(f"SELECT $1::{kind}", note))
    assert msgspec.json.decode(found, type=Note) == note


async def test_prepared_statements_survive_a_change_of_the_schema(notes: Database) -> None:
    async def read(connection: Connection) -> int:
        return len(await connection.fetch("SELECT * FROM notes"))

    async with notes.connection() as connection:
        assert await read(connection) == 0
    await notes.run(lambda c: c.execute("ALTER TABLE notes ADD COLUMN more integer DEFAULT 0"))
    await notes.run(lambda c: c.execute("INSERT INTO notes VALUES (1, '')"))
    assert await notes.run(read) == 1
