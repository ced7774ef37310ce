"""A small HTTP server over loopback that answers what a test tells it to, in the shapes of the real API."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Answer(Struct, frozen=True, kw_only=True):
    status: int = 200
    body: bytes = b""
    kind: str = "application/json"


Respond = Callable[[Request], Answer]


class FakeApi:
    """`url` is its address; `requests` is what was asked so far. An address without an answer is a problem, 404."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer | Respond]] = {}

    def answer(self, address: str, *answers: Answer | Respond) -> None:
        """`address` is "GET /jobs"; several answers are given one after the other, the last one from then on."""
        self._answers[address] = list(answers)

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        answers = self._answers.get(f"{request.method} {request.path}")
        if answers is None:
            return problem(404, "not_found", f"no answer for {request.method} {request.path}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Answer) else answer(request)


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(value))


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    body = {"type": f"urn:x:{code}", "title": "T", "status": status, "detail": detail, "code": code, **more}
    return Answer(status=status, body=msgspec.json.encode(body), kind="application/problem+json")


def event_stream(*events: Mapping[str, object], end: str | None = None) -> Answer:
    """Server-sent events as the API writes them; without `end`, the stream is cut off after the last one."""
    parts = [f"id: {event['id']}\nevent: x\ndata: {msgspec.json.encode(event).decode()}\n\n" for event in events]
    last = f'event: end\ndata: {{"jobId":"job-1","status":"{end}"}}\n\n' if end else ""
    return Answer(body=("retry: 2000\n\n: keep-alive\n\n" + "".join(parts) + last).encode(), kind="text/event-stream")


@asynccontextmanager
async def fake_api() -> AsyncGenerator[FakeApi]:
    api = FakeApi("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read(reader)
        if request is not None:
            answer = api.respond(request)
            head = f"HTTP/1.1 {answer.status} X\r\nContent-Type: {answer.kind}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + answer.body)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield api


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = head[0].split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method=method, path=path, query=query, headers=headers, body=body)
