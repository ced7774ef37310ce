"""GitHub opened: everything below one connection pool, one governor and one list of identities."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cody_hosts.github.addresses import addresses_of
from cody_hosts.github.api import Api, Request
from cody_hosts.github.branches import Branches
from cody_hosts.github.credentials import Access, Identity, TokenIdentity, target_of
from cody_hosts.github.discussion import Discussion
from cody_hosts.github.failing_checks import FailingChecks
from cody_hosts.github.governor import Governor
from cody_hosts.github.graphql import Graph
from cody_hosts.github.pace import PaceLimits
from cody_hosts.github.pull_answers import Owner
from cody_hosts.github.pull_views import PullViews
from cody_hosts.github.pulls import Pulls
from cody_hosts.github.repositories import Repositories
from cody_hosts.github.search import Search
from cody_hosts.github.turns import OwnTurns, Turns
from cody_hosts.github.wire import Wire, open_wire
from cody_hosts.settings import GitHubSettings, HostSettings
from cody_jobs.errors import JobFailed, SettingsError
from cody_jobs.ports.code_host import CloneSource, Found, HostedRepository, SearchKind


class GitHub:
    """A `Catalog` with all that a publisher needs beside it."""

    def __init__(self, api: Api) -> None:
        graph = Graph(api)
        self.repositories = Repositories(api)
        self.branches = Branches(api)
        self.pulls = Pulls(api, graph)
        self.views = PullViews(graph)
        self.discussion = Discussion(api)
        self.checks = FailingChecks(api)
        self._search = Search(api)
        self._api = api

    async def clone_source(self, repository: str) -> CloneSource:
        return await self._source(repository, Access.CLONE)

    async def push_source(self, repository: str) -> CloneSource:
        """Its token can push. Raises `JobFailed`, `Unavailable`."""
        return await self._source(repository, Access.WRITE)

    async def describe(self, repository: str) -> HostedRepository:
        return await self.repositories.describe(repository)

    async def expand(self, glob: str) -> Found:
        return await self._search.expand(glob)

    async def search(self, kind: SearchKind, query: str) -> Found:
        return await self._search.search(kind, query)

    async def _source(self, repository: str, access: Access) -> CloneSource:
        credential = await self._api.credential(target_of(repository), access)
        return CloneSource(url=self._api.wire.addresses.clone_url(repository), token=credential.token)


@asynccontextmanager
async def open_github(
    settings: HostSettings,
    github: GitHubSettings | None = None,
    *,
    turns: Turns | None = None,
    clock: Callable[[], float] | None = None,
    minute: float = 60.0,
) -> AsyncGenerator[GitHub]:
    """As those whom `github` names; without it, with the token that only reads, or as nobody.

    `turns` is where processes that share identities agree; without it, this one keeps to the limits alone. `minute` is
    how many of the clock's seconds a minute of the limits takes. Raises `SettingsError`.
    """
    github, clock = github or GitHubSettings(), clock or asyncio.get_running_loop().time
    addresses = addresses_of(settings.github_api_url)
    pace = PaceLimits(per_minute=github.github_changes_per_minute, per_hour=github.github_changes_per_hour)
    governor = Governor(
        turns or OwnTurns(pace, clock, minute=minute),
        clock=clock,
        patience=github.github_patience,
        host=addresses.host,
        minute=minute,
    )
    async with open_wire(addresses) as wire:
        identities = await _identities(settings, github, wire)
        api = Api(wire, identities, governor, patience=github.github_patience)
        if len(identities) > 1:
            await _learn_logins(wire, governor, identities, github)
        yield GitHub(api)


async def _identities(settings: HostSettings, github: GitHubSettings, wire: Wire) -> list[Identity]:
    found: list[Identity] = [
        TokenIdentity(_name(place, len(github.github_token)), token)
        for place, token in enumerate(github.github_token, start=1)
    ]
    key = await asyncio.to_thread(_app_key, github)
    if key is not None and github.github_app_id is not None:
        from cody_hosts.github.app import AppIdentity

        found.append(AppIdentity(github.github_app_id, key, wire))
    return found or [_reader(settings)]


def _reader(settings: HostSettings) -> Identity:
    name = "nobody (no token is set)" if settings.github_read_token is None else "GITHUB_READ_TOKEN"
    return TokenIdentity(name, settings.github_read_token)


def _name(place: int, count: int) -> str:
    """For people: which token it is."""
    return "GITHUB_TOKEN" if count == 1 else f"GITHUB_TOKEN {place} of {count}"


def _app_key(github: GitHubSettings) -> str | None:
    key, file = github.github_app_private_key, github.github_app_private_key_file
    if key is None and file is not None:
        key = _read(Path(file).expanduser())
    if (key is None) != (github.github_app_id is None):
        raise SettingsError(
            "a GitHub App needs both GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_FILE)."
        )
    return key


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"GITHUB_APP_PRIVATE_KEY_FILE: {file} cannot be read: {type(error).__name__}.") from error


async def _learn_logins(wire: Wire, governor: Governor, identities: list[Identity], github: GitHubSettings) -> None:
    """So that an account's forks are pushed to by itself. A token that is refused here will say so when it is used."""
    for identity in identities:
        if isinstance(identity, TokenIdentity):
            alone = Api(wire, [identity], governor, patience=github.github_patience)
            try:
                request = Request(what="ask who we are", url="/user")
                identity.login = (await alone.fetch(Owner, request)).login
            except JobFailed:
                continue
