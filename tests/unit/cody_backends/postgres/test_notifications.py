import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from cody_backends.postgres.database import Database
from cody_backends.postgres.notifications import Listener
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from tests.support.wait import wait_until
from tests.unit.cody_backends.postgres.relay import Relay

LONG = timedelta(seconds=20)
AT_ONCE = timedelta(0)


async def _notify(database: Database, channel: str, payload: str) -> None:
    await database.run_statement(lambda c: c.fetchval("SELECT pg_notify($1, $2)", channel, payload))


async def _begin(listener: Listener) -> None:
    """The first wake-up says that notifications are heard from now on."""
    assert await listener.wait(LONG)


async def test_a_notification_wakes_the_listeners_of_its_channel(database: Database) -> None:
    async with database.listener("one") as one, database.listener("two") as two:
        await asyncio.gather(_begin(one), _begin(two))
        await _notify(database, "one", "")
        assert await one.wait(LONG)
        assert not await two.wait(AT_ONCE)


async def test_a_listener_hears_its_payload_only(database: Database) -> None:
    async with database.listener("jobs", "job-1") as first, database.listener("jobs", "job-2") as second:
        await asyncio.gather(_begin(first), _begin(second))
        await _notify(database, "jobs", "job-1")
        await _notify(database, "jobs", "job-2")
        assert await second.wait(LONG)
        assert await first.wait(LONG)
        await _notify(database, "jobs", "job-2")
        assert await second.wait(LONG)
        assert not await first.wait(AT_ONCE)


async def test_a_notification_between_two_waits_is_not_lost(database: Database) -> None:
    async with database.listener("jobs") as listener, database.listener("jobs") as witness:
        await asyncio.gather(_begin(listener), _begin(witness))
        await _notify(database, "jobs", "")
        assert await witness.wait(LONG)
        assert await listener.wait(AT_ONCE)
        assert not await listener.wait(AT_ONCE)


async def test_all_listeners_of_a_process_share_one_connection(database: Database) -> None:
    async with AsyncExitStack() as stack:
        for number in range(10):
            await _begin(await stack.enter_async_context(database.listener(f"channel_{number}")))
        assert (
            await database.run_statement(
                lambda c: c.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
            )
            == 1
        )


async def test_a_lost_connection_comes_back_and_wakes_everybody(database: Database) -> None:
    async with database.listener("one") as one, database.listener("two", "never sent") as two:
        await asyncio.gather(_begin(one), _begin(two))
        ended = await database.run_statement(
            lambda c: c.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        )
        assert ended == 1
        assert await one.wait(LONG)
        assert await two.wait(LONG)
        await _notify(database, "one", "")
        assert await one.wait(LONG)


async def test_listeners_are_woken_after_the_server_was_away(relayed_url: str, relay: Relay) -> None:
    async with (
        open_database(BackendSettings(database_url=relayed_url)) as database,
        database.listener("jobs") as listener,
    ):
        await _begin(listener)
        await relay.close()
        assert not await listener.wait(timedelta(seconds=0.1))
        await relay.open()
        assert await listener.wait(LONG)
        await _notify(database, "jobs", "")
        assert await listener.wait(LONG)


async def test_the_connection_is_closed_with_the_database(database: Database, database_url: str) -> None:
    async with (
        open_database(BackendSettings(database_url=database_url)) as another,
        another.listener("jobs") as listener,
    ):
        await _begin(listener)

    async def nobody_listens() -> bool:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        return await database.run_statement(lambda c: c.fetchval(count)) == 0

    await wait_until(nobody_listens, "the listening connection is closed")
