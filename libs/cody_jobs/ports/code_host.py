"""Where repositories live."""

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
