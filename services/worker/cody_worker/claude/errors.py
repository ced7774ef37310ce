"""The SDK's errors end here: either there is a point in trying again, or the job or the file has failed."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from cody_jobs.models import FailureCode
from cody_runtime.logs import censor_text
from cody_worker.claude.claude import ClaudeFailed, NoMoreAnswers, PromptTooLong
from cody_worker.claude.read_stream import BrokenStream

if TYPE_CHECKING:
    from anthropic import APIStatusError

_SPENDING = frozenset({"contract_spend_limit_reached", "enforced_spend_limit_reached"})
_ON_HOLD = "organization_on_hold"
_SHOWN = 300
_TOO_LONG = re.compile(r"prompt is too long|exceed\w* (?:the )?(?:model's )?(?:maximum )?context|too many tokens", re.I)


class Trouble(StrEnum):
    """What everybody who asks Claude should do about it: wait for a limit, ask for less at once, or nothing."""

    LIMIT = "limit"
    OVERLOAD = "overload"
    OTHER = "other"


class TryAgain(Struct, frozen=True, kw_only=True):
    """`after` is in seconds, where Claude said it."""

    reason: str
    after: float | None = None
    trouble: Trouble = Trouble.OTHER


def judge(error: Exception, model: str) -> TryAgain | ClaudeFailed:
    """What an error of the SDK (or of the connection below it) means. Raises it again if it is none of theirs."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _judge_status(error, model)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return TryAgain(reason="Claude did not answer in time")
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError):
        return TryAgain(reason=f"the connection to Claude failed ({_name_of_cause(error)})")
    if isinstance(error, BrokenStream):
        return TryAgain(reason=str(error))
    if isinstance(error, anthropic.AnthropicError | httpx2.HTTPError | httpx2.InvalidURL):
        return _bad_request(f"Claude could not be asked: {type(error).__name__}")
    raise error


def judge_kind(kind: str, said: str, model: str) -> TryAgain | ClaudeFailed:
    """What an error means that is told in a batch's results, by the API's name of it."""
    words = censor_text(said)[:_SHOWN].rstrip(". ")
    match kind:
        case "invalid_request_error":
            message = f"Claude refused the request: {words}"
            return (
                PromptTooLong(FailureCode.CLAUDE_BAD_REQUEST, message)
                if _TOO_LONG.search(said)
                else _bad_request(message)
            )
        case "not_found_error":
            return _unknown_model(model)
        case "authentication_error" | "permission_error":
            return _refused_key(words)
        case "billing_error":
            return _spent(words)
        case _:
            return TryAgain(reason=f"Claude answered {kind}")


def headers_of(error: Exception) -> Mapping[str, str]:
    """Those of the answer that the error is about, if there was one."""
    import anthropic

    return error.response.headers if isinstance(error, anthropic.APIStatusError) else {}


def _judge_status(error: "APIStatusError", model: str) -> TryAgain | ClaudeFailed:
    if error.error_code in _SPENDING or error.status_code == 402:
        return _spent(_words(error))
    if error.status_code in {401, 403} or error.error_code == _ON_HOLD:
        return _refused_key(_words(error))
    if error.status_code == 404:
        return _not_found(error, model)
    if _passes_by_itself(error):
        return TryAgain(reason=f"Claude answered {_kind(error)}", after=_retry_after(error), trouble=_trouble(error))
    message = f"Claude refused the request ({error.status_code}): {_words(error)}"
    return PromptTooLong(FailureCode.CLAUDE_BAD_REQUEST, message) if _is_too_long(error) else _bad_request(message)


def _not_found(error: "APIStatusError", model: str) -> ClaudeFailed:
    if error.type != "not_found_error":
        return _stopped(
            FailureCode.CLAUDE_MODEL_UNKNOWN,
            f"there is no Messages API at {error.request.url.copy_with(query=None, userinfo=b'')} (404). "
            "Check CLAUDE_BASE_URL (or ANTHROPIC_BASE_URL); it has no /v1 at its end.",
        )
    return _unknown_model(model)


def _spent(words: str) -> ClaudeFailed:
    return _stopped(
        FailureCode.CLAUDE_UNAVAILABLE,
        f"the spending limit of this Claude account is reached: {words}. "
        "Raise it or wait for the next period, then retry the job.",
        retryable=True,
    )


def _refused_key(words: str) -> ClaudeFailed:
    return _stopped(
        FailureCode.CLAUDE_KEY_REFUSED,
        f"Claude refused the key: {words}. Check CLAUDE_API_KEY (or ANTHROPIC_API_KEY) of the worker.",
    )


def _unknown_model(model: str) -> ClaudeFailed:
    return _stopped(
        FailureCode.CLAUDE_MODEL_UNKNOWN,
        f"Claude has no model {model!r}. Name another one in the job's field model, or in CLAUDE_MODEL.",
    )


def _passes_by_itself(error: "APIStatusError") -> bool:
    """Also an error event inside of a stream, which has the status 200 of the stream's beginning."""
    if error.status_code < 400:
        return error.type not in {"invalid_request_error"}
    return error.status_code in {408, 409, 429, 499} or error.status_code >= 500


def _trouble(error: "APIStatusError") -> Trouble:
    if error.status_code == 429 or error.type == "rate_limit_error":
        return Trouble.LIMIT
    if error.status_code == 529 or error.type == "overloaded_error":
        return Trouble.OVERLOAD
    return Trouble.OTHER


def _is_too_long(error: "APIStatusError") -> bool:
    """The API has no code of its own for a prompt above the context, only words."""
    return error.status_code == 413 or _TOO_LONG.search(_words(error)) is not None


def _kind(error: "APIStatusError") -> str:
    status = f"{error.status_code} " if error.status_code >= 400 else ""
    return f"{status}{error.type or ''}".strip() or "with an error"


def _words(error: "APIStatusError") -> str:
    """What the API says about it, never the whole body: a gateway's page is no message for people."""
    said = error.api_message if isinstance(error.api_message, str) else ""
    return censor_text(said or f"status {error.status_code}")[:_SHOWN].rstrip(". ")


def _retry_after(error: "APIStatusError") -> float | None:
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _name_of_cause(error: Exception) -> str:
    return type(error.__cause__ or error).__name__


def _stopped(code: FailureCode, message: str, *, retryable: bool = False) -> NoMoreAnswers:
    return NoMoreAnswers(code, message, retryable=retryable)


def _bad_request(message: str) -> ClaudeFailed:
    return ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, message)
