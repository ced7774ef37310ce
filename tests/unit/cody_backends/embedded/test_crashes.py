"""Whatever is killed: no committed row is lost, nothing is left running, and programs go on by themselves."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import msgspec
import psutil
import pytest

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.embedded.layout import Isolation, Layout, socket_file
from cody_backends.postgres.embedded.server import EmbeddedServer
from cody_jobs.errors import Unavailable
from tests.support.wait import wait_until
from tests.unit.cody_backends.embedded.machine import (
    database_in,
    end_what_is_left,
    kill,
    postmasters,
    servers,
    supervisors,
    user_program,
    wait_until_nothing_runs,
)

Victims = Callable[[Layout], list[psutil.Process]]


def _sessions(layout: Layout) -> list[psutil.Process]:
    return [process for process in servers(layout) if "cody postgres" in " ".join(process.cmdline())]


def _everything(layout: Layout) -> list[psutil.Process]:
    return [*supervisors(layout), *servers(layout)]


def _supervisor_and_postmaster(layout: Layout) -> list[psutil.Process]:
    return [*supervisors(layout), *postmasters(layout)]


@pytest.fixture
async def stranger() -> AsyncGenerator[psutil.Process]:
    """A process that has nothing to do with PostgreSQL."""
    process = await asyncio.create_subprocess_exec("sleep", "600")
    yield psutil.Process(process.pid)
    process.kill()
    await process.wait()


@pytest.mark.parametrize(
    "victims", [supervisors, postmasters, _sessions, _supervisor_and_postmaster, _everything], ids=lambda f: f.__name__
)
async def test_a_program_goes_on_writing_when_processes_are_killed(layout: Layout, victims: Victims) -> None:
    async with database_in(layout) as database:
        await database.run_statement(lambda c: c.execute("CREATE TABLE notes (number integer PRIMARY KEY)"))
        killed: list[psutil.Process] = []
        for number in range(60):
            if number == 20:
                killed = victims(layout)
                assert killed
                kill(killed)
            await _write(database, number)
        found = await database.run_statement(lambda c: c.fetch("SELECT number FROM notes ORDER BY number"))
        assert [row["number"] for row in found] == list(range(60))
        assert len(postmasters(layout)) == 1
        assert not [process for process in killed if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    await wait_until_nothing_runs(layout)


async def test_while_the_server_does_not_come_back_an_operation_waits_no_longer_than_its_patience(
    layout: Layout,
) -> None:
    async with database_in(layout, operation_patience=0.5) as database:
        await database.ping(timeout=30)
        (supervisor,) = supervisors(layout)
        supervisor.suspend()
        try:
            kill(servers(layout))
            async with asyncio.timeout(15):
                with pytest.raises(Unavailable):
                    await database.run_statement(lambda c: c.execute("SELECT 1"))
        finally:
            supervisor.resume()
        await _until_it_answers(database)
    await wait_until_nothing_runs(layout)


async def test_everything_is_killed_in_the_middle_of_writes_and_every_committed_row_is_there(layout: Layout) -> None:
    async with user_program(layout, "write") as writer:
        for _ in range(50):
            assert await writer.line()
        kill(_everything(layout))
        committed = [int(number) for number in await writer.kill()] or [50]
    async with database_in(layout) as database:
        found = await database.run_statement(lambda c: c.fetch("SELECT number FROM notes ORDER BY number"))
        numbers = [row["number"] for row in found]
    assert numbers == list(range(1, len(numbers) + 1))
    # The answer to the last commit may have been lost on its way.
    assert len(numbers) in (committed[-1], committed[-1] + 1)
    await wait_until_nothing_runs(layout)


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_the_server_dies_with_its_supervisor(fresh_layout: Layout, isolation: Isolation) -> None:
    """Changes of credentials (which differ by isolation) make the kernel forget that it should."""
    if (isolation is Isolation.NONE) == (os.geteuid() == 0):
        pytest.skip("not a way for this user")
    layout = msgspec.structs.replace(fresh_layout, isolation=isolation)
    async with user_program(layout, "hold") as program:
        assert await program.line()
        supervisors(layout)[0].kill()
        await wait_until(lambda: not servers(layout), "PostgreSQL has gone, too")
        await program.kill()


async def test_a_number_of_a_killed_server_that_is_a_strangers_now_does_not_matter(
    layout: Layout, stranger: psutil.Process
) -> None:
    await _crash(layout)
    for note in (layout.database / "postmaster.pid", socket_file(layout.socket).with_suffix(".5432.lock")):
        lines = note.read_text().splitlines()
        note.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        assert stranger.is_running()
    await wait_until_nothing_runs(layout)


async def test_a_number_of_a_killed_server_that_is_another_servers_now_does_not_matter(
    layout: Layout, postgres_server: EmbeddedServer
) -> None:
    other = await postgres_server.connect()
    note = layout.database / "postmaster.pid"
    await _crash(layout)
    lines = note.read_text().splitlines()
    number = int((postgres_server.socket_folder.parent / "postgres" / "postmaster.pid").read_text().split()[0])
    note.write_text("\n".join([str(number), *lines[1:], ""]))
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        assert await other.fetchval("SELECT 1") == 1
    await other.close()


async def test_a_server_that_a_supervisor_left_behind_is_replaced(layout: Layout) -> None:
    """Where the kernel does not end it with its supervisor (that is so on other systems than Linux)."""
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        command, isolation = postmasters(layout)[0].cmdline(), _isolating_prefix()
    await wait_until_nothing_runs(layout)
    left_behind = await asyncio.create_subprocess_exec(*isolation, *command, stderr=subprocess.DEVNULL)
    try:
        await wait_until(socket_file(layout.socket).exists, "the server without a supervisor takes connections")
        async with database_in(layout) as database:
            await database.ping(timeout=30)
            await wait_until(lambda: left_behind.returncode is not None, "the old server has ended")
            assert len(postmasters(layout)) == 1
    finally:
        await left_behind.wait()


async def test_a_socket_that_nobody_serves_does_not_matter(layout: Layout) -> None:
    layout.socket.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_file(layout.socket)))
    async with database_in(layout) as database:
        await database.ping(timeout=30)


async def test_a_socket_that_was_removed_comes_back(layout: Layout) -> None:
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        shutil.rmtree(layout.socket)
        async with database_in(layout) as another:
            await another.run(lambda c: c.execute("SELECT 1"))


async def test_an_initialization_that_was_killed_leaves_nothing_behind(fresh_layout: Layout) -> None:
    async with user_program(fresh_layout, "hold") as program:
        await wait_until(
            lambda: list(fresh_layout.folder.glob("postgres.new-*/PG_VERSION")), "the files are being made", 30
        )
        supervisors(fresh_layout)[0].send_signal(signal.SIGKILL)
        assert await program.line()
        assert list(fresh_layout.folder.glob("postgres.new-*")) == []
        await program.end()
    await wait_until_nothing_runs(fresh_layout)


async def _write(database: Database, number: int) -> None:
    async def operation(connection: Connection) -> str:
        return await connection.execute("INSERT INTO notes VALUES ($1) ON CONFLICT DO NOTHING", number)

    await database.run(operation)


async def _until_it_answers(database: Database) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(Unavailable):
                return await database.ping(timeout=30)


async def _crash(layout: Layout) -> None:
    async with user_program(layout, "hold") as program:
        assert await program.line()
        end_what_is_left(layout)
        await program.kill()


def _isolating_prefix() -> list[str]:
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
