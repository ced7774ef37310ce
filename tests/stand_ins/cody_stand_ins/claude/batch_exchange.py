"""Requests to /v1/messages/batches and what comes back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

import msgspec

from cody_stand_ins.claude.batches import Batch, Result, errored, read_params, results_lines
from cody_stand_ins.claude.check_request import what_is_wrong
from cody_stand_ins.claude.conversation import MessagesRequest, TokenUse, read_questions
from cody_stand_ins.claude.faults import BREAKS, CREATIONS, OF_MESSAGES, RESULTS, STATUS_FAULTS, Fault, FaultKind
from cody_stand_ins.claude.replies import Reply, together
from cody_stand_ins.claude.wire import batch_message, output_tokens

if TYPE_CHECKING:
    from cody_stand_ins.claude.server import StandIn

_PER_REQUEST = (OF_MESSAGES - BREAKS) | {FaultKind.BATCH_EXPIRED}


class Exchange(Protocol):
    @property
    def url(self) -> str: ...
    async def reply(self, status: int, body: bytes, kind: bytes = b"application/json") -> None: ...
    async def error(self, status: int, message: str, error_code: str | None = None) -> None: ...
    async def begin(self, status: int, kind: bytes, length: int | None = None) -> None: ...
    async def more(self, body: bytes) -> None: ...
    async def last(self, body: bytes) -> None: ...
    async def hang(self) -> None: ...
    def cut(self) -> Exception: ...


async def answer_about_batches(
    stand_in: "StandIn", exchange: Exchange, method: str, path: str, query: str, body: bytes
) -> None:
    stand_in.batches.end_those_over(lambda request: _answer(stand_in, request), stand_in.tally.batch_answers)
    match method, path.removeprefix("/v1/messages/batches").strip("/").split("/"):
        case "POST", [""]:
            await _create(stand_in, exchange, body)
        case "GET", [""]:
            await exchange.reply(200, msgspec.json.encode(_page(stand_in, exchange, query)))
        case _, [batch_id, *action] if (batch := stand_in.batches.find(batch_id)) is not None:
            await _about_one(stand_in, exchange, batch, (method, *action))
        case _:
            await exchange.error(404, f"there is no {method} {path}")


async def _create(stand_in: "StandIn", exchange: Exchange, body: bytes) -> None:
    params = read_params(body)
    if isinstance(params, str):
        await exchange.error(400, params)
        return
    fault = stand_in.faults.choose(None, CREATIONS)
    kind = None if fault is None else fault.kind
    if kind is not None:
        stand_in.tally.by_fault[kind.value] += 1
    if kind is FaultKind.BATCH_REFUSED:
        await exchange.error(429, "Too many batches")
        return
    if kind is FaultKind.BATCH_SILENT:
        await exchange.hang()
    if kind is FaultKind.BATCH_NOT_MADE:
        raise exchange.cut()
    batch = stand_in.batches.make(params, stand_in.faults.settings.batch_latency)
    stand_in.tally.batches += 1
    if kind is FaultKind.BATCH_ANSWER_LOST:
        raise exchange.cut()
    if kind is FaultKind.BATCH_ANSWER_SILENT:
        await exchange.hang()
    await exchange.reply(200, msgspec.json.encode(batch.view(exchange.url)))


async def _about_one(stand_in: "StandIn", exchange: Exchange, batch: Batch, wanted: tuple[str, ...]) -> None:
    match wanted:
        case ("GET",):
            await exchange.reply(200, msgspec.json.encode(batch.view(exchange.url)))
        case ("POST", "cancel"):
            batch.cancel()
            stand_in.tally.batch_cancels += 1
            await exchange.reply(200, msgspec.json.encode(batch.view(exchange.url)))
        case ("GET", "results") if batch.results:
            await _results(stand_in, exchange, batch)
        case _:
            await exchange.error(404, "this batch has no such thing (yet)")


async def _results(stand_in: "StandIn", exchange: Exchange, batch: Batch) -> None:
    lines = results_lines(batch)
    fault = stand_in.faults.choose(None, RESULTS)
    await exchange.begin(200, b"application/binary")
    if fault is None:
        await exchange.last(b"".join(lines))
        return
    stand_in.tally.by_fault[fault.kind.value] += 1
    half = len(lines) // 2
    await exchange.more(b"".join(lines[:half]) + lines[half][: len(lines[half]) // 2])
    if fault.kind is FaultKind.BATCH_RESULTS_SILENT:
        await exchange.hang()
    raise exchange.cut()


def _page(stand_in: "StandIn", exchange: Exchange, query: str) -> Mapping[str, object]:
    given = parse_qs(query)
    after = given.get("after_id", [None])[0]
    return stand_in.batches.page(limit=int(given.get("limit", ["20"])[0]), after=after, url=exchange.url)


def _answer(stand_in: "StandIn", request: MessagesRequest) -> Result:
    wrong = what_is_wrong(request)
    if wrong is not None:
        return errored(*wrong)
    questions = read_questions(request)
    faults = [stand_in.faults.choose(asked.path, _PER_REQUEST) for asked in questions]
    for asked in questions:
        stand_in.tally.questions[request.model, asked.path, asked.content] += 1
    early = next((fault for fault in faults if fault is not None), None)
    stand_in.tally.by_fault.update([early.kind.value] if early is not None else [])
    unanswered = None if early is None else _unanswered(early)
    if unanswered is not None:
        return unanswered
    replies = [(asked, stand_in.reply_to(asked, fault)) for asked, fault in zip(questions, faults, strict=True)]
    use = stand_in.cache.count(request)
    stand_in.cache.remember(request)
    return _succeeded(stand_in, request, together(replies), use)


def _unanswered(fault: Fault) -> Result | None:
    if fault.kind is FaultKind.BATCH_EXPIRED:
        return {"type": "expired"}
    status = STATUS_FAULTS.get(fault.kind)
    return None if status is None else errored(status[0], status[1])


def _succeeded(stand_in: "StandIn", request: MessagesRequest, reply: Reply, use: TokenUse) -> Result:
    tally = stand_in.tally
    tally.input_tokens += use.input_tokens + use.cache_creation_input_tokens + use.cache_read_input_tokens
    tally.output_tokens += output_tokens(reply)
    number = sum(tally.batch_answers.values()) + 1
    return {"type": "succeeded", "message": batch_message(f"msg_batch_{number:08d}", request.model, reply, use)}
