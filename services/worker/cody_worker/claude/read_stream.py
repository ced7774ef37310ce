"""Put one streamed reply together. Strict about the end: a reply without its last event is no reply."""

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Raw

from cody_worker.claude.claude import Block, StopReason, TextBlock, ToolUse
from cody_worker.claude.prices import TokenCounts

if TYPE_CHECKING:
    from anthropic.types import Message, RawMessageStreamEvent

_STOP_REASONS = {reason.value: reason for reason in StopReason}
_SHOWN_OF_BROKEN_INPUT = 2_000


class BrokenStream(Exception):
    """The stream ended early, or has something in it that is no Messages API."""


class _OpenBlock:
    """A content block that still grows: `json` is a tool's input as text."""

    def __init__(self, start: dict[str, object]) -> None:
        self.fields = start
        self.json: list[str] = []

    def add(self, field: str, text: str) -> None:
        self.fields[field] = str(self.fields.get(field) or "") + text


class StreamedReply:
    """Feed it with `read`; what it knows, tokens first of all, can be asked at any time, also after a break."""

    def __init__(self) -> None:
        self._blocks: list[_OpenBlock] = []
        self._usage: dict[str, int] = {}
        self._stop: str | None = None
        self._ended = False

    async def read(self, stream: "AsyncIterable[RawMessageStreamEvent]") -> None:
        """Raises `BrokenStream`, and whatever the connection raises."""
        try:
            async for event in stream:
                self._take(event)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # The SDK takes any JSON for an event: what is missing in it shows only here.
            raise BrokenStream(f"Claude's stream has something unreadable in it ({type(error).__name__})") from error
        if not self._ended or self._stop is None:
            raise BrokenStream("Claude's stream ended before the reply did")

    def read_whole(self, message: "Message") -> None:
        """A message that came in one piece. Raises `BrokenStream`."""
        try:
            self._count(message.usage)
            self._blocks = [
                _OpenBlock(cast("dict[str, object]", _encodable(block.to_dict()))) for block in message.content
            ]
            self._stop, self._ended = message.stop_reason, True
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BrokenStream(f"Claude's message has something unreadable in it ({type(error).__name__})") from error
        if self._stop is None or not self.begun:
            raise BrokenStream("Claude's message has no end")

    @property
    def begun(self) -> bool:
        """Claude has taken the request: from here on it costs something."""
        return bool(self._usage)

    @property
    def tokens(self) -> TokenCounts:
        return TokenCounts(
            input=self._usage.get("input_tokens", 0),
            cache_creation=self._usage.get("cache_creation_input_tokens", 0),
            cache_read=self._usage.get("cache_read_input_tokens", 0),
            output=self._usage.get("output_tokens", 0),
            cache_creation_hour=self._usage.get("ephemeral_1h_input_tokens", 0),
        )

    @property
    def stop(self) -> StopReason:
        return _STOP_REASONS.get(self._stop or "", StopReason.OTHER)

    @property
    def content(self) -> Raw:
        return Raw(msgspec.json.encode([_whole(block) for block in self._blocks]))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Text and tool calls; what Claude thought is only in `content`."""
        return tuple(block for block in map(_block, self._blocks) if block is not None)

    def _take(self, event: "RawMessageStreamEvent") -> None:
        if event.type == "message_start":
            self._count(event.message.usage)
        elif event.type == "content_block_start":
            self._blocks.append(_OpenBlock(event.content_block.to_dict()))
        elif event.type == "content_block_delta":
            self._grow(self._blocks[event.index], event.delta)
        elif event.type == "message_delta":
            self._stop = event.delta.stop_reason
            self._count(event.usage)
        elif event.type == "message_stop":
            self._ended = True

    def _grow(self, block: _OpenBlock, delta: object) -> None:
        kind = getattr(delta, "type", None)
        if kind == "input_json_delta":
            block.json.append(_text_of(delta, "partial_json"))
        elif kind in {"text_delta", "thinking_delta", "signature_delta"}:
            field = str(kind).removesuffix("_delta")
            block.add(field, _text_of(delta, field))

    def _count(self, usage: object) -> None:
        """Later counts replace earlier ones, and leave out what they do not count."""
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"):
            count = getattr(usage, name, None)
            if isinstance(count, int):
                self._usage[name] = count
        hour = getattr(getattr(usage, "cache_creation", None), "ephemeral_1h_input_tokens", None)
        if isinstance(hour, int):
            self._usage["ephemeral_1h_input_tokens"] = hour


def _text_of(delta: object, field: str) -> str:
    """JSON can escape half of a surrogate pair, which no bytes can hold."""
    return _without_halves(str(getattr(delta, field)))


def _without_halves(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _encodable(value: object) -> object:
    """The same without halves of surrogate pairs, wherever they are in it."""
    if isinstance(value, str):
        return _without_halves(value)
    if isinstance(value, dict):
        return {_without_halves(key): _encodable(part) for key, part in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_encodable(part) for part in cast("list[object]", value)]
    return value


def _whole(block: _OpenBlock) -> dict[str, object]:
    """The block as it goes back to Claude. A tool's input must be an object there, so one that is not is quoted."""
    if not block.json:
        return block.fields
    return {**block.fields, "input": _object(_input(block)) or _quoted(block)}


def _quoted(block: _OpenBlock) -> dict[str, object]:
    return {"unreadable_input": "".join(block.json)[:_SHOWN_OF_BROKEN_INPUT]}


def _object(raw: Raw) -> dict[str, object] | None:
    try:
        value: object = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _input(block: _OpenBlock) -> Raw:
    return Raw("".join(block.json).encode())


def _block(block: _OpenBlock) -> Block | None:
    kind = block.fields.get("type")
    if kind == "text":
        return TextBlock(text=str(block.fields.get("text", "")))
    if kind != "tool_use":
        return None
    given = _input(block) if block.json else Raw(msgspec.json.encode(block.fields.get("input", {})))
    return ToolUse(id=str(block.fields.get("id")), name=str(block.fields.get("name")), input=given)
