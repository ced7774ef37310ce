"""Pull requests of the GitHub stand-in: opened, read, changed, merged."""

from typing import Any

import httpx
import pytest

from cody_stand_ins.github import GitHubStandIn

_PULLS = "/repos/acme/shop/pulls"


async def _open(http: httpx.AsyncClient, github: GitHubStandIn, branch: str = "fix") -> dict[str, Any]:
    await github.commit("acme/shop", branch, {"a.py": f"a = '{branch}'\n"}, login="bot")
    answer = await http.post(_PULLS, json={"title": "Fix a", "head": branch, "base": "main", "body": "why"})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_pull_request_is_opened_once_and_found_by_its_branch(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    made = await _open(http, github)
    again = await http.post(_PULLS, json={"title": "Fix a", "head": "fix", "base": "main"})
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "A pull request already exists for acme:fix."
    found = (await http.get(_PULLS, params={"head": "acme:fix", "state": "all"})).json()
    assert [pull["number"] for pull in found] == [made["number"]]
    assert (await http.get(_PULLS, params={"head": "acme:other"})).json() == []


async def test_a_pull_request_needs_a_difference_and_a_branch(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    missing = await http.post(_PULLS, json={"title": "t", "head": "nowhere", "base": "main"})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "head")
    same = await http.post(_PULLS, json={"title": "t", "head": "main", "base": "fix"})
    assert same.json()["errors"][0]["message"] == "No commits between fix and acme:main"


async def test_whether_it_can_be_merged_is_known_at_the_second_look(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    await _open(http, github)
    looks = [(await http.get(f"{_PULLS}/1")).json() for _ in range(2)]
    assert [(look["mergeable"], look["mergeable_state"]) for look in looks] == [(None, "unknown"), (True, "clean")]
    await github.commit("acme/shop", "main", {"a.py": "a = 3\n"})
    looks = [(await http.get(f"{_PULLS}/1")).json() for _ in range(2)]
    assert [(look["mergeable"], look["mergeable_state"]) for look in looks] == [(None, "unknown"), (False, "dirty")]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_a_merge_is_made_in_the_repository(method: str, http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    made = await _open(http, github)
    await github.commit("acme/shop", "main", {"c.py": "c = 1\n"})
    wrong = await http.put(f"{_PULLS}/1/merge", json={"sha": "0" * 40})
    assert wrong.status_code == 409
    merged = await http.put(f"{_PULLS}/1/merge", json={"sha": made["head"]["sha"], "merge_method": method})
    assert merged.status_code == 200, merged.text
    pull = (await http.get(f"{_PULLS}/1")).json()
    assert (pull["state"], pull["merged"], pull["merged_by"]["login"]) == ("closed", True, "bot")
    content = await http.get("/repos/acme/shop/contents/a.py", headers={"accept": "application/vnd.github.raw"})
    assert content.text == "a = 'fix'\n"
    branch = (await http.get("/repos/acme/shop/branches/main")).json()
    assert len(branch["commit"]["parents"]) == (2 if method == "merge" else 1)


async def test_protection_asks_for_reviews_and_checks(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    await github.protect("acme/shop", requiredReviews=1)
    looks = [(await http.get(f"{_PULLS}/1")).json() for _ in range(2)]
    assert looks[1]["mergeable_state"] == "blocked"
    refused = await http.put(f"{_PULLS}/1/merge", json={})
    assert refused.status_code == 405
    await github.act("acme/shop", 1, "review", login="alice")
    assert (await http.put(f"{_PULLS}/1/merge", json={})).status_code == 200


async def test_who_may_not_push_opens_none(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.commit("acme/shop", "fix", {"a.py": "a = 2\n"})
    await github.change_repository("acme/shop", levels={})
    refused = await http.post(_PULLS, json={"title": "t", "head": "fix", "base": "main"})
    assert refused.status_code == 403


async def test_comments_and_labels_stay(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    comment = (await http.post("/repos/acme/shop/issues/1/comments", json={"body": "one"})).json()
    changed = await http.patch(f"/repos/acme/shop/issues/comments/{comment['id']}", json={"body": "two"})
    assert changed.json()["body"] == "two"
    labels = (await http.post("/repos/acme/shop/issues/1/labels", json={"labels": ["x", "y/z"]})).json()
    assert [label["name"] for label in labels] == ["x", "y/z"]
    left = (await http.delete("/repos/acme/shop/issues/1/labels/y%2Fz")).json()
    assert [label["name"] for label in left] == ["x"]
