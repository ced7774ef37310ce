"""The REST and GraphQL interface: who asks, with which version, within which limits, and who answers."""

import traceback
from collections.abc import Callable, Sequence
from typing import Any, cast

from msgspec import Struct

from cody_stand_ins.github import (
    apps,
    checks,
    git_data,
    graphql_api,
    issues,
    merge,
    pull_contents,
    pulls,
    repositories,
    reviews,
    search,
)
from cody_stand_ins.github.call import Call, Found, Route, Routes, ok
from cody_stand_ins.github.graphql_api import is_mutation
from cody_stand_ins.github.identities import Token
from cody_stand_ins.github.limits import Limits
from cody_stand_ins.github.refusal import Refusal, not_found
from cody_stand_ins.github.request import Answer, Request
from cody_stand_ins.github.world import World

VERSIONS = ("2022-11-28", "2026-03-10")
_DROPPED = frozenset({"merge_commit_sha", "assignee"})
"""What the newer version of the API has no more, in pull requests."""
_ANONYMOUS = "anonymous"


def _nothing() -> None:
    pass


class Facts(Struct, kw_only=True):
    """What is worth logging about a call. `forgive` gives its cost back."""

    identity: str = _ANONYMOUS
    content: bool = False
    limited: bool = False
    scopes: str | None = None
    forgive: Callable[[], None] = _nothing


class Api:
    def __init__(self, world: World, limits: Callable[[], Limits]) -> None:
        self._world = world
        self._limits = limits
        self._routes = Routes(_all_routes())

    def answer(self, request: Request) -> tuple[Answer, Facts]:
        facts = Facts()
        try:
            answer = self._answer(request, facts)
        except Refusal as refusal:
            answer = Answer(status=refusal.status, body=refusal.body, headers=refusal.headers)
        except Exception:  # noqa: BLE001 (a test that breaks the stand-in shall see where)
            answer = Answer(status=500, body={"message": f"the stand-in broke: {traceback.format_exc()}"})
        return self._dressed(request, answer, facts), facts

    def _answer(self, request: Request, facts: Facts) -> Answer:
        _require_user_agent(request)
        _require_version(request)
        token = None if _asks_as_app(request.path) else self._token(request)
        facts.identity = _ANONYMOUS if token is None else token.identity
        facts.scopes = None if token is None or token.permissions is not None else ", ".join(token.scopes)
        if request.path == "/rate_limit":
            return ok(self._limits().overview(facts.identity))
        found = self._routes.find(request.method, self._segments(request))
        self._take(request, found, facts)
        if found is None:
            raise not_found()
        call = Call(world=self._world, limits=self._limits(), request=request, token=token, where=found.where)
        return found.route.handler(call)

    def _segments(self, request: Request) -> Sequence[str]:
        """A repository is found by its id, too: that is where GitHub sends whoever asks for one that moved."""
        segments = request.segments
        if len(segments) < 2 or segments[0] != "repositories" or not segments[1].isdecimal():
            return segments
        found = self._world.of_id(int(segments[1]))
        return segments if found is None else ["repos", found.owner, found.name, *segments[2:]]

    def _take(self, request: Request, found: Found | None, facts: Facts) -> None:
        limits, resource, identity = self._limits(), resource_of(request.path), facts.identity
        facts.content = found is not None and found.route.content
        facts.content = facts.content or (resource == "graphql" and is_mutation(request))
        try:
            limits.take(identity, resource)
            facts.forgive = lambda: limits.give_back(identity, resource)
            if facts.content:
                limits.take_content(identity)
        except Refusal:
            facts.limited = True
            raise

    def _token(self, request: Request) -> Token | None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if not value:
            return None
        token = self._world.tokens.get(value)
        expired = token is not None and token.expires_at is not None and token.expires_at <= self._world.now()
        if kind.lower() not in {"bearer", "token"} or token is None or expired:
            raise Refusal(401, "Bad credentials")
        return token

    def _dressed(self, request: Request, answer: Answer, facts: Facts) -> Answer:
        version = request.headers.get("x-github-api-version", VERSIONS[0])
        headers = {
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": version,
            **self._limits().headers(facts.identity, resource_of(request.path)),
            **({} if facts.scopes is None else {"x-oauth-scopes": facts.scopes}),
            **answer.headers,
        }
        body = _newer(answer.body) if version == VERSIONS[1] else answer.body
        return Answer(status=answer.status, body=body, headers=headers)


def resource_of(path: str) -> str:
    if path == "/search/code":
        return "code_search"
    if path.startswith("/search/"):
        return "search"
    return "graphql" if path.endswith("/graphql") else "core"


def _asks_as_app(path: str) -> bool:
    """Whether a JSON Web Token is asked for in place of a token."""
    return path == "/app" or path.startswith("/app/") or path.endswith("/installation")


def _all_routes() -> Sequence[Route]:
    nouns = (repositories, git_data, pulls, pull_contents, merge, reviews, issues, checks, search, apps, graphql_api)
    return [route for noun in nouns for route in noun.ROUTES]


def _require_user_agent(request: Request) -> None:
    if not request.headers.get("user-agent"):
        raise Refusal(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent")


def _require_version(request: Request) -> None:
    version = request.headers.get("x-github-api-version", VERSIONS[0])
    if version not in VERSIONS:
        raise Refusal(400, f"The API version {version} is not supported: {', '.join(VERSIONS)}")


def _newer(body: Any) -> Any:
    """Without what the newer version has dropped, wherever a pull request stands."""
    if isinstance(body, list):
        return [_newer(one) for one in cast("list[Any]", body)]
    if not isinstance(body, dict):
        return body
    shape = cast("dict[str, Any]", body)
    gone = _DROPPED if "requested_reviewers" in shape else frozenset[str]()
    return {name: _newer(value) for name, value in shape.items() if name not in gone}
