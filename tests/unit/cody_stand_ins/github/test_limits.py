"""The limits of the GitHub stand-in, and the faults that can be switched on."""

import httpx
import pytest

from cody_stand_ins.github import Fault, FaultKind, GitHubStandIn
from tests.support.wait import wait_until

_COMMENTS = "/repos/acme/shop/issues/1/comments"


async def _comment(http: httpx.AsyncClient) -> httpx.Response:
    return await http.post(_COMMENTS, json={"body": "x"})


@pytest.fixture
async def pull(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.commit("acme/shop", "fix", {"a.py": "a = 2\n"})
    await http.post("/repos/acme/shop/pulls", json={"title": "t", "head": "fix", "base": "main"})


async def test_it_says_that_it_is_a_stand_in(http: httpx.AsyncClient) -> None:
    assert (await http.get("/user")).headers["server"] == "cody-github-stand-in"


async def test_an_unchanged_answer_costs_nothing(http: httpx.AsyncClient) -> None:
    first = await http.get("/repos/acme/shop")
    again = await http.get("/repos/acme/shop", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    overview = (await http.get("/rate_limit")).json()
    assert overview["rate"]["used"] == 1


async def test_the_hour_is_used_up(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.set_limits(requests_per_hour=2, time_scale=36_000)
    answers = [await http.get("/user") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"

    async def again() -> bool:
        return (await http.get("/user")).status_code == 200

    await wait_until(again, "the next hour has come")


@pytest.mark.usefixtures("pull")
async def test_content_is_limited_and_insisting_locks_out(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.set_limits(content_per_minute=2, lock_out_after=2)
    answers = [await _comment(http) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 403]
    assert "secondary rate limit" in answers[-1].json()["message"]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert (await http.get("/user")).status_code == 200
    for _ in range(2):
        assert (await _comment(http)).status_code == 403
    assert (await http.get("/user")).status_code == 403
    stats = await github.stats()  # the pull request counts, too
    assert (stats.content, stats.limited, stats.asked_while_limited) == (3, 4, {"bot": 2})
    assert stats.locked_out == ["bot"]


@pytest.mark.usefixtures("pull")
async def test_whoever_waits_may_go_on(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.set_limits(content_per_minute=1, time_scale=600)
    assert (await _comment(http)).status_code == 201
    refused = await _comment(http)
    assert 0 < float(refused.headers["retry-after"]) <= 0.1
    stats = await github.stats()
    assert (stats.asked_while_limited, stats.locked_out) == ({"bot": 0}, [])


async def test_faults_meet_the_requests_they_are_for(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.commit("acme/shop", "fix", {"a.py": "a = 2\n"})
    await github.set_faults(
        Fault(status=502, method="GET", path="/user$", times=1),
        Fault(kind=FaultKind.ANSWER_LOST, method="POST", path="/pulls$", times=1),
    )
    assert [(await http.get("/user")).status_code for _ in range(2)] == [502, 200]
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("/repos/acme/shop/pulls", json={"title": "t", "head": "fix", "base": "main"})
    assert len(await github.pulls()) == 1
    assert [(one.path, one.status) for one in await github.log()] == [("/user", 502), ("/user", 200), (_PULLS, 0)]


_PULLS = "/repos/acme/shop/pulls"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"user-agent": ""}, 403), ({"x-github-api-version": "2001-01-01"}, 400), ({"authorization": "Bearer no"}, 401)],
)
async def test_requests_that_are_not_as_asked_are_refused(
    headers: dict[str, str], status: int, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/user", headers=headers)).status_code == status
