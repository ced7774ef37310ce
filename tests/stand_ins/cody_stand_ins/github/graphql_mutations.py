"""What GraphQL can change: drafts, merges, auto-merge, and commits that GitHub signs."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import require, require_participation
from cody_stand_ins.github.call import Call
from cody_stand_ins.github.graphql_nodes import Node, commit_node, pull_node, ref_node
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merge import merge, refuse_merge
from cody_stand_ins.github.names import number_of
from cody_stand_ins.github.pull_state import is_mergeable, rollup, what_blocks
from cody_stand_ins.github.pulls import reopen
from cody_stand_ins.github.pushes import branch_moved, close, tell_pull
from cody_stand_ins.github.records import AutoMerge, Pull, Repository
from cody_stand_ins.github.refusal import Refusal, not_found

Given = Mapping[str, Any]


def _to_draft(call: Call, given: Given) -> Node:
    return _set_draft(call, given, draft=True)


def _to_ready(call: Call, given: Given) -> Node:
    return _set_draft(call, given, draft=False)


def _close(call: Call, given: Given) -> Node:
    repository, pull = _pull(call, given)
    if pull.state == "open":
        close(call.world, repository, pull, call.asker.login)
    return _payload(call, given, repository, pull)


def _reopen(call: Call, given: Given) -> Node:
    repository, pull = _pull(call, given)
    if pull.state != "open":
        reopen(call.world, repository, pull, call.asker.login)
    return _payload(call, given, repository, pull)


def _enable_auto_merge(call: Call, given: Given) -> Node:
    repository, pull = _pull(call, given)
    require(call.world, call.token, repository, "contents", Level.WRITE)
    if not repository.allow_auto_merge:
        raise Refusal(422, "Auto merge is not allowed for this repository")
    if pull.state != "open":
        raise Refusal(422, "Pull request is closed")
    if given.get("expectedHeadOid") not in {None, pull.head_sha}:
        raise Refusal(422, "Head branch was modified. Review and try the merge again.")
    if not pull.draft and what_blocks(repository, pull) is None and rollup(repository, pull.head_sha) != "PENDING":
        if is_mergeable(repository, pull):
            raise Refusal(422, "Pull request Pull request is in clean status")
        raise Refusal(422, "Pull request is in dirty status")
    pull.auto_merge = AutoMerge(
        login=call.asker.login,
        method=str(given.get("mergeMethod") or "MERGE").lower(),
        enabled_at=call.world.now(),
        title=given.get("commitHeadline") or "",
        message=given.get("commitBody") or "",
    )
    tell_pull(call.world, repository, pull, "auto_merge_enabled", call.asker.login)
    return _payload(call, given, repository, pull)


def _disable_auto_merge(call: Call, given: Given) -> Node:
    repository, pull = _pull(call, given)
    if pull.auto_merge is None:
        raise Refusal(422, "Can't disable auto-merge for this pull request.")
    pull.auto_merge = None
    tell_pull(call.world, repository, pull, "auto_merge_disabled", call.asker.login)
    return _payload(call, given, repository, pull)


def _merge(call: Call, given: Given) -> Node:
    repository, pull = _pull(call, given)
    require(call.world, call.token, repository, "contents", Level.WRITE)
    refuse_merge(repository, pull, given.get("expectedHeadOid"))
    merge(
        call.world,
        repository,
        pull,
        call.asker.login,
        method=str(given.get("mergeMethod") or "MERGE").lower(),
        title=given.get("commitHeadline"),
        message=given.get("commitBody"),
    )
    return _payload(call, given, repository, pull)


def _commit_on_branch(call: Call, given: Given) -> Node:
    """Signed by GitHub, whoever asks."""
    world, branch = call.world, str(given["branch"].get("branchName", "")).removeprefix("refs/heads/")
    repository = world.repository(str(given["branch"].get("repositoryNameWithOwner", "")))
    require(world, call.token, repository, "contents", Level.WRITE)
    changes: Given = given.get("fileChanges") or {}
    old = bare.branch_head(repository.path, branch)
    if old is None:
        raise not_found()
    if old != given["expectedHeadOid"]:
        raise Refusal(
            422, f'Expected branch to point to "{given["expectedHeadOid"]}" but it did not. Pull and try again.'
        )
    _refuse_protected(call, repository, branch, changes)
    for one in changes.get("deletions") or ():
        if bare.file_at(repository.path, old, one["path"]) is None:
            raise Refusal(422, f"A path was requested for deletion which does not exist: {one['path']}")
    new = bare.commit_files(
        repository.path,
        branch,
        _files(changes),
        message=_message(given["message"]),
        author=world.author(call.asker.login),
        parent=old,
    )
    repository.verified.add(new)
    branch_moved(world, repository, branch, old, new, call.asker.login)
    commit, ref = commit_node(call, repository, new), ref_node(call, repository, branch)
    return {"clientMutationId": given.get("clientMutationId"), "commit": commit, "ref": ref}


def _pull(call: Call, given: Given) -> tuple[Repository, Pull]:
    try:
        kind, number = number_of(given["pullRequestId"])
    except ValueError:
        kind, number = "", 0
    for repository in call.world.repositories.values():
        for pull in repository.pulls.values():
            if kind == "PR" and pull.id == number:
                require_participation(call.world, call.asker, repository, "pull_requests")
                if pull.login != call.asker.login:
                    require(call.world, call.token, repository, "pull_requests", Level.TRIAGE)
                return repository, pull
    raise not_found()


def _set_draft(call: Call, given: Given, *, draft: bool) -> Node:
    repository, pull = _pull(call, given)
    if pull.draft != draft:
        pull.draft = draft
        tell_pull(call.world, repository, pull, "converted_to_draft" if draft else "ready_for_review", call.asker.login)
    return _payload(call, given, repository, pull)


def _refuse_protected(call: Call, repository: Repository, branch: str, changes: Given) -> None:
    rules = repository.protections.get(branch)
    if rules is not None and rules.restrict_pushes:
        raise Refusal(422, "Protected branch update failed: changes must be made through a pull request.")
    paths = [one["path"] for kind in ("additions", "deletions") for one in changes.get(kind) or ()]
    touched = any(path.startswith(".github/workflows/") for path in paths)
    if touched and not call.asker.allows("workflows", write=True):
        raise Refusal(403, "Resource not accessible by integration")


def _files(changes: Given) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {
        one["path"]: base64.b64decode(one["contents"]) for one in changes.get("additions") or ()
    }
    return {**files, **{one["path"]: None for one in changes.get("deletions") or ()}}


def _message(message: Given) -> str:
    return f"{message['headline']}\n\n{message['body']}" if message.get("body") else str(message["headline"])


def _payload(call: Call, given: Given, repository: Repository, pull: Pull) -> Node:
    return {"clientMutationId": given.get("clientMutationId"), "pullRequest": pull_node(call, repository, pull)}


MUTATIONS: Mapping[str, Callable[[Call, Given], Node]] = {
    "convertPullRequestToDraft": _to_draft,
    "markPullRequestReadyForReview": _to_ready,
    "closePullRequest": _close,
    "reopenPullRequest": _reopen,
    "enablePullRequestAutoMerge": _enable_auto_merge,
    "disablePullRequestAutoMerge": _disable_auto_merge,
    "mergePullRequest": _merge,
    "createCommitOnBranch": _commit_on_branch,
}
