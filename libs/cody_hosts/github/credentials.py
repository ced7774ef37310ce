"""Who asks, and what may be done with the token that is sent: none of it ever shows a secret."""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from cody_jobs.ports.code_host import Permission


class Access(StrEnum):
    """What a caller needs a token for. `clone` reads contents alone; `read` also reads pull requests and checks."""

    CLONE = "clone"
    READ = "read"
    WRITE = "write"


class Target(Struct, frozen=True, kw_only=True):
    """What a request is about: an owner's repository, or without a name, the owner. None of both: neither."""

    owner: str | None = None
    name: str | None = None

    @property
    def repository(self) -> str | None:
        return f"{self.owner}/{self.name}" if self.name else None


NO_TARGET = Target()


def target_of(repository: str) -> Target:
    owner, _, name = repository.partition("/")
    return Target(owner=owner, name=name)


class Credential(Struct, frozen=True, kw_only=True):
    """`token` goes into the Authorization header. `lane` names, for people too, whose limits it is under. `most` is
    what may be done with it at all, where GitHub does not tell that for each repository."""

    lane: str
    token: str | None
    most: Permission | None = None

    def __repr__(self) -> str:
        return f"Credential(lane={self.lane!r})"


class Identity(Protocol):
    """Somebody who may ask GitHub. `login` is the account whose forks are this one's own, where there is one."""

    name: str
    login: str | None

    async def credential(self, target: Target, access: Access) -> Credential:
        """Raises `JobFailed` (`app_not_installed`, `code_host_token_refused`), or `Unavailable`."""
        ...

    def refused(self, credential: Credential) -> bool:
        """GitHub took this credential for none (401). Whether a new one may be had."""
        ...


class TokenIdentity:
    """A service account's token, or with None, nobody's: public repositories only."""

    def __init__(self, name: str, token: str | None) -> None:
        self.name = name
        self.login: str | None = None
        self._token = token

    def __repr__(self) -> str:
        return f"TokenIdentity({self.name!r})"

    async def credential(self, target: Target, access: Access) -> Credential:
        del target, access
        return Credential(lane=self.name, token=self._token)

    def refused(self, credential: Credential) -> bool:
        del credential
        return False
