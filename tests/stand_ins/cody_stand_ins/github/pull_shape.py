"""Pull requests in JSON: short in lists, long alone."""

from typing import Any

from cody_stand_ins.github.access import level_of
from cody_stand_ins.github.identities import Level, User, simple_team, simple_user
from cody_stand_ins.github.merging import changes_between, commits_between
from cody_stand_ins.github.names import maybe_stamp, node_id, stamp
from cody_stand_ins.github.pull_state import mergeable_state
from cody_stand_ins.github.records import AutoMerge, Label, Milestone, Pull, Repository
from cody_stand_ins.github.repository_shape import plain_repository
from cody_stand_ins.github.world import World


def simple_pull(world: World, repository: Repository, pull: Pull) -> dict[str, Any]:
    links = world.links
    html = f"{links.html}/{repository.full_name}/pull/{pull.number}"
    return {
        **_urls(world, repository, pull),
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": _user(world, pull.login),
        "body": pull.body,
        "labels": [label_shape(world, repository, repository.labels[name]) for name in pull.labels],
        "milestone": _milestone(world, repository, pull),
        "active_lock_reason": None,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": maybe_stamp(pull.closed_at),
        "merged_at": maybe_stamp(pull.merged_at),
        "merge_commit_sha": pull.merge_commit,
        "assignee": _user(world, pull.assignees[0]) if pull.assignees else None,
        "assignees": [_user(world, login) for login in pull.assignees],
        "requested_reviewers": [_user(world, login) for login in pull.reviewers],
        "requested_teams": [simple_team(team, links) for team in _teams(world, repository, pull)],
        "head": _end(world, world.repositories.get(pull.head or ""), pull.head_owner, pull.head_ref, pull.head_sha),
        "base": _end(world, repository, repository.owner, pull.base_ref, pull.base_sha),
        "author_association": association(world, repository, pull.login),
        "auto_merge": _auto_merge(world, pull.auto_merge),
        "draft": pull.draft,
    }


def whole_pull(world: World, repository: Repository, pull: Pull) -> dict[str, Any]:
    changes = changes_between(repository.path, pull.base_sha, pull.head_sha)
    return {
        **simple_pull(world, repository, pull),
        "merged": pull.merged_at is not None,
        "mergeable": pull.mergeable,
        "rebaseable": pull.mergeable,
        "mergeable_state": mergeable_state(repository, pull),
        "merged_by": _user(world, pull.merged_by) if pull.merged_by else None,
        "comments": len(pull.comments),
        "review_comments": 0,
        "maintainer_can_modify": pull.maintainer_can_modify,
        "commits": len(commits_between(repository.path, pull.base_sha, pull.head_sha)),
        "additions": sum(change.additions for change in changes),
        "deletions": sum(change.deletions for change in changes),
        "changed_files": len(changes),
    }


def association(world: World, repository: Repository, login: str) -> str:
    if login.lower() == repository.owner.lower():
        return "OWNER"
    return "COLLABORATOR" if level_of(world, login, repository) >= Level.TRIAGE else "NONE"


def label_shape(world: World, repository: Repository, label: Label) -> dict[str, Any]:
    return {
        "id": label.id,
        "node_id": node_id("LA", label.id),
        "url": f"{world.links.api}/repos/{repository.full_name}/labels/{label.name}",
        "name": label.name,
        "description": label.description,
        "color": label.color,
        "default": False,
    }


def milestone_shape(world: World, repository: Repository, milestone: Milestone) -> dict[str, Any]:
    url = f"{world.links.api}/repos/{repository.full_name}/milestones/{milestone.number}"
    open_pulls = [one for one in repository.pulls.values() if one.milestone == milestone.number and one.state == "open"]
    return {
        "url": url,
        "html_url": f"{world.links.html}/{repository.full_name}/milestone/{milestone.number}",
        "labels_url": f"{url}/labels",
        "id": milestone.id,
        "node_id": node_id("MI", milestone.id),
        "number": milestone.number,
        "state": "open",
        "title": milestone.title,
        "description": None,
        "creator": _user(world, repository.owner),
        "open_issues": len(open_pulls),
        "closed_issues": 0,
        "created_at": stamp(milestone.created_at),
        "updated_at": stamp(milestone.created_at),
        "closed_at": None,
        "due_on": None,
    }


def _urls(world: World, repository: Repository, pull: Pull) -> dict[str, Any]:
    api = f"{world.links.api}/repos/{repository.full_name}"
    url, issue = f"{api}/pulls/{pull.number}", f"{api}/issues/{pull.number}"
    addresses = {
        "issue": issue,
        "commits": f"{url}/commits",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "comments": f"{issue}/comments",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }
    own = {"self": url, "html": f"{world.links.html}/{repository.full_name}/pull/{pull.number}"}
    return {
        "url": url,
        **{f"{name}_url": address for name, address in addresses.items()},
        "_links": {name: {"href": address} for name, address in {**own, **addresses}.items()},
    }


def _end(world: World, repository: Repository | None, owner: str, ref: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": _user(world, owner),
        "repo": None if repository is None else plain_repository(world, repository),
    }


def _user(world: World, login: str) -> dict[str, Any]:
    user: User = world.user(login)
    return simple_user(user, world.links)


def _teams(world: World, repository: Repository, pull: Pull) -> Any:
    return [world.teams[repository.owner.lower(), slug] for slug in pull.teams]


def _milestone(world: World, repository: Repository, pull: Pull) -> dict[str, Any] | None:
    if pull.milestone is None:
        return None
    return milestone_shape(world, repository, repository.milestones[pull.milestone])


def _auto_merge(world: World, auto: AutoMerge | None) -> dict[str, Any] | None:
    if auto is None:
        return None
    return {
        "enabled_by": _user(world, auto.login),
        "merge_method": auto.method,
        "commit_title": auto.title,
        "commit_message": auto.message,
    }
