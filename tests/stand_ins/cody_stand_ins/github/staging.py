"""Setting the stage: accounts, tokens, repositories and their rules."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from cody_stand_ins.github import bare
from cody_stand_ins.github.identities import Level, Team, Token, User
from cody_stand_ins.github.pushes import close
from cody_stand_ins.github.records import Milestone, Protection, Repository
from cody_stand_ins.github.stage import (
    AddApp,
    AddRepository,
    AddTeam,
    AddToken,
    AddUser,
    ChangeRepository,
    Forks,
    Install,
    Protect,
    RemoveRepository,
    TokenLife,
)
from cody_stand_ins.github.world import App, Installation, World

_FIELDS = {"private", "archived", "disabled", "allowForking", "allowAutoMerge", "size", "description", "defaultBranch"}
_SNAKE = {
    "allowForking": "allow_forking",
    "allowAutoMerge": "allow_auto_merge",
    "defaultBranch": "default_branch",
    "deleteBranchOnMerge": "delete_branch_on_merge",
}


def add_user(world: World, wish: AddUser) -> None:
    key = wish.login.lower()
    old = world.users.get(key)
    number = world.new_id() if old is None else old.id
    world.users[key] = User(id=number, login=wish.login, kind=wish.kind, email=wish.email, created_at=world.now())


def add_team(world: World, wish: AddTeam) -> None:
    team = Team(id=world.new_id(), organization=wish.organization, slug=wish.slug, members=list(wish.members))
    world.teams[wish.organization.lower(), wish.slug] = team


def add_token(world: World, wish: AddToken) -> None:
    user = world.user(wish.login)
    names = None if wish.repositories is None else frozenset(name.lower() for name in wish.repositories)
    world.tokens[wish.value] = Token(
        value=wish.value,
        login=user.login,
        identity=user.login,
        scopes=wish.scopes if wish.permissions is None else (),
        permissions=wish.permissions,
        repositories=names,
        expires_at=None if wish.lasts is None else world.now() + timedelta(seconds=wish.lasts),
    )


def add_repository(world: World, wish: AddRepository) -> None:
    owner, _, name = wish.name.partition("/")
    world.user(owner)
    made = Repository(
        id=world.new_id(),
        owner=owner,
        name=name,
        path=world.folder / owner / f"{name}.git",
        created_at=world.now(),
        pushed_at=world.now(),
        private=wish.private,
        default_branch=wish.default_branch,
        description=wish.description,
        archived=wish.archived,
        disabled=wish.disabled,
        allow_forking=wish.allow_forking,
        allow_auto_merge=wish.allow_auto_merge,
        delete_branch_on_merge=wish.delete_branch_on_merge,
        topics=wish.topics,
        size=wish.size,
        levels=_levels(wish.levels),
    )
    _fill(world, made, wish)
    world.repositories[made.key] = made


def change_repository(world: World, wish: ChangeRepository) -> None:
    repository = world.repository(wish.name)
    for name, value in wish.changes.items():
        _change(repository, name, value)
    if wish.moved_to is not None:
        _move(world, repository, wish.moved_to)


def remove_repository(world: World, wish: RemoveRepository) -> None:
    """Pull requests from it lose their head, and are closed."""
    gone = world.repositories.pop(world.repository(wish.name).key)
    for repository in world.repositories.values():
        for pull in repository.pulls.values():
            if pull.head == gone.key:
                pull.head = None
                if pull.state == "open":
                    close(world, repository, pull, gone.owner)


def protect(world: World, wish: Protect) -> None:
    rules = world.repository(wish.name).protections
    if wish.rules is None:
        rules.pop(wish.branch, None)
        return
    rules[wish.branch] = msgspec.convert(wish.rules, Protection)


def add_app(world: World, wish: AddApp) -> None:
    world.users[f"{wish.slug}[bot]".lower()] = User(
        id=world.new_id(), login=f"{wish.slug}[bot]", kind="Bot", created_at=world.now()
    )
    world.apps[wish.id] = App(
        id=wish.id,
        slug=wish.slug,
        owner=wish.owner,
        public_key=wish.public_key,
        permissions=wish.permissions,
        created_at=world.now(),
    )


def install(world: World, wish: Install) -> dict[str, int]:
    """Once for an account; again, it is changed. A token that was made before keeps what it had."""
    old = [one for one in world.installations.values() if (one.app, one.account) == (wish.app, wish.account)]
    made = Installation(
        id=old[0].id if old else world.new_id(),
        app=wish.app,
        account=wish.account,
        permissions=wish.permissions or world.apps[wish.app].permissions,
        repositories=None if wish.repositories is None else frozenset(name.lower() for name in wish.repositories),
        suspended=wish.suspended,
    )
    world.installations[made.id] = made
    return {"id": made.id}


def set_token_life(world: World, wish: TokenLife) -> None:
    world.token_lasts = wish.seconds


def set_forks(world: World, wish: Forks) -> None:
    world.fork_polls = wish.polls


def _fill(world: World, made: Repository, wish: AddRepository) -> None:
    bare.make_bare(made.path, wish.source, wish.default_branch)
    if wish.files is not None:
        files = {path: text.encode() for path, text in wish.files.items()}
        bare.commit_files(
            made.path,
            wish.default_branch,
            files,
            message="The first commit",
            author=world.author(made.owner),
            parent=bare.branch_head(made.path, wish.default_branch),
        )
    for number, title in enumerate(wish.milestones, start=1):
        made.milestones[number] = Milestone(id=world.new_id(), number=number, title=title, created_at=world.now())


def _levels(wished: Mapping[str, str]) -> dict[str, Level]:
    return {login.lower(): Level[level.upper()] for login, level in wished.items()}


def _change(repository: Repository, name: str, value: Any) -> None:
    if name == "levels":
        repository.levels = _levels(value)
    elif name == "topics":
        repository.topics = tuple(value)
    elif name in _FIELDS | _SNAKE.keys():
        setattr(repository, _SNAKE.get(name, name), value)
    else:
        raise ValueError(f"a repository has no {name} to change")


def _move(world: World, repository: Repository, full_name: str) -> None:
    """Its old names lead to the new one from now on; the folder stays."""
    old = repository.key
    del world.repositories[old]
    repository.owner, _, repository.name = full_name.partition("/")
    world.repositories[repository.key] = repository
    world.moved = {
        **{name: repository.key if at == old else at for name, at in world.moved.items()},
        old: repository.key,
    }
    for other in world.repositories.values():
        other.parent = repository.key if other.parent == old else other.parent
        for pull in other.pulls.values():
            pull.head = repository.key if pull.head == old else pull.head
