"""What all tests share: a hermetic environment, and a real PostgreSQL server with a fresh database for each test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from cody_backends.postgres.connection import OwnConnection
from cody_backends.postgres.database import Database
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_held
from cody_backends.postgres.embedded.server import EmbeddedServer, use_server
from cody_backends.postgres.migrate import migrate, read_migrations
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from tests.support.wait import wait_until

pytest_plugins = ["tests.servers.fixtures"]

_REACHES_OUT = (
    "AWS",
    "ANTHROPIC",
    "CLAUDE",
    "GITHUB",
    "GH_",
    "OTEL_",
    "CODY_",
    "DATABASE_",
    "PG",
    "GIT_",
    "TRACEPARENT",
)
_TEMPLATE = "cody_template"
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="also run the tests that call real, paid services")
    parser.addoption("--kills", type=int, default=4, help="how many jobs the kill walk disturbs")
    parser.addoption("--storms", type=int, default=2, help="how often 200 files ask at once under caps")
    parser.addoption("--kill-seed", type=int, default=1, help="which programs it kills, and at which steps")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--live"):
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason="calls a real, paid service: only with --live"))


@pytest.fixture(scope="session", autouse=True)
def hermetic_environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """No setting, key or profile of the person who runs the tests can change them, or be used by them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_REACHES_OUT):
                patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("AWS_CONFIG_FILE", str(home / "no-aws-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "no-aws-credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_TERMINAL_PROMPT", "0")
        yield


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncGenerator[EmbeddedServer]:
    """The embedded server in a folder of its own, for the whole session; it has to be gone at the end.

    Nobody needs its data after a power cut.
    """
    folder = Path(tempfile.mkdtemp(prefix="cody-tests-", dir="/tmp"))
    layout = Layout(data=str(folder), unused_seconds=0.2, options={"fsync": "off", "full_page_writes": "off"})
    try:
        async with use_server(layout) as server:
            yield server
        await wait_until(
            lambda: not is_held(layout.supervisor_lock), "the tests' server has stopped after its last user", 30
        )
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def administrator(postgres_server: EmbeddedServer) -> AsyncGenerator[OwnConnection]:
    """A connection that may create and drop databases; among them the template with the whole schema."""
    connection = await postgres_server.connect()
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    template = await postgres_server.connect(database=_TEMPLATE)
    await migrate(template, read_migrations())
    await template.close()
    yield connection
    await connection.close()


@pytest.fixture
async def database_url(postgres_server: EmbeddedServer, administrator: OwnConnection) -> AsyncGenerator[str]:
    """The address of a fresh database with the present schema."""
    name = f"test_{next(_numbers)}"
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
    yield f"postgresql:///{name}?host={postgres_server.socket_folder}&user=cody"
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def backend_settings(database_url: str, tmp_path: Path) -> BackendSettings:
    return BackendSettings(database_url=database_url, cody_data=str(tmp_path / "cody-data"))


@pytest.fixture
async def database(backend_settings: BackendSettings) -> AsyncGenerator[Database]:
    async with open_database(backend_settings) as opened:
        yield opened
