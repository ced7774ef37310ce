"""Repositories in JSON, in the three sizes that GitHub has."""

from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level
from cody_stand_ins.github.identities import Level, Token, simple_user
from cody_stand_ins.github.names import node_id, stamp
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.world import World

_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def minimal_repository(world: World, repository: Repository) -> dict[str, Any]:
    url = f"{world.links.api}/repos/{repository.full_name}"
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": simple_user(world.user(repository.owner), world.links),
        "private": repository.private,
        "html_url": f"{world.links.html}/{repository.full_name}",
        "description": repository.description,
        "fork": repository.parent is not None,
        "url": url,
        **{name: url + rest for name, rest in _URLS.items()},
    }


def plain_repository(world: World, repository: Repository, token: Token | None = None) -> dict[str, Any]:
    html = f"{world.links.html}/{repository.full_name}"
    forks = sum(1 for one in world.repositories.values() if one.parent == repository.key)
    pulls = sum(1 for pull in repository.pulls.values() if pull.state == "open")
    return {
        **minimal_repository(world, repository),
        "git_url": f"{html.replace('http:', 'git:', 1)}.git",
        "ssh_url": f"git@127.0.0.1:{repository.full_name}.git",
        "clone_url": f"{html}.git",
        "mirror_url": None,
        "svn_url": html,
        "homepage": None,
        "language": None,
        "forks_count": forks,
        "forks": forks,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "size": _size(repository),
        "default_branch": repository.default_branch,
        "open_issues_count": pulls,
        "open_issues": pulls,
        "is_template": False,
        "topics": list(repository.topics),
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        "archived": repository.archived,
        "disabled": repository.disabled,
        "visibility": "private" if repository.private else "public",
        "pushed_at": stamp(repository.pushed_at),
        "created_at": stamp(repository.created_at),
        "updated_at": stamp(repository.pushed_at),
        "permissions": permissions(level(world, token, repository)),
        "allow_forking": repository.allow_forking,
        "web_commit_signoff_required": False,
        "license": None,
    }


def full_repository(world: World, repository: Repository, token: Token | None) -> dict[str, Any]:
    shape = {
        **plain_repository(world, repository, token),
        "network_count": 0,
        "subscribers_count": 0,
        **_settings(world, repository, token),
    }
    parent = world.repositories.get(repository.parent or "")
    if parent is not None:
        shape["parent"] = shape["source"] = plain_repository(world, parent)
    owner = world.user(repository.owner)
    if owner.kind == "Organization":
        shape["organization"] = simple_user(owner, world.links)
    return shape


def permissions(found: Level) -> dict[str, bool]:
    return {
        "admin": found >= Level.ADMIN,
        "maintain": found >= Level.MAINTAIN,
        "push": found >= Level.WRITE,
        "triage": found >= Level.TRIAGE,
        "pull": found >= Level.READ,
    }


def _settings(world: World, repository: Repository, token: Token | None) -> dict[str, Any]:
    """What only those see who may push."""
    if level(world, token, repository) < Level.WRITE:
        return {}
    return {
        "allow_rebase_merge": True,
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_auto_merge": repository.allow_auto_merge,
        "allow_update_branch": True,
        "delete_branch_on_merge": repository.delete_branch_on_merge,
    }


def _size(repository: Repository) -> int:
    """In KiB."""
    return repository.size if repository.size is not None else bare.size_of(repository.path) // 1_024
