"""What the description allows is not refused for its form, and what it forbids is refused."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar

from cody_api.job_request import parse_job_request
from cody_api.openapi import build_document
from cody_api.problems import ProblemError
from tests.unit.cody_api.conftest import Client
from tests.unit.cody_api.stories import job_body
from tests.unit.cody_api.test_check_scope import USABLE, USELESS

Allows = Callable[[object], bool]
LONG_NAME = f"{'o' * 100}/{'n' * 100}"
BODIES_TAKEN: list[dict[str, object]] = [
    {"name": "Größe 🎉 x"},
    {"name": "x" * 200},
    {"prompt": "two\nlines\ufeff"},
    {"repositories": [LONG_NAME, "_/a.b-c_d", "a/x.gitx", "a/x.git.y", "a.b/c"]},
    {"include": ["x"] * 200, "exclude": ["x" * 500]},
    {"match": "x" * 2_000},
    {"match": None, "model": None},
    {"model": "anthropic.claude:v1/x@2"},
    {"maxCostUsd": 12.5, "maxCostPerRepositoryUsd": 1, "maxCostPerFileUsd": 0.000001},
    {"maxCostUsd": None, "maxCostPerFileUsd": 1_000_000},
]
BODIES_REFUSED: list[dict[str, object]] = [
    {"name": ""},
    {"name": " \t"},
    {"name": "a\nb"},
    {"name": "a\u202eb"},
    {"name": "\u3000"},
    {"name": "x" * 201},
    {"prompt": " \n\x1c\x85"},
    {"prompt": "a\0b"},
    *({"repositories": [name]} for name in (
        "a", "a/b/c", "a/..", "a/.b", "a/b.git", "a/b.lock", "a.git/b", "a/b.", "a./b", "a/b..c", "a/-b", "a/b c", "",
        f"a/{'n' * 101}",
    )),
    {"repositories": ["a/b", "a/b"]},
    {"include": ["x"] * 201},
    {"match": ""},
    {"match": "x" * 2_001},
    {"match": "a\0b"},
    {"model": ""},
    {"model": "a b"},
    {"model": "-a"},
    {"model": "x" * 129},
    {"maxCostUsd": 0},
    {"maxCostUsd": -1},
    {"maxCostUsd": "5"},
    {"maxCostPerRepositoryUsd": 1_000_001},
    {"maxCostPerFileUsd": 0.0000001},
]  # fmt: skip


@pytest.fixture
def document(bare_app: Litestar) -> dict[str, Any]:
    return msgspec.json.decode(build_document(bare_app))


@pytest.fixture
def allows(document: dict[str, Any]) -> Allows:
    """Whether the description allows this body of POST /jobs."""
    return described_by({"$ref": "#/components/schemas/JobRequest", "components": document["components"]})


def described_by(schema: dict[str, Any]) -> Allows:
    validator: Any = Draft202012Validator(schema)
    return lambda value: bool(validator.is_valid(value))


def is_taken(body: dict[str, object]) -> bool:
    try:
        parse_job_request(msgspec.json.encode(body), allowed=("*",))
    except ProblemError:
        return False
    return True


@pytest.mark.parametrize("change", BODIES_TAKEN)
def test_a_body_that_is_allowed_is_taken(allows: Allows, change: dict[str, object]) -> None:
    body = job_body() | change
    assert is_taken(body)
    assert allows(body)


@pytest.mark.parametrize("change", BODIES_REFUSED)
def test_a_body_that_is_refused_is_not_allowed(allows: Allows, change: dict[str, object]) -> None:
    body = job_body() | change
    assert not is_taken(body)
    assert not allows(body)


@pytest.mark.parametrize("pattern", USABLE + USELESS)
def test_patterns_are_allowed_when_they_are_taken(allows: Allows, pattern: str) -> None:
    """But for ranges that go downwards, which a schema cannot see."""
    if "z-a" not in pattern:
        assert allows(job_body(include=[pattern])) == is_taken(job_body(include=[pattern]))


@pytest.mark.parametrize(
    ("field", "alphabet"),
    [
        ("include", "[]!^\\/.#a:* \n"),
        ("repositories", "a./gitlock-_"),
        ("name", "a \n\x1f\x85\xa0\u2028\u200b\ufeff"),
        ("prompt", "a \n\0\x1f\x85\xa0\u2028\u200b"),
    ],
)
def test_no_text_that_is_allowed_is_refused(allows: Allows, field: str, alphabet: str) -> None:
    chance = random.Random(4)  # the same texts each time
    allowed = 0
    for _ in range(3_000):
        text = "".join(chance.choices(alphabet, k=chance.randint(1, 7)))
        text = f"a/{text}" if field == "repositories" else text
        body = job_body() | {field: [text] if field in ("include", "repositories") else text}
        if text.endswith("\n") or not allows(body):  # of a last line break, Python's `$` knows nothing
            continue
        allowed += 1
        assert is_taken(body), repr(text)
    assert allowed > 50


PARAMETERS = [
    ("GET /jobs", "cursor", ["abc", "a" * 500, "-_09"], ["", "a" * 501, "a b", "é", "a="]),
    ("POST /jobs", "Idempotency-Key", ["x", "!~", "k" * 255], ["", "k" * 256, "a b", "é"]),
    ("GET /jobs/{job_id}/events", "lastEventId", ["", "0", "9" * 18], ["x", "-1", "9" * 20, "١"]),
    ("GET /jobs/{job_id}", "job_id", ["job-1", "x" * 64], ["a.b", "x" * 65, "é"]),
]


@pytest.mark.parametrize(("operation", "name", "allowed", "forbidden"), PARAMETERS)
def test_parameters_are_described_as_texts_of_this_form(
    document: dict[str, Any], operation: str, name: str, allowed: list[str], forbidden: list[str]
) -> None:
    method, path = operation.split(" ")
    (schema,) = [
        parameter["schema"]
        for parameter in document["paths"][path][method.lower()]["parameters"]
        if parameter["name"] == name
    ]
    described = described_by(schema)
    assert [text for text in allowed if not described(text)] == []
    assert [text for text in forbidden if described(text)] == []


@pytest.mark.parametrize(("operation", "name", "allowed", "forbidden"), PARAMETERS)
async def test_parameters_are_taken_and_refused_as_they_are_described(
    client: Client, operation: str, name: str, allowed: list[str], forbidden: list[str]
) -> None:
    refused: list[str] = []
    for text in [*allowed, *forbidden]:
        answer = await _ask(client, operation, name, text)
        code = answer.json().get("code")
        if code in ("bad_cursor", "bad_header") or "ids begin with" in answer.json().get("detail", ""):
            refused.append(text)
    assert refused == forbidden


async def _ask(client: Client, operation: str, name: str, text: str) -> httpx.Response:
    method, path = operation.split(" ")
    if name == "job_id":
        return await client.get(f"/jobs/{text}")
    path = path.replace("{job_id}", "job-none")
    if name == "Idempotency-Key":
        return await client.post(path, json=job_body(), headers={name.encode(): text.encode()})
    return await client.request(method, path, params={name: text})
