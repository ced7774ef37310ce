"""Ask the API how many tokens a prompt has. It costs nothing, has a limit of its own, and no answer is worth a wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cody_runtime.logs import get_logger
from cody_worker.claude.claude import Claude, ClaudeRequest
from cody_worker.claude.errors import judge
from cody_worker.claude.request_params import request_params

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

log = get_logger(__name__)

_SECONDS = 20.0

CountTokens = Callable[[ClaudeRequest], Awaitable[int | None]]
"""How many tokens a request's prompt has; None where that cannot be found out."""


@runtime_checkable
class CountsTokens(Protocol):
    """A `Claude` that can tell what a prompt will count, as not all can."""

    async def count_tokens(self, request: ClaudeRequest) -> int | None: ...


def token_counter(claude: Claude) -> CountTokens | None:
    return claude.count_tokens if isinstance(claude, CountsTokens) else None


async def count_tokens(sdk: "AsyncAnthropic", request: ClaudeRequest) -> int | None:
    params = request_params(request)
    try:
        async with asyncio.timeout(_SECONDS):
            counted = await sdk.messages.count_tokens(
                model=params["model"], system=params["system"], messages=params["messages"], tools=params["tools"]
            )
    except Exception as error:  # noqa: BLE001 (raised again where it is no error of the SDK)
        judge(error, request.model)
        log.warning("claude_tokens_not_counted", reason=type(error).__name__)
        return None
    return counted.input_tokens
