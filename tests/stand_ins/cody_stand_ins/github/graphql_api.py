"""POST /graphql: a small part of GitHub's schema, with its names."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    graphql_sync,  # pyright: ignore[reportUnknownVariableType] (its middleware has no types)
    parse,
)

from cody_stand_ins.github.access import require_sight
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.graphql_mutations import MUTATIONS
from cody_stand_ins.github.graphql_nodes import Node, actor, connection, pull_node, repository_node
from cody_stand_ins.github.names import number_of, stamp
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal
from cody_stand_ins.github.request import Answer, Request
from cody_stand_ins.github.search import parse_query, search_pulls

_TYPES = {401: "FORBIDDEN", 403: "FORBIDDEN", 404: "NOT_FOUND"}


def answer_graphql(call: Call) -> Answer:
    body = call.request.json()
    if call.token is None:
        raise Refusal(401, "This endpoint requires you to be authenticated.")
    query = body.get("query")
    if not isinstance(query, str):
        raise Refusal(400, "A query attribute must be specified and must be a string.")
    found = _Root(call)
    root: dict[str, Any] = {
        "rateLimit": found.rate_limit,
        "viewer": found.viewer,
        "node": found.node,
        "nodes": found.nodes,
        "repository": found.repository,
        "search": found.search,
        **{name: _mutation(call, change) for name, change in MUTATIONS.items()},
    }
    return ok(_formatted(graphql_sync(_schema(), query, root, variable_values=body.get("variables"))))


def is_mutation(request: Request) -> bool:
    """Mutations make content."""
    query = request.json().get("query")
    try:
        document = parse(str(query))
    except GraphQLError:
        return False
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return any(one.operation is OperationType.MUTATION for one in operations)


@cache
def _schema() -> GraphQLSchema:
    return build_schema((Path(__file__).parent / "schema.graphql").read_text())


class _Root:
    """The fields of Query, under GitHub's names."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def rate_limit(self, _: Any, **__: Any) -> Node:
        return _rate_limit(self._call)

    def viewer(self, _: Any) -> Node | None:
        return actor(self._call, self._call.asker.login)

    def node(self, _: Any, **wanted: str) -> Node:
        return _node(self._call, wanted["id"])

    def nodes(self, _: Any, ids: Sequence[str]) -> Sequence[Any]:
        return [_node_or_error(self._call, one) for one in ids]

    def repository(self, _: Any, owner: str, name: str, **__: Any) -> Node:
        return _repository(self._call, owner, name)

    def search(self, _: Any, **wanted: Any) -> Node:
        return _search(self._call, wanted)


def _mutation(call: Call, change: Callable[[Call, Mapping[str, Any]], Node]) -> Callable[..., Node]:
    def resolve(_: Any, **given: Any) -> Node:
        return _or_error(lambda: change(call, given["input"]))

    return resolve


def _repository(call: Call, owner: str, name: str) -> Node:
    def find() -> Node:
        found = call.world.repository(f"{owner}/{name}")
        require_sight(call.world, call.token, found)
        return repository_node(call, found)

    return _or_error(find, f"Could not resolve to a Repository with the name '{owner}/{name}'.")


def _node_or_error(call: Call, node: str) -> Node | GraphQLError:
    """An error in a list is the error of its place."""
    try:
        return _node(call, node)
    except GraphQLError as error:
        return error


def _node(call: Call, node: str) -> Node:
    try:
        kind, number = number_of(node)
    except ValueError:
        kind, number = "", 0
    for repository in call.world.repositories.values():
        if kind == "R" and repository.id == number and _sees(call, repository):
            return repository_node(call, repository)
        for pull in repository.pulls.values() if kind == "PR" else ():
            if pull.id == number and _sees(call, repository):
                return pull_node(call, repository, pull)
    message = f"Could not resolve to a node with the global id of '{node}'"
    raise GraphQLError(message, extensions={"type": "NOT_FOUND"})


def _sees(call: Call, repository: Repository) -> bool:
    try:
        require_sight(call.world, call.token, repository)
    except Refusal:
        return False
    return True


def _search(call: Call, wanted: Mapping[str, Any]) -> Node:
    found: Sequence[tuple[Any, Any]] = []
    if wanted["type"] == "ISSUE":
        found = search_pulls(call, parse_query(wanted["query"]))
    page = connection([pull_node(call, repository, pull) for repository, pull in found], wanted)
    return {**page, "issueCount": page["totalCount"], "repositoryCount": 0}


def _rate_limit(call: Call) -> Node:
    limit = call.limits.overview(call.asker.identity)["resources"]["graphql"]
    counts = {name: limit[name] for name in ("limit", "remaining", "used")}
    return {**counts, "cost": 1, "nodeCount": 0, "resetAt": stamp(datetime.fromtimestamp(limit["reset"], UTC))}


def _or_error(find: Callable[[], Node], missing: str | None = None) -> Node:
    try:
        return find()
    except Refusal as refusal:
        kind = _TYPES.get(refusal.status, "UNPROCESSABLE")
        message = missing if missing is not None and refusal.status == 404 else refusal.said
        raise GraphQLError(message, extensions={"type": kind}) from refusal


def _formatted(result: ExecutionResult) -> dict[str, Any]:
    """GitHub puts the type of an error beside its message."""
    formatted: dict[str, Any] = {"data": result.data}
    if result.errors:
        formatted["errors"] = [_error_shape(one) for one in result.errors]
    return formatted


def _error_shape(error: GraphQLError) -> dict[str, Any]:
    shape: dict[str, Any] = {**error.formatted}
    shape.pop("extensions", None)
    return {"type": (error.extensions or {}).get("type"), **shape}


ROUTES: Sequence[Route] = (Route("POST", "/graphql", answer_graphql),)
