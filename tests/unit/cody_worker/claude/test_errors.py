"""Every error class of the SDK has a place in our families: a new one makes this fail."""

import inspect
from collections.abc import Iterator

import anthropic
import httpx2
import pytest

from cody_jobs.models import FailureCode
from cody_worker.claude.claude import ClaudeFailed, NoMoreAnswers, PromptTooLong
from cody_worker.claude.errors import TryAgain, judge
from cody_worker.claude.read_stream import BrokenStream

_REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/messages")
_AGAIN, _FILE = "again", "file"
_KEY, _MODEL, _AWAY = FailureCode.CLAUDE_KEY_REFUSED, FailureCode.CLAUDE_MODEL_UNKNOWN, FailureCode.CLAUDE_UNAVAILABLE
_BY_STATUS = {
    400: _FILE,
    401: _KEY,
    402: _AWAY,
    403: _KEY,
    404: _MODEL,
    408: _AGAIN,
    409: _AGAIN,
    412: _FILE,
    413: _FILE,
    422: _FILE,
    429: _AGAIN,
    431: _FILE,
    499: _AGAIN,
    500: _AGAIN,
    501: _AGAIN,
    502: _AGAIN,
    503: _AGAIN,
    504: _AGAIN,
    529: _AGAIN,
}
_BY_CODE = {
    "contract_spend_limit_reached": _AWAY,
    "enforced_spend_limit_reached": _AWAY,
    "ramp_limit_exceeded": _AGAIN,
    "organization_on_hold": _KEY,
}
_WITHOUT_STATUS = {
    "AnthropicError": _FILE,
    "APIError": _FILE,
    "APIConnectionError": _AGAIN,
    "APITimeoutError": _AGAIN,
    "APIResponseValidationError": _FILE,
    "APIWebhookValidationError": _FILE,
    "RetryableError": _FILE,
    "CredentialsError": _FILE,
    "IdentityTokenFileError": _FILE,
    "WorkloadIdentityError": _FILE,
    "APIStatusError": _FILE,
    "InternalServerError": _AGAIN,
}


def _classes() -> Iterator[type[anthropic.AnthropicError]]:
    for found in vars(anthropic).values():
        if inspect.isclass(found) and issubclass(found, anthropic.AnthropicError):
            yield found


def _status_error(status: int, code: str | None = None, kind: str | None = None, message: str = "said") -> Exception:
    """As the SDK makes one of a response."""
    error: dict[str, object] = {"type": kind or _kind(status), "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    response = httpx2.Response(status, json={"type": "error", "error": error}, request=_REQUEST)
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: response)) as http:
        client = anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1", max_retries=0, http_client=http)
        try:
            client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
        except anthropic.APIStatusError as raised:
            return raised
    raise AssertionError(status)


def _kind(status: int) -> str:
    return {404: "not_found_error", 401: "authentication_error"}.get(status, "api_error")


def _verdict(error: Exception) -> str:
    judged = judge(error, "claude-x")
    if isinstance(judged, TryAgain):
        return _AGAIN
    return judged.code if isinstance(judged, NoMoreAnswers) else _FILE


@pytest.mark.parametrize("status", _BY_STATUS)
def test_every_status_has_its_meaning(status: int) -> None:
    assert _verdict(_status_error(status)) == _BY_STATUS[status]


@pytest.mark.parametrize(
    ("status", "message", "too_long"),
    [
        (400, "prompt is too long: 210000 tokens > 200000 maximum", True),
        (400, "input length and `max_tokens` exceed context limit", True),
        (413, "Request exceeds the maximum size", True),
        (400, "messages.0: content must not be empty", False),
        (400, "max_tokens: 99999999 > 128000, which is the maximum", False),
    ],
)
def test_a_prompt_that_is_too_long_is_told_from_bad_requests(status: int, message: str, *, too_long: bool) -> None:
    assert isinstance(judge(_status_error(status, message=message), "claude-x"), PromptTooLong) is too_long


@pytest.mark.parametrize("code", _BY_CODE)
def test_some_causes_mean_more_than_their_status(code: str) -> None:
    status = 400 if code == "organization_on_hold" else 429
    assert _verdict(_status_error(status, code)) == _BY_CODE[code]


def test_every_error_class_of_the_sdk_is_accounted_for() -> None:
    unknown = {
        found.__name__
        for found in _classes()
        if getattr(found, "status_code", None) not in _BY_STATUS and found.__name__ not in _WITHOUT_STATUS
    }
    assert unknown == set()


@pytest.mark.parametrize("name", _WITHOUT_STATUS)
def test_errors_without_a_status_have_their_meaning(name: str) -> None:
    found = next(found for found in _classes() if found.__name__ == name)
    assert _verdict(_made(found)) == _WITHOUT_STATUS[name]


def _made(found: type[Exception]) -> Exception:
    response = httpx2.Response(500 if "Server" in found.__name__ else 418, request=_REQUEST)
    if issubclass(found, anthropic.APITimeoutError):
        return found(request=_REQUEST)
    if issubclass(found, anthropic.APIConnectionError):
        return found(message="m", request=_REQUEST)
    if issubclass(found, anthropic.APIResponseValidationError):
        return found(response=response, body=None)
    if issubclass(found, anthropic.APIStatusError):
        return found("m", response=response, body=None)
    if issubclass(found, anthropic.APIError):
        return found("m", _REQUEST, body=None)
    return found("m")


@pytest.mark.parametrize(
    "error",
    [
        BrokenStream("cut"),
        TimeoutError(),
        httpx2.ReadTimeout("t"),
        httpx2.RemoteProtocolError("r"),
        httpx2.ReadError("r"),
        httpx2.ConnectError("c"),
    ],
    ids=repr,
)
def test_a_broken_connection_is_tried_again(error: Exception) -> None:
    assert _verdict(error) == _AGAIN


def test_an_error_event_in_a_stream_is_judged_by_its_kind() -> None:
    def event(kind: str) -> Exception:
        response = httpx2.Response(200, request=_REQUEST)
        return anthropic.APIStatusError("m", response=response, body={"error": {"type": kind, "message": "m"}})

    assert _verdict(event("overloaded_error")) == _AGAIN
    assert _verdict(event("api_error")) == _AGAIN
    assert _verdict(event("invalid_request_error")) == _FILE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("inf", None), ("soon", None), (None, None)],
)
def test_the_time_that_claude_names_is_read(header: str | None, seconds: float | None) -> None:
    headers = {"retry-after": header} if header is not None else {}
    response = httpx2.Response(429, headers=headers, request=_REQUEST)
    judged = judge(anthropic.RateLimitError("m", response=response, body=None), "claude-x")
    assert isinstance(judged, TryAgain)
    assert judged.after == seconds


def test_a_404_that_is_not_the_apis_own_points_at_the_base_url() -> None:
    response = httpx2.Response(404, text="<html>", request=_REQUEST)
    judged = judge(anthropic.NotFoundError("m", response=response, body="<html>"), "claude-x")
    assert isinstance(judged, NoMoreAnswers)
    assert "CLAUDE_BASE_URL" in judged.message
    assert "<html>" not in judged.message


def test_what_looks_like_a_key_is_not_repeated() -> None:
    body = {"error": {"type": "authentication_error", "message": "bad key sk-ant-REDACTED"}}
    response = httpx2.Response(401, json=body, request=_REQUEST)
    judged = judge(anthropic.AuthenticationError("m", response=response, body=body), "claude-x")
    assert isinstance(judged, ClaudeFailed)
    assert "sk-ant" not in judged.message


def test_other_peoples_errors_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        judge(ZeroDivisionError(), "claude-x")
