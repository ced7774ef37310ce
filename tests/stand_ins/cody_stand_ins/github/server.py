"""The stand-in as an ASGI application: REST, GraphQL, git, and the tests' own control."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from cody_stand_ins.github.api import Api
from cody_stand_ins.github.control import Control
from cody_stand_ins.github.faults import Fault, FaultChooser, FaultKind, Faults
from cody_stand_ins.github.git_http import GitHttp, is_git
from cody_stand_ins.github.limits import Limits, LimitSettings
from cody_stand_ins.github.log import Logged
from cody_stand_ins.github.names import Links
from cody_stand_ins.github.record import Recorder
from cody_stand_ins.github.request import ENTERPRISE, Answer, Request, read_request
from cody_stand_ins.github.webhooks import Webhooks
from cody_stand_ins.github.world import World

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

SERVER = "cody-github-stand-in"


class AnswerLost(Exception):
    """Raised on purpose: the server closes the connection in the middle of the answer."""


class GitHubServer:
    """Answers like GitHub; forgets everything when it ends, but for the repositories in its folder."""

    def __init__(self, folder: Path, webhooks: Webhooks, recorder: Recorder) -> None:
        self._folder = folder
        self._recorder = recorder
        self.webhooks = webhooks
        self.generation = 0
        self.start_over()

    def start_over(self) -> None:
        """A new world in a new folder."""
        self.generation += 1
        self.started = time.monotonic()
        self.world = World(self._folder / str(self.generation), _now, self.webhooks.tell)
        self.limits = Limits(LimitSettings(), time.time)
        self.faults = FaultChooser(Faults())
        self.log: list[Logged] = []
        self.webhooks.forget()
        self._api = Api(self.world, lambda: self.limits)
        self._git = GitHttp(self.world)
        self._control = Control(self)

    def new_limits(self, settings: LimitSettings) -> None:
        self.limits = Limits(settings, time.time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = _request(scope, await _read(receive))
        if request.path.startswith("/stand-in/"):
            await _reply(send, self._control.answer(request))
            return
        await self._serve(request, send)

    async def _serve(self, request: Request, send: Send) -> None:
        fault = self.faults.choose(request.method, f"{request.prefix}{request.path}")
        answer, entry = await self._meet(request, fault)
        lost = fault is not None and fault.kind in {FaultKind.ANSWER_LOST, FaultKind.UNREACHABLE}
        self.log.append(self._entry(request, entry, 0 if lost else answer.status))
        if lost:
            await _cut(send)
        await _reply(send, answer)

    async def _meet(self, request: Request, fault: Fault | None) -> tuple[Answer, Mapping[str, Any]]:
        if fault is not None and fault.kind is FaultKind.STATUS:
            body = {"message": fault.message, "documentation_url": "", "status": str(fault.status)}
            return Answer(status=fault.status, body=body, headers=fault.headers), {}
        if fault is not None and fault.kind is FaultKind.UNREACHABLE:
            return Answer(), {}
        if fault is not None and fault.kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
        api = f"{request.origin}{ENTERPRISE if request.prefix else ''}"
        self.world.links = Links(api=api, html=request.origin)
        if is_git(request.path):
            return await self._git.answer(request), {"identity": self._git.identity(request)}
        return self._answer_api(request)

    def _answer_api(self, request: Request) -> tuple[Answer, Mapping[str, Any]]:
        answer, facts = self._api.answer(request)
        self._recorder.keep(request, answer)
        return _with_etag(request, answer, facts.forgive), msgspec.structs.asdict(facts)

    def _entry(self, request: Request, facts: Mapping[str, Any], status: int) -> Logged:
        return Logged(
            number=len(self.log) + 1,
            method=request.method,
            path=f"{request.path}{'?' if request.query_text else ''}{request.query_text}",
            identity=facts.get("identity", ""),
            at=time.monotonic() - self.started,
            status=status,
            content=facts.get("content", False),
            limited=facts.get("limited", False),
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _with_etag(request: Request, answer: Answer, forgive: Callable[[], None]) -> Answer:
    """A GET whose answer is known already gets a 304, which costs nothing."""
    if request.method != "GET" or answer.status != 200:
        return answer
    tag = f'W/"{hashlib.sha256(_encode(answer.body)).hexdigest()}"'
    headers = {**answer.headers, "etag": tag}
    if request.headers.get("if-none-match") != tag:
        return Answer(body=answer.body, headers=headers)
    forgive()
    return Answer(status=304, headers=headers)


def _request(scope: Scope, body: bytes) -> Request:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    raw_path = scope["raw_path"].decode().partition("?")[0]
    return read_request(str(scope["method"]), raw_path, scope["query_string"].decode(), headers, body)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _encode(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


async def _reply(send: Send, answer: Answer) -> None:
    body = _encode(answer.body)
    kind = "text/plain" if isinstance(answer.body, bytes) else "application/json; charset=utf-8"
    headers = {"server": SERVER, "content-type": kind, **answer.headers}
    if answer.status not in {204, 304}:
        headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if answer.status in {204, 304} else body})


async def _cut(send: Send) -> None:
    """The server would answer for an application that says nothing; so it begins, and breaks off."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    raise AnswerLost
