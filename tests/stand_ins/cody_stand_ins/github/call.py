"""One call of the API, and the table that finds who answers it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from cody_stand_ins.github.access import require, require_participation, require_sight
from cody_stand_ins.github.identities import Level, Token, User
from cody_stand_ins.github.limits import Limits
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.refusal import Refusal, not_found
from cody_stand_ins.github.request import Answer, Request
from cody_stand_ins.github.world import World


class Call(Struct, frozen=True, kw_only=True):
    """`where` has the parts of the path that the route names."""

    world: World
    limits: Limits
    request: Request
    token: Token | None
    where: Mapping[str, str]

    @property
    def asker(self) -> Token:
        if self.token is None:
            raise Refusal(401, "Requires authentication")
        return self.token

    @property
    def user(self) -> User:
        return self.world.user(self.asker.login)

    @property
    def repository(self) -> Repository:
        """The repository of the path, when whoever asks may see it and it has not moved. Raises `Refusal`."""
        full_name = f"{self.where['owner']}/{self.where['repo']}"
        moved = self.world.moved.get(full_name.lower())
        found = self.world.repository(full_name)
        require_sight(self.world, self.token, found)
        if moved is not None:
            url = f"{self.world.links.api}/repositories/{found.id}{self._rest()}"
            status, said = (301, "Moved Permanently") if self.request.method == "GET" else (307, "Temporary Redirect")
            raise Refusal(status, said, headers={"location": url})
        if found.polls_until_ready > 0:
            found.polls_until_ready -= 1
            raise not_found()
        return found

    @property
    def pull(self) -> tuple[Repository, Pull]:
        repository = self.repository
        number = self.where["number"]
        if not number.isdecimal():
            raise not_found()
        return repository, self.world.pull(repository, int(number))

    def may(self, repository: Repository, thing: str, wanted: Level) -> None:
        require(self.world, self.token, repository, thing, wanted)

    def may_take_part(self, repository: Repository, thing: str) -> None:
        require_participation(self.world, self.asker, repository, thing)

    def _rest(self) -> str:
        return "".join(f"/{part}" for part in self.request.path.split("/")[4:])


Handler = Callable[[Call], Answer]


class Route(Struct, frozen=True):
    """`pattern` has `{name}` for one segment, and at its end `{name*}` for the rest. `content`: it counts as making
    content for the secondary limit."""

    method: str
    pattern: str
    handler: Handler
    content: bool = False


class Found(Struct, frozen=True, kw_only=True):
    route: Route
    where: Mapping[str, str]


class Routes:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, route.pattern.split("/")[1:]) for route in routes]

    def find(self, method: str, segments: Sequence[str]) -> Found | None:
        for route, pattern in self._routes:
            where = _match(pattern, segments) if route.method == method else None
            if where is not None:
                return Found(route=route, where=where)
        return None


def _match(pattern: Sequence[str], segments: Sequence[str]) -> Mapping[str, str] | None:
    where: dict[str, str] = {}
    for position, part in enumerate(pattern):
        if part.endswith("*}"):
            where[part[1:-2]] = "/".join(segments[position:])
            return where
        if position >= len(segments):
            return None
        if part.startswith("{"):
            where[part[1:-1]] = segments[position]
        elif part != segments[position]:
            return None
    return where if len(pattern) == len(segments) else None


def ok(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=body, headers=headers or {})


def listed(call: Call, items: Sequence[Any]) -> Answer:
    """The page that was asked for."""
    page, headers = call.request.page(items)
    return ok(page, headers=headers)
