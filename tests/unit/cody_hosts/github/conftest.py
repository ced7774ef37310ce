"""A GitHub stand-in with one repository, and our GitHub as a bot that may push to it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from cody_hosts.github.github import GitHub, open_github
from cody_hosts.settings import CodeHostKind, GitHubSettings, HostSettings
from cody_stand_ins.github import GitHubStandIn, github_stand_in

TOKEN, OTHER_TOKEN, STRANGER = "bot-token", "other-bot-token", "stranger-token"
Opened = Callable[..., AbstractAsyncContextManager[GitHub]]


@pytest.fixture(scope="session")
async def running_github(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[GitHubStandIn]:
    async with github_stand_in(tmp_path_factory.mktemp("github")) as stand_in:
        yield stand_in


@pytest.fixture
async def stand_in(running_github: GitHubStandIn) -> GitHubStandIn:
    """acme/shop, which `bot` and `other-bot` may push to, and `stranger` may not."""
    await running_github.reset()
    await running_github.add_user("acme", kind="Organization")
    await running_github.add_token(TOKEN, "bot")
    await running_github.add_token(OTHER_TOKEN, "other-bot")
    await running_github.add_token(STRANGER, "stranger")
    await running_github.add_repository(
        "acme/shop", files={"a.py": "a = 1\n"}, levels={"bot": "write", "other-bot": "write"}
    )
    return running_github


@pytest.fixture
def opened(stand_in: GitHubStandIn) -> Opened:
    """Open our GitHub with these tokens; other settings, and what `open_github` takes, by name."""

    def open_it(
        *tokens: str, minute: float = 1.0, read_token: str | None = None, url: str | None = None, **more: object
    ):
        host = HostSettings(
            code_host=CodeHostKind.GITHUB, github_api_url=url or stand_in.api, github_read_token=read_token
        )
        return open_github(host, GitHubSettings(github_token=tokens, **more), minute=minute)  # pyright: ignore[reportArgumentType] (by name, as the test says them)

    return open_it


@pytest.fixture
async def github(opened: Opened) -> AsyncGenerator[GitHub]:
    async with opened(TOKEN) as github:
        yield github
