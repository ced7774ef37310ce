"""The one place where exceptions become problems."""

import secrets
from collections.abc import Mapping
from typing import cast

import msgspec
from litestar import Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from cody_api.connections import AnyRequest, ExceptionHandlers
from cody_api.problems import PROBLEM_JSON, FieldProblem, Problem, ProblemError, make_problem
from cody_jobs.errors import (
    IdempotencyConflict,
    IllegalTransition,
    JobNotFound,
    JobRejected,
    ResultNotFound,
    RunNotFound,
    Unavailable,
)
from cody_runtime.logs import get_logger

log = get_logger("cody_api")

_STATUS_OF_REJECTION: Mapping[type[JobRejected], int] = {
    JobNotFound: 404,
    RunNotFound: 404,
    ResultNotFound: 404,
    IllegalTransition: 409,
    IdempotencyConflict: 422,  # as draft-ietf-httpapi-idempotency-key-header has it
}
_CODE_OF_STATUS: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}
_RETRY_AFTER_SECONDS = 2


def answer_problem(request: AnyRequest, error: ProblemError) -> Response[Problem]:
    return _response(make_problem(error, instance=_path(request)), error.headers)


def answer_rejection(request: AnyRequest, error: JobRejected) -> Response[Problem]:
    status = next((status for kind, status in _STATUS_OF_REJECTION.items() if isinstance(error, kind)), 400)
    return answer_problem(request, ProblemError(status, error.code, _words(error)))


def answer_unavailable(request: AnyRequest, error: Unavailable) -> Response[Problem]:
    """503; the vendor's words go to the log, as they may name hosts and users."""
    log.warning("dependency_unavailable", dependency=error.dependency, error=str(error))
    seconds = max(1, round(error.retry_after or _RETRY_AFTER_SECONDS))
    problem = ProblemError(
        503,
        "unavailable",
        f"Something this API depends on does not answer; try again in {seconds} s. GET /health/ready says what it is.",
        headers={"Retry-After": str(seconds)},
    )
    return answer_problem(request, problem)


def answer_http_exception(request: AnyRequest, error: HTTPException) -> Response[Problem]:
    """What the framework itself refuses."""
    if error.status_code >= 500:
        return answer_surprise(request, error)
    return answer_problem(request, _from_framework(request, error))


def answer_surprise(request: AnyRequest, error: Exception) -> Response[Problem]:
    """500: the user gets an id, the log gets the rest."""
    error_id = secrets.token_hex(8)
    log.error("request_failed", error_id=error_id, exc_info=error)
    detail = f"This should not have happened. The log has more about it under the id {error_id}."
    problem = make_problem(ProblemError(500, "internal_error", detail), instance=_path(request), error_id=error_id)
    return _response(problem, {})


EXCEPTION_HANDLERS: ExceptionHandlers = {
    ProblemError: answer_problem,
    JobRejected: answer_rejection,
    Unavailable: answer_unavailable,
    HTTPException: answer_http_exception,
    Exception: answer_surprise,
}


def _from_framework(request: AnyRequest, error: HTTPException) -> ProblemError:
    headers = dict(error.headers or {})
    match error:
        case ValidationException():
            fields = _fields(error)
            detail = "; ".join(f"{field.field}: {field.message}" for field in fields) or "The request is not valid."
            return ProblemError(400, "bad_parameter", detail, errors=fields)
        case NotFoundException():
            return ProblemError(404, "not_found", "There is nothing at this address; /docs lists what there is.")
        case MethodNotAllowedException():
            detail = f"{request.method} is not possible here; the header Allow says what is."
            return ProblemError(405, "method_not_allowed", detail, headers=headers)
        case ClientException() if error.status_code == 413:
            return ProblemError(413, "body_too_large", "The body is larger than 4 MiB.")
        case _:
            code = _CODE_OF_STATUS.get(error.status_code, "bad_request")
            return ProblemError(error.status_code, code, error.detail, headers=headers)


def _fields(error: ValidationException) -> list[FieldProblem]:
    found = cast("object", error.extra)
    entries = cast("list[object]", found) if isinstance(found, list) else []
    fields: list[FieldProblem] = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        texts = cast("Mapping[str, object]", entry)
        fields.append(
            FieldProblem(
                field=str(texts.get("key", "request")), message=str(texts.get("message", "")), code="bad_parameter"
            )
        )
    return fields


def _words(error: JobRejected) -> str:
    """The message; an error without one has its docstring."""
    return str(error) or (type(error).__doc__ or "").strip()


def _path(request: AnyRequest) -> str:
    """As it was sent, so with its %2F."""
    return request.scope["raw_path"].decode("ascii", "replace").split("?")[0]


def _response(problem: Problem, headers: Mapping[str, str]) -> Response[Problem]:
    return Response(
        content=msgspec.json.encode(problem),  # type: ignore[arg-type]
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=dict(headers),
    )
