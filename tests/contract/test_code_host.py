"""What every code host tells of its repositories, and what can be cloned from it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from cody_hosts.open_code_host import CodeHostKind, HostSettings, open_catalog, open_code_host
from cody_hosts.settings import GitHubSettings
from cody_jobs.errors import BadQuery, JobFailed, NothingFound
from cody_jobs.how_to_publish import ForkPolicy, OpenPullRequest, PatchOnly, how_to_publish
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import Catalog, CloneSource, CodeHost, Permission
from cody_stand_ins.github import github_stand_in
from tests.support.repositories import make_repository, run_git

Add = Callable[[str, dict[str, str]], Awaitable[None]]


class Host(NamedTuple):
    """`add` makes a repository with these files on its default branch, which our identity may push to."""

    host: CodeHost
    catalog: Catalog
    add: Add


@pytest.fixture(scope="module", params=["folder", "github"])
async def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Host]:
    folder = tmp_path_factory.mktemp(request.param)
    async with AsyncExitStack() as opened:
        open_it = _on_github if request.param == "github" else _in_folder
        yield await open_it(folder, opened)


async def test_a_repository_can_be_cloned_from_where_it_says(host: Host, tmp_path: Path) -> None:
    await host.add("acme/cloned", {"a.py": "a = 1\n"})

    source = await host.host.clone_source("acme/cloned")
    run_git(tmp_path, "clone", "--quiet", _address(source), "here")

    assert (tmp_path / "here" / "a.py").read_text() == "a = 1\n"


async def test_what_is_not_there_is_not_found(host: Host) -> None:
    with pytest.raises(JobFailed) as caught:
        await host.catalog.describe("acme/missing")

    assert caught.value.code == FailureCode.REPOSITORY_NOT_FOUND


@pytest.mark.parametrize("name", ["../../etc", "acme/..", "acme", "acme/a b", "acme/x/contents", "acme/x?y"])
async def test_what_cannot_be_a_name_is_not_found_anywhere(host: Host, name: str) -> None:
    for asking in (host.host.clone_source(name), host.catalog.describe(name)):
        with pytest.raises(JobFailed) as caught:
            await asking
        assert caught.value.code == FailureCode.REPOSITORY_NOT_FOUND


async def test_a_repository_that_we_may_push_to_gets_pull_requests(host: Host) -> None:
    await host.add("acme/described", {"a.py": "a = 1\n"})

    found = await host.catalog.describe("acme/described")

    assert (found.name, found.default_branch, found.permission) == ("acme/described", "main", Permission.WRITE)
    assert (found.archived, found.disabled, found.opted_out) == (False, False, None)
    assert how_to_publish(found, ForkPolicy.IF_NEEDED) == OpenPullRequest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("enabled = false\n", "the repository opted out (.codybatch.toml)"),
        ("enabled = 0\n", "in its .codybatch.toml, enabled is neither true nor false"),
        ("enabled = \n", "its .codybatch.toml cannot be read"),
        ("enabled = true\n", None),
    ],
)
async def test_a_repository_opts_out_by_a_file(host: Host, text: str, reason: str | None) -> None:
    name = f"acme/opt-out-{len(text)}-{reason is None}"
    await host.add(name, {".codybatch.toml": text})

    found = await host.catalog.describe(name)

    assert found.opted_out == reason
    assert isinstance(how_to_publish(found, ForkPolicy.NEVER), PatchOnly) is (reason is not None)


async def test_a_glob_brings_an_owners_repositories_that_fit(host: Host) -> None:
    for name in ("globs/web-a", "globs/web-b", "globs/app"):
        await host.add(name, {"a": "1\n"})

    found = await host.catalog.expand("globs/web-*")

    assert [(one.name, one.reason) for one in found.repositories] == [
        ("globs/web-a", "fits globs/web-*"),
        ("globs/web-b", "fits globs/web-*"),
    ]
    assert found.cut is None


@pytest.mark.parametrize("glob", ["globs/nothing-*", "nobody/*"])
async def test_a_glob_that_brings_nothing_says_so(host: Host, glob: str) -> None:
    with pytest.raises(NothingFound, match=glob.partition("/")[0]):
        await host.catalog.expand(glob)


@pytest.mark.parametrize("glob", ["*/web", "acme", "acme/", "*"])
async def test_a_glob_has_to_name_its_owner(host: Host, glob: str) -> None:
    with pytest.raises(BadQuery, match="names its owner"):
        await host.catalog.expand(glob)


async def _in_folder(folder: Path, opened: AsyncExitStack) -> Host:
    async def add(name: str, files: dict[str, str]) -> None:
        make_repository(folder / name, {path: text.encode() for path, text in files.items()})

    settings = HostSettings(repositories_root=str(folder))
    catalog = await opened.enter_async_context(open_catalog(settings))
    return Host(host=open_code_host(settings), catalog=catalog, add=add)


async def _on_github(folder: Path, opened: AsyncExitStack) -> Host:
    stand_in = await opened.enter_async_context(github_stand_in(folder))
    await stand_in.add_token("bot-token", "bot")
    await stand_in.add_token("reader-token", "reader", permissions={"contents": "read", "metadata": "read"})
    for owner in ("acme", "globs"):
        await stand_in.add_user(owner, kind="Organization")

    async def add(name: str, files: dict[str, str]) -> None:
        await stand_in.add_repository(name, files=files, private=True, levels={"bot": "write", "reader": "read"})

    settings = HostSettings(
        code_host=CodeHostKind.GITHUB, github_api_url=stand_in.api, github_read_token="reader-token"
    )
    catalog = await opened.enter_async_context(open_catalog(settings, GitHubSettings(github_token=("bot-token",))))
    return Host(host=open_code_host(settings), catalog=catalog, add=add)


def _address(source: CloneSource) -> str:
    """As the git program takes it; workers hand the token over in another way."""
    if source.url is None or source.token is None:
        return source.path or source.url or ""
    return source.url.replace("://", f"://x-access-token:{source.token}@", 1)
