import asyncio
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from cody_backends.postgres.connection import OwnConnection
from cody_backends.postgres.embedded.server import EmbeddedServer
from cody_backends.postgres.migrate import Migration, migrate, read_migrations
from cody_jobs.errors import SettingsError

FIRST = Migration(number=1, name="first", sql="CREATE TABLE a (x integer); CREATE TABLE b (x integer);")
SECOND = Migration(number=2, name="second", sql="ALTER TABLE a ADD COLUMN y integer;")


@pytest.fixture
async def connections(
    postgres_server: EmbeddedServer, administrator: OwnConnection
) -> AsyncGenerator[list[OwnConnection]]:
    """Five connections to a database without any schema."""
    await administrator.execute("CREATE DATABASE empty_one")
    opened = [await postgres_server.connect(database="empty_one") for _ in range(5)]
    yield opened
    for connection in opened:
        await connection.close()
    await administrator.execute("DROP DATABASE empty_one WITH (FORCE)")


async def test_five_programs_that_start_at_once_apply_each_step_once(connections: list[OwnConnection]) -> None:
    applied = await asyncio.gather(*(migrate(connection, read_migrations()) for connection in connections))
    numbers = [migration.number for migration in read_migrations()]
    assert sorted(applied) == [[], [], [], [], numbers]
    assert numbers[0] == 1


async def test_only_what_is_missing_is_applied(connections: list[OwnConnection]) -> None:
    assert await migrate(connections[0], [FIRST]) == [1]
    assert await migrate(connections[1], [FIRST, SECOND]) == [2]
    assert await migrate(connections[2], [FIRST, SECOND]) == []


async def test_a_database_of_a_newer_program_is_refused(connections: list[OwnConnection]) -> None:
    await migrate(connections[0], [FIRST, SECOND])
    with pytest.raises(
        SettingsError, match=r"the database has schema 2, but this program knows 1: .* Install that version"
    ):
        await migrate(connections[1], [FIRST])


async def test_a_step_that_was_changed_afterwards_is_refused(connections: list[OwnConnection]) -> None:
    await migrate(connections[0], [FIRST])
    changed = Migration(number=1, name="first", sql="CREATE TABLE a (x bigint);")
    with pytest.raises(SettingsError, match=r"schema 1 \(first\) was applied to this database from another text"):
        await migrate(connections[1], [changed])


async def test_line_endings_of_a_checkout_do_not_matter() -> None:
    crlf = Migration(number=1, name="first", sql="CREATE TABLE a (\r\n x integer);\r\n")
    assert crlf.checksum == Migration(number=1, name="first", sql="CREATE TABLE a (\n x integer);\n").checksum


async def test_a_step_that_fails_leaves_nothing_of_itself_and_lets_others_try(connections: list[OwnConnection]) -> None:
    broken = Migration(number=2, name="broken", sql="CREATE TABLE c (x integer); SELECT 1 / 0;")
    for connection in connections[:2]:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(connection, [FIRST, broken])
    assert await connections[0].fetchval("SELECT to_regclass('c')") is None
    assert await migrate(connections[2], [FIRST, SECOND]) == [2]
