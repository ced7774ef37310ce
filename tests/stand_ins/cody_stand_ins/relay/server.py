"""The relay as an ASGI application."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec
from msgspec import Struct

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_NOT_PASSED_ON = frozenset({b"connection", b"content-encoding", b"content-length", b"transfer-encoding", b"date"})
_THROTTLED = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "sqs": "com.amazonaws.sqs#RequestThrottled",
}


class Trouble(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Shares of all calls (0 to 1): `throttled` are refused before they are passed on; of the others, `lost` work but
    their answer never comes. By chance, the same for a seed and an order of calls."""

    throttled: float = 0.0
    lost: float = 0.0
    seed: int = 0


class RelayStats(Struct, frozen=True, kw_only=True, rename="camel"):
    """Since the start, by operation."""

    calls: Mapping[str, int]
    throttled: Mapping[str, int]
    lost: Mapping[str, int]


class AnswerLost(Exception):
    """Raised on purpose: the server closes the connection without an answer."""


class RelayServer:
    """Passes each call on to `target`, or makes trouble."""

    def __init__(self, target: str) -> None:
        self._http = httpx.AsyncClient(base_url=target, trust_env=False, timeout=60)
        self._trouble = Trouble()
        self._chance = random.Random(0)
        self._calls: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        match scope["path"]:
            case "/relay/stats":
                await _answer(send, 200, [], msgspec.json.encode(self._stats()))
            case "/relay/trouble":
                self._trouble = msgspec.json.decode(body, type=Trouble)
                self._chance = random.Random(self._trouble.seed)
                await _answer(send, 200, [], b"{}")
            case _:
                await self._pass_on(scope, body, send)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> None:
        service, operation = _call_of(dict(scope["headers"]))
        self._calls[operation] += 1
        if self._chance.random() < self._trouble.throttled:
            self._throttled[operation] += 1
            refusal = {"__type": _THROTTLED[service], "message": "the relay was told to throttle this call"}
            await _answer(send, 400, [(b"content-type", b"application/x-amz-json-1.0")], msgspec.json.encode(refusal))
            return
        response = await self._http.request(
            str(scope["method"]), str(scope["path"]), headers=_headers(scope["headers"]), content=body
        )
        if self._chance.random() < self._trouble.lost:
            self._lost[operation] += 1
            raise AnswerLost
        await _answer(send, response.status_code, _headers(response.headers.raw), response.content)

    def _stats(self) -> RelayStats:
        return RelayStats(calls=dict(self._calls), throttled=dict(self._throttled), lost=dict(self._lost))


def _call_of(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Service and operation: `X-Amz-Target: DynamoDB_20120810.GetItem` or `AmazonSQS.SendMessage`."""
    target, _, operation = headers.get(b"x-amz-target", b"").decode().partition(".")
    return ("dynamodb" if target.startswith("DynamoDB") else "sqs"), operation or "unknown"


def _headers(raw: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in raw if name.lower() not in _NOT_PASSED_ON]


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    whole = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": whole})
    await send({"type": "http.response.body", "body": body})
