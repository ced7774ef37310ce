"""Branches and forks."""

import asyncio
from urllib.parse import quote

from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import Access, target_of
from cody_hosts.github.governor import Kind
from cody_hosts.github.repositories import repo_url
from cody_jobs.errors import JobFailed, Unavailable
from cody_jobs.models import FailureCode

_FIRST_LOOK, _LAST_LOOK = 0.5, 10.0


class _Object(Struct, frozen=True, kw_only=True):
    sha: str


class _Ref(Struct, frozen=True, kw_only=True):
    object: _Object


class _Fork(Struct, frozen=True, kw_only=True):
    full_name: str
    default_branch: str | None = None


class Branches:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def head(self, repository: str, branch: str) -> str | None:
        """The commit that it points to; None: there is no such branch."""
        request = Request(
            what=f"look at the branch {branch} of {repository}",
            url=f"{repo_url(repository)}/git/ref/heads/{quote(branch)}",
            target=target_of(repository),
        )
        try:
            return (await self._api.fetch(_Ref, request)).object.sha
        except JobFailed as error:
            # 409: the repository is empty.
            if error.code == FailureCode.REPOSITORY_NOT_FOUND or "empty" in error.message:
                return None
            raise

    async def delete(self, repository: str, branch: str) -> None:
        """A branch that is not there is no error."""
        request = Request(
            what=f"delete the branch {branch} of {repository}",
            url=f"{repo_url(repository)}/git/refs/heads/{quote(branch)}",
            method="DELETE",
            target=target_of(repository),
            access=Access.WRITE,
            kind=Kind.CHANGE,
        )
        try:
            await self._api.send(request)
        except JobFailed as error:
            if "does not exist" not in error.message:
                raise

    async def fork(self, repository: str, *, organization: str | None = None, patience: float = 120.0) -> str:
        """The name of our fork, which is made where there is none, once it can be pushed to. May be asked twice.

        Raises `Unavailable`, with `retry_after`, where GitHub has not made it after `patience` seconds.
        """
        body: dict[str, object] = {"default_branch_only": True}
        if organization is not None:
            body["organization"] = organization
        request = Request(
            what=f"fork {repository}",
            url=f"{repo_url(repository)}/forks",
            method="POST",
            target=target_of(repository),
            access=Access.WRITE,
            body=body,
            kind=Kind.CHANGE,
            repeatable=True,
        )
        fork = await self._api.fetch(_Fork, request)
        await self._wait_for(fork, patience)
        return fork.full_name

    async def _wait_for(self, fork: _Fork, patience: float) -> None:
        pause, clock = _FIRST_LOOK, asyncio.get_running_loop().time
        until = clock() + patience
        while await self.head(fork.full_name, fork.default_branch or "main") is None:
            if clock() + pause > until:
                host = self._api.wire.addresses.host
                raise Unavailable(host, f"has not made the fork {fork.full_name} yet", retry_after=30.0)
            await asyncio.sleep(pause)
            pause = min(_LAST_LOOK, pause * 1.5)
