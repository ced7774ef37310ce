"""git over HTTP: real clones and pushes, with the rules of a code host."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cody_stand_ins.github import Fault, FaultKind, GitHubStandIn
from tests.support.repositories import GitFailed, GitRepository, run_git

_PULLS = "/repos/acme/shop/pulls"


def _url(github: GitHubStandIn, token: str, repository: str = "acme/shop") -> str:
    return f"http://x-access-token:{token}@{urlsplit(github.url).netloc}/{repository}.git"


def _clone(
    github: GitHubStandIn, folder: Path, token: str = "bot-token", repository: str = "acme/shop"
) -> GitRepository:
    run_git(folder.parent, "clone", "--quiet", _url(github, token, repository), folder)
    clone = GitRepository(folder)
    clone.git("branch", "fix")
    return clone


async def test_a_push_opens_the_way_for_a_pull_request_and_moves_its_head(
    http: httpx.AsyncClient, github: GitHubStandIn, clone_folder: Path
) -> None:
    clone = _clone(github, clone_folder)
    first = clone.commit({"a.py": b"a = 2\n"}, branch="fix")
    clone.git("push", "--quiet", "origin", "fix")
    pull = (await http.post(_PULLS, json={"title": "Fix", "head": "fix", "base": "main"})).json()
    assert pull["head"]["sha"] == first
    second = clone.commit({"a.py": b"a = 3\n"}, branch="fix")
    clone.git("push", "--quiet", "origin", "fix")
    assert (await http.get(f"{_PULLS}/1")).json()["head"]["sha"] == second
    clone.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert clone.resolve("FETCH_HEAD") == second
    assert (await github.stats()).pushes == 2


@pytest.mark.parametrize(
    ("token", "said"),
    [("wrong", "Authentication failed"), ("reader", "denied to reader"), ("stranger", "not found")],
)
async def test_a_push_needs_the_right(token: str, said: str, github: GitHubStandIn, clone_folder: Path) -> None:
    await github.change_repository("acme/shop", private=True, levels={"bot": "write", "reader": "read"})
    await github.add_token("reader", "reader")
    await github.add_token("stranger", "stranger")
    clone = _clone(github, clone_folder)
    clone.commit({"a.py": b"a = 2\n"}, branch="fix")
    with pytest.raises(GitFailed) as failed:
        clone.git("push", "--quiet", _url(github, token), "fix")
    assert said in str(failed.value)


async def test_protected_branches_and_workflows_are_refused(github: GitHubStandIn, clone_folder: Path) -> None:
    await github.protect("acme/shop")
    await github.add_token("no-workflow", "bot", scopes=["repo"])
    clone = _clone(github, clone_folder)
    clone.commit({"a.py": b"a = 2\n"}, branch="main")
    with pytest.raises(GitFailed, match=r"GH006: Protected branch(.|\n)*\(protected branch hook declined\)"):
        clone.git("push", "origin", "main")
    clone.commit({".github/workflows/ci.yml": b"on: push\n"}, branch="fix")
    with pytest.raises(GitFailed, match=r"\(refusing to allow .* without `workflow` scope\)"):
        clone.git("push", _url(github, "no-workflow"), "fix")
    clone.git("push", "--quiet", "origin", "fix")


async def test_a_blobless_clone_of_a_commit_works(github: GitHubStandIn, clone_folder: Path) -> None:
    old = await github.commit("acme/shop", "main", {"a.py": "a = 2\n"})
    await github.commit("acme/shop", "main", {"a.py": "a = 3\n"})
    run_git(clone_folder.parent, "init", "--quiet", clone_folder)
    clone = GitRepository(clone_folder)
    clone.git("fetch", "--quiet", "--depth=1", "--filter=blob:none", _url(github, "bot-token"), old)
    assert clone.resolve("FETCH_HEAD") == old


async def test_the_answer_to_a_push_is_lost_and_the_push_is_not(
    http: httpx.AsyncClient, github: GitHubStandIn, clone_folder: Path
) -> None:
    clone = _clone(github, clone_folder)
    commit = clone.commit({"a.py": b"a = 2\n"}, branch="fix")
    await github.set_faults(Fault(kind=FaultKind.ANSWER_LOST, method="POST", path="/git-receive-pack$", times=1))
    with pytest.raises(GitFailed):
        clone.git("push", "--quiet", "origin", "fix")
    assert (await http.get("/repos/acme/shop/git/ref/heads/fix")).json()["object"]["sha"] == commit


async def test_a_moved_repository_is_found_under_its_old_name(
    http: httpx.AsyncClient, github: GitHubStandIn, clone_folder: Path
) -> None:
    await github.move_repository("acme/shop", "acme/store")
    assert _clone(github, clone_folder).resolve("HEAD")
    moved = await http.get("/repos/acme/shop")
    assert moved.status_code == 301
    found = await http.get(moved.headers["location"])
    assert found.json()["full_name"] == "acme/store"
    assert (await http.get(f"{moved.headers['location']}/pulls")).json() == []
