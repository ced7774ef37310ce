"""A program that uses the embedded server: `user_program.py LAYOUT hold|look|write|fork`.

It ends with its standard input. When it fails, it says why.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import msgspec

from cody_backends.postgres.connection import Connection, use_json
from cody_backends.postgres.database import Database, open_pool
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.server import use_server
from cody_jobs.errors import CodyError
from cody_runtime.logs import configure_logs

_TABLE = "CREATE TABLE IF NOT EXISTS notes (number integer PRIMARY KEY)"


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def hold(database: Database) -> None:
    """Say when the server was started, then stay."""
    say(await database.run_statement(lambda c: c.fetchval("SELECT pg_postmaster_start_time()")))
    await asyncio.to_thread(sys.stdin.read)


async def look(database: Database) -> None:
    """Connect, with a single try."""
    await database.ping(timeout=60)


async def write(database: Database) -> None:
    """Write 1, 2, 3, … and say each number that was committed."""
    await database.run_statement(lambda c: c.execute(_TABLE))
    for number in range(1, 1_000_000):
        await database.run(_writes(number))
        say(number)


def _writes(number: int) -> Callable[[Connection], Awaitable[str]]:
    async def operation(connection: Connection) -> str:
        return await connection.execute("INSERT INTO notes VALUES ($1) ON CONFLICT DO NOTHING", number)

    return operation


async def fork(database: Database) -> None:
    """Leave behind a child that does nothing but live, and say its number."""
    await database.run_statement(lambda c: c.fetchval("SELECT 1"))
    child = os.fork()
    if child:
        say(child)
        return
    sys.stdin.read()
    os._exit(0)


async def main(layout: Layout, action: Callable[[Database], Awaitable[None]]) -> None:
    async with (
        use_server(layout) as server,
        open_pool("the test's server", server.connect, connections=2, init=use_json) as database,
    ):
        await action(database)


if __name__ == "__main__":
    actions = {"hold": hold, "look": look, "write": write, "fork": fork}
    configure_logs("user_program")
    try:
        asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Layout), actions[sys.argv[2]]))
    except CodyError as error:
        say(f"{type(error).__name__}: {error}")
        sys.exit(1)
