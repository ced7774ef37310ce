"""Everything that the stand-in knows: the accounts, the repositories, and which events happened."""

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from cody_stand_ins.github.bare import Author
from cody_stand_ins.github.identities import Team, Token, User
from cody_stand_ins.github.names import Links
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.refusal import not_found

Tell = Callable[[str, dict[str, Any], Repository], None]
"""An event, its payload, and where it happened."""


class App(Struct, kw_only=True):
    """`permissions` are the most that an installation gives; `public_key` is in PEM."""

    id: int
    slug: str
    owner: str
    public_key: str
    permissions: Mapping[str, str]
    created_at: datetime


class Installation(Struct, kw_only=True):
    """`repositories`: full names in lower case; None: all of the account's."""

    id: int
    app: int
    account: str
    permissions: Mapping[str, str]
    repositories: frozenset[str] | None
    suspended: bool


class World:
    def __init__(self, folder: Path, now: Callable[[], datetime], tell: Tell) -> None:
        self.folder = folder
        self.now = now
        self.tell = tell
        self.links = Links()
        self.users: dict[str, User] = {}
        self.teams: dict[tuple[str, str], Team] = {}
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.pushed = 0
        self.fork_polls = 2
        self.token_lasts: float | None = None
        self._ids = itertools.count(1_000)

    def new_id(self) -> int:
        return next(self._ids)

    def user(self, login: str) -> User:
        """The account, made when it is named for the first time by who sets the stage."""
        found = self.users.get(login.lower())
        if found is None:
            found = User(id=self.new_id(), login=login, created_at=self.now())
            self.users[login.lower()] = found
        return found

    def author(self, login: str) -> Author:
        user = self.user(login)
        return Author(name=user.login, email=user.address, at=self.now())

    def repository(self, full_name: str) -> Repository:
        found = self.repositories.get(self.moved.get(full_name.lower(), full_name.lower()))
        if found is None:
            raise not_found()
        return found

    def of_id(self, number: int) -> Repository | None:
        return next((one for one in self.repositories.values() if one.id == number), None)

    def pull(self, repository: Repository, number: int) -> Pull:
        found = repository.pulls.get(number)
        if found is None:
            raise not_found()
        return found

    def pulls_from(self, repository: Repository, branch: str) -> list[tuple[Repository, Pull]]:
        """Open pull requests of this branch, with the repository that each is for."""
        return [
            (base, pull)
            for base in self.repositories.values()
            for pull in base.pulls.values()
            if pull.state == "open" and pull.head == repository.key and pull.head_ref == branch
        ]
