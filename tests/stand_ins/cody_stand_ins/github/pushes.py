"""What follows when a branch moves, whoever moved it: pull requests, their refs, and the events."""

from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.identities import simple_user
from cody_stand_ins.github.merging import contains
from cody_stand_ins.github.pull_shape import whole_pull
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.repository_shape import plain_repository
from cody_stand_ins.github.world import World

NOTHING = "0" * 40


def branch_moved(world: World, repository: Repository, branch: str, old: str, new: str, login: str) -> None:
    """`old` or `new` of zeros: it came to be, or is gone."""
    repository.pushed_at = world.now()
    _tell_push(world, repository, f"refs/heads/{branch}", old, new, login)
    for base, pull in world.pulls_from(repository, branch):
        if new == NOTHING:
            close(world, base, pull, login)
        else:
            _follow(world, base, pull, repository, new, login)
    if new != NOTHING:
        _base_moved(world, repository, branch, new, login)


def point_to_head(repository: Repository, pull: Pull, head: Repository) -> None:
    """refs/pull/N/head has the pull request's commits, also those of a fork."""
    ref = f"refs/pull/{pull.number}/head"
    if head.key == repository.key:
        bare.set_ref(repository.path, ref, pull.head_sha)
    else:
        bare.fetch(repository.path, head.path, f"refs/heads/{pull.head_ref}", ref)


def close(world: World, repository: Repository, pull: Pull, login: str) -> None:
    pull.state, pull.closed_at, pull.updated_at = "closed", world.now(), world.now()
    pull.auto_merge = None
    tell_pull(world, repository, pull, "closed", login)


def mark_merged(world: World, repository: Repository, pull: Pull, commit: str, login: str) -> None:
    pull.merged_at, pull.merged_by, pull.merge_commit = world.now(), login, commit
    close(world, repository, pull, login)


def tell_pull(world: World, repository: Repository, pull: Pull, action: str, login: str, **more: Any) -> None:
    payload = {
        "action": action,
        "number": pull.number,
        "pull_request": whole_pull(world, repository, pull),
        **more,
    }
    tell(world, "pull_request", payload, repository, login)


def tell(world: World, event: str, payload: dict[str, Any], repository: Repository, login: str) -> None:
    around = {
        "repository": plain_repository(world, repository),
        "sender": simple_user(world.user(login), world.links),
    }
    world.tell(event, {**payload, **around}, repository)


def _tell_push(world: World, repository: Repository, ref: str, old: str, new: str, login: str) -> None:
    payload: dict[str, Any] = {
        "ref": ref,
        "before": old,
        "after": new,
        "created": old == NOTHING,
        "deleted": new == NOTHING,
        "forced": False,
        "commits": [],
        "pusher": {"name": login, "email": world.user(login).address},
    }
    tell(world, "push", payload, repository, login)


def _follow(world: World, base: Repository, pull: Pull, head: Repository, new: str, login: str) -> None:
    before, pull.head_sha, pull.updated_at = pull.head_sha, new, world.now()
    point_to_head(base, pull, head)
    tell_pull(world, base, pull, "synchronize", login, before=before, after=new)


def _base_moved(world: World, repository: Repository, branch: str, new: str, login: str) -> None:
    for pull in repository.pulls.values():
        if pull.state == "open" and pull.base_ref == branch:
            pull.base_sha = new
            if contains(repository.path, new, pull.head_sha):
                mark_merged(world, repository, pull, new, login)
