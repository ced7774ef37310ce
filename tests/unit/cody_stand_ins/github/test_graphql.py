"""GraphQL: many pull requests in one request, and what only GraphQL can do."""

import base64
from typing import Any

import httpx

from cody_stand_ins.github import GitHubStandIn, Run

_FIELDS = """
fragment State on PullRequest {
  id number state isDraft merged headRefOid mergeable mergeStateStatus reviewDecision
  author { login } labels(first: 10) { nodes { name } } autoMergeRequest { enabledAt }
  commits(last: 1) { nodes { commit { oid authors(first: 5) { nodes { user { login } } }
    statusCheckRollup { state contexts(first: 5) { nodes { ... on CheckRun { name databaseId conclusion } } } } } } }
}
"""


async def _ask(http: httpx.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    url = http.base_url.copy_with(path="/api/graphql")
    answer = await http.post(url, json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _open(http: httpx.AsyncClient, github: GitHubStandIn, branch: str) -> dict[str, Any]:
    await github.commit("acme/shop", branch, {f"{branch}.py": "x = 1\n"}, login="bot")
    body = {"title": branch, "head": branch, "base": "main"}
    return (await http.post("/repos/acme/shop/pulls", json=body)).json()


async def test_many_pull_requests_come_in_one_request(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    for branch in ("one", "two"):
        await _open(http, github, branch)
    await github.set_checks("acme/shop", 1, Run(name="ci", conclusion="failure"))
    await github.act("acme/shop", 2, "label", text="keep")
    query = """
    { rateLimit { remaining cost }
      one: repository(owner: "acme", name: "shop") { pullRequest(number: 1) { ...State } }
      two: repository(owner: "acme", name: "shop") { pullRequest(number: 2) { ...State } }
      gone: repository(owner: "acme", name: "gone") { id } }
    """
    await _ask(http, query + _FIELDS)
    answer = await _ask(http, query + _FIELDS)
    one, two = (answer["data"][name]["pullRequest"] for name in ("one", "two"))
    assert (one["mergeable"], one["mergeStateStatus"], two["mergeStateStatus"]) == ("MERGEABLE", "UNSTABLE", "CLEAN")
    rollup = one["commits"]["nodes"][0]["commit"]["statusCheckRollup"]
    assert (rollup["state"], rollup["contexts"]["nodes"][0]["name"]) == ("FAILURE", "ci")
    assert two["labels"]["nodes"] == [{"name": "keep"}]
    assert two["commits"]["nodes"][0]["commit"]["authors"]["nodes"] == [{"user": {"login": "bot"}}]
    assert answer["data"]["gone"] is None
    assert [(error["type"], error["path"]) for error in answer["errors"]] == [("NOT_FOUND", ["gone"])]


async def test_pull_requests_are_found_and_followed_by_id(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    made = [await _open(http, github, branch) for branch in ("one", "two")]
    ids = [pull["node_id"] for pull in made]
    found = await _ask(http, "query($ids: [ID!]!) { nodes(ids: $ids) { ... on PullRequest { number } } }", ids=ids)
    assert found["data"]["nodes"] == [{"number": 1}, {"number": 2}]
    search = '{ search(query: "repo:acme/shop is:pr is:open head:two", type: ISSUE, first: 5) { issueCount nodes { ... on PullRequest { number } } } }'  # noqa: E501
    assert (await _ask(http, search))["data"]["search"] == {"issueCount": 1, "nodes": [{"number": 2}]}


async def test_drafts_and_merges_are_mutations(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    made = await _open(http, github, "one")
    change = "mutation($id: ID!) { %s(input: {pullRequestId: $id}) { pullRequest { isDraft state } } }"
    states: list[Any] = []
    for name in ("convertPullRequestToDraft", "markPullRequestReadyForReview", "mergePullRequest"):
        answer = await _ask(http, change % name, id=made["node_id"])
        states.append(answer["data"][name]["pullRequest"])
    assert [state["isDraft"] for state in states] == [True, False, False]
    assert states[-1]["state"] == "MERGED"


async def test_a_pull_request_merges_itself_when_its_checks_passed(
    http: httpx.AsyncClient, github: GitHubStandIn
) -> None:
    await github.change_repository("acme/shop", allowAutoMerge=True)
    await github.protect("acme/shop", requiredChecks=["ci"])
    made = await _open(http, github, "one")
    change = (
        "mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: SQUASH})"
        " { pullRequest { autoMergeRequest { mergeMethod } } } }"
    )
    answer = await _ask(http, change, id=made["node_id"])
    assert answer["data"]["enablePullRequestAutoMerge"]["pullRequest"]["autoMergeRequest"]["mergeMethod"] == "SQUASH"
    await github.set_checks("acme/shop", 1, Run(name="ci"))
    assert (await http.get("/repos/acme/shop/pulls/1")).json()["merged"] is True


async def test_a_commit_that_github_makes_is_signed(http: httpx.AsyncClient, github: GitHubStandIn) -> None:
    head = (await http.get("/repos/acme/shop/git/ref/heads/main")).json()["object"]["sha"]
    wish = {
        "branch": {"repositoryNameWithOwner": "acme/shop", "branchName": "main"},
        "message": {"headline": "Change a"},
        "expectedHeadOid": head,
        "fileChanges": {"additions": [{"path": "a.py", "contents": base64.b64encode(b"a = 2\n").decode()}]},
    }
    change = """mutation($wish: CreateCommitOnBranchInput!) {
      createCommitOnBranch(input: $wish) { commit { oid signature { isValid } } } }"""
    made = (await _ask(http, change, wish=wish))["data"]["createCommitOnBranch"]["commit"]
    assert made["signature"] == {"isValid": True}
    assert (await http.get("/repos/acme/shop/git/ref/heads/main")).json()["object"]["sha"] == made["oid"]
    late = await _ask(http, change, wish=wish)
    assert "Expected branch to point to" in late["errors"][0]["message"]
