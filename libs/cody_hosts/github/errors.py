"""What GitHub's answers and the connection's ends mean, in one place: the house's families of errors."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx
import msgspec
from msgspec import Struct

from cody_jobs.errors import JobFailed, PerhapsDone, Unavailable
from cody_jobs.models import FailureCode
from cody_runtime.logs import censor_text

_SHOWN = 300
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Detail(Struct, frozen=True, kw_only=True):
    """One of `errors` in a 422: a code of GitHub's, or words."""

    message: str | None = None
    code: str | None = None
    field: str | None = None
    resource: str | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """GitHub's own body of an error."""

    message: str = ""
    errors: tuple[Detail | str, ...] | str = ()


NO_PROBLEM = Problem()


class Subject(Struct, frozen=True, kw_only=True):
    """What was asked, for people: `what` ("open a pull request in acme/web"), whose token (`lane`), and whether the
    request changes something."""

    what: str
    lane: str
    host: str
    repeatable: bool


def read_problem(content: bytes) -> Problem:
    try:
        return msgspec.json.decode(content, type=Problem)
    except msgspec.MsgspecError:
        return NO_PROBLEM


def words(problem: Problem, status: int) -> str:
    """What GitHub says, never a whole body: a gateway's page is no message for people."""
    details = [problem.errors] if isinstance(problem.errors, str) else [_detail(one) for one in problem.errors]
    text = ": ".join(part for part in (problem.message, "; ".join(filter(None, details))) if part)
    return censor_text(text or f"status {status}")[:_SHOWN].rstrip(". ")


@contextmanager
def translated(subject: Subject) -> Generator[None]:
    """Errors of the connection. A request that changes something and may have arrived is `PerhapsDone`."""
    try:
        yield
    except httpx.TransportError as error:
        reason = f"the connection failed ({type(error).__name__}) while we tried to {subject.what}"
        if subject.repeatable or isinstance(error, _NOT_SENT):
            raise Unavailable(subject.host, reason) from error
        raise PerhapsDone(subject.host, reason) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(subject.host, f"{type(error).__name__} while we tried to {subject.what}") from error


def judge(status: int, problem: Problem, subject: Subject) -> JobFailed | Unavailable:
    """What an answer that is no success, and about no limit, means."""
    said = words(problem, status)
    if status >= 500 or status == 408:
        kind = Unavailable if subject.repeatable else PerhapsDone
        return kind(subject.host, f"answered {status} when we tried to {subject.what}")
    code, hint = _meaning(status, said)
    return JobFailed(code, f"{subject.host} did not let us {subject.what} ({status}): {said}.{hint(subject)}")


def _meaning(status: int, said: str) -> "tuple[FailureCode, _Hint]":
    lower = said.lower()
    if status == 401:
        return FailureCode.CODE_HOST_TOKEN_REFUSED, _token_hint
    if status in {404, 410}:
        return FailureCode.REPOSITORY_NOT_FOUND, _not_found_hint
    if "archived" in lower:
        return FailureCode.REPOSITORY_ARCHIVED, _no_hint
    # 405 is the answer to a merge.
    if "protected branch" in lower or "repository rule" in lower or (status == 405 and "required" in lower):
        return FailureCode.BRANCH_PROTECTED, _no_hint
    if status in {403, 451}:
        return FailureCode.CODE_HOST_PERMISSION_MISSING, _permission_hint
    return FailureCode.CODE_HOST_REFUSED, _no_hint


class _Hint:
    """Words that follow the message; `{lane}` is whose token it was."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, subject: Subject) -> str:
        return self._text.format(lane=subject.lane)


_no_hint = _Hint("")
_token_hint = _Hint(" Is {lane} wrong, expired or revoked?")
_permission_hint = _Hint(" {lane} lacks a permission for that.")
_not_found_hint = _Hint(" It is not there, or {lane} may not see it.")


def _detail(detail: Detail | str) -> str:
    if isinstance(detail, str):
        return detail
    if detail.message:
        return detail.message
    return " ".join(part for part in (detail.resource, detail.field, detail.code) if part)
