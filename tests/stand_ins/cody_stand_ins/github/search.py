"""Search over what is really there: words, and the few qualifiers that matter. Only default branches are searched."""

import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.issues import issue_shape
from cody_stand_ins.github.pull_state import rollup
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.refusal import Refusal, invalid
from cody_stand_ins.github.repository_shape import minimal_repository, plain_repository
from cody_stand_ins.github.request import Answer

_MOST = 1_000
_LANGUAGES = {"python": (".py",), "java": (".java",), "go": (".go",), "typescript": (".ts", ".tsx"), "ruby": (".rb",)}


class Query(Struct, frozen=True, kw_only=True):
    """`words` all have to be found; `qualifiers`: `repo:acme/shop` under its name, those with a minus as `-repo`."""

    words: tuple[str, ...]
    qualifiers: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str | None:
        found = self.qualifiers.get(name)
        return found[-1] if found else None


def search_code(call: Call) -> Answer:
    query = _read(call)
    if call.token is None:
        raise Refusal(401, "Requires authentication")
    if not query.words:
        raise invalid("Search", "The search is too broad: it needs a word", field="q", code="invalid")
    items: list[dict[str, Any]] = []
    for repository in _repositories(call, query):
        items += _code_of(call, repository, query)
    return _found(call, items)


def search_repositories(call: Call) -> Answer:
    query = _read(call)
    found = [one for one in _repositories(call, query) if _words_in(query, f"{one.full_name} {one.description or ''}")]
    return _found(call, [{**plain_repository(call.world, one, call.token), "score": 1.0} for one in found])


def search_issues(call: Call) -> Answer:
    query = _read(call)
    found = search_pulls(call, query)
    items = [{**issue_shape(call.world, repository, pull), "score": 1.0} for repository, pull in found]
    return _found(call, items, search_type="lexical")


def search_pulls(call: Call, query: Query) -> list[tuple[Repository, Pull]]:
    """The newest first."""
    found = [
        (repository, pull)
        for repository in _repositories(call, query)
        for pull in repository.pulls.values()
        if _fits(repository, pull, query)
    ]
    return sorted(found, key=lambda pair: pair[1].id, reverse=True)


def parse_query(text: str) -> Query:
    words: list[str] = []
    qualifiers: dict[str, list[str]] = {}
    for part in shlex.split(text):
        name, separator, value = part.partition(":")
        if separator and name.lstrip("-").isalpha() and value:
            qualifiers.setdefault(name.lower(), []).append(value)
        else:
            words.append(part)
    return Query(words=tuple(words), qualifiers=qualifiers)


def _read(call: Call) -> Query:
    text = call.request.query.get("q", "")
    if not text.strip():
        raise invalid("Search", "", field="q", code="missing")
    try:
        return parse_query(text)
    except ValueError as error:
        raise Refusal(422, f"The query cannot be parsed: {error}") from error


def _found(call: Call, items: Sequence[dict[str, Any]], **more: str) -> Answer:
    """GitHub shows the first thousand at most."""
    page, headers = call.request.page(items[:_MOST])
    return ok({"total_count": len(items), "incomplete_results": False, "items": page, **more}, headers=headers)


def _repositories(call: Call, query: Query) -> list[Repository]:
    return [one for one in call.world.repositories.values() if _seen(call, one) and _in_scope(one, query)]


def _seen(call: Call, repository: Repository) -> bool:
    return level(call.world, call.token, repository) > Level.NONE and not repository.polls_until_ready


def _in_scope(repository: Repository, query: Query) -> bool:
    owners = [value.lower() for name in ("org", "user", "owner") for value in query.qualifiers.get(name, ())]
    names = [value.lower() for value in query.qualifiers.get("repo", ())]
    if (owners or names) and repository.owner.lower() not in owners and repository.key not in names:
        return False
    if repository.parent is not None and query.one("fork") not in {"true", "only"}:
        return False
    archived = query.one("archived")
    if archived is not None and (archived == "true") != repository.archived:
        return False
    return all(topic in repository.topics for topic in query.qualifiers.get("topic", ()))


def _code_of(call: Call, repository: Repository, query: Query) -> list[dict[str, Any]]:
    head = bare.branch_head(repository.path, repository.default_branch)
    if head is None:
        return []
    return [
        _code_shape(call, repository, path, blob)
        for path, blob, content in bare.all_files(repository.path, head)
        if _path_fits(path, query) and _words_in(query, content.decode("utf-8", errors="replace"))
    ]


def _path_fits(path: str, query: Query) -> bool:
    extensions, names = query.qualifiers.get("extension", ()), query.qualifiers.get("filename", ())
    if extensions and path.rpartition(".")[2] not in extensions:
        return False
    if names and path.rpartition("/")[2] not in names:
        return False
    languages = [ending for name in query.qualifiers.get("language", ()) for ending in _LANGUAGES.get(name.lower(), ())]
    if query.one("language") and not path.endswith(tuple(languages)):
        return False
    paths = query.qualifiers.get("path", ())
    return all(path.startswith(wanted.strip("/")) or fnmatchcase(path, wanted) for wanted in paths)


def _words_in(query: Query, text: str) -> bool:
    lower = text.lower()
    return all(word.lower() in lower for word in query.words)


def _code_shape(call: Call, repository: Repository, path: str, blob: str) -> dict[str, Any]:
    api = f"{call.world.links.api}/repos/{repository.full_name}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": blob,
        "url": f"{api}/contents/{path}",
        "git_url": f"{api}/git/blobs/{blob}",
        "html_url": f"{call.world.links.html}/{repository.full_name}/blob/HEAD/{path}",
        "repository": minimal_repository(call.world, repository),
        "score": 1.0,
    }


def _fits(repository: Repository, pull: Pull, query: Query) -> bool:
    kinds = {*query.qualifiers.get("is", ()), *query.qualifiers.get("state", ()), *query.qualifiers.get("type", ())}
    if "issue" in kinds or ("open" in kinds and pull.state != "open") or ("closed" in kinds and pull.state == "open"):
        return False
    if ("merged" in kinds and pull.merged_at is None) or ("draft" in kinds and not pull.draft):
        return False
    wanted = {
        "author": pull.login.lower(),
        "head": pull.head_ref,
        "base": pull.base_ref,
        "status": (rollup(repository, pull.head_sha) or "").lower(),
    }
    if any(query.one(name) not in {None, value} for name, value in wanted.items()):
        return False
    labels = all(label in pull.labels for label in query.qualifiers.get("label", ()))
    return labels and _words_in(query, f"{pull.title}\n{pull.body or ''}")


ROUTES: Sequence[Route] = (
    Route("GET", "/search/code", search_code),
    Route("GET", "/search/repositories", search_repositories),
    Route("GET", "/search/issues", search_issues),
)
