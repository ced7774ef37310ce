"""Problems as RFC 9457 has them: what went wrong, as data. Every error of the API is one of these."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

PROBLEM_JSON = "application/problem+json"
PROBLEMS_SHOWN = 20
"""At most so many entries of `errors` in one answer."""
_VALUE_SHOWN = 200


class FieldProblem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing that is wrong with one field of the request."""

    field: Annotated[str, Meta(description="Where: a field, header or parameter; items by index.", examples=["prompt"])]
    message: Annotated[str, Meta(description="What is wrong, for people.")]
    code: Annotated[str, Meta(description="What is wrong, for programs.", examples=["unknown_job_type"])]
    value: Annotated[str | UnsetType, Meta(description="What was sent, shortened, where that helps.")] = UNSET


class Check(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether one dependency answers."""

    name: Annotated[str, Meta(description="store, queue or results.")]
    ok: bool
    latency_ms: Annotated[float, Meta(description="How long it took to answer, or to give up, in milliseconds.")]
    error: str | None


class Problem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An error, as RFC 9457 (problem+json) has it. Programs decide by `code`; people read `detail`."""

    type: Annotated[
        str, Meta(description="A URI for this kind of problem.", examples=["urn:cody-batch:problem:job_not_found"])
    ]
    title: Annotated[str, Meta(description="A short phrase, the same for every problem with this code.")]
    status: Annotated[int, Meta(ge=400, le=599, description="The HTTP status, again.")]
    detail: Annotated[str, Meta(description="What went wrong this time.")]
    instance: Annotated[str, Meta(description="The path that was asked for.")]
    code: Annotated[str, Meta(description="The kind of problem; these never change.", examples=["job_not_found"])]
    errors: Annotated[tuple[FieldProblem, ...], Meta(description="What is wrong with which field.")] = ()
    errors_left_out: Annotated[int, Meta(description="How many more there are than `errors` lists.")] = 0
    error_id: Annotated[str | UnsetType, Meta(description="Quote it to the operator: it is in the log.")] = UNSET
    checks: Annotated[tuple[Check, ...], Meta(description="Only for /health/ready.")] = ()


class ProblemError(Exception):
    """Raised by routes to answer with this problem."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        checks: Sequence[Check] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.checks = tuple(checks)


TITLES: Mapping[str, str] = {
    "bad_cursor": "Unknown cursor",
    "bad_header": "Unusable header",
    "bad_parameter": "Unusable parameter",
    "bad_request": "Bad request",
    "body_too_large": "Body too large",
    "diff_dry_run": "Nothing was changed",
    "diff_no_changes": "Nothing to change",
    "diff_not_ready": "Diff not ready",
    "diff_run_cancelled": "Run cancelled",
    "diff_run_failed": "Run failed",
    "host_not_allowed": "Host not allowed",
    "idempotency_conflict": "Idempotency-Key reused",
    "illegal_transition": "Not possible in this state",
    "internal_error": "Internal error",
    "invalid_request": "Invalid request",
    "job_not_found": "No such job",
    "malformed_json": "Malformed JSON",
    "method_not_allowed": "Method not allowed",
    "not_found": "No such address",
    "not_ready": "Not ready",
    "origin_not_allowed": "Origin not allowed",
    "rejected": "Rejected",
    "repository_not_allowed": "Repository not allowed",
    "result_not_found": "No such result",
    "role_missing": "Role missing",
    "run_not_found": "No such repository in this job",
    "token_missing": "Token missing",
    "token_refused": "Token refused",
    "too_many_streams": "Too many event streams",
    "unavailable": "A dependency does not answer",
    "unknown_field": "Unknown field",
    "unknown_job_type": "Unknown job type",
    "unsupported_media_type": "Unsupported media type",
}


def make_problem(error: ProblemError, *, instance: str, error_id: str | None = None) -> Problem:
    return Problem(
        type=f"urn:cody-batch:problem:{error.code}",
        title=TITLES.get(error.code, "Invalid request"),
        status=error.status,
        detail=error.detail,
        instance=instance,
        code=error.code,
        errors=error.errors[:PROBLEMS_SHOWN],
        errors_left_out=max(0, len(error.errors) - PROBLEMS_SHOWN),
        error_id=UNSET if error_id is None else error_id,
        checks=error.checks,
    )


def shown(value: object) -> str:
    """A sent value, short enough for an error message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
