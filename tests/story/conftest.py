"""A system of real programs over repositories made of real libraries."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from tests.story.library_repositories import make_library_repositories
from tests.story.system import System, running_system


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
