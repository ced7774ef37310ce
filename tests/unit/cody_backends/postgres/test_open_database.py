import asyncio
from pathlib import Path

import pytest

from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from cody_jobs.errors import SettingsError, Unavailable
from tests.support.wait import wait_until
from tests.unit.cody_backends.postgres.relay import Relay


async def test_a_database_of_our_own_is_served_from_the_data_folder(tmp_path: Path) -> None:
    settings = BackendSettings(cody_data=str(tmp_path / "data"))
    assert settings.embedded
    async with open_database(settings) as database:
        assert await database.run(lambda c: c.fetchval("SELECT count(*) FROM cody_migrations")) > 0
    await wait_until(
        lambda: not list((tmp_path / "data" / "postgres").glob("postmaster.pid")), "the server has stopped", 30
    )


async def test_a_program_that_is_started_before_its_database_waits(relayed_url: str, relay: Relay) -> None:
    await relay.close()
    opening = asyncio.create_task(_open_and_ping(relayed_url))
    done, _ = await asyncio.wait([opening], timeout=0.2)
    assert not done
    await relay.open()
    await opening


async def _open_and_ping(url: str) -> None:
    async with open_database(BackendSettings(database_url=url)) as database:
        await database.ping()


async def test_a_database_that_never_comes_is_unavailable(relayed_url: str, relay: Relay) -> None:
    await relay.close()
    with pytest.raises(Unavailable, match=r"^PostgreSQL \(DATABASE_URL\): .*Connect call failed"):
        async with open_database(BackendSettings(database_url=relayed_url), patience=0):
            pass


async def test_a_database_name_that_does_not_exist_is_a_wrong_setting_at_once(relayed_url: str) -> None:
    url = relayed_url.rsplit("/", 1)[0] + "/nothing"
    with pytest.raises(SettingsError, match=r'^PostgreSQL \(DATABASE_URL\): database "nothing" does not exist'):
        async with open_database(BackendSettings(database_url=url)):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "mysql://cody:hush@localhost/cody",
        "cody:hush@localhost/cody",
        "postgresql://cody:hush/hush@localhost:5432/cody",
        "postgresql://cody@localhost:hush/cody",
        "postgresql://cody:hush@localhost/cody?sslmode=hush",
    ],
)
async def test_an_address_that_is_none_is_a_wrong_setting_and_its_password_is_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL is not a PostgreSQL address") as caught:
        async with open_database(BackendSettings(database_url=url), patience=0):
            pass
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
