"""GraphQL: one address, and errors inside of answers that say 200."""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import Access, Target
from cody_hosts.github.governor import Kind
from cody_hosts.github.limits import Resource
from cody_jobs.errors import JobFailed, Unavailable
from cody_jobs.models import FailureCode

T = TypeVar("T")

_TRIES = 3
_CODES = {
    "NOT_FOUND": FailureCode.REPOSITORY_NOT_FOUND,
    "FORBIDDEN": FailureCode.CODE_HOST_PERMISSION_MISSING,
    "INSUFFICIENT_SCOPES": FailureCode.CODE_HOST_PERMISSION_MISSING,
}


class GraphError(Struct, frozen=True, kw_only=True):
    message: str = ""
    type: str | None = None


class _Answer(Struct, Generic[T], frozen=True, kw_only=True):
    data: T | None = None
    errors: tuple[GraphError, ...] = ()


class Graph:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def query(self, kind: type[T], text: str, variables: Mapping[str, object], *, what: str, target: Target) -> T:
        """What could be answered; what could not is null in it, where its type allows that."""
        request = self._request(text, variables, what, target, Access.READ, Kind.READ)
        return await self._ask(kind, request)

    async def change(self, text: str, variables: Mapping[str, object], *, what: str, target: Target) -> None:
        """A mutation that may be made twice. Raises `JobFailed` where GitHub refuses it."""
        request = self._request(text, variables, what, target, Access.WRITE, Kind.CHANGE)
        await self._ask(dict[str, msgspec.Raw], request, whole=True)

    def _request(
        self, text: str, variables: Mapping[str, object], what: str, target: Target, access: Access, kind: Kind
    ) -> Request:
        return Request(
            what=what,
            url=self._api.wire.addresses.graphql,
            method="POST",
            target=target,
            access=access,
            body={"query": text, "variables": variables},
            resource=Resource.GRAPHQL,
            kind=kind,
            repeatable=True,
        )

    async def _ask(self, kind: type[T], request: Request, *, whole: bool = False) -> T:
        host = self._api.wire.addresses.host
        for _ in range(_TRIES):
            answer = await self._api.fetch(_Answer[kind], request)
            if any(error.type == "RATE_LIMITED" for error in answer.errors):
                # Its headers have told the governor for how long.
                continue
            if answer.data is None or (whole and answer.errors):
                raise self._judge(answer.errors, request)
            return answer.data
        raise Unavailable(host, f"limits us again and again when we try to {request.what}", retry_after=60.0)

    def _judge(self, errors: tuple[GraphError, ...], request: Request) -> JobFailed | Unavailable:
        host, first = self._api.wire.addresses.host, errors[0] if errors else GraphError()
        said = "; ".join(error.message for error in errors) or "an empty answer"
        if first.type is None and not said.strip():
            return Unavailable(host, f"gave no reason why we could not {request.what}")
        code = _CODES.get(first.type or "", FailureCode.CODE_HOST_REFUSED)
        return JobFailed(code, f"{host} did not let us {request.what}: {said[:300].rstrip('. ')}.")
