"""A Claude that says what the test wants, and a repository that is a dict."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from cody_jobs.errors import JobFailed
from cody_jobs.outcomes import CallUsage
from cody_worker.claude import ClaudeReply, ClaudeRequest, StopReason, TextBlock, ToolUse
from cody_worker.git.look import Found, FoundLine, SearchRules

USAGE = CallUsage(
    request_id="req_1",
    model="claude-sonnet-5-5",
    input_tokens=1,
    output_tokens=2,
    cache_creation_input_tokens=0,
    cache_read_input_tokens=0,
    cost_microusd=22,
    latency_ms=5,
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
Said = ClaudeReply | JobFailed


class ScriptedClaude:
    """Gives its replies one after the other, and keeps the requests."""

    def __init__(self, *script: Said) -> None:
        self._script = list(script)
        self.requests: list[ClaudeRequest] = []

    @property
    def max_output_tokens(self) -> int:
        return 1_000

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        self.requests.append(request)
        said = self._script.pop(0)
        if isinstance(said, JobFailed):
            raise said
        return said

    def shown(self, number: int) -> str:
        """The last message of a request, as text."""
        content = msgspec.json.decode(self.requests[number].messages[-1].content)
        return "\n".join(str(block.get("text") or block.get("content")) for block in content)


class DictRepository:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    async def read_other(self, path: str, *, staged: bool = False) -> bytes | None:
        return self.files.get(path)

    async def search(self, rules: SearchRules) -> Found:
        lines = [
            FoundLine(path=path, line=number, text=line)
            for path, data in sorted(self.files.items())
            for number, line in enumerate(data.decode().split("\n"), 1)
            if rules.text in line
        ]
        return Found(lines=tuple(lines[: rules.most_lines]), whole=len(lines) <= rules.most_lines)


def reply(*blocks: dict[str, Any], stop: StopReason = StopReason.TOOL_USE) -> ClaudeReply:
    uses = [
        ToolUse(id=block["id"], name=block["name"], input=Raw(msgspec.json.encode(block["input"])))
        if block["type"] == "tool_use"
        else TextBlock(text=block["text"])
        for block in blocks
    ]
    return ClaudeReply(content=Raw(msgspec.json.encode(blocks)), blocks=tuple(uses), stop=stop, calls=(USAGE,))


def use(name: str, number: int = 1, **given: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def edit_use(path: str, old: str, new: str, number: int = 1) -> dict[str, Any]:
    return use("edit_file", number, path=path, edits=[{"old_text": old, "new_text": new}])
