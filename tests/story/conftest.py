"""A system of real programs over repositories made of real libraries."""

import itertools
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_backends.postgres.connection import OwnConnection
from cody_backends.postgres.embedded.server import EmbeddedServer
from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from tests.story.library_repositories import make_library_repositories
from tests.story.system import System, running_system

TEMPLATE_DATABASE = "cody_template"
_numbers = itertools.count(1)


class Libraries:
    """`root` holds `names`; nothing ever writes to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = make_library_repositories(root)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    return Libraries(tmp_path_factory.mktemp("libraries"))


@pytest.fixture
async def stand_in() -> AsyncGenerator[ClaudeStandIn]:
    async with claude_stand_in() as running:
        yield running


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """An empty folder for the test's own repositories, the root of the `system`."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


@pytest.fixture
async def system(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> AsyncGenerator[System]:
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as running:
        yield running


def environment_for(database_url: str, stand_in: ClaudeStandIn, root: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REPOSITORIES_ROOT": str(root),
        "CLAUDE_API_KEY": stand_in.key,
        "CLAUDE_BASE_URL": stand_in.url,
    }


@pytest.fixture(scope="module")
def shared_repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the `shared_system`; each test adds repositories of its own."""
    return tmp_path_factory.mktemp("repositories")


@pytest.fixture(scope="module")
async def module_stand_in() -> AsyncGenerator[ClaudeStandIn]:
    async with claude_stand_in() as running:
        yield running


@pytest.fixture
async def shared_stand_in(module_stand_in: ClaudeStandIn) -> ClaudeStandIn:
    """Claude for the `shared_system`, with no fault left over from another test."""
    await module_stand_in.reset()
    return module_stand_in


@pytest.fixture(scope="module")
async def module_database_url(postgres_server: EmbeddedServer, administrator: OwnConnection) -> AsyncGenerator[str]:
    name = f"story_{next(_numbers)}"
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE_DATABASE}")
    yield f"postgresql:///{name}?host={postgres_server.socket_folder}&user=cody"
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def shared_system(
    tmp_path_factory: pytest.TempPathFactory,
    module_database_url: str,
    module_stand_in: ClaudeStandIn,
    shared_repositories: Path,
) -> AsyncGenerator[System]:
    """One system for all tests of a module that need nothing of their own but repositories."""
    environment = environment_for(module_database_url, module_stand_in, shared_repositories)
    folder = tmp_path_factory.mktemp("system")
    async with running_system(folder, environment) as running:
        yield running
