"""A request as the Messages API takes it, whichever way it goes there."""

from typing import TYPE_CHECKING, TypedDict, cast

import msgspec

from cody_jobs.outcomes import ThreadMessage
from cody_worker.claude.claude import ClaudeRequest

if TYPE_CHECKING:
    from anthropic.types import MessageParam, TextBlockParam, ToolChoiceAutoParam, ToolParam


class RequestParams(TypedDict):
    model: str
    max_tokens: int
    system: "list[TextBlockParam]"
    messages: "list[MessageParam]"
    tools: "list[ToolParam]"
    tool_choice: "ToolChoiceAutoParam"


def request_params(request: ClaudeRequest) -> RequestParams:
    system = [message for message in request.messages if message.role == "system"]
    rest = [message for message in request.messages if message.role != "system"]
    return {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        "system": msgspec.json.decode(system[0].content) if system else [],
        "messages": cast("list[MessageParam]", [_param(message) for message in rest]),
        "tools": cast("list[ToolParam]", msgspec.json.decode(request.tools)),
        # Not "any": models that always think refuse to be forced. A reply without a tool call is asked again.
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": not request.parallel_calls},
    }


def _param(message: ThreadMessage) -> dict[str, object]:
    return {"role": message.role, "content": msgspec.json.decode(message.content)}
