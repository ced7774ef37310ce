"""The port `Claude`: one reply to one conversation, with its usage."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Raw, Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.outcomes import CallUsage, ThreadMessage


class StopReason(StrEnum):
    """Why a reply ended. A reason that we do not know is `OTHER`: such a reply is judged by its content."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    CONTEXT_FULL = "model_context_window_exceeded"
    REFUSAL = "refusal"
    OTHER = "other"


class TextBlock(Struct, frozen=True, kw_only=True):
    text: str


class ToolUse(Struct, frozen=True, kw_only=True):
    """`input` is the call's JSON as it came; it can be anything, also no JSON at all."""

    id: str
    name: str
    input: Raw


Block = TextBlock | ToolUse


class ClaudeRequest(Struct, frozen=True, kw_only=True):
    """`messages` are the whole conversation, a `system` one first if there is one; `tools` is the JSON list of the
    Messages API. `max_output_tokens` includes what Claude thinks; `wanted_output_tokens` is what it was where a cap
    leaves less. With `parallel_calls`, a reply may have several tool calls. `pay_once`: an attempt that broke off after
    it had cost something is not made again, but ends in `BrokeOff`. `on_begin` is called, perhaps more than once, when
    a reply begins: what the request shares with others is in Claude's cache then."""

    model: str
    messages: tuple[ThreadMessage, ...]
    tools: Raw
    max_output_tokens: int
    wanted_output_tokens: int | None = None
    parallel_calls: bool = False
    pay_once: bool = False
    on_begin: Callable[[], None] | None = None


class ClaudeReply(Struct, frozen=True, kw_only=True):
    """`content` is the assistant's message as it goes back into the conversation, thinking included; `blocks` are the
    parts of it that say something. `calls` are all calls that cost something, attempts that broke off included."""

    content: Raw
    blocks: tuple[Block, ...]
    stop: StopReason
    calls: tuple[CallUsage, ...]


class ClaudeFailed(JobFailed):
    """Claude gave no answer to this request. `calls` were made, and paid for, on the way."""

    def __init__(
        self, code: FailureCode, message: str, *, retryable: bool = False, calls: tuple[CallUsage, ...] = ()
    ) -> None:
        super().__init__(code, message, retryable=retryable)
        self.calls = calls


class BrokeOff(ClaudeFailed):
    """The same request again may be answered, and is paid for again."""


class PromptTooLong(ClaudeFailed):
    """The conversation does not fit the model's context, or the API's limit in bytes; a shorter one may."""


class NoMoreAnswers(ClaudeFailed):
    """Every further request would end the same way: the job has to stop asking."""


JOB_LEVEL_CODES: frozenset[str] = frozenset(
    {
        FailureCode.CLAUDE_KEY_MISSING,
        FailureCode.CLAUDE_KEY_REFUSED,
        FailureCode.CLAUDE_MODEL_UNKNOWN,
        FailureCode.CLAUDE_UNAVAILABLE,
        FailureCode.PLAN_FAILED,
    }
)
"""Codes of `NoMoreAnswers`, and of a job without a plan: they end the whole job. `CLAUDE_UNAVAILABLE` can be retried (a
spending limit, a long outage)."""


@runtime_checkable
class Claude(Protocol):
    @property
    def max_output_tokens(self) -> int:
        """The limit that a request begins with."""
        ...

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        """Wait out limits and outages, within the patience of the settings.

        Raises `NoMoreAnswers` where it would be the same for every request, `ClaudeFailed` where it is about this one.
        """
        ...
