"""What the real API would refuse, as far as it matters to us; and the models that there are."""

from typing import Any

from cody_stand_ins.claude.conversation import MessagesRequest, blocks_of

MODELS = (
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
    "claude-fable-5-1",
)
_NO_FORCED_TOOLS = frozenset({"claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1"})


def what_is_wrong(request: MessagesRequest) -> tuple[int, str] | None:
    """Status and message for a request that the real API would refuse, too."""
    if request.model not in MODELS:
        return 404, f"model: {request.model}"
    if not request.messages or request.messages[0].get("role") != "user":
        return 400, "messages: first message must use the user role"
    if any(not message.get("content") for message in request.messages):
        return 400, "messages: content must not be empty"
    forced = (request.tool_choice or {}).get("type") in {"any", "tool"}
    if forced and request.model in _NO_FORCED_TOOLS:
        return 400, f"tool_choice: forced tool use is not supported by {request.model}"
    return _unanswered_tool(request)


def _unanswered_tool(request: MessagesRequest) -> tuple[int, str] | None:
    """Every tool call has to be followed by its result, as in the real API."""
    for message, following in zip(request.messages, request.messages[1:], strict=False):
        called = _ids(message.get("content"), "tool_use", "id")
        if called - _ids(following.get("content"), "tool_result", "tool_use_id"):
            return 400, "messages: tool_use ids were found without tool_result blocks immediately after"
    return None


def _ids(content: object, kind: str, field: str) -> set[str]:
    return {str(block[field]) for block in blocks_of(content) if block.get("type") == kind}


def model_info(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": f"{name} (stand-in)",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }
