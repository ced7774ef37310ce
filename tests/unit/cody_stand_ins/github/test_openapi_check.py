"""The check against a published description finds what does not fit, and lets through what is listed alone."""

from typing import Any

import msgspec
import pytest

from cody_stand_ins.github.record import Exchange
from tests.openapi.check_exchange import Checker
from tests.openapi.description import Description

_PULL = {
    "type": "object",
    "required": ["title", "merge_commit_sha", "head"],
    "properties": {
        "title": {"type": "string"},
        "merge_commit_sha": {"type": "string", "nullable": True},
        "head": {"type": "object", "properties": {"repo": {"type": "object"}}},
    },
}
_JSON = "application/json"
_CHECKER = Checker(
    Description(
        {
            "paths": {
                "/repos/{owner}/{repo}/pulls": {
                    "get": {
                        "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer"}}],
                        "responses": {
                            "200": {
                                "content": {
                                    _JSON: {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/pull"}}}
                                }
                            }
                        },
                    },
                    "post": {
                        "requestBody": {
                            "required": True,
                            "content": {_JSON: {"schema": {"type": "object", "required": ["title"]}}},
                        },
                        "responses": {"201": {"content": {_JSON: {"schema": {"$ref": "#/components/schemas/pull"}}}}},
                    },
                }
            },
            "components": {"schemas": {"pull": _PULL, "basic-error": {"type": "object"}}},
        }
    )
)
_GOOD: dict[str, Any] = {"title": "t", "merge_commit_sha": None, "head": {"repo": {}}}


def _get(answer: Any, **changes: Any) -> Exchange:
    plain: dict[str, Any] = {"method": "GET", "path": "/repos/a/b/pulls", "query": {}, "version": None, "body": None}
    return msgspec.convert({**plain, "status": 200, "answer": answer, **changes}, Exchange)


@pytest.mark.parametrize(
    "exchange",
    [
        _get([_GOOD]),
        _get([], query={"page": "2"}),
        _get([{**_GOOD, "head": {"repo": None}}]),
        _get([{"title": "t", "head": {}}], version="2026-03-10"),
        _get({"message": "Bad credentials"}, status=401),
        _get(_GOOD, method="POST", body={"title": "t"}, status=201),
    ],
)
def test_what_fits_and_what_is_listed_passes(exchange: Exchange) -> None:
    assert list(_CHECKER.problems(exchange)) == []


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (_get([{**_GOOD, "title": None}]), "answer 0/title"),
        (_get([{"title": "t", "head": {}}]), "'merge_commit_sha' is a required property"),
        (_get([], query={"pages": "2"}), "unknown query parameter pages"),
        (_get([], query={"page": "two"}), "query page"),
        (_get([], status=418), "no such status"),
        (_get([], path="/repos/a/b/pools"), "no such operation"),
        (_get(_GOOD, method="POST", body={}, status=201), "request : 'title' is a required property"),
        (_get(_GOOD, method="POST", status=201), "the body is missing"),
    ],
)
def test_what_does_not_fit_is_named(exchange: Exchange, said: str) -> None:
    assert said in "\n".join(_CHECKER.problems(exchange))
