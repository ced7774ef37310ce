"""Commits in JSON: as the API of commits has them, and as the git database has them."""

from datetime import UTC, datetime
from typing import Any

import pygit2

from cody_stand_ins.github.bare import opened
from cody_stand_ins.github.identities import simple_user
from cody_stand_ins.github.names import node_id, stamp
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.world import World


def commit_shape(world: World, repository: Repository, sha: str) -> dict[str, Any]:
    api = f"{world.links.api}/repos/{repository.full_name}"
    with opened(repository.path) as found:
        commit = found[sha].peel(pygit2.Commit)
        inner = {
            "author": _signature(commit.author),
            "committer": _signature(commit.committer),
            "message": commit.message,
            "tree": {"sha": str(commit.tree_id), "url": f"{api}/git/trees/{commit.tree_id}"},
            "url": f"{api}/git/commits/{sha}",
            "comment_count": 0,
            "verification": _verification(repository, sha),
        }
        parents = [str(parent) for parent in commit.parent_ids]
        author, committer = commit.author.email, commit.committer.email
    return {
        "sha": sha,
        "node_id": node_id("C", repository.id),
        "url": f"{api}/commits/{sha}",
        "html_url": f"{world.links.html}/{repository.full_name}/commit/{sha}",
        "comments_url": f"{api}/commits/{sha}/comments",
        "commit": inner,
        "author": _account(world, author),
        "committer": _account(world, committer),
        "parents": [_parent(world, repository, parent) for parent in parents],
    }


def git_commit_shape(world: World, repository: Repository, sha: str) -> dict[str, Any]:
    whole = commit_shape(world, repository, sha)
    inner = whole["commit"]
    kept = {name: inner[name] for name in ("author", "committer", "message", "tree", "url", "verification")}
    return {"sha": sha, "node_id": whole["node_id"], "html_url": whole["html_url"], "parents": whole["parents"], **kept}


def login_of(world: World, email: str) -> str | None:
    """The account that an address belongs to."""
    return next((user.login for user in world.users.values() if user.address == email), None)


def _account(world: World, email: str) -> dict[str, Any] | None:
    login = login_of(world, email)
    return None if login is None else simple_user(world.user(login), world.links)


def _parent(world: World, repository: Repository, sha: str) -> dict[str, Any]:
    return {
        "sha": sha,
        "url": f"{world.links.api}/repos/{repository.full_name}/commits/{sha}",
        "html_url": f"{world.links.html}/{repository.full_name}/commit/{sha}",
    }


def _signature(signature: pygit2.Signature) -> dict[str, Any]:
    at = stamp(datetime.fromtimestamp(signature.time, UTC))
    return {"name": signature.name, "email": signature.email, "date": at}


def _verification(repository: Repository, sha: str) -> dict[str, Any]:
    verified = sha in repository.verified
    return {
        "verified": verified,
        "reason": "valid" if verified else "unsigned",
        "signature": "-----BEGIN PGP SIGNATURE-----" if verified else None,
        "payload": "stand-in" if verified else None,
        "verified_at": None,
    }
