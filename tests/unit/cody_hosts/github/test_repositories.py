"""What is told of repositories, and found by searching."""

import pytest

from cody_hosts.github.github import GitHub
from cody_jobs.errors import BadQuery, NothingFound
from cody_jobs.how_to_publish import ForkPolicy, HowToPublish, OpenFromFork, PatchOnly, how_to_publish
from cody_jobs.ports.code_host import HostedRepository, Permission, SearchKind, Visibility
from cody_stand_ins.github import GitHubStandIn
from tests.unit.cody_hosts.github.conftest import STRANGER, TOKEN, Opened


async def test_everything_that_publishing_depends_on_is_told(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository(
        "acme/vault",
        files={"a": "1"},
        private=True,
        levels={"bot": "admin"},
        topics=["python"],
        defaultBranch="trunk",
        size=2_048,
        allowForking=False,
    )

    assert await github.describe("acme/vault") == HostedRepository(
        name="acme/vault",
        default_branch="trunk",
        permission=Permission.ADMIN,
        visibility=Visibility.PRIVATE,
        allows_forking=False,
        size_kb=2_048,
        topics=("python",),
    )


async def test_a_topic_opts_out(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.change_repository("acme/shop", topics=["no-cody-batch"])

    found = await github.describe("acme/shop")

    assert how_to_publish(found, ForkPolicy.ALWAYS) == PatchOnly(
        reason="the repository opted out (topic no-cody-batch)"
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ForkPolicy.NEVER, PatchOnly(reason="we may not push there, and forks are not wanted (fork: never)")),
        (ForkPolicy.IF_NEEDED, OpenFromFork(reason="we may not push there")),
    ],
)
async def test_without_push_permission_the_policy_of_forks_decides(
    opened: Opened, policy: ForkPolicy, expected: HowToPublish
) -> None:
    async with opened(STRANGER) as github:
        found = await github.describe("acme/shop")

    assert (found.permission, how_to_publish(found, policy)) == (Permission.READ, expected)


async def test_nobody_in_particular_sees_what_is_public(opened: Opened) -> None:
    async with opened() as github:
        assert (await github.describe("acme/shop")).permission is Permission.READ


async def test_tokens_to_clone_and_to_push_never_show(github: GitHub, stand_in: GitHubStandIn) -> None:
    source = await github.push_source("acme/shop")

    assert (source.url, source.token) == (f"{stand_in.url}/acme/shop.git", TOKEN)
    assert TOKEN not in repr(source)


async def test_archived_repositories_are_left_out_of_a_glob(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository("acme/old", files={"a": "1"}, archived=True)

    assert [one.name for one in (await github.expand("acme/*")).repositories] == ["acme/shop"]
    with pytest.raises(NothingFound, match="archived ones are left out"):
        await github.expand("acme/old*")


async def test_a_user_has_repositories_too(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository("human/tool", files={"a": "1"})

    assert [one.name for one in (await github.expand("human/*")).repositories] == ["human/tool"]


async def test_a_code_search_tells_which_file_matched(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository("acme/web", files={"x/old.py": "from six import moves\n", "y.py": "import six\n"})

    found = await github.search(SearchKind.CODE, "six org:acme")

    assert [one.name for one in found.repositories] == ["acme/web"]
    assert found.repositories[0].reason == "code search: x/old.py and 1 more"


async def test_a_repository_search_tells_its_query(github: GitHub) -> None:
    found = await github.search(SearchKind.REPOSITORIES, "shop org:acme")

    assert [(one.name, one.reason) for one in found.repositories] == [("acme/shop", "repository search: shop org:acme")]


@pytest.mark.parametrize("kind", SearchKind)
async def test_a_search_that_brings_nothing_says_so(github: GitHub, kind: SearchKind) -> None:
    with pytest.raises(NothingFound, match="nowhere-to-be-found"):
        await github.search(kind, "nowhere-to-be-found org:acme")


@pytest.mark.parametrize("query", ["", "org:acme"])
async def test_a_query_that_is_not_understood_is_the_callers_fault(github: GitHub, query: str) -> None:
    with pytest.raises(BadQuery):
        await github.search(SearchKind.CODE, query)
