"""Which repositories a job means: an owner's by a glob, or what GitHub's searches find."""

import re
from fnmatch import fnmatchcase
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import Target
from cody_hosts.github.limits import Resource
from cody_hosts.github.repositories import Answer
from cody_jobs.errors import BadQuery, JobFailed, NothingFound
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import Found, FoundRepository, SearchKind
from cody_jobs.repository_names import REPOSITORIES_PER_JOB

_RESULTS_MOST = 1_000
"""GitHub's searches give no more than that."""
_PAGE = 100
_OWNER = re.compile(r"(?:^|\s)(?:org|user|owner|repo):([A-Za-z0-9-]+)")


class _Named(Struct, frozen=True, kw_only=True):
    full_name: str


class _CodeItem(Struct, frozen=True, kw_only=True):
    path: str
    repository: _Named


class _CodeResults(Struct, frozen=True, kw_only=True):
    total_count: int
    items: tuple[_CodeItem, ...]
    incomplete_results: bool = False


class _RepositoryResults(Struct, frozen=True, kw_only=True):
    total_count: int
    items: tuple[Answer, ...]
    incomplete_results: bool = False


_Results = TypeVar("_Results", _CodeResults, _RepositoryResults)


class Search:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def expand(self, glob: str) -> Found:
        """`acme/*`: an owner's repositories whose names fit. Those that are archived or disabled are left out."""
        owner, separator, pattern = glob.partition("/")
        if not separator or not pattern or set(owner) & set("*?["):
            raise BadQuery(f"{glob!r}: a glob names its owner, as in acme/*")
        repositories, more = await self._of_owner(owner)
        fitting = [one for one in repositories if fnmatchcase(one.full_name.lower(), glob.lower())]
        found = [one.full_name for one in fitting if not one.archived and not one.disabled]
        if not found:
            asleep = f"; {len(fitting)} archived ones are left out" if fitting else ""
            raise NothingFound(f"{glob!r} fits none of the {len(repositories):,} repositories of {owner}{asleep}")
        cut = f"only the first {REPOSITORIES_PER_JOB:,} repositories of {owner} were looked at" if more else None
        return Found(repositories=tuple(FoundRepository(name=name, reason=f"fits {glob}") for name in found), cut=cut)

    async def search(self, kind: SearchKind, query: str) -> Found:
        if not query.strip():
            raise BadQuery("the query is empty")
        found = await (self._code(query) if kind is SearchKind.CODE else self._repositories(query))
        if not found.repositories:
            raise NothingFound(f"the search of {kind} for {query!r} brings no repository")
        return found

    async def _of_owner(self, owner: str) -> tuple[list[Answer], bool]:
        for place in ("orgs", "users"):
            request = Request(
                what=f"list the repositories of {owner}",
                url=f"/{place}/{quote(owner, safe='')}/repos",
                target=Target(owner=owner),
                params={"type": "all" if place == "orgs" else "owner", "sort": "full_name"},
            )
            try:
                return await self._api.fetch_all(Answer, request, most=REPOSITORIES_PER_JOB)
            except JobFailed as error:
                if error.code != FailureCode.REPOSITORY_NOT_FOUND:
                    raise
        raise NothingFound(f"there is nobody called {owner!r}, or we may not see them")

    async def _repositories(self, query: str) -> Found:
        found, total, partial = dict[str, str](), 0, False
        for page in range(1, _RESULTS_MOST // _PAGE + 1):
            request = self._request("repositories", query, page, Resource.SEARCH)
            results = await self._ask(_RepositoryResults, request, query)
            found |= {one.full_name: f"repository search: {query}" for one in results.items if not one.archived}
            total, partial = results.total_count, partial or results.incomplete_results
            if page * _PAGE >= total or not results.items:
                break
        return _found(found, total, partial=partial)

    async def _code(self, query: str) -> Found:
        files, total, partial = dict[str, list[str]](), 0, False
        for page in range(1, _RESULTS_MOST // _PAGE + 1):
            request = self._request("code", query, page, Resource.CODE_SEARCH)
            results = await self._ask(_CodeResults, request, query)
            for item in results.items:
                files.setdefault(item.repository.full_name, []).append(item.path)
            total, partial = results.total_count, partial or results.incomplete_results
            if page * _PAGE >= total or not results.items:
                break
        return _found({name: _reason(paths) for name, paths in files.items()}, total, partial=partial)

    async def _ask(self, kind: type[_Results], request: Request, query: str) -> _Results:
        try:
            return await self._api.fetch(kind, request)
        except JobFailed as error:
            if error.code == FailureCode.CODE_HOST_REFUSED:
                raise BadQuery(f"{query!r}: {error.message}") from error
            raise

    def _request(self, what: str, query: str, page: int, resource: Resource) -> Request:
        return Request(
            what=f"search for {what}",
            url=f"/search/{what}",
            target=Target(owner=_owner_in(query)),
            params={"q": query, "per_page": str(_PAGE), "page": str(page)},
            resource=resource,
        )


def _owner_in(query: str) -> str | None:
    """An App asks with the token of that owner's installation."""
    found = _OWNER.search(query)
    return found.group(1) if found else None


def _reason(paths: list[str]) -> str:
    """For people: a file that matched, and how many others."""
    more = len(paths) - 1
    return f"code search: {paths[0]}" + (f" and {more} more" if more else "")


def _found(reasons: dict[str, str], total: int, *, partial: bool) -> Found:
    cuts = list[str]()
    if total > _RESULTS_MOST:
        cuts.append(f"GitHub tells the first {_RESULTS_MOST:,} of {total:,} results; a narrower query finds the others")
    if partial:
        cuts.append("GitHub ran out of time and left results out")
    repositories = tuple(FoundRepository(name=name, reason=reason) for name, reason in reasons.items())
    return Found(repositories=repositories, cut="; ".join(cuts) or None)
