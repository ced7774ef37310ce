"""Requests to Claude as large as ordinary ones, for who measures limits and not answers."""

import msgspec
from msgspec import Raw

from cody_jobs.outcomes import ThreadMessage
from cody_worker.claude import ClaudeRequest

_TASK = "Rewrite Optional[X] to X | None. " * 150
_LINE = "    value = {'a': \"b\\n\"}\n"


def file_request(path: str, size: int, *, model: str = "claude-sonnet-5-5") -> ClaudeRequest:
    """About a file of about `size` bytes; what comes before it is the same for all, and marked for the cache."""
    text = f"<file path={path}>\ndef f(x: Optional[int]):\n{_LINE * (size // len(_LINE))}</file>"
    task = {"type": "text", "text": _TASK, "cache_control": {"type": "ephemeral"}}
    return ClaudeRequest(
        model=model,
        messages=(
            ThreadMessage(role="system", content=_json([{"type": "text", "text": "You edit files."}])),
            ThreadMessage(role="user", content=_json([task, {"type": "text", "text": text}])),
        ),
        tools=Raw(b"[]"),
        max_output_tokens=2_000,
    )


def _json(content: object) -> Raw:
    return Raw(msgspec.json.encode(content))
