"""How requests are made, over the socket, against the stand-in."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from cody_hosts.github.github import GitHub
from cody_jobs.errors import JobFailed, PerhapsDone, Unavailable
from cody_jobs.models import FailureCode
from cody_jobs.ports.pull_requests import Head, NewPull, PullName
from cody_stand_ins.github import GitHubStandIn
from cody_stand_ins.github.faults import Fault, FaultKind
from tests.unit.cody_hosts.github.conftest import OTHER_TOKEN, STRANGER, TOKEN, Opened

HOUR = 3_600


def new_pull(number: int = 0) -> NewPull:
    head = Head(owner="acme", branch=f"cody/{number}")
    return NewPull(repository="acme/shop", head=head, base="main", title="A change", body="why")


async def requests(stand_in: GitHubStandIn) -> Sequence[tuple[str, int]]:
    return [(one.method, one.status) for one in await stand_in.log()]


@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.ANSWER_LOST, FaultKind.STATUS])
async def test_a_read_is_repeated_where_its_answer_is_lost(
    github: GitHub, stand_in: GitHubStandIn, kind: FaultKind
) -> None:
    await stand_in.set_faults(Fault(kind=kind, status=502, path="/ref/", times=1))

    assert await github.branches.head("acme/shop", "main")
    assert [method for method, _ in await requests(stand_in)] == ["GET"] * 2


@pytest.mark.parametrize(("kind", "made"), [(FaultKind.ANSWER_LOST, 1), (FaultKind.UNREACHABLE, 0)])
async def test_a_pull_request_whose_answer_was_lost_is_not_opened_again_but_found(
    github: GitHub, stand_in: GitHubStandIn, kind: FaultKind, made: int
) -> None:
    await stand_in.commit("acme/shop", "cody/0", {"a.py": "a = 2\n"}, login="bot")
    await stand_in.set_faults(Fault(kind=kind, method="POST", path="/pulls", times=1))

    with pytest.raises(PerhapsDone, match="open a pull request in acme/shop"):
        await github.pulls.open(new_pull())

    assert [method for method, _ in await requests(stand_in)].count("POST") == 1
    assert len(await github.pulls.find("acme/shop", new_pull().head)) == made


async def test_a_server_error_after_a_change_counts_as_perhaps_done(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.set_faults(Fault(method="POST", status=502))

    with pytest.raises(PerhapsDone):
        await github.pulls.open(new_pull())


async def test_a_server_that_is_not_there_is_unavailable_even_for_a_change(opened: Opened) -> None:
    async with opened(TOKEN, url="http://127.0.0.1:9/api/v3") as github:
        with pytest.raises(Unavailable) as caught:
            await github.pulls.open(new_pull())

    assert not isinstance(caught.value, PerhapsDone)


async def test_an_answer_that_is_known_is_not_sent_again_and_costs_nothing(
    github: GitHub, stand_in: GitHubStandIn
) -> None:
    first = await github.branches.head("acme/shop", "main")
    second = await github.branches.head("acme/shop", "main")
    await stand_in.commit("acme/shop", "main", {"a.py": "a = 3\n"})
    third = await github.branches.head("acme/shop", "main")

    assert (first, third != first) == (second, True)
    assert [status for _, status in await requests(stand_in)] == [200, 304, 200]


@pytest.mark.parametrize("token", ["wrong-token"])
async def test_a_token_that_is_refused_says_which_and_never_shows_it(opened: Opened, token: str) -> None:
    async with opened(token) as github:
        with pytest.raises(JobFailed) as caught:
            await github.describe("acme/shop")

    assert caught.value.code == FailureCode.CODE_HOST_TOKEN_REFUSED
    assert "GITHUB_TOKEN" in caught.value.message
    assert token not in f"{caught.value!r} {caught.value.message}"


async def test_a_missing_permission_is_told_in_githubs_words(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.commit("acme/shop", "cody/0", {"a.py": "a = 2\n"})
    async with opened(STRANGER) as github:
        with pytest.raises(JobFailed, match="write access") as caught:
            await github.pulls.open(new_pull())

    assert caught.value.code == FailureCode.CODE_HOST_PERMISSION_MISSING


async def test_a_request_that_is_not_valid_is_told_in_githubs_words(github: GitHub) -> None:
    with pytest.raises(JobFailed, match="head") as caught:
        await github.pulls.open(new_pull())

    assert caught.value.code == FailureCode.CODE_HOST_REFUSED


async def test_an_archived_repository_is_told_as_such(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.commit("acme/shop", "cody/0", {"a.py": "a = 2\n"})
    await stand_in.change_repository("acme/shop", archived=True)

    with pytest.raises(JobFailed) as caught:
        await github.pulls.open(new_pull())

    assert caught.value.code == FailureCode.REPOSITORY_ARCHIVED


async def test_what_moved_is_read_at_its_new_place_and_not_changed_there(
    github: GitHub, stand_in: GitHubStandIn
) -> None:
    await stand_in.move_repository("acme/shop", "acme/store")

    assert (await github.describe("acme/shop")).name == "acme/store"
    with pytest.raises(JobFailed, match="acme/shop has moved to acme/store") as caught:
        await github.pulls.open(new_pull())
    assert caught.value.code == FailureCode.REPOSITORY_MOVED


async def test_many_pages_are_read_up_to_a_bound(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository("acme/other", files={"a": "1"}, milestones=[f"m{number}" for number in range(130)])

    assert await github.discussion.milestone("acme/other", "m129")
    with pytest.raises(JobFailed, match="no open milestone 'm130'"):
        await github.discussion.milestone("acme/other", "m130")


async def test_a_primary_limit_is_waited_out_without_asking_on(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.set_limits(requests_per_hour=4, time_scale=3_600.0)
    async with opened(TOKEN) as github:
        heads = await asyncio.gather(*(github.branches.head("acme/shop", f"branch-{number}") for number in range(6)))

    assert heads == [None] * 6
    assert (await stand_in.stats()).limited == 0


async def test_a_wait_beyond_the_patience_is_told_with_its_length(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.set_limits(requests_per_hour=1)
    async with opened(TOKEN, github_patience=5.0) as github:
        await github.branches.head("acme/shop", "main")
        with pytest.raises(Unavailable) as caught:
            await github.branches.head("acme/shop", "other")

    assert caught.value.retry_after is not None
    assert HOUR - 30 < caught.value.retry_after <= HOUR + 5
    assert len(await stand_in.log()) == 1


async def test_a_secondary_limit_silences_everybody_for_as_long_as_it_says(
    opened: Opened, stand_in: GitHubStandIn
) -> None:
    fault = Fault(method="PATCH", status=403, headers={"retry-after": "60"}, message="You have exceeded", times=1)
    await stand_in.set_faults(fault)
    async with opened(TOKEN, github_patience=5.0) as github:
        with pytest.raises(Unavailable) as change:
            await github.pulls.close(PullName(repository="acme/shop", number=1))
        with pytest.raises(Unavailable) as read:
            await github.branches.head("acme/shop", "main")

    assert [round(caught.value.retry_after or 0) for caught in (change, read)] == [60, 60]
    assert len(await stand_in.log()) == 1


async def test_the_identity_with_room_is_taken(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.set_limits(requests_per_hour=4)
    async with opened(TOKEN, OTHER_TOKEN, github_patience=1.0) as github:
        for number in range(6):
            await github.pulls.find("acme/shop", Head(owner="acme", branch=f"branch-{number}"))

    assert {one.identity for one in await stand_in.log()} == {"bot", "other-bot"}
    assert (await stand_in.stats()).limited == 0


async def test_an_identity_that_may_not_lets_another_one_try(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.commit("acme/shop", "cody/0", {"a.py": "a = 2\n"})
    async with opened(STRANGER, TOKEN) as github:
        pull = await github.pulls.open(new_pull())

    assert pull.author == "bot"


async def test_changes_of_one_identity_are_made_one_after_the_other(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.DELAY, method="POST", seconds=0.1))
    for number in range(3):
        await stand_in.commit("acme/shop", f"cody/{number}", {"a.py": f"a = {number + 7}\n"}, login="bot")

    await asyncio.gather(*(github.pulls.open(new_pull(number)) for number in range(3)))

    times = [one.at for one in await stand_in.log() if one.method == "POST"]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.1
