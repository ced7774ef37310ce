"""The objects of GraphQL: plain values, and functions for what takes arguments or costs work."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pygit2
from graphql import GraphQLError

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level
from cody_stand_ins.github.bare import opened
from cody_stand_ins.github.call import Call
from cody_stand_ins.github.commit_shape import login_of
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merging import commits_between
from cody_stand_ins.github.names import maybe_stamp, node_id, stamp
from cody_stand_ins.github.pull_state import know_mergeable, mergeable_state, review_decision, rollup
from cody_stand_ins.github.records import Comment, Pull, Repository, Review

Node = dict[str, Any]
_LARGEST_PAGE = 100
_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


def actor(call: Call, login: str | None) -> Node | None:
    if login is None:
        return None
    user = call.world.user(login)
    return {"__typename": user.kind, "id": node_id("U", user.id), "login": user.login, "databaseId": user.id}


def repository_node(call: Call, repository: Repository) -> Node:
    def ref(_: Any, **wanted: str) -> Node | None:
        return ref_node(call, repository, wanted["qualifiedName"])

    def pull_request(_: Any, number: int) -> Node:
        found = repository.pulls.get(number)
        if found is None:
            message = f"Could not resolve to a PullRequest with the number of {number}."
            raise GraphQLError(message, extensions={"type": "NOT_FOUND"})
        return pull_node(call, repository, found)

    def pull_requests(_: Any, **wanted: Any) -> Node:
        found = [pull for pull in repository.pulls.values() if _wanted(pull, wanted)]
        return connection([pull_node(call, repository, pull) for pull in found], wanted)

    found = level(call.world, call.token, repository)
    return {
        "__typename": "Repository",
        "id": node_id("R", repository.id),
        "databaseId": repository.id,
        "name": repository.name,
        "nameWithOwner": repository.full_name,
        "owner": actor(call, repository.owner),
        "url": f"{call.world.links.html}/{repository.full_name}",
        "isArchived": repository.archived,
        "isDisabled": repository.disabled,
        "isFork": repository.parent is not None,
        "isPrivate": repository.private,
        "diskUsage": repository.size,
        "viewerPermission": found.name if found > Level.NONE else None,
        "defaultBranchRef": later(lambda: ref_node(call, repository, f"refs/heads/{repository.default_branch}")),
        "ref": ref,
        "pullRequest": pull_request,
        "pullRequests": pull_requests,
    }


def pull_node(call: Call, repository: Repository, pull: Pull) -> Node:
    know_mergeable(repository, pull)
    head = call.world.repositories.get(pull.head or "")
    mergeable = {None: "UNKNOWN", True: "MERGEABLE", False: "CONFLICTING"}[pull.mergeable]
    auto = pull.auto_merge
    return {
        "__typename": "PullRequest",
        "id": node_id("PR", pull.id),
        "databaseId": pull.id,
        "fullDatabaseId": str(pull.id),
        "number": pull.number,
        "title": pull.title,
        "body": pull.body or "",
        "url": f"{call.world.links.html}/{repository.full_name}/pull/{pull.number}",
        "state": "MERGED" if pull.merged_at else pull.state.upper(),
        "isDraft": pull.draft,
        "merged": pull.merged_at is not None,
        "closed": pull.state != "open",
        "createdAt": stamp(pull.created_at),
        "updatedAt": stamp(pull.updated_at),
        "mergedAt": maybe_stamp(pull.merged_at),
        "closedAt": maybe_stamp(pull.closed_at),
        "headRefName": pull.head_ref,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base_ref,
        "baseRefOid": pull.base_sha,
        "headRepository": later(lambda: None if head is None else repository_node(call, head)),
        "headRepositoryOwner": actor(call, pull.head_owner),
        "isCrossRepository": pull.head != repository.key,
        "repository": later(lambda: repository_node(call, repository)),
        "mergeable": mergeable,
        "mergeStateStatus": mergeable_state(repository, pull).upper(),
        "reviewDecision": review_decision(repository, pull),
        "author": actor(call, pull.login),
        "mergedBy": actor(call, pull.merged_by),
        "mergeCommit": later(lambda: pull.merge_commit and commit_node(call, repository, pull.merge_commit)),
        "autoMergeRequest": auto
        and {
            "enabledAt": stamp(auto.enabled_at),
            "enabledBy": actor(call, auto.login),
            "mergeMethod": auto.method.upper(),
        },
        **_connections(call, repository, pull),
    }


def commit_node(call: Call, repository: Repository, sha: str) -> Node:
    with opened(repository.path) as found:
        commit = found[sha].peel(pygit2.Commit)
        author, committer, message = _git_actor(call, commit.author), _git_actor(call, commit.committer), commit.message
        at = datetime.fromtimestamp(commit.commit_time, UTC)
    return {
        "__typename": "Commit",
        "id": node_id("C", repository.id),
        "oid": sha,
        "url": f"{call.world.links.html}/{repository.full_name}/commit/{sha}",
        "message": message,
        "messageHeadline": message.partition("\n")[0],
        "committedDate": stamp(at),
        "author": author,
        "committer": committer,
        "authors": paged(lambda: [author]),
        "signature": {"__typename": "GpgSignature", "isValid": True} if sha in repository.verified else None,
        "statusCheckRollup": _rollup(call, repository, sha),
    }


def ref_node(call: Call, repository: Repository, name: str) -> Node | None:
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    found = bare.ref_target(repository.path, full)
    if found is None:
        return None
    return {
        "__typename": "Ref",
        "id": node_id("REF", repository.id),
        "name": full.removeprefix("refs/heads/"),
        "prefix": "refs/heads/",
        "target": commit_node(call, repository, found),
    }


def later(make: Callable[[], Any]) -> Callable[..., Any]:
    """What is made only when it is asked for."""

    def resolve(_: Any) -> Any:
        return make()

    return resolve


def paged(make: Callable[[], Sequence[Any]]) -> Callable[..., Node]:
    def resolve(_: Any, **page: Any) -> Node:
        return connection(make(), page)

    return resolve


def connection(items: Sequence[Any], page: Mapping[str, Any]) -> Node:
    """A slice: `first` after a cursor, or `last`. A cursor is a position."""
    start = int(page.get("after") or 0)
    end = len(items)
    if page.get("last") is not None:
        start = max(start, end - min(int(page["last"]), _LARGEST_PAGE))
    else:
        end = min(end, start + min(int(page.get("first") or _LARGEST_PAGE), _LARGEST_PAGE))
    around = {"hasNextPage": end < len(items), "hasPreviousPage": start > 0}
    info = {**around, "startCursor": str(start), "endCursor": str(end)}
    return {"nodes": list(items[start:end]), "totalCount": len(items), "pageInfo": info}


def _connections(call: Call, repository: Repository, pull: Pull) -> dict[str, Callable[..., Node]]:
    labels = [repository.labels[name] for name in pull.labels]
    latest = {review.login: review for review in pull.reviews}
    opinions = {review.login: review for review in pull.reviews if review.state in _OPINIONS}

    def commits(_: Any, **page: Any) -> Node:
        shas = connection(commits_between(repository.path, pull.base_sha, pull.head_sha), page)
        nodes = [
            {"__typename": "PullRequestCommit", "id": f"PRC_{sha}", "commit": commit_node(call, repository, sha)}
            for sha in shas["nodes"]
        ]
        return {**shas, "nodes": nodes}

    def reviews(found: Iterable[Review]) -> Callable[..., Node]:
        return paged(lambda: [_review(call, repository, one) for one in found])

    return {
        "labels": paged(
            lambda: [{"id": node_id("LA", one.id), "name": one.name, "color": one.color} for one in labels]
        ),
        "commits": commits,
        "comments": paged(lambda: [_comment(call, one) for one in pull.comments]),
        "reviews": reviews(pull.reviews),
        "latestReviews": reviews(latest.values()),
        "latestOpinionatedReviews": reviews(opinions.values()),
    }


def _comment(call: Call, one: Comment) -> Node:
    return {
        "id": node_id("IC", one.id),
        "databaseId": one.id,
        "author": actor(call, one.login),
        "body": one.body,
        "createdAt": stamp(one.created_at),
    }


def _review(call: Call, repository: Repository, one: Review) -> Node:
    return {
        "id": node_id("PRR", one.id),
        "state": one.state,
        "author": actor(call, one.login),
        "body": one.body,
        "submittedAt": stamp(one.submitted_at),
        "commit": later(lambda: commit_node(call, repository, one.commit)),
    }


def _git_actor(call: Call, signature: pygit2.Signature) -> Node:
    login = login_of(call.world, signature.email)
    at = stamp(datetime.fromtimestamp(signature.time, UTC))
    return {"name": signature.name, "email": signature.email, "date": at, "user": actor(call, login)}


def _rollup(call: Call, repository: Repository, sha: str) -> Node | None:
    state = rollup(repository, sha)
    if state is None:
        return None
    html = f"{call.world.links.html}/{repository.full_name}/actions/runs/{repository.id}/job"
    runs = [
        {
            "__typename": "CheckRun",
            "id": node_id("CR", run.id),
            "databaseId": run.id,
            "name": run.name,
            "status": run.status.upper(),
            "conclusion": run.conclusion.upper() if run.conclusion and run.status == "completed" else None,
            "detailsUrl": f"{html}/{run.id}",
            "summary": run.summary,
        }
        for run in repository.check_runs.get(sha, [])
    ]
    statuses = [
        {"__typename": "StatusContext", "id": node_id("SC", one.id), "context": one.context, "state": one.state.upper()}
        for one in repository.statuses.get(sha, [])
    ]
    return {"state": state, "contexts": paged(lambda: [*runs, *statuses])}


def _wanted(pull: Pull, wanted: Mapping[str, Any]) -> bool:
    state = "MERGED" if pull.merged_at else pull.state.upper()
    if wanted.get("states") and state not in wanted["states"]:
        return False
    labels = wanted.get("labels")
    if labels and not set(labels) & set(pull.labels):
        return False
    refs = ((wanted.get("headRefName"), pull.head_ref), (wanted.get("baseRefName"), pull.base_ref))
    return all(ref in {None, found} for ref, found in refs)
