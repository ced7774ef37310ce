"""The Messages API on the wire: server-sent events, whole messages, and error bodies."""

from collections.abc import Iterator
from typing import Any

import msgspec

from cody_stand_ins.claude.conversation import TokenUse
from cody_stand_ins.claude.replies import Reply

_DELTA = 4_000
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_encode = msgspec.json.encode


def error_body(status: int, message: str, request_id: str, error_code: str | None = None) -> bytes:
    error: dict[str, Any] = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return _encode({"type": "error", "error": error, "request_id": request_id})


def event(kind: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _encode({"type": kind, **fields}))


def output_tokens(reply: Reply) -> int:
    return max(1, sum(len(_encode(block)) for block in reply.blocks) // 4)


def start_event(message_id: str, model: str, use: TokenUse) -> bytes:
    return event("message_start", message=_message(message_id, model, [], None, use, 1)) + event("ping")


def block_events(reply: Reply) -> Iterator[bytes]:
    """Each content block, in at least two pieces."""
    for index, block in enumerate(reply.blocks):
        yield _block_start(index, block)
        field, delta, text = _growing(block)
        size = min(_DELTA, max(1, -(-len(text) // 2)))
        for at in range(0, len(text), size):
            yield event("content_block_delta", index=index, delta={"type": delta, field: text[at : at + size]})
        yield event("content_block_stop", index=index)


def end_events(reply: Reply, use: TokenUse) -> bytes:
    usage = {**msgspec.to_builtins(use), "output_tokens": output_tokens(reply)}
    delta = {"stop_reason": reply.stop, "stop_sequence": None}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")


def whole_message(message_id: str, model: str, reply: Reply, use: TokenUse) -> bytes:
    return _encode(_message(message_id, model, reply.blocks, reply.stop, use, output_tokens(reply)))


def batch_message(message_id: str, model: str, reply: Reply, use: TokenUse) -> dict[str, Any]:
    message = _message(message_id, model, reply.blocks, reply.stop, use, output_tokens(reply))
    return {**message, "usage": {**message["usage"], "service_tier": "batch"}}


def _message(
    message_id: str, model: str, content: list[dict[str, Any]], stop: str | None, use: TokenUse, output: int
) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {**msgspec.to_builtins(use), "output_tokens": output, "service_tier": "standard"},
    }


def _block_start(index: int, block: dict[str, Any]) -> bytes:
    nothing: dict[str, Any] = {"text": ""} if block["type"] == "text" else {"input": {}}
    empty = {**block, **nothing}
    return event("content_block_start", index=index, content_block=empty)


def _growing(block: dict[str, Any]) -> tuple[str, str, str]:
    if block["type"] == "text":
        return "text", "text_delta", block["text"]
    given = block["input"]
    return "partial_json", "input_json_delta", given if isinstance(given, str) else _encode(given).decode()
