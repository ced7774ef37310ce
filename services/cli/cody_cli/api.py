"""The HTTP API, as the commands use it. Its problems become messages for people."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from cody_cli.failures import CommandFailed
from cody_cli.find_api import START_IT, Address
from cody_cli.views import JobView, PageView, Problem, RunDetailView, RunView

T = TypeVar("T")

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_PAGE = 100
_HINTS = {
    "token_missing": "set CODY_API_TOKEN (`cody-batch ops token create` makes one)",
    "token_refused": "set CODY_API_TOKEN to a token of this API (`cody-batch ops token list` names them)",
    "role_missing": "ask an admin for a token with that role",
    "job_not_found": "cody-batch list",
    "repository_not_allowed": "ALLOWED_REPOSITORIES of the API says which repositories a job may name",
}


class ApiGone(CommandFailed):
    """Nothing answers there."""


class ApiRefused(CommandFailed):
    """The API answered with a problem."""

    def __init__(self, status: int, code: str, message: str, *, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


@asynccontextmanager
async def open_api(address: Address, *, pauses: Sequence[float] = ()) -> AsyncGenerator["Api"]:
    """`pauses` are the seconds to wait before each further attempt when nothing answers."""
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    # trust_env: a proxy of the environment is for other hosts, and ~/.netrc must not replace our token.
    async with httpx.AsyncClient(base_url=address.url, headers=headers, timeout=_TIMEOUT, trust_env=False) as client:
        yield Api(client, pauses)


class Api:
    """Raises `ApiGone` and `ApiRefused`. Made by `open_api`."""

    def __init__(self, client: httpx.AsyncClient, pauses: Sequence[float] = ()) -> None:
        self.client = client
        self._pauses = pauses

    async def get(self, path: str, kind: type[T], **parameters: str | int | None) -> T:
        return self._decode(await self._ask("GET", path, parameters), kind)

    async def submit(self, body: bytes, *, key: str | None) -> JobView:
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        return self._decode(await self._ask("POST", "/jobs", content=body, headers=headers), JobView)

    async def job(self, job_id: str) -> JobView:
        return await self.get(job_path(job_id), JobView)

    async def run(self, job_id: str, repository: str) -> RunDetailView:
        return await self.get(run_path(job_id, repository), RunDetailView, limit=1)

    async def runs(self, job_id: str) -> AsyncIterator[RunView]:
        """Every run of the job, in the order of the request."""
        async for run in self.pages(f"{job_path(job_id)}/repositories", RunView):
            yield run

    async def pages(self, path: str, kind: type[T], **parameters: str | int | None) -> AsyncIterator[T]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, PageView[kind], **{"limit": _PAGE, **parameters, "cursor": cursor})
            for item in page.items:
                yield item
            cursor = page.cursor
            if cursor is None:
                return

    async def diff(self, job_id: str, repository: str, *, partial: bool = False) -> bytes:
        """`partial`: also of a failed run, whose diff holds the files that did not fail."""
        path = f"{run_path(job_id, repository)}/diff"
        return (await self._ask("GET", path, {"partial": "true"} if partial else None)).content

    async def put(self, path: str, body: bytes) -> None:
        await self._ask("PUT", path, content=body, headers={"Content-Type": "application/json"})

    async def cancel(self, job_id: str) -> JobView:
        return self._decode(await self._ask("POST", f"{job_path(job_id)}/cancel"), JobView)

    async def change(self, job_id: str, how: str, body: bytes | None) -> JobView:
        """`how` is approve or retry."""
        headers = {"Content-Type": "application/json"} if body else None
        answer = await self._ask("POST", f"{job_path(job_id)}/{how}", content=body, headers=headers)
        return self._decode(answer, JobView)

    async def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int | None] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Every call may be made twice: those that change something are idempotent."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        request = self.client.build_request(method, path, params=given, content=content, headers=headers)
        for pause in self._pauses:
            try:
                return await self._send(request)
            except ApiGone:
                await asyncio.sleep(pause)
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        with transport_errors(self.client.base_url):
            response = await self.client.send(request)
        if response.is_error:
            raise refusal(response)
        return response

    def _decode(self, response: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise _not_ours(self.client.base_url) from error


def job_path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def run_path(job_id: str, repository: str) -> str:
    return f"{job_path(job_id)}/repositories/{quote(repository)}"


@contextmanager
def transport_errors(url: object) -> Generator[None]:
    """httpx's errors, in words that say what to do."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ApiGone(f"nothing answers at {url}", hint=START_IT) from error
    except httpx.TimeoutException as error:
        raise ApiGone(f"the API at {url} took too long to answer", hint="look at its logs, then try again") from error
    except httpx.HTTPError as error:
        raise ApiGone(f"the API at {url} broke off: {error or type(error).__name__}", hint="try again") from error


def refusal(response: httpx.Response) -> CommandFailed:
    """What the API's problem says: the detail, each field that is wrong, and for tokens where they come from."""
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        problem = Problem()
    if not problem.detail:
        return _not_ours(response.url, f"{response.status_code} {response.reason_phrase}")
    fields = [f"    {error.field}: {error.message}" for error in problem.errors if len(problem.errors) > 1]
    left_out = [f"    … and {problem.errors_left_out} more"] if problem.errors_left_out else []
    message = "\n".join([problem.detail, *fields, *left_out])
    return ApiRefused(response.status_code, problem.code, message, hint=_HINTS.get(problem.code))


def _not_ours(url: object, what: str = "something else") -> CommandFailed:
    return CommandFailed(f"{url} answered {what}: is that a Cody Batch API?", hint="look at CODY_API_URL")
