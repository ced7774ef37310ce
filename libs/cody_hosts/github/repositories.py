"""What GitHub says of a repository."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.code_host import checked_name
from cody_hosts.github.credentials import Access, target_of
from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.opt_out import OPT_OUT_FILE, OPT_OUT_MOST_BYTES, opted_out
from cody_jobs.ports.code_host import HostedRepository, Permission, Visibility

RAW = "application/vnd.github.raw+json"


class Answer(Struct, frozen=True, kw_only=True):
    """What of the answer we need. Lists of repositories leave some of it out."""

    full_name: str
    default_branch: str | None = None
    private: bool = True
    visibility: str | None = None
    archived: bool | None = None
    disabled: bool | None = None
    fork: bool | None = None
    allow_forking: bool | None = None
    size: int | None = None
    topics: tuple[str, ...] | None = None
    permissions: Mapping[str, bool] | None = None


class Repositories:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def describe(self, repository: str) -> HostedRepository:
        """Raises `JobFailed` (`repository_not_found`, `app_not_installed`, …), or `Unavailable`."""
        target = target_of(checked_name(repository))
        request = Request(what=f"look at {repository}", url=repo_url(repository), target=target)
        answer = await self._api.fetch(Answer, request)
        most = (await self._api.credential(target, Access.READ)).most
        opt_out = opted_out(answer.topics or (), None) or opted_out((), await self._opt_out_file(answer.full_name))
        return _described(answer, most, opt_out)

    async def file(self, repository: str, path: str, *, branch: str | None = None) -> bytes | None:
        """A file of the default branch, or of another one; None where there is none, or something else."""
        request = Request(
            what=f"read {path} of {repository}",
            url=f"{repo_url(repository)}/contents/{quote(path)}",
            target=target_of(repository),
            params={"ref": branch} if branch else {},
            accept=RAW,
        )
        try:
            reply = await self._api.send(request)
        except JobFailed as error:
            if error.code == FailureCode.REPOSITORY_NOT_FOUND:
                return None
            raise
        # Of a folder, the answer is JSON whatever is asked for.
        is_file = reply.status == HTTPStatus.OK and "raw" in reply.headers.get("content-type", "raw")
        return reply.content if is_file else None

    async def _opt_out_file(self, repository: str) -> bytes | None:
        content = await self.file(repository, OPT_OUT_FILE)
        return None if content is None else content[: OPT_OUT_MOST_BYTES + 1]


def repo_url(repository: str) -> str:
    return f"/repos/{quote(checked_name(repository))}"


def permission_of(permissions: Mapping[str, bool] | None, most: Permission | None, *, private: bool) -> Permission:
    """`most` is what an App may do at all; of a user, GitHub tells what that user may do there."""
    if most is not None:
        return most
    granted = permissions or {}
    if granted.get("admin"):
        return Permission.ADMIN
    if granted.get("push") or granted.get("maintain"):
        return Permission.WRITE
    return Permission.READ if granted.get("pull") or not private else Permission.NONE


def _described(answer: Answer, most: Permission | None, opt_out: str | None) -> HostedRepository:
    visibility = answer.visibility or ("private" if answer.private else "public")
    known = visibility in set(Visibility)
    return HostedRepository(
        name=answer.full_name,
        default_branch=answer.default_branch or "main",
        permission=permission_of(answer.permissions, most, private=answer.private),
        visibility=Visibility(visibility) if known else Visibility.PRIVATE,
        archived=bool(answer.archived),
        disabled=bool(answer.disabled),
        is_fork=bool(answer.fork),
        allows_forking=answer.allow_forking is not False,
        size_kb=answer.size,
        topics=answer.topics or (),
        opted_out=opt_out,
    )
