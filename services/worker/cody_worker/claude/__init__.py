"""Asking Claude: the port, what goes through it, and the adapter behind it (`client.py`)."""

from cody_worker.claude.claude import (
    JOB_LEVEL_CODES,
    Block,
    BrokeOff,
    Claude,
    ClaudeFailed,
    ClaudeReply,
    ClaudeRequest,
    NoMoreAnswers,
    PromptTooLong,
    StopReason,
    TextBlock,
    ToolUse,
)

__all__ = [
    "JOB_LEVEL_CODES",
    "Block",
    "BrokeOff",
    "Claude",
    "ClaudeFailed",
    "ClaudeReply",
    "ClaudeRequest",
    "NoMoreAnswers",
    "PromptTooLong",
    "StopReason",
    "TextBlock",
    "ToolUse",
]
