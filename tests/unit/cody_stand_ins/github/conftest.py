"""A GitHub stand-in with one repository, and somebody who may push to it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from cody_stand_ins.github import GitHubStandIn, github_stand_in

TOKEN = "bot-token"


@pytest.fixture(scope="session")
async def running_github(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[GitHubStandIn]:
    async with github_stand_in(tmp_path_factory.mktemp("github")) as stand_in:
        yield stand_in


@pytest.fixture
async def github(running_github: GitHubStandIn) -> GitHubStandIn:
    """acme/shop, which `bot` may push to with `bot-token`."""
    await running_github.reset()
    await running_github.add_user("acme", kind="Organization")
    await running_github.add_token(TOKEN, "bot")
    await running_github.add_repository(
        "acme/shop", files={"a.py": "a = 1\n", "b.py": "b = 1\n"}, levels={"bot": "write"}
    )
    return running_github


@pytest.fixture
async def http(github: GitHubStandIn) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {TOKEN}", "x-github-api-version": "2022-11-28"}
    async with httpx.AsyncClient(base_url=github.api, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def clone_folder(tmp_path: Path) -> Path:
    return tmp_path / "clone"
