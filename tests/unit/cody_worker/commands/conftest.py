import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_worker.git.repository_process import GitLauncher
from cody_worker.sandbox.command import CommandRunner
from cody_worker.sandbox.find_sandbox import Sandbox, choose_runner, find_sandbox
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


@pytest.fixture(scope="session")
async def runner() -> CommandRunner:
    """The sandbox, or what there is where this machine can have none."""
    found = await find_sandbox(path=os.environ["PATH"])
    if isinstance(found, Sandbox):
        return found
    return choose_runner(found, allow_unsandboxed=True, path=os.environ["PATH"])
