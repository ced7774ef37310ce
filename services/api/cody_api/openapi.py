"""The OpenAPI document: what Litestar knows of the routes, and the few things it cannot know."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from msgspec import Struct

from cody_api.change_request import ApproveRequest, RetryRequest
from cody_api.check_plan import PlanRequest
from cody_api.job_request import JobRequest

_TAGS = {
    "jobs": "One prompt for many repositories.",
    "repositories": "What became of each repository: run, diff, conversations with Claude.",
    "events": "What happens, as it happens.",
    "trace": "Where the time went.",
    "health": "For load balancers and operators.",
}
_DESCRIPTION = """Send one prompt for many repositories, and read diffs, conversations and events back.

Every error is a problem (RFC 9457, `application/problem+json`): programs decide by its `code`, people read `detail`.
Times are UTC. Lists come in pages: send `cursor` back for the next one."""

_EXAMPLE = {
    "name": "Test Job",
    "type": "code-pattern-update",
    "prompt": "Replace typing.Optional[X] by X | None.",
    "repositories": ["acme/web", "acme/api"],
    "createPullRequests": False,
    "include": ["*.py"],
    "match": r"\bOptional\[",
}
"""A body of POST /jobs that is valid."""

_PLAN_EXAMPLE = {
    "languages": ["python"],
    "exclude": ["/migrations/"],
    "matches": [r"\bOptional\["],
    "change": "Optional[X] becomes X | None; an import that is no longer used goes.",
    "example": {"before": "name: Optional[str] = None", "after": "name: str | None = None"},
    "remaining": [r"\bOptional\["],
}
"""A body of PUT /jobs/{id}/plan that is valid."""

_EVENTS_EXAMPLE = (
    'id: 1\nevent: job_created\ndata: {"id":1,"jobId":"job-5f3a1c0b9d8e7f6a5b4c3d2e","at":"2026-11-24T09:00:00Z",'
    '"body":{"kind":"job_created","repositories":2}}\n\n'
    'event: end\ndata: {"jobId":"job-5f3a1c0b9d8e7f6a5b4c3d2e","status":"SUCCEEDED"}\n\n'
)


_TOKEN = SecurityScheme(
    type="http",
    scheme="bearer",
    description="A token (`cody_…`) with the role viewer (GET), submitter (POST, PUT) or admin.",
)


def openapi_config(version: str, *, with_tokens: bool) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Cody Batch",
        version=version,
        description=_DESCRIPTION,
        tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
        use_handler_docstrings=True,
        components=Components(security_schemes={"token": _TOKEN}) if with_tokens else Components(),
        security=[{"token": []}] if with_tokens else None,
    )


def build_document(app: Litestar) -> bytes:
    """The document as JSON. Raises nothing; it is the same each time."""
    document: dict[str, Any] = dict(app.openapi_schema.to_schema())
    paths: Mapping[str, Any] = document["paths"]
    _describe_body(document, paths["/jobs"]["post"], JobRequest, {"job": {"value": _EXAMPLE}})
    _describe_body(document, paths["/jobs/{job_id}/plan"]["put"], PlanRequest, {"plan": {"value": _PLAN_EXAMPLE}})
    for name, kind in (("approve", ApproveRequest), ("retry", RetryRequest)):
        _describe_body(document, paths[f"/jobs/{{job_id}}/{name}"]["post"], kind)
    _describe_event_stream(paths["/jobs/{job_id}/events"]["get"])
    _describe_headers(paths["/jobs"]["post"])
    operations = [operation for path in paths.values() for operation in path.values()]
    for operation in operations:
        _leave_null_out(operation.get("parameters") or [])
    if "security" not in document:
        _leave_tokens_out(operations)
    return msgspec.json.encode(document)


def _describe_body(
    document: dict[str, Any], operation: dict[str, Any], kind: type[Struct], examples: Mapping[str, Any] | None = None
) -> None:
    """Bodies are read by ourselves, to name everything that is wrong with them at once. One without an example may be
    left out."""
    (reference,), components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    schemas: dict[str, Any] = document["components"]["schemas"]
    # In place of Litestar's, which know nothing of the tag of a union's members.
    schemas.update(components)
    content = {"schema": reference, **({"examples": examples} if examples else {})}
    operation["requestBody"] = {
        "required": examples is not None,
        "content": {"application/json": content},
    }


def _leave_null_out(parameters: Sequence[dict[str, Any]]) -> None:
    """A parameter may be absent; a text that means null, there is none."""
    for parameter in parameters:
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("oneOf", []) if kind != {"type": "null"}]
        parameter["schema"] = schema | {name: value for kind in kinds for name, value in kind.items()}


def _leave_tokens_out(operations: Sequence[dict[str, Any]]) -> None:
    for operation in operations:
        operation.pop("security", None)
        operation["responses"].pop("401", None)


def _describe_event_stream(operation: dict[str, Any]) -> None:
    operation["responses"]["200"]["content"] = {
        "text/event-stream": {"schema": {"type": "string"}, "examples": {"job": {"value": _EVENTS_EXAMPLE}}}
    }


def _describe_headers(operation: dict[str, Any]) -> None:
    text = {"type": "string"}
    operation["responses"]["202"]["headers"] = {
        "Location": {"description": "The job's address.", "schema": text},
        "Idempotency-Replayed": {"description": "`true` when the job was accepted before.", "schema": text},
    }
