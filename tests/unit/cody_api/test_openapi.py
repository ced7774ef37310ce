"""The API's description is valid, complete, and needs no other host."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from msgspec.structs import replace
from openapi_spec_validator import OpenAPIV31SpecValidator

from cody_api.create_app import ROUTES, create_app
from cody_api.job_request import parse_job_request
from cody_api.problems import PROBLEM_JSON
from cody_api.settings import ApiSettings, AuthMode
from cody_jobs.ports import Role
from tests.unit.cody_api.conftest import ClientFor
from tests.unit.cody_api.stand_ins import backends_without_stores

_ANY_HOST = re.compile(r"(?i)(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|@import|url\(")


@pytest.fixture
async def document(bare_app: Litestar, client_for: ClientFor) -> dict[str, Any]:
    answer = await client_for(bare_app, None).get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return msgspec.json.decode(answer.content)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "put")
    }


def test_the_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_described(document: dict[str, Any]) -> None:
    described = {operation["operationId"] for operation in operations(document).values()}
    assert described == {route.operation_id for route in ROUTES if route.include_in_schema is not False}
    assert len(described) == 19
    for operation in operations(document).values():
        assert operation["summary"]
        assert operation["tags"]


def test_every_route_documents_its_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"500", "503"} <= set(errors), name
        for answer in errors.values():
            assert answer["content"] == {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}, name


def test_every_route_but_health_asks_for_a_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for name, operation in operations(document).items():
        wanted: list[dict[str, list[str]]] = [{}] if "health" in operation["tags"] else [{"token": []}]
        assert operation.get("security", document["security"]) == wanted, name


async def test_without_tokens_none_is_asked_for(bare_settings: ApiSettings, client_for: ClientFor) -> None:
    app = create_app(backends_without_stores(Role.VIEWER), replace(bare_settings, api_auth=AuthMode.NONE))
    answer = await client_for(app, None).get("/openapi.json")
    document: dict[str, Any] = msgspec.json.decode(answer.content)
    OpenAPIV31SpecValidator(document).validate()
    assert "securitySchemes" not in document["components"]
    for name, operation in [("", document), *operations(document).items()]:
        assert "security" not in operation, name
        assert "401" not in operation.get("responses", {}), name


def test_the_body_of_a_job_is_described_with_an_example_that_is_accepted(document: dict[str, Any]) -> None:
    content = document["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]
    schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    assert set(schema["required"]) == {"name", "type", "prompt", "repositories"}
    assert schema["properties"]["repositories"]["maxItems"] == 10_000
    assert schema["additionalProperties"] is False
    (example,) = content["examples"].values()
    parse_job_request(msgspec.json.encode(example["value"]), allowed=("*",))


def test_what_is_not_json_is_described_as_what_it_is(document: dict[str, Any]) -> None:
    described = operations(document)
    run = "/jobs/{job_id}/repositories/{owner}/{name}"
    assert set(described[f"GET {run}/diff"]["responses"]["200"]["content"]) == {"text/x-diff"}
    assert set(described["GET /jobs/{job_id}/events"]["responses"]["200"]["content"]) == {"text/event-stream"}
    assert "Location" in described["POST /jobs"]["responses"]["202"]["headers"]
    names = {parameter["name"] for parameter in described["POST /jobs"]["parameters"]}
    assert names == {"Idempotency-Key"}


async def test_the_documentation_needs_no_other_host(bare_app: Litestar, client_for: ClientFor) -> None:
    client = client_for(bare_app, None)
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    files = [address for address in linked if not address.startswith("data:")]
    assert set(files) == {"docs/page.css", "docs/page.js", "openapi.json"}
    for address in files:
        answer = await client.get(f"/{address}")
        assert answer.status_code == 200
    for name in ("page.html", "page.css", "page.js"):
        text = resources.files("cody_api").joinpath("docs_page", name).read_text("utf-8")
        assert not _ANY_HOST.search(text), name


async def test_the_documentation_has_no_other_files(bare_client: httpx.AsyncClient) -> None:
    for name in ("page.html", "..%2Fcreate_app.py", "nothing"):
        assert (await bare_client.get(f"/docs/{name}")).status_code == 404


def test_the_document_for_integrations_knows_every_code_and_its_example_is_accepted() -> None:
    root = Path(__file__).parents[3]
    text = (root / "docs/api.md").read_text("utf-8")
    source = "\n".join(path.read_text("utf-8") for path in (root / "services/api/cody_api").rglob("*.py"))
    codes = set(re.findall(r'code="(\w+)"|ProblemError\(\s*\d+,\s*"(\w+)"', source))
    assert len(codes) > 30
    for code in (first or second for first, second in codes):
        assert f"`{code}`" in text, code
    body, *_ = re.findall(r"-d '(\{.+?\})'", text, flags=re.S)
    assert parse_job_request(body.encode(), allowed=("acme/*",)).name == "Test Job"
