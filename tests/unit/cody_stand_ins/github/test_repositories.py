"""Repositories, forks, searches, and the rest that a publisher asks for."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from cody_stand_ins.github import GitHubStandIn, Run
from tests.support.wait import wait_until

_SHOP = "/repos/acme/shop"


async def _open(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.commit("acme/shop", "fix", {"a.py": "a = 2\n", "c.py": "c = 1\n"}, login="bot")
    made = await http.post(f"{_SHOP}/pulls", json={"title": "Fix a", "head": "fix", "base": "main"})
    assert made.status_code == 201


async def test_a_repository_tells_what_the_asker_may_do(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    found = (await http.get(_SHOP)).json()
    assert found["permissions"] == {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}
    await github.change_repository("acme/shop", private=True, levels={})
    assert (await http.get(_SHOP)).status_code == 404
    await github.change_repository("acme/shop", private=False, archived=True, levels={"bot": "write"})
    assert (await http.get(_SHOP)).json()["archived"] is True
    refused = await http.post(f"{_SHOP}/pulls", json={"title": "t", "head": "fix", "base": "main"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Repository was archived so is read-only.")


async def test_a_fork_is_there_some_looks_later_and_can_be_pulled_from(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    await github.change_repository("acme/shop", levels={})
    made = await http.post(f"{_SHOP}/forks", json={})
    assert (made.status_code, made.json()["full_name"]) == (202, "bot/shop")
    assert [(await http.get("/repos/bot/shop")).status_code for _ in range(3)] == [404, 404, 200]
    assert (await http.post(f"{_SHOP}/forks", json={})).json()["id"] == made.json()["id"]
    await github.commit("bot/shop", "fix", {"a.py": "a = 2\n"}, login="bot")
    pull = await http.post(f"{_SHOP}/pulls", json={"title": "t", "head": "bot:fix", "base": "main"})
    assert (pull.status_code, pull.json()["head"]["label"]) == (201, "bot:fix")
    head = await github.commit("bot/shop", "fix", {"a.py": "a = 3\n"}, login="bot")
    assert (await http.get(f"{_SHOP}/pulls/1")).json()["head"]["sha"] == head
    await github.remove_repository("bot/shop")
    left = (await http.get(f"{_SHOP}/pulls/1")).json()
    assert (left["state"], left["head"]["repo"]) == ("closed", None)
    await github.change_repository("acme/shop", allowForking=False)
    assert (await http.post(f"{_SHOP}/forks", json={})).status_code == 403


async def test_pages_are_linked(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    for number in range(3):
        await http.post(f"{_SHOP}/issues/1/comments", json={"body": str(number)})
    url, bodies = f"{_SHOP}/issues/1/comments?per_page=2", list[str]()
    while url:
        page = await http.get(url)
        bodies += [comment["body"] for comment in page.json()]
        url = page.links.get("next", {}).get("url", "")
    assert bodies == ["0", "1", "2"]


async def test_reviewers_must_be_known(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.change_repository("acme/shop", levels={"bot": "write", "alice": "write"})
    await github.add_user("alice")
    await github.add_team("acme", "core", "alice")
    await _open(http, github)
    path = f"{_SHOP}/pulls/1/requested_reviewers"
    asked = await http.post(path, json={"reviewers": ["alice"], "team_reviewers": ["core"]})
    assert [one["login"] for one in asked.json()["requested_reviewers"]] == ["alice"]
    assert [one["slug"] for one in asked.json()["requested_teams"]] == ["core"]
    for wish in ({"reviewers": ["nobody"]}, {"team_reviewers": ["nobody"]}, {"reviewers": ["bot"]}):
        assert (await http.post(path, json=wish)).status_code == 422


async def test_what_a_pull_request_changes_and_how_its_checks_went(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    await _open(http, github)
    await github.set_checks(
        "acme/shop", 1, Run(name="ci", conclusion="failure", log="boom\n"), statuses={"x": "success"}
    )
    files = (await http.get(f"{_SHOP}/pulls/1/files")).json()
    assert [(file["filename"], file["status"]) for file in files] == [("a.py", "modified"), ("c.py", "added")]
    commits = (await http.get(f"{_SHOP}/pulls/1/commits")).json()
    assert [commit["author"]["login"] for commit in commits] == ["bot"]
    head = commits[0]["sha"]
    run = (await http.get(f"{_SHOP}/commits/{head}/check-runs")).json()["check_runs"][0]
    assert (run["name"], run["conclusion"]) == ("ci", "failure")
    log = await http.get(f"{_SHOP}/actions/jobs/{run['id']}/logs", follow_redirects=True)
    assert log.text == "boom\n"
    assert (await http.get(f"{_SHOP}/commits/{head}/status")).json()["state"] == "success"


async def test_update_branch_merges_the_base(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    nothing = await http.put(f"{_SHOP}/pulls/1/update-branch", json={})
    assert nothing.status_code == 422
    await github.commit("acme/shop", "main", {"d.py": "d = 1\n"})
    assert (await http.put(f"{_SHOP}/pulls/1/update-branch", json={})).status_code == 202
    assert (await http.get(f"{_SHOP}/pulls/1")).json()["commits"] == 2


async def test_searches_find_what_is_there(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await github.add_repository("acme/secret", files={"a.py": "a = 1\n"}, private=True)
    await _open(http, github)
    code = (await http.get("/search/code", params={"q": '"a = 1" org:acme extension:py'})).json()
    assert [(item["repository"]["full_name"], item["path"]) for item in code["items"]] == [("acme/shop", "a.py")]
    names = (await http.get("/search/repositories", params={"q": "org:acme"})).json()["items"]
    assert [item["full_name"] for item in names] == ["acme/shop"]
    issues = (await http.get("/search/issues", params={"q": "repo:acme/shop is:pr author:bot Fix"})).json()
    assert [item["number"] for item in issues["items"]] == [1]
    assert (await http.get("/search/code", params={"q": " "})).status_code == 422


@asynccontextmanager
async def _receiver() -> AsyncGenerator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    received: list[tuple[dict[str, str], bytes]] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", received


async def test_events_are_delivered_signed_and_once_more_on_demand(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    async with _receiver() as (url, received):
        await github.set_webhook(url, "secret", "pull_request")
        await _open(http, github)
        await wait_until(lambda: len(received) == 1, "the event of the new pull request came")
        headers, body = received[0]
        assert headers["x-github-event"] == "pull_request"
        signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={signature}"
        await github.redeliver(headers["x-github-delivery"])
        await wait_until(lambda: len(received) == 2, "it came once more")
        assert received[1] == received[0] or received[1][0]["x-github-delivery"] == headers["x-github-delivery"]


@pytest.mark.parametrize("path", [_SHOP, f"{_SHOP}/pulls/1"])
async def test_the_newer_version_says_less(path: str, http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    await _open(http, github)
    newer = (await http.get(path, headers={"x-github-api-version": "2026-03-10"})).json()
    older = (await http.get(path)).json()
    gone = {"merge_commit_sha", "assignee"} if path.endswith("/1") else set[str]()
    assert older.keys() - newer.keys() == gone
