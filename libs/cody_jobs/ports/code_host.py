"""Where repositories live."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct


class CloneSource(Struct, frozen=True, kw_only=True):
    """Where to fetch from: `path`, a repository on this machine that is only read, or `url`, with a read-only
    `token` for HTTP where one is needed. Exactly one of the two is set."""

    path: str | None = None
    url: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"CloneSource(path={self.path!r}, url={self.url!r})"


@runtime_checkable
class CodeHost(Protocol):
    async def clone_source(self, repository: str) -> CloneSource:
        """Raises `JobFailed(repository_not_found)`, or `Unavailable`."""
        ...


class Permission(StrEnum):
    """What our identity may do in a repository."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Visibility(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"


class HostedRepository(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the code host says of a repository.

    `name` is its present one, which differs from the one that was asked for where it has moved. `size_kb` is None
    where it is not known. `opted_out` says why nobody may touch it, None that it did not opt out.
    """

    name: str
    default_branch: str
    permission: Permission
    visibility: Visibility = Visibility.PRIVATE
    archived: bool = False
    disabled: bool = False
    is_fork: bool = False
    allows_forking: bool = False
    size_kb: int | None = None
    topics: tuple[str, ...] = ()
    opted_out: str | None = None


class FoundRepository(Struct, frozen=True, kw_only=True, rename="camel"):
    """`reason` is for people: what of the query it matched."""

    name: str
    reason: str


class Found(Struct, frozen=True, kw_only=True, rename="camel"):
    """`cut` says, for people, what was left out of the answer, None: nothing."""

    repositories: tuple[FoundRepository, ...]
    cut: str | None = None


class SearchKind(StrEnum):
    """`code`: repositories with a file that matches; `repositories`: those whose own facts match."""

    CODE = "code"
    REPOSITORIES = "repositories"


@runtime_checkable
class Catalog(Protocol):
    """The repositories of a code host, and what is known of them. All of it may raise `Unavailable`."""

    async def describe(self, repository: str) -> HostedRepository:
        """Raises `JobFailed(repository_not_found)`, also where our identity may not see it."""
        ...

    async def expand(self, glob: str) -> Found:
        """The repositories that `owner/glob` names. Raises `JobRejected` where that brings nothing."""
        ...

    async def search(self, kind: SearchKind, query: str) -> Found:
        """Raises `JobRejected` where the query brings nothing, or is not understood."""
        ...
