from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest

from cody_backends.postgres.database import Database
from cody_backends.postgres.embedded.layout import socket_file
from cody_backends.postgres.embedded.server import EmbeddedServer
from tests.unit.cody_backends.postgres.relay import Relay, relay_to


@pytest.fixture
async def relay(postgres_server: EmbeddedServer) -> AsyncGenerator[Relay]:
    async with relay_to(socket_file(postgres_server.socket_folder)) as opened:
        yield opened


@pytest.fixture
def relayed_url(database_url: str, relay: Relay) -> str:
    """The fresh database, over TCP through the relay."""
    return f"postgresql://cody@127.0.0.1:{relay.port}{urlsplit(database_url).path}"


@pytest.fixture
async def notes(database: Database) -> Database:
    """A database with an empty table `notes`."""
    await database.run_statement(lambda c: c.execute("CREATE TABLE notes (number integer PRIMARY KEY, text text)"))
    return database
