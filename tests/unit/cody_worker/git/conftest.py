from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_worker.git.repository_process import GitLauncher
from tests.support.git_children import GitWork, open_launcher


@pytest.fixture(scope="session")
async def launcher() -> AsyncGenerator[GitLauncher]:
    async with open_launcher() as opened:
        yield opened


@pytest.fixture
def git_work(launcher: GitLauncher, tmp_path: Path) -> GitWork:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return GitWork(launcher, scratch)
