"""What every route's documentation says about errors."""

from collections.abc import Mapping

from litestar.openapi import ResponseSpec

from cody_api.problems import PROBLEM_JSON, Problem

_MEANINGS: Mapping[int, str] = {
    400: "Malformed: the body is not JSON, or a parameter or header is unusable.",
    401: "No token, or one that is unknown or was revoked.",
    403: "The token's role is too low.",
    404: "There is no such thing; `code` and `detail` say what and why.",
    409: "Not possible in the job's present state.",
    413: "The body is larger than 4 MiB.",
    415: "The body is not sent as application/json.",
    422: "The request is not valid: `errors` names each field. Or the Idempotency-Key was used with another body.",
    500: "A fault of ours; `errorId` finds it in the log.",
    503: "Something that the API depends on does not answer; `Retry-After` says when to come back.",
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """These problems and the two that every route can have."""
    return {
        status: ResponseSpec(
            data_container=Problem, generate_examples=False, description=_MEANINGS[status], media_type=PROBLEM_JSON
        )
        for status in sorted({*statuses, 500, 503})
    }
