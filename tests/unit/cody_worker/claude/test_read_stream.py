"""Streams as the API may send them, thinking included, and as it must not."""

import json
from collections.abc import Sequence
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest

from cody_worker.claude import StopReason, TextBlock, ToolUse
from cody_worker.claude.read_stream import BrokenStream, StreamedReply

Event = dict[str, Any]
_START: Event = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1},
    },
}
_STOP: Event = {"type": "message_stop"}


def _end(reason: str, output: int = 7) -> Event:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output}}


def _block(index: int, block: Event, *deltas: Event) -> list[Event]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _use(*pieces: str, index: int = 0) -> list[Event]:
    block: Event = {"type": "tool_use", "id": "toolu_1", "name": "edit_file", "input": {}}
    return _block(index, block, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


async def _feed(reply: StreamedReply, events: Sequence[Event]) -> None:
    """Through the real SDK, as server-sent events."""
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    response = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: response))
    async with anthropic.AsyncAnthropic(api_key="k", base_url="http://127.0.0.1", http_client=http) as client:
        stream = await client.messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}], stream=True
        )
        await reply.read(stream)


async def _read(*events: Event) -> StreamedReply:
    reply = StreamedReply()
    await _feed(reply, events)
    return reply


async def test_a_tool_call_comes_together_from_its_pieces() -> None:
    reply = await _read(_START, *_use('{"edits": [', '{"old_text": "é"', "}]}"), _end("tool_use"), _STOP)
    (use,) = reply.blocks
    assert isinstance(use, ToolUse)
    assert msgspec.json.decode(use.input) == {"edits": [{"old_text": "é"}]}
    assert msgspec.json.decode(reply.content)[0]["input"] == {"edits": [{"old_text": "é"}]}
    assert reply.stop is StopReason.TOOL_USE
    assert (reply.tokens.input, reply.tokens.cache_read, reply.tokens.output) == (10, 5, 7)


async def test_what_claude_thought_goes_back_to_it_but_says_nothing() -> None:
    thinking = _block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "see"},
        {"type": "signature_delta", "signature": "c2lnbmVk"},
    )
    reply = await _read(_START, *thinking, *_use("{}", index=1), _end("tool_use"), _STOP)
    assert [type(block) for block in reply.blocks] == [ToolUse]
    content = msgspec.json.decode(reply.content)
    assert content[0] == {"type": "thinking", "thinking": "Let me see", "signature": "c2lnbmVk"}


async def test_text_comes_together() -> None:
    block = {"type": "text", "text": ""}
    events = _block(0, block, {"type": "text_delta", "text": "a"}, {"type": "text_delta", "text": "b"})
    reply = await _read(_START, *events, _end("end_turn"), _STOP)
    assert reply.blocks == (TextBlock(text="ab"),)


@pytest.mark.parametrize("text", ['{"edits": [}', "[]", '"text"', "{" * 1_000, "\ud800"])
async def test_input_that_is_no_object_is_kept_for_people_and_goes_back_quoted(text: str) -> None:
    reply = await _read(_START, *_use(text), _end("tool_use"), _STOP)
    quoted = msgspec.json.decode(reply.content)[0]["input"]
    assert list(quoted) == ["unreadable_input"]


async def test_a_tool_call_without_input_has_an_empty_one() -> None:
    reply = await _read(_START, *_use(), _end("tool_use"), _STOP)
    (use,) = reply.blocks
    assert isinstance(use, ToolUse)
    assert bytes(use.input) == b"{}"


async def test_an_event_without_what_it_needs_is_no_reply() -> None:
    with pytest.raises(BrokenStream):
        await _read(_START, {"type": "content_block_delta", "index": 0}, _end("end_turn"), _STOP)
    with pytest.raises(BrokenStream):
        await _read({"type": "message_start"}, _end("end_turn"), _STOP)


async def test_events_and_blocks_of_tomorrow_are_passed_over() -> None:
    news = _block(0, {"type": "mood", "mood": "good"}, {"type": "mood_delta", "mood": "better"})
    reply = await _read(_START, {"type": "weather"}, *news, *_use("{}", index=1), _end("tool_use"), _STOP)
    assert [type(block) for block in reply.blocks] == [ToolUse]


async def test_a_stop_reason_of_tomorrow_is_another_one() -> None:
    assert (await _read(_START, _end("tired"), _STOP)).stop is StopReason.OTHER


@pytest.mark.parametrize(
    "events",
    [
        [],
        [_START],
        [_START, *_use("{}")],
        [_START, *_use("{}"), _end("tool_use")],
        [_START, *_use("{}"), _STOP],
        [_START, *_use("{}")[1:], _end("tool_use"), _STOP],
    ],
    ids=["nothing", "only a start", "no end", "no last event", "no reason", "a delta of no block"],
)
async def test_a_stream_without_its_end_is_no_reply(events: list[Event]) -> None:
    with pytest.raises(BrokenStream):
        await _read(*events)


async def test_tokens_are_known_after_a_break() -> None:
    reply = StreamedReply()
    with pytest.raises(BrokenStream):
        await _feed(reply, [_START, *_use('{"a')])
    assert reply.begun
    assert reply.tokens.input == 10
    assert not StreamedReply().begun
