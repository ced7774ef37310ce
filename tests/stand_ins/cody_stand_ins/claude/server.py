"""The stand-in as an ASGI application."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from cody_stand_ins.claude.batch_exchange import answer_about_batches
from cody_stand_ins.claude.batches import Batches
from cody_stand_ins.claude.check_request import MODELS, model_info, what_is_wrong
from cody_stand_ins.claude.conversation import Asked, MessagesRequest, PromptCache, TokenUse, read_questions
from cody_stand_ins.claude.faults import BREAKS, STATUS_FAULTS, Fault, FaultChooser, FaultKind, Faults
from cody_stand_ins.claude.limits import Limits
from cody_stand_ins.claude.migrations import FindRewrite, find_migration
from cody_stand_ins.claude.misbehave import bad_reply
from cody_stand_ins.claude.replies import Reply, good_reply, together
from cody_stand_ins.claude.stats import Tally
from cody_stand_ins.claude.wire import (
    block_events,
    end_events,
    error_body,
    event,
    output_tokens,
    start_event,
    whole_message,
)

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

SERVER = b"cody-claude-stand-in"
_HANG_SECONDS = 3_600.0


class ConnectionCut(Exception):
    """Raised on purpose: the server closes the connection without ending the response."""


class StandIn:
    """Answers like the Claude API; forgets everything when it ends."""

    def __init__(self, keys: Collection[str], faults: Faults, find: FindRewrite = find_migration) -> None:
        self._keys = frozenset(keys)
        self.find = find
        self._faults = FaultChooser(faults)
        self._limits = Limits(faults, time.monotonic)
        self._cache = PromptCache()
        self._tally = Tally(time.process_time())
        self._batches = Batches()
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._number += 1
        await _Exchange(self, scope, receive, send, f"req_stand_in_{self._number:08d}").run()

    @property
    def number(self) -> int:
        return self._number

    @property
    def tally(self) -> Tally:
        return self._tally

    @property
    def batches(self) -> Batches:
        return self._batches

    @property
    def cache(self) -> PromptCache:
        return self._cache

    @property
    def faults(self) -> FaultChooser:
        return self._faults

    @property
    def limits(self) -> Limits:
        return self._limits

    def knows_key(self, headers: Mapping[bytes, bytes]) -> bool:
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode("latin-1")
        return bool({bearer, headers.get(b"x-api-key", b"").decode("latin-1")} & self._keys)

    def set_faults(self, faults: Faults) -> None:
        self._faults = FaultChooser(faults)
        self._limits = Limits(faults, time.monotonic)

    def reset(self) -> None:
        self.set_faults(Faults())
        self._cache, self._tally, self._batches = PromptCache(), Tally(time.process_time()), Batches()

    def reply_to(self, asked: Asked, fault: Fault | None) -> Reply:
        if fault is None or fault.kind in BREAKS:
            return good_reply(asked, self.number, self.find)
        return bad_reply(fault.kind, asked, self.number, find=self.find, seed=self.faults.settings.seed)


class _Exchange:
    """One request and its response."""

    def __init__(self, stand_in: StandIn, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._stand_in = stand_in
        self._method, self._path = str(scope["method"]), str(scope["path"])
        self._query = bytes(scope["query_string"]).decode()
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive, self._send = receive, send
        self._request_id = request_id
        self._extra: list[tuple[bytes, bytes]] = []

    @property
    def url(self) -> str:
        """Ours, as the client knows it."""
        return f"http://{self._headers.get(b'host', b'').decode('latin-1')}"

    def cut(self) -> Exception:
        """To be raised, so that the connection dies."""
        return ConnectionCut()

    async def run(self) -> None:
        body = await self._body()
        if self._path.startswith("/stand-in/"):
            await self._control(body)
        elif not self._stand_in.knows_key(self._headers):
            await self.error(401, "invalid x-api-key")
        elif self._path == "/v1/messages" and self._method == "POST":
            await self._messages(body)
        elif self._path.startswith("/v1/messages/batches"):
            await answer_about_batches(self._stand_in, self, self._method, self._path, self._query, body)
        elif self._path == "/v1/messages/count_tokens" and self._method == "POST":
            await self._count_tokens(body)
        elif self._path.startswith("/v1/models") and self._method == "GET":
            await self._models(self._path.removeprefix("/v1/models").strip("/"))
        else:
            await self.error(404, f"there is no {self._method} {self._path}")

    async def _control(self, body: bytes) -> None:
        match self._method, self._path:
            case "GET", "/stand-in/stats":
                await self.reply(200, msgspec.json.encode(self._stand_in.tally.stats(time.process_time())))
            case "POST", "/stand-in/reset":
                self._stand_in.reset()
                await self.reply(204, b"")
            case "POST", "/stand-in/faults":
                await self._set_faults(body)
            case _:
                await self.error(404, "the stand-in has GET stats, POST faults and POST reset")

    async def _set_faults(self, body: bytes) -> None:
        try:
            self._stand_in.set_faults(msgspec.json.decode(body, type=Faults))
        except msgspec.DecodeError as error:
            await self.error(400, str(error))
            return
        await self.reply(204, b"")

    async def _messages(self, body: bytes) -> None:
        tally = self._stand_in.tally
        tally.begin()
        tally.bytes_received += len(body)
        try:
            request = await self._decode(body)
            if request is not None:
                await self._answer(request)
        finally:
            tally.end()

    async def _decode(self, body: bytes) -> MessagesRequest | None:
        try:
            request = msgspec.json.decode(body, type=MessagesRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await self.error(400, str(error))
            return None
        wrong = what_is_wrong(request)
        if wrong is None:
            return request
        await self.error(*wrong)
        return None

    async def _answer(self, request: MessagesRequest) -> None:
        questions = read_questions(request)
        for asked in questions:
            self._stand_in.tally.questions[request.model, asked.path, asked.content] += 1
        use = self._stand_in.cache.count(request)
        if not await self._has_room(request, use):
            return
        faults = [self._stand_in.faults.choose(asked.path) for asked in questions]
        for fault in faults:
            self._stand_in.tally.by_fault.update([fault.kind.value] if fault is not None else [])
        early = next((fault for fault in faults if fault is not None), None)
        if (delay := self._stand_in.faults.delay()) > 0:
            await asyncio.sleep(delay)
        if early is not None and await self._fail_early(early):
            return
        parts = [(asked, self._stand_in.reply_to(asked, fault)) for asked, fault in zip(questions, faults, strict=True)]
        await self._say(request, use, together(parts), early)

    async def _has_room(self, request: MessagesRequest, use: TokenUse) -> bool:
        limits = self._stand_in.limits
        refusal = limits.admit(request.model, use.input_tokens + use.cache_creation_input_tokens)
        self._extra += limits.headers(request.model)
        if refusal is None:
            self._stand_in.tally.admitted.append(time.monotonic())
            return True
        self._extra.append((b"retry-after", limits.retry_after(refusal)))
        await self.error(429, refusal.message)
        return False

    async def _fail_early(self, fault: Fault) -> bool:
        """Faults that take the place of the answer."""
        if fault.kind is FaultKind.SILENT:
            await self.hang()
        if fault.kind is FaultKind.NOT_A_STREAM:
            await self.reply(200, b"<html>a gateway's page</html>", b"text/html")
            return True
        status = STATUS_FAULTS.get(fault.kind)
        if status is None:
            return False
        if fault.retry_after is not None:
            self._extra.append((b"retry-after", f"{fault.retry_after:g}".encode()))
        await self.error(*status)
        return True

    async def _say(self, request: MessagesRequest, use: TokenUse, reply: Reply, fault: Fault | None) -> None:
        self._stand_in.cache.remember(request)
        tally, message_id = self._stand_in.tally, f"msg_stand_in_{self._stand_in.number:08d}"
        tally.input_tokens += use.input_tokens + use.cache_creation_input_tokens + use.cache_read_input_tokens
        tally.counted_input_tokens += use.input_tokens + use.cache_creation_input_tokens
        tally.output_tokens += output_tokens(reply)
        self._stand_in.limits.spend_output(request.model, output_tokens(reply))
        if not request.stream:
            await self.reply(200, whole_message(message_id, request.model, reply, use))
            tally.answered += 1
            return
        await self.begin(200, b"text/event-stream; charset=utf-8")
        pieces = [start_event(message_id, request.model, use), *block_events(reply)]
        if fault is not None and fault.kind in BREAKS:
            await self._break(fault.kind, pieces)
            return
        # Two writes are enough for a client to see a stream in parts, and cheap.
        await self.more(pieces[0])
        if (writing := self._stand_in.faults.settings.writing) > 0:
            await asyncio.sleep(writing)
        await self.last(b"".join(pieces[1:]) + end_events(reply, use))
        tally.answered += 1

    async def _break(self, kind: FaultKind, pieces: list[bytes]) -> None:
        await self.more(b"".join(pieces[: len(pieces) // 2 + 1]))
        if kind is FaultKind.CUT:
            raise ConnectionCut
        if kind is FaultKind.IDLE:
            await self.hang()
        if kind is FaultKind.ERROR_EVENT:
            await self.more(event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
        if kind is FaultKind.NOT_JSON_EVENT:
            await self.more(b"event: content_block_delta\ndata: {not json\n\n")
        await self.last(b"")

    async def hang(self) -> None:
        """Until the client goes away."""
        async with asyncio.timeout(_HANG_SECONDS):
            while (await self._receive())["type"] != "http.disconnect":
                pass
        raise ConnectionCut

    async def _count_tokens(self, body: bytes) -> None:
        request = msgspec.json.decode(body, type=dict[str, Any])
        size = len(msgspec.json.encode([request.get("system"), request.get("tools"), request.get("messages")]))
        await self.reply(200, msgspec.json.encode({"input_tokens": size // 4}))

    async def _models(self, name: str) -> None:
        if not name:
            page = {
                "data": [model_info(model) for model in MODELS],
                "has_more": False,
                "first_id": MODELS[0],
                "last_id": MODELS[-1],
            }
            await self.reply(200, msgspec.json.encode(page))
        elif name in MODELS:
            await self.reply(200, msgspec.json.encode(model_info(name)))
        else:
            await self.error(404, f"model: {name}")

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    async def error(self, status: int, message: str, error_code: str | None = None) -> None:
        await self.reply(status, error_body(status, message, self._request_id, error_code))

    async def reply(self, status: int, body: bytes, kind: bytes = b"application/json") -> None:
        await self.begin(status, kind, len(body))
        await self.last(body)

    async def begin(self, status: int, kind: bytes, length: int | None = None) -> None:
        if self._path == "/v1/messages":
            self._stand_in.tally.by_status[str(status)] += 1
        headers = [
            (b"server", SERVER),
            (b"content-type", kind),
            (b"request-id", self._request_id.encode()),
            *self._extra,
        ]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def last(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
