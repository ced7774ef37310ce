"""The server runs as long as somebody uses it, and not longer."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import psutil
import pytest
from blockbuster import blockbuster_ctx

from cody_backends.postgres.embedded.layout import Layout
from tests.support.wait import wait_until
from tests.unit.cody_backends.embedded.machine import (
    database_in,
    postmasters,
    supervisors,
    user_program,
    wait_until_nothing_runs,
)


@pytest.mark.parametrize("programs", [2, 5])
async def test_programs_that_start_at_once_on_a_fresh_folder_share_one_server(
    fresh_layout: Layout, programs: int
) -> None:
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(user_program(fresh_layout, "hold")) for _ in range(programs)]
        servers = await asyncio.gather(*(program.line() for program in started))

        assert servers[0] != ""
        assert len(set(servers)) == 1
        assert len(postmasters(fresh_layout)) == 1
        await wait_until(lambda: len(supervisors(fresh_layout)) == 1, "supervisors that came too late have gone")
        assert await asyncio.gather(*(program.end() for program in started)) == [0] * programs
    await wait_until_nothing_runs(fresh_layout)


async def test_the_server_stays_while_one_program_of_several_is_left(layout: Layout) -> None:
    async with database_in(layout) as database:
        async with user_program(layout, "hold") as other:
            await other.line()
            await other.end()
        before = await database.run_statement(lambda c: c.fetchval("SELECT pg_postmaster_start_time()"))
        await _pass_the_time_for_the_supervisor_to_stop_it(layout)
        assert before == await database.run_statement(lambda c: c.fetchval("SELECT pg_postmaster_start_time()"))


async def test_a_user_that_was_killed_does_not_keep_the_server(layout: Layout) -> None:
    async with user_program(layout, "hold") as program:
        assert await program.line()
        await program.kill()
        await wait_until_nothing_runs(layout)


async def test_a_child_of_a_fork_keeps_the_server_when_its_parent_has_gone(layout: Layout) -> None:
    async with user_program(layout, "fork") as program:
        child = psutil.Process(int(await program.line()))
        await wait_until(lambda: child.ppid() != program.number, "the parent has gone")
        await _pass_the_time_for_the_supervisor_to_stop_it(layout)
        assert len(postmasters(layout)) == 1
        child.kill()
        await wait_until_nothing_runs(layout)


async def test_a_program_that_comes_while_the_server_stops_gets_a_new_one(layout: Layout) -> None:
    for _ in range(3):
        async with database_in(layout) as database:
            await database.ping(timeout=30)
        await wait_until(lambda: not postmasters(layout), "the server ends, right now")


async def test_a_server_whose_folder_is_removed_ends(layout: Layout) -> None:
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        layout.users_lock.unlink()
        await wait_until_nothing_runs(layout)


async def test_a_supervisor_that_is_told_to_end_takes_the_server_with_it_and_both_come_back(layout: Layout) -> None:
    async with database_in(layout) as database:
        before = await database.run_statement(lambda c: c.fetchval("SELECT pg_postmaster_start_time()"))
        os.kill(supervisors(layout)[0].pid, signal.SIGTERM)
        await wait_until_nothing_runs(layout)

        assert before != await database.run_statement(lambda c: c.fetchval("SELECT pg_postmaster_start_time()"))
    await wait_until_nothing_runs(layout)


async def test_starting_the_server_leaves_the_event_loop_free(layout: Layout) -> None:
    with blockbuster_ctx():
        async with database_in(layout) as database:
            assert await database.run_statement(lambda c: c.fetchval("SELECT 1")) == 1


async def _pass_the_time_for_the_supervisor_to_stop_it(layout: Layout) -> None:
    """There is no fact to wait for when nothing should happen. Too short a time only makes the test blind."""
    await asyncio.sleep(layout.unused_seconds + 0.6)
